"""What an attempt may use at most, and what it did use, in the units of a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.budget.dimensions import Amounts, Dimension, Scope, to_units
from tapemeter.budget.policy import UnknownCost

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from tapemeter.metering.attempt import Attempt
    from tapemeter.model import Cost
    from tapemeter.pricing import Prices
    from tapemeter.providers.meter import Answered

_WITHOUT_OUTPUT = frozenset({"embeddings", "count_tokens"})


class UnknownPriceError(Exception):
    """A money limit is in force, the price is unknown, and the policy says to refuse."""


def bound(attempt: Attempt, prices: Prices, at: datetime) -> Amounts:
    """Return the most that an attempt can use; UnknownPriceError where that cannot be told but has to be.

    Text that will come back has no bound of its own: it is counted while it passes.
    """
    asked = attempt.asked
    output = max_output(attempt)
    amounts = {
        Dimension.CALLS: int(attempt.number == 0),
        Dimension.ATTEMPTS: 1,
        Dimension.PROMPT_CHARS: asked.prompt_chars,
        Dimension.TOTAL_CHARS: asked.prompt_chars,
        Dimension.INPUT_TOKENS: asked.input_bound,
        Dimension.OUTPUT_TOKENS: output,
        Dimension.TOTAL_TOKENS: asked.input_bound + output,
    }
    if is_money_limited(attempt):
        usd = prices.bound(
            model=attempt.model,
            provider=asked.provider,
            url=attempt.url,
            input_tokens=asked.input_bound,
            output_tokens=output,
            at=at,
        )
        if usd is None:
            usd = _assumed(attempt, prices, asked.input_bound, output)
        amounts[Dimension.COST_USD] = 0 if usd is None else to_units(Dimension.COST_USD, usd)
    return amounts


def actual(attempt: Attempt, answered: Answered, cost: Cost, prices: Prices) -> Amounts:
    """Return what an attempt used; UnknownPriceError where that cannot be told but has to be."""
    usage = answered.usage
    usd = cost.usd
    if usd is None and is_money_limited(attempt):
        usd = _assumed(attempt, prices, usage.input_tokens, usage.output_tokens)
    return {
        Dimension.CALLS: int(attempt.number == 0),
        Dimension.ATTEMPTS: 1,
        Dimension.PROMPT_CHARS: attempt.asked.prompt_chars,
        Dimension.RESPONSE_CHARS: answered.response_chars,
        Dimension.TOTAL_CHARS: attempt.asked.prompt_chars + answered.response_chars,
        Dimension.INPUT_TOKENS: usage.input_tokens,
        Dimension.OUTPUT_TOKENS: usage.output_tokens,
        Dimension.TOTAL_TOKENS: usage.total_tokens,
        Dimension.COST_USD: 0 if usd is None else to_units(Dimension.COST_USD, usd),
    }


def max_output(attempt: Attempt) -> int:
    """Return the most tokens that an answer can have: the request's word, the call's limit, or the policy's default."""
    asked = attempt.asked
    if asked.operation in _WITHOUT_OUTPUT:
        return 0
    if asked.max_output_tokens is not None:
        return asked.max_output_tokens
    for booking, limit in attempt.limits(Dimension.OUTPUT_TOKENS):
        if booking.slot.scope is Scope.CALL:
            return limit.value
    return attempt.job.plan.default_output_tokens


def is_money_limited(attempt: Attempt) -> bool:
    """Whether a limit on money holds for the attempt."""
    return any(Dimension.COST_USD in booking.slot.counted for booking in attempt.bookings)


def _assumed(attempt: Attempt, prices: Prices, input_tokens: int, output_tokens: int) -> Decimal | None:
    match attempt.job.plan.unknown_cost:
        case UnknownCost.REFUSE:
            raise UnknownPriceError
        case UnknownCost.ASSUME_MAX:
            return prices.dearest(input_tokens=input_tokens, output_tokens=output_tokens)
        case UnknownCost.IGNORE:
            return None
