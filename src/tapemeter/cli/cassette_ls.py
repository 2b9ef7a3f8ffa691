"""`tapemeter cassette ls`: what each cassette holds, how old it is, and what it cost."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapemeter.cassette.conversation import asked
from tapemeter.cassette.figures import cost, figures, is_known, moment
from tapemeter.cli import files, tables
from tapemeter.cli.output import as_json, complain, count, line, safe_error, size
from tapemeter.errors import CassetteError, UsageError
from tapemeter.model import Ending
from tapemeter.report.terminal import dollars
from tapemeter.values import Value, asdict

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from tapemeter.pricing import Prices

_ABSENT = "-"
_WIDEST = 40
"""Characters of the column of models."""
_PRICES = Path("llm_prices.yaml")
_DAY = 86400


class _Row(Value):
    """One cassette; `oldest` and `newest` are None where nothing tells when it was recorded.

    The costs are sums over what has a known price, of which `unpriced` calls have none.
    """

    path: str
    form: str
    interactions: int
    size: int
    oldest: str | None
    newest: str | None
    age_days: int | None
    models: tuple[str, ...]
    served: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    today_usd: Decimal
    unpriced: int
    partial: int
    edited: bool

    @property
    def tokens(self) -> int:
        """In and out together."""
        return self.input_tokens + self.output_tokens


_SORTS: Mapping[str, Callable[[_Row], Any]] = {
    "path": lambda row: row.path,
    "calls": lambda row: -row.interactions,
    "size": lambda row: -row.size,
    "age": lambda row: row.oldest or "9",
    "tokens": lambda row: -row.tokens,
    "cost": lambda row: -row.cost_usd,
    "today": lambda row: -row.today_usd,
}
"""By what the list may be sorted: the most, and the oldest, first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Lists cassettes: how many interactions each holds, its size, the age of its oldest interaction in days,\n"
        "which models were asked, their tokens, what the calls cost at the prices of the day of the recording,\n"
        "and what they would cost today. A + says that the price of some call is not known.\n\n"
        "Exit code: 0; 1 if a file cannot be read; 2 for wrong usage."
    )
    files.add_paths(parser)
    parser.add_argument(
        "--sort", choices=tuple(_SORTS), default="path", help="by what to sort; the most and the oldest first"
    )
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument(
        "--prices",
        type=Path,
        metavar="FILE",
        help=f"prices and aliases of your own (default: {_PRICES}, where it exists)",
    )
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the list."""
    rows: list[_Row] = []
    unreadable: dict[str, str] = {}
    prices = _prices(arguments.prices)
    today = datetime.now(UTC)
    for path in files.find(arguments.paths):
        try:
            rows.append(_row(path, prices, today))
        except CassetteError as error:
            unreadable[str(path)] = safe_error(error)
    rows.sort(key=_SORTS[arguments.sort], reverse=arguments.reverse)
    if arguments.json:
        print(as_json(_document(rows, unreadable)))
    else:
        _print_table(rows)
        for problem in unreadable.values():
            complain(problem)
    return 1 if unreadable else 0


def _prices(path: Path | None) -> Prices:
    from tapemeter.pricing import Prices, load_overrides  # noqa: PLC0415 - only this command, after its usage is right

    if path is not None and not path.is_file():
        raise UsageError(f"{path}: no such file; name a price file, or leave --prices out")
    path = path or (_PRICES if _PRICES.is_file() else None)
    return Prices(None if path is None else load_overrides(path))


def _row(path: Path, prices: Prices, today: datetime) -> _Row:
    tape = files.read(path)
    times: list[str] = []
    models, served = set[str | None](), set[str | None]()
    read = written = unpriced = partial = 0
    then_usd = today_usd = Decimal(0)
    for _, _, interaction in tape.interactions():
        models.add(asked(interaction.request).model)
        partial += interaction.response.ending is not Ending.COMPLETE
        if is_known(interaction.recorded):
            times.append(interaction.recorded)
        found = figures(interaction)
        if found is None:
            continue
        served.add(found.answered.model)
        read += found.usage.input_tokens
        written += found.usage.output_tokens
        url = interaction.request.url
        at = moment(interaction.recorded) if is_known(interaction.recorded) else today
        then, now = (cost(found, prices, url=url, at=each).usd for each in (at, today))
        unpriced += then is None or now is None
        then_usd += then or 0
        today_usd += now or 0
    return _Row(
        path=str(path),
        form=tape.form,
        interactions=len(tape.entries),
        size=tape.size,
        oldest=min(times, default=None),
        newest=max(times, default=None),
        age_days=max(0, int((today - moment(min(times))).total_seconds() // _DAY)) if times else None,
        models=tuple(sorted(filter(None, models))),
        served=tuple(sorted(filter(None, served))),
        input_tokens=read,
        output_tokens=written,
        cost_usd=then_usd,
        today_usd=today_usd,
        unpriced=unpriced,
        partial=partial,
        edited=tape.edited,
    )


def _document(rows: list[_Row], unreadable: dict[str, str]) -> dict[str, object]:
    return {
        "cassettes": [_fields(row) for row in rows],
        "unreadable": [{"path": path, "error": error} for path, error in unreadable.items()],
        "totals": {
            "cassettes": len(rows),
            "interactions": sum(row.interactions for row in rows),
            "size": sum(row.size for row in rows),
            "input_tokens": sum(row.input_tokens for row in rows),
            "output_tokens": sum(row.output_tokens for row in rows),
            "cost_usd": _text(sum((row.cost_usd for row in rows), Decimal(0))),
            "today_usd": _text(sum((row.today_usd for row in rows), Decimal(0))),
            "unpriced": sum(row.unpriced for row in rows),
        },
    }


def _fields(row: _Row) -> dict[str, object]:
    return {**asdict(row), "cost_usd": _text(row.cost_usd), "today_usd": _text(row.today_usd)}


def _text(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_HEADS = ("calls", "size", "days", "in", "out", "cost", "today", "models", "cassette")
_RIGHT = (True, True, True, True, True, True, True, False, False)


def _print_table(rows: list[_Row]) -> None:
    if rows:
        print(tables.table(_HEADS, map(_cells, rows), right=_RIGHT))
    tokens = sum(row.tokens for row in rows)
    pieces = [
        count(len(rows), "cassette"),
        count(sum(row.interactions for row in rows), "interaction"),
        size(sum(row.size for row in rows)),
        *([count(tokens, "token")] if tokens else []),
    ]
    print(", ".join(pieces))
    if unpriced := sum(row.unpriced for row in rows):
        print(f"+ {count(unpriced, 'call')} of unknown price")


def _cells(row: _Row) -> tuple[str, ...]:
    least = "+" if row.unpriced else ""
    notes = [*([] if row.form == files.OURS else [row.form]), *(["edited"] if row.edited else [])]
    notes += [f"{row.partial} partial"] if row.partial else []
    return (
        f"{row.interactions:,}",
        size(row.size),
        _ABSENT if row.age_days is None else f"{row.age_days:,}",
        f"{row.input_tokens:,}",
        f"{row.output_tokens:,}",
        f"{dollars(_text(row.cost_usd))}{least}",
        f"{dollars(_text(row.today_usd))}{least}",
        _shortened(line(", ".join(row.models))) or _ABSENT,
        line(row.path) + (f" ({', '.join(notes)})" if notes else ""),
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
