"""The report in a few lines for a terminal: what was used, what it cost, how much is left, what was stopped.

A line is a list of pieces, each with the name of its style; so whoever prints it colours it in its own way. Text from
events has no power over the terminal.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Piece = tuple[str, str | None]
"""Text, and its style: `green`, `yellow`, `red`, `bold` or None."""
Line = list[Piece]

_BAR = 10
_NEAR, _FULL = 0.8, 1.0
_MOST_BARS, _MOST_STOPS, _MOST_OTHERS, _MOST_DRIFTED = 4, 5, 3, 50
_MOST_PLACES = 4
_DIGITS = 3
"""Digits of a small amount of money that are shown."""
_CENTS = 2
_FEW_SECONDS = 10


def lines(report: Mapping[str, Any], *, width: int = 80) -> list[Line]:
    """Return the lines of a report, none longer than the width if that is 60 or more; no line where it tells nothing.

    Stops, warnings and errors have a line each, up to a few; the report itself has them all.
    """
    found = [*_used(report["totals"]), *_bars(report), *_stops(report), *_notes(report), *_errors(report)]
    return [_fitted(line, width) for line in found]


def _used(totals: Mapping[str, Any]) -> Iterator[Line]:
    """Yield what was used; a figure that does not tell all says "at least"."""
    least = "at least " if totals["quality"]["partial"] or totals["quality"]["unknown"] else ""
    estimated = totals["quality"]["estimated"]
    sources = ((totals["sources"]["replay"], "replayed"), (totals["sources"]["record"], "recorded"))
    live = ((totals["sources"]["live"], "live"),)
    what = _several((*sources, *live))
    retries = totals["attempts"] - totals["calls"]
    others = _several(
        (
            (retries, "retried"),
            *((totals[name], name) for name in ("refused", "missed", "failed", "incomplete")),
            (totals["errors"], "answered with an error"),
        )
    )
    counted = f"{_count(totals['calls'], 'call')}{f' ({what})' if what else ''}"
    yield [("calls   ", "bold"), (f"{counted}{f', {others}' if others else ''}", None)]
    cached = f" ({totals['cache_read_tokens']:,} cached)" if totals["cache_read_tokens"] else ""
    guess = f"; {_count(estimated, 'attempt')} estimated" if estimated else ""
    tokens = f"{least}{totals['input_tokens']:,} in{cached}, {totals['output_tokens']:,} out{guess}"
    yield [("tokens  ", "bold"), (tokens, None)]
    cost = totals["cost"]
    least = "at least " if cost["at_least"] else ""
    parts = [f"{least}{dollars(cost['spent_usd'])} spent"]
    if totals["sources"]["replay"]:
        parts.append(f"{least}{dollars(cost['avoided_usd'])} avoided by replay ({dollars(cost['today_usd'])} today)")
    line: Line = [("cost    ", "bold"), (", ".join(parts), None)]
    if cost["unknown"]:
        line.append((f", {cost['unknown']:,} of unknown price", "yellow"))
    yield line
    latency = totals["latency"]
    if latency["p50_seconds"] is not None:
        yield [
            ("latency ", "bold"),
            (f"p50 {seconds(latency['p50_seconds'])} s, p95 {seconds(latency['p95_seconds'])} s", None),
        ]


def _bars(report: Mapping[str, Any]) -> Iterator[Line]:
    """Yield a bar for each limit of the run, and one for the limit of a job that came nearest to its end."""
    known = [limit for limit in report["run_limits"] if limit["fraction"] is not None]
    run = sorted(known, key=_fullness)[:_MOST_BARS]
    jobs = ((limit, job["job"]) for job in report["jobs"] for limit in job["limits"] if limit["fraction"] is not None)
    nearest = min(jobs, key=lambda pair: _fullness(pair[0]), default=None)
    shown = [(limit, "") for limit in run] + ([nearest] if nearest is not None else [])
    names = [f"{limit['scope']}  {limit['dimension']}" for limit, _ in shown]
    longest = max(map(len, names), default=0)
    for name, (limit, job) in zip(names, shown, strict=True):
        fraction = limit["fraction"]
        filled = min(_BAR, int(fraction * _BAR))
        style = "red" if fraction >= _FULL else "yellow" if fraction >= _NEAR else "green"
        amounts = f"  {amount(limit, 'used')} of {amount(limit, 'limit')}"
        for_some = limit.get("model") or limit.get("alias")
        whose = "  ".join(filter(None, (for_some, limit.get("step"), job)))
        yield [
            (f"{name.ljust(longest)}  ", None),
            (f"[{'#' * filled}{'-' * (_BAR - filled)}]", style),
            (f"{amounts}{f'  {whose}' if whose else ''}", None),
        ]
    if len(known) > len(run):
        yield [(f"and {_count(len(known) - len(run), 'limit')} more of the run", None)]


def _fullness(limit: Mapping[str, Any]) -> float:
    return -float(limit["fraction"])


def _stops(report: Mapping[str, Any]) -> Iterator[Line]:
    stops = sorted(report["stops"], key=lambda stop: bool(stop.get("expected")))
    for stop in stops[:_MOST_STOPS]:
        expected = bool(stop.get("expected"))
        limit = f"{stop['scope']}'s {stop['dimension']} limit of {amount(stop, 'limit')}"
        word = "stopped, as expected  " if expected else "stopped  "
        yield [(word, None if expected else "red"), (f"{limit}, {amount(stop, 'used')} used  {stop['job']}", None)]
    yield from _more(stops, _MOST_STOPS, "stop", "red")


def _notes(report: Mapping[str, Any]) -> Iterator[Line]:
    missed = report["not_run"]
    if missed:
        yield [(f"not run  {_count(len(missed), 'test')}", "yellow"), (f"  {missed[0]['reason']}", None)]
    warnings = report["warnings"]
    for warning in warnings[:_MOST_OTHERS]:
        told = f"{amount(warning, 'used')} of {amount(warning, 'limit')} {warning['dimension']}"
        yield [("warning  ", "yellow"), (f"{warning['scope']}: {told}  {warning.get('job') or ''}".rstrip(), None)]
    yield from _more(warnings, _MOST_OTHERS, "warning", "yellow")
    yield from _drifted(report.get("drift", ()))
    old = report.get("stale", ())
    for each in old[:_MOST_OTHERS]:
        told = f"{_count(each['recordings'], 'recording')}, the oldest from {each['oldest'][:10]}  {_whose(each)}"
        yield [("stale   ", "yellow"), (told, None)]
    yield from _more(old, _MOST_OTHERS, "stale cassette", "yellow")
    told_short = (
        (len(report["overruns"]), "overrun", "more was used than had been set aside"),
        (len(report["lapsed"]), "lapsed call", "its process died while it was under way"),
        (len(report["evidence"]["torn"]), "torn line", "its process died while it was written"),
    )
    for number, noun, meaning in told_short:
        if number:
            yield [(_count(number, noun), "yellow"), (f"  {meaning}", None)]


def _drifted(drift: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """Yield each test whose recordings are not what is asked or answered now, and below it the first places."""
    for each in drift[:_MOST_DRIFTED]:
        yield [
            ("drift   ", "yellow"),
            (f"{_count(each['calls'], 'call')} {_DRIFTED[each['found']]}  {_whose(each)}", None),
        ]
        places = [_place(change) for change in each["changes"]]
        left = len(places) - _MOST_PLACES + each.get("more_changes", 0)
        if places:
            yield [(f"        {', '.join(places[:_MOST_PLACES])}{f' and {left} more' if left > 0 else ''}", None)]
    yield from _more(drift, _MOST_DRIFTED, "drifted test", "yellow")


_DRIFTED = {
    "asked_otherwise": "asked otherwise",
    "answered_otherwise": "answered otherwise",
    "not_recorded": "not recorded",
}


def _place(change: Mapping[str, Any]) -> str:
    """Return a place that is not as recorded, with what was there and is now where that is told."""
    was, now = change.get("recorded"), change.get("now")
    if was is not None and now is not None:
        return f"{change['path']} {was} → {now}"
    return f"{change['path']}{'' if change['kind'] == 'changed' else ' ' + change['kind']}"


def _whose(event: Mapping[str, Any]) -> str:
    return str(event.get("test") or event.get("cassette") or event.get("job") or "")


def _errors(report: Mapping[str, Any]) -> Iterator[Line]:
    errors = report["errors"]
    for error in errors[:_MOST_OTHERS]:
        yield [("error  ", "red"), (error, None)]
    yield from _more(errors, _MOST_OTHERS, "error", "red")


def _more(listed: Sequence[Any], shown: int, noun: str, style: str) -> Iterator[Line]:
    if len(listed) > shown:
        yield [(f"and {_count(len(listed) - shown, noun)} more", style)]


def dollars(usd: str) -> str:
    """Return money as people read it: cents, and of less than a cent the first digits that count."""
    value = Decimal(usd)
    places = max(_CENTS, _DIGITS - 1 - value.adjusted()) if value and abs(value) < 1 else _CENTS
    whole, _, cents = f"{value:,.{places}f}".partition(".")
    return f"${whole}.{cents.rstrip('0').ljust(_CENTS, '0')}"


def amount(values: Mapping[str, Any], name: str) -> str:
    """Return an amount of a limit as people read it, by the limit's dimension."""
    value, dimension = values[name], str(values["dimension"])
    if isinstance(value, str):
        return dollars(value)
    return f"{seconds(value)} s" if dimension.endswith("_seconds") else f"{value:,}"


def seconds(value: float) -> str:
    """Return seconds as people read them: to the millisecond if they are few."""
    text = f"{value:,.{3 if value < _FEW_SECONDS else 1}f}"
    return text.rstrip("0").removesuffix(".")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _several(counts: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{number:,} {what}" for number, what in counts if number)


def _fitted(line: Line, width: int) -> Line:
    """Return a line that is safe to print and ends at the width: its longest piece loses as much of its middle."""
    safe = [("".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text), style) for text, style in line]
    excess = sum(len(text) for text, _ in safe) - width
    if excess > 0:
        place = max(range(len(safe)), key=lambda number: len(safe[number][0]))
        text, style = safe[place]
        keep = max(0, len(text) - excess - 1)
        safe[place] = (f"{text[: keep // 2]}…{text[len(text) - keep + keep // 2 :]}", style)
    return safe
