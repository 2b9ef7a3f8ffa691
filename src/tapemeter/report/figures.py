"""Sums over calls: exact, in any order, and of bounded size.

Money is added up as Decimal, without rounding. A percentile is the value of nearest rank, to three significant digits:
durations are kept as that many digits, two bytes each.
"""

from __future__ import annotations

from array import array
from collections import Counter
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from functools import lru_cache
from itertools import accumulate
from operator import add
from typing import Any

QUALITIES = ("measured", "estimated", "partial", "unknown")
SOURCES = ("replay", "record", "live")

FIELDS = (
    "outcome",
    "source",
    "attempt",
    "quality",
    "cost_usd",
    "cost_today_usd",
    "cost_quality",
    "duration_seconds",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.reasoning.output_tokens",
    "prompt_chars",
    "response_chars",
)
"""The fields of a `call` event that are added up, in the order in which `Figures.take` wants them."""

_COUNTS = (
    "calls",
    "attempts",
    "refused",
    "missed",
    "failed",
    "errors",
    "incomplete",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "prompt_chars",
    "response_chars",
    "unpriced",  # attempts of known usage and unknown price
    "unsure",  # attempts that may have cost more than was added up
    *SOURCES,
    *QUALITIES,
)
_PLACES = {name: place for place, name in enumerate(_COUNTS)}
_CALLS, _ATTEMPTS, _INPUT, _UNPRICED, _UNSURE = map(
    _PLACES.__getitem__, ("calls", "attempts", "input_tokens", "unpriced", "unsure")
)
_SOURCE, _QUALITY = _PLACES[SOURCES[0]], _PLACES[QUALITIES[0]]
_BEFORE_TOTAL, _AFTER_TOTAL = _COUNTS[: _INPUT + 2], _COUNTS[_INPUT + 2 : _UNPRICED]
"""The counts that a report has before and after all tokens together, which are not counted."""
NOT_SENT = {name: _PLACES[name] for name in ("refused", "missed")}
"""The outcomes of attempts that were not sent, and the places of their counts."""
_OF_SOURCE = {name: _PLACES[name] for name in SOURCES}
_OF_QUALITY = {name: _PLACES[name] for name in QUALITIES}
_WENT_WRONG = {
    "failed": _PLACES["failed"],
    "error": _PLACES["errors"],
    **dict.fromkeys(("abandoned", "cancelled", "cut", "timeout", "broken"), _PLACES["incomplete"]),
}
_NO_COUNTS = [0] * len(_COUNTS)

_NOT_ALL = frozenset({"partial", "unknown"})
_EXACT = Context(prec=100, traps=[InvalidOperation, Overflow, Inexact])
_LONGEST_MONEY = 64
_ZERO = Decimal(0)

_MICROSECONDS, _DIGITS, _STEPS = 10**6, 1000, 900
"""Of the microseconds of a duration three digits are kept: 0 to 999 as they are, then 900 values for each power."""


class Durations:
    """Durations of some calls. The order in which they are added does not matter."""

    __slots__ = ("_codes",)

    def __init__(self) -> None:
        self._codes: array[int] | None = None

    def add(self, seconds: float) -> None:
        """Take in a duration; ValueError for one that is below zero."""
        if self._codes is None:
            self._codes = array("H")
        self._codes.append(_code(seconds))

    def add_all(self, other: Durations) -> None:
        """Take in all that another one has."""
        if other._codes is not None:
            if self._codes is None:
                self._codes = array("H")
            self._codes.extend(other._codes)

    def percentiles(self, *percents: int) -> list[float | None]:
        """Return the least durations that so many percent do not exceed, in seconds; None where there is none."""
        codes = self._codes
        if codes is None:
            return [None] * len(percents)
        if len(codes) == 1:  # as of most tests
            return [_seconds(codes[0])] * len(percents)
        counted = sorted(Counter(codes).items())  # there are far fewer different ones than calls
        return [_seconds(_ranked(counted, max(1, -(-len(codes) * percent // 100)))) for percent in percents]


def _ranked(counted: list[tuple[int, int]], rank: int) -> int:
    """Return what has a rank, from 1, among what was counted."""
    below = accumulate(count for _, count in counted)
    return next(code for (code, _), upto in zip(counted, below, strict=True) if upto >= rank)


def _code(seconds: float) -> int:
    whole: int = round(seconds * _MICROSECONDS)
    if whole < 0:
        raise ValueError(f"expected a duration of 0 seconds or more, found {seconds}")
    if whole < _DIGITS:
        return whole
    power = len(str(whole)) - len(str(_DIGITS - 1))
    # A half is rounded up. What is rounded up to 1000 has the code of 100 and the next power.
    unit: int = 10**power
    return (whole + unit // 2) // unit + power * _STEPS


def _seconds(code: int) -> float:
    if code < _DIGITS:
        return code / _MICROSECONDS
    power, rest = divmod(code - _DIGITS // 10, _STEPS)
    return float((rest + _DIGITS // 10) * 10**power / _MICROSECONDS)


class Figures:
    """What some calls used."""

    __slots__ = ("_avoided", "_counts", "_durations", "_first_chunks", "_spent", "_today")

    def __init__(self) -> None:
        self._counts = _NO_COUNTS.copy()
        self._spent = self._avoided = self._today = _ZERO
        self._durations = Durations()
        self._first_chunks = Durations()

    def take(self, values: tuple[Any, ...]) -> None:
        """Take in the fields of a `call` event; LookupError, TypeError, ValueError or ArithmeticError if it is none."""
        outcome, source, attempt, quality, cost, today, cost_quality, duration, first_chunk, *used = values
        counts = self._counts
        if outcome in NOT_SENT:
            counts[NOT_SENT[outcome]] += 1
            return
        counts[_ATTEMPTS] += 1
        if attempt == 0:
            counts[_CALLS] += 1
            counts[_OF_SOURCE[source]] += 1
        if outcome != "ok" and outcome in _WENT_WRONG:
            counts[_WENT_WRONG[outcome]] += 1
        for place, number in enumerate(used, _INPUT):
            if number:
                counts[place] += number
        quality = quality or "unknown"
        counts[_OF_QUALITY[quality]] += 1
        self._take_cost(source, quality, cost, today, cost_quality)
        if duration is not None:
            self._durations.add(duration)
        if first_chunk is not None:
            self._first_chunks.add(first_chunk)

    def _take_cost(self, source: str, quality: str, cost: str | None, today: str | None, cost_quality: str) -> None:
        replayed, counts = source == "replay", self._counts
        if cost is None:
            # Where it is not known what was used, a price would not help.
            counts[_UNPRICED] += quality != "unknown"
        elif replayed:
            self._avoided = _EXACT.add(self._avoided, money(cost))
        else:
            self._spent = _EXACT.add(self._spent, money(cost))
        if replayed and today is not None:
            self._today = _EXACT.add(self._today, money(today))
        unknown = cost is None or (replayed and today is None)
        counts[_UNSURE] += unknown or quality in _NOT_ALL or cost_quality in _NOT_ALL

    def add(self, other: Figures) -> None:
        """Take in all calls of another one."""
        self._counts = list(map(add, self._counts, other._counts))
        self._spent = _EXACT.add(self._spent, other._spent)
        self._avoided = _EXACT.add(self._avoided, other._avoided)
        self._today = _EXACT.add(self._today, other._today)
        self._durations.add_all(other._durations)
        self._first_chunks.add_all(other._first_chunks)

    def as_json(self) -> dict[str, Any]:
        """Return the figures as a report has them."""
        counts = self._counts
        read, written = counts[_INPUT : _INPUT + 2]
        p50, p95 = self._durations.percentiles(50, 95)
        first_p50, first_p95 = self._first_chunks.percentiles(50, 95)
        return {
            **dict(zip(_BEFORE_TOTAL, counts, strict=False)),
            "total_tokens": read + written,
            **dict(zip(_AFTER_TOTAL, counts[len(_BEFORE_TOTAL) :], strict=False)),
            "sources": dict(zip(SOURCES, counts[_SOURCE:], strict=False)),
            "quality": dict(zip(QUALITIES, counts[_QUALITY:], strict=True)),
            "cost": {
                "spent_usd": text(self._spent),
                "avoided_usd": text(self._avoided),
                "today_usd": text(self._today),
                "unknown": counts[_UNPRICED],
                "at_least": counts[_UNSURE] > 0,
            },
            "latency": {
                "p50_seconds": p50,
                "p95_seconds": p95,
                "first_chunk_p50_seconds": first_p50,
                "first_chunk_p95_seconds": first_p95,
            },
        }


@lru_cache(maxsize=4096)
def money(value: str) -> Decimal:
    """Return an amount that stands as text; ValueError or ArithmeticError for what is none."""
    if len(value) > _LONGEST_MONEY:
        raise ValueError(f"expected an amount of money, found {len(value)} characters")
    amount = _EXACT.create_decimal(value)
    if not amount.is_finite() or abs(amount.adjusted()) > _LONGEST_MONEY:
        raise ValueError("expected an amount of money, found no such number")
    return amount


def text(amount: Decimal) -> str:
    """Return an amount as JSON keeps it: as text, without exponent and needless zeros."""
    return f"{amount.normalize(_EXACT):f}" if amount else "0"
