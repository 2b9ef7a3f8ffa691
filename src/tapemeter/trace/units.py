"""Money and time as whole numbers, so that SQLite adds them up exactly: those in which budgets count.

    money    10**-12 US dollars; what is finer is rounded up
    time     microseconds

SQLite's integers have 64 bits. An amount that is larger, such as more than nine million dollars for one call, is None
here, as if it were not known.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

MOST = 2**63 - 1
"""The largest integer of SQLite."""

_DIGITS = 12
_MICROSECONDS = 10**6
_LONGEST = 64
_EXACT = Context(prec=100)


def money(text: str | None) -> int | None:
    """Return US dollars, given as events have them, in whole units; ArithmeticError or ValueError for what is none."""
    if text is None or len(text) > _LONGEST:
        return None
    units = _EXACT.scaleb(_EXACT.create_decimal(text), _DIGITS)
    return count(int(units.to_integral_value(rounding=ROUND_CEILING, context=_EXACT)))


def usd(units: int) -> Decimal:
    """Return units of money as the exact amount of US dollars."""
    return _EXACT.scaleb(Decimal(units), -_DIGITS)


def seconds(value: float | None) -> int | None:
    """Return seconds in microseconds, rounded to the nearest."""
    return None if value is None or not math.isfinite(value) else count(round(value * _MICROSECONDS))


def count(value: float | None) -> int | None:
    """Return a count, as JSON may have it, as an integer of SQLite."""
    if value is None or not math.isfinite(value):
        return None
    whole = math.ceil(value)
    return whole if abs(whole) <= MOST else None


def amount(value: Any, dimension: str) -> int | None:
    """Return an amount of a limit in the units of its dimension."""
    if isinstance(value, str):
        return money(value)
    return seconds(value) if dimension.endswith("_seconds") else count(value)
