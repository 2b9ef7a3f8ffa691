"""What people may write as the value of a limit, and what that is in whole units."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tapemeter.budget.dimensions import Dimension, Scope, Unit, to_units, unit

MAX_COUNT, MAX_USD, MAX_SECONDS = 10**15, 10**6, 10**9
"""The largest limits, that for money excluded: what a ledger can add up without loss."""

_LONGEST = 40
"""Characters of a number, and of one that is shown."""

_WORDS = {
    Unit.NUMBER: f"a whole number from 0 to {MAX_COUNT:,}, or None",
    Unit.MONEY: f'US dollars, such as "0.25", from 0 to below {MAX_USD:,}, or None',
    Unit.SECONDS: f"seconds from 0 to {MAX_SECONDS:,}, or None",
}


def dimensions_of(scope: Scope, *, selected: bool = False) -> tuple[Dimension, ...]:
    """Return what can be limited in a scope; `selected` for the calls of some models or an alias only.

    A call is one call. The clock of a run, job or step goes on whichever model is asked.
    """
    if scope is Scope.CALL:
        return tuple(d for d in Dimension if d is not Dimension.CALLS)
    return tuple(d for d in Dimension if not (selected and d is Dimension.WALL_SECONDS))


def wanted(dimension: Dimension) -> str:
    """Return what a limit of a dimension is to be, in words."""
    return _WORDS[unit(dimension)]


def told(value: Any) -> str:
    """Return a value as a message shows it: short, with its type."""
    try:
        text = repr(value)
    except ValueError:
        text = "a number of very many digits"  # which Python does not write out
    return f"{text[:_LONGEST]}{'…' if len(text) > _LONGEST else ''} ({type(value).__name__})"


def units_of(dimension: Dimension, value: Any) -> int:
    """Return a limit in whole units, rounded down, so that no rounding loosens it; ValueError for what is none.

    Counts are int; money is int, float, Decimal or text, of which a float means what it is written as; seconds are
    any number.
    """
    kind = unit(dimension)
    if kind is Unit.NUMBER:
        if not isinstance(value, int):
            raise ValueError
        return int(_within(value, MAX_COUNT))
    if not isinstance(value, int | float | Decimal) and not (kind is Unit.MONEY and isinstance(value, str)):
        raise ValueError
    amount = _within(value, MAX_USD if kind is Unit.MONEY else MAX_SECONDS)
    if kind is Unit.MONEY and amount == MAX_USD:
        raise ValueError
    return -to_units(dimension, -amount)


def is_fraction(value: Any) -> bool:
    """Return whether a value is a number above 0 and at most 1."""
    try:
        return isinstance(value, int | float | Decimal) and _within(value, 1) > 0
    except ValueError:
        return False


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number, 1 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_COUNT


def _within(value: Any, most: int) -> Decimal:
    """Return a number from 0 to `most`; ValueError for another one, and for what is no number."""
    if isinstance(value, bool) or (isinstance(value, int) and not 0 <= value <= most):
        raise ValueError
    text = str(value)
    try:
        amount = Decimal(text)
    except ArithmeticError:
        raise ValueError from None
    if not amount.is_finite() or not 0 <= amount <= most or len(text) > _LONGEST:
        raise ValueError
    return amount
