"""What a limit can be set on, and where it holds.

Everything that is counted is a whole number of units, so that sums are exact and every ledger agrees:

    cost_usd                             10**-12 US dollars
    wall_seconds, idle_stream_seconds    microseconds
    all others                           one
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Scope(StrEnum):
    """Where a limit holds, outermost first."""

    RUN = "run"
    JOB = "job"
    STEP = "step"
    CALL = "call"


class Dimension(StrEnum):
    """What a limit counts."""

    CALLS = "calls"
    ATTEMPTS = "attempts"
    PROMPT_CHARS = "prompt_chars"
    RESPONSE_CHARS = "response_chars"
    TOTAL_CHARS = "total_chars"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    TOTAL_TOKENS = "total_tokens"
    COST_USD = "cost_usd"
    WALL_SECONDS = "wall_seconds"
    IDLE_STREAM_SECONDS = "idle_stream_seconds"


COUNTED = tuple(d for d in Dimension if d not in {Dimension.WALL_SECONDS, Dimension.IDLE_STREAM_SECONDS})
"""What adds up over calls, and so is kept in a ledger; time is read from a clock."""

Amounts = MappingProxyType[Dimension, int] | dict[Dimension, int]
"""Units by dimension; a missing dimension is zero."""

_SCALE: Mapping[Dimension, int] = {
    Dimension.COST_USD: 10**12,
    Dimension.WALL_SECONDS: 10**6,
    Dimension.IDLE_STREAM_SECONDS: 10**6,
}


EXACT = Context(prec=60)
"""The program under test may have made its own decimals coarser."""


class Unit(Enum):
    """How an amount is written for people."""

    NUMBER = "number"
    MONEY = "money"
    SECONDS = "seconds"


def to_units(dimension: Dimension, amount: Decimal | float) -> int:
    """Return an amount as whole units, rounded up, so that no rounding ever hides a use."""
    exact = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    units = EXACT.multiply(exact, Decimal(_SCALE.get(dimension, 1)))
    return int(units.to_integral_value(rounding=ROUND_CEILING, context=EXACT))


def from_units(dimension: Dimension, units: int) -> Decimal:
    """Return units as the exact amount that a policy would name."""
    return EXACT.divide(Decimal(units), Decimal(_SCALE.get(dimension, 1)))


def unit(dimension: Dimension) -> Unit:
    """Return how amounts of a dimension are written."""
    if dimension is Dimension.COST_USD:
        return Unit.MONEY
    return Unit.SECONDS if dimension in _SCALE else Unit.NUMBER


def shown(dimension: Dimension, units: int) -> str:
    """Return an amount as a message shows it: `1,204`, `$0.25`, `12.5 s`."""
    amount = from_units(dimension, units)
    match unit(dimension):
        case Unit.MONEY:
            text = f"{amount:f}"
            whole, _, cents = text.partition(".")
            return f"${whole}.{cents.rstrip('0').ljust(2, '0')}"
        case Unit.SECONDS:
            return f"{text_of(amount)} s"
        case _:
            return f"{units:,}"


def text_of(amount: Decimal) -> str:
    """Return an amount as text, exactly, without an exponent or zeros at its end."""
    return f"{EXACT.normalize(amount):f}"


def natural(dimension: Dimension, units: int) -> int | float | Decimal:
    """Return an amount as Python code compares it: money as Decimal, seconds as float, all else as int."""
    match unit(dimension):
        case Unit.MONEY:
            return from_units(dimension, units)
        case Unit.SECONDS:
            return float(from_units(dimension, units))
        case _:
            return units


def plain(dimension: Dimension, units: int) -> int | float | str:
    """Return an amount as JSON keeps it: money as text, seconds as a number, all else as an integer."""
    if dimension not in _SCALE:
        return units
    amount = from_units(dimension, units)
    return text_of(amount) if dimension is Dimension.COST_USD else float(amount)
