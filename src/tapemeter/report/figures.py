"""Sums over calls: exact, in any order, and of bounded size.

Money is added up as Decimal, without rounding. A percentile is the value of nearest rank, to three significant digits:
durations are kept as that many digits, two bytes each.
"""

from __future__ import annotations

from array import array
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

QUALITIES = ("measured", "estimated", "partial", "unknown")
SOURCES = ("replay", "record", "live")

_INCOMPLETE = frozenset({"abandoned", "cancelled", "cut", "timeout", "broken"})
_UNSURE = frozenset({"partial", "unknown"})
_EXACT = Context(prec=100, traps=[InvalidOperation, Overflow, Inexact])
_LONGEST_MONEY = 64

_MICROSECONDS, _DIGITS, _STEPS = 10**6, 1000, 900
"""Of the microseconds of a duration three digits are kept: 0 to 999 as they are, then 900 values for each power."""


class Durations:
    """Durations of some calls. The order in which they are added does not matter."""

    def __init__(self) -> None:
        self._codes = array("H")

    def add(self, seconds: float | None) -> None:
        """Take in a duration; ValueError for one that is below zero."""
        if seconds is not None:
            self._codes.append(_code(seconds))

    def add_all(self, other: Durations) -> None:
        """Take in all that another one has."""
        self._codes.extend(other._codes)

    def percentile(self, percent: int) -> float | None:
        """Return the least duration that `percent` of all do not exceed, in seconds; None where there is none."""
        if not self._codes:
            return None
        rank = -(-len(self._codes) * percent // 100)
        return _seconds(sorted(self._codes)[max(0, rank - 1)])


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

    __slots__ = (
        "attempts",
        "avoided",
        "cache_read_tokens",
        "cache_write_tokens",
        "calls",
        "durations",
        "errors",
        "failed",
        "first_chunks",
        "incomplete",
        "input_tokens",
        "missed",
        "output_tokens",
        "prompt_chars",
        "qualities",
        "reasoning_tokens",
        "refused",
        "response_chars",
        "sources",
        "spent",
        "today",
        "unpriced",
        "unsure",
    )

    def __init__(self) -> None:
        self.calls = self.attempts = self.refused = self.missed = 0
        self.failed = self.errors = self.incomplete = 0
        self.input_tokens = self.output_tokens = 0
        self.cache_read_tokens = self.cache_write_tokens = self.reasoning_tokens = 0
        self.prompt_chars = self.response_chars = 0
        self.spent = self.avoided = self.today = Decimal(0)
        self.unpriced = 0
        """Attempts of known usage and unknown price."""
        self.unsure = 0
        """Attempts that may have cost more than was added up."""
        self.qualities = dict.fromkeys(QUALITIES, 0)
        self.sources = dict.fromkeys(SOURCES, 0)
        self.durations = Durations()
        self.first_chunks = Durations()

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in a `call` event; LookupError, TypeError, ValueError or ArithmeticError for what is none."""
        outcome = event["outcome"]
        if outcome == "refused":
            self.refused += 1
            return
        if outcome == "missed":
            self.missed += 1
            return
        get = event.get
        self.attempts += 1
        if get("attempt", 0) == 0:
            self.calls += 1
            self.sources[event["source"]] += 1
        if outcome == "failed":
            self.failed += 1
        elif outcome == "error":
            self.errors += 1
        elif outcome in _INCOMPLETE:
            self.incomplete += 1
        self.input_tokens += get("gen_ai.usage.input_tokens") or 0
        self.output_tokens += get("gen_ai.usage.output_tokens") or 0
        self.cache_read_tokens += get("gen_ai.usage.cache_read.input_tokens") or 0
        self.cache_write_tokens += get("gen_ai.usage.cache_write.input_tokens") or 0
        self.reasoning_tokens += get("gen_ai.usage.reasoning.output_tokens") or 0
        self.prompt_chars += get("prompt_chars") or 0
        self.response_chars += get("response_chars") or 0
        quality = get("quality") or "unknown"
        self.qualities[quality] += 1
        self._take_cost(event, quality)
        self.durations.add(get("duration_seconds"))
        self.first_chunks.add(get("gen_ai.response.time_to_first_chunk"))

    def _take_cost(self, event: Mapping[str, Any], quality: str) -> None:
        cost, today = event.get("cost_usd"), event.get("cost_today_usd")
        replayed = event["source"] == "replay"
        if cost is None:
            # Where it is not known what was used, a price would not help.
            self.unpriced += quality != "unknown"
        elif replayed:
            self.avoided = _EXACT.add(self.avoided, money(cost))
        else:
            self.spent = _EXACT.add(self.spent, money(cost))
        if replayed and today is not None:
            self.today = _EXACT.add(self.today, money(today))
        unknown = cost is None or (replayed and today is None)
        self.unsure += unknown or quality in _UNSURE or event.get("cost_quality") in _UNSURE

    def add(self, other: Figures) -> None:
        """Take in all calls of another one."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.spent = _EXACT.add(self.spent, other.spent)
        self.avoided = _EXACT.add(self.avoided, other.avoided)
        self.today = _EXACT.add(self.today, other.today)
        for name, number in other.qualities.items():
            self.qualities[name] += number
        for name, number in other.sources.items():
            self.sources[name] += number
        self.durations.add_all(other.durations)
        self.first_chunks.add_all(other.first_chunks)

    def as_json(self) -> dict[str, Any]:
        """Return the figures as a report has them."""
        return {
            "calls": self.calls,
            "attempts": self.attempts,
            "refused": self.refused,
            "missed": self.missed,
            "failed": self.failed,
            "errors": self.errors,
            "incomplete": self.incomplete,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "prompt_chars": self.prompt_chars,
            "response_chars": self.response_chars,
            "sources": dict(self.sources),
            "quality": dict(self.qualities),
            "cost": {
                "spent_usd": text(self.spent),
                "avoided_usd": text(self.avoided),
                "today_usd": text(self.today),
                "unknown": self.unpriced,
                "at_least": self.unsure > 0,
            },
            "latency": {
                "p50_seconds": self.durations.percentile(50),
                "p95_seconds": self.durations.percentile(95),
                "first_chunk_p50_seconds": self.first_chunks.percentile(50),
                "first_chunk_p95_seconds": self.first_chunks.percentile(95),
            },
        }


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
    "unpriced",
    "unsure",
)


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
