"""What a model's tokens cost: rates per million tokens, which may rise with the length of the input."""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal, localcontext
from typing import TYPE_CHECKING

from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tapemeter.model import Usage

_SMALLEST = Decimal(1).scaleb(-12)
"""US dollars; what is less is rounded up, so that no sum is ever short."""
_EXACT = Context(prec=100, rounding=ROUND_CEILING)
"""Decimal's own context is the program's to change: it may round, or raise, as the program under test likes."""


class Rate(Value):
    """US dollars per million tokens; `tiers` are (input tokens beyond which, the rate for all tokens), ascending."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()

    def at(self, input_tokens: int) -> Decimal:
        """Return the rate for a request with that much input."""
        rate = self.base
        for start, price in self.tiers:
            if input_tokens > start:
                rate = price
        return rate

    def highest(self, input_tokens: int) -> Decimal:
        """Return the highest rate that a request of no more input can have."""
        return max([self.base, *(price for start, price in self.tiers if input_tokens > start)])


class Rates(Value):
    """The prices of one model at one time.

    A missing rate for cached tokens is that of other input, one for reasoning that of other output.
    """

    input: Rate | None = None
    output: Rate | None = None
    cache_read: Rate | None = None
    cache_write: Rate | None = None
    reasoning: Rate | None = None
    request: Decimal = Decimal(0)
    """US dollars per request."""
    source: str = ""
    version: str = ""

    def cost(self, usage: Usage) -> Decimal | None:
        """Return what a usage costs, rounded up; None where a rate that it needs is not known."""
        cached = min(usage.input_tokens, usage.cache_read_tokens)
        written = min(usage.input_tokens - cached, usage.cache_write_tokens)
        thought = min(usage.output_tokens, usage.reasoning_tokens)
        parts = (
            (usage.input_tokens - cached - written, self.input),
            (cached, self.cache_read or self.input),
            (written, self.cache_write or self.input),
            (usage.output_tokens - thought, self.output),
            (thought, self.reasoning or self.output),
        )
        priced = []
        for tokens, rate in parts:
            if tokens and rate is None:
                return None
            if rate is not None:
                priced.append((tokens, rate.at(usage.input_tokens)))
        return total(priced, self.request)

    def bound(self, input_tokens: int, output_tokens: int) -> Decimal | None:
        """Return the most that a request can cost; None where a rate that it may need is not known."""
        if (input_tokens and self.input is None) or (output_tokens and self.output is None):
            return None

        def highest(*rates: Rate | None) -> Decimal:
            return max((rate.highest(input_tokens) for rate in rates if rate is not None), default=Decimal(0))

        most_input = highest(self.input, self.cache_read, self.cache_write)
        return total([(input_tokens, most_input), (output_tokens, highest(self.output, self.reasoning))], self.request)


def total(priced: Iterable[tuple[int, Decimal]], request: Decimal = Decimal(0)) -> Decimal:
    """Return what tokens cost, each at its price per million, and a request: US dollars, rounded up to what is kept."""
    with localcontext(_EXACT):
        millionths = sum((tokens * price for tokens, price in priced), Decimal(0))
        return (millionths.scaleb(-6) + request).quantize(_SMALLEST)
