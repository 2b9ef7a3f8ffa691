"""No usage within its bounds costs more than the bound of its cost."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.model import Usage
from tapemeter.pricing import Prices
from tapemeter.pricing.rates import Rate, Rates, total

AT = datetime(2025, 12, 1, 12, tzinfo=UTC)
MONEY = st.decimals(0, 1000, places=12)
TIERS = st.lists(st.tuples(st.integers(0, 50), MONEY), max_size=3).map(lambda tiers: tuple(sorted(tiers)))
RATE = st.builds(Rate, MONEY, TIERS)
RATES = st.builds(Rates, *[st.none() | RATE] * 5, request=MONEY)
TOKENS = st.integers(0, 60)


@st.composite
def usages_within(draw: st.DrawFn) -> tuple[Usage, int, int]:
    most_input, most_output = draw(TOKENS), draw(TOKENS)
    usage = Usage(
        draw(st.integers(0, most_input)), draw(st.integers(0, most_output)), draw(TOKENS), draw(TOKENS), draw(TOKENS)
    )
    return usage, most_input, most_output


@given(RATES, usages_within())
def test_a_bound_is_never_beaten_by_a_usage_within_it(rates: Rates, drawn: tuple[Usage, int, int]) -> None:
    usage, most_input, most_output = drawn
    bound, cost = rates.bound(most_input, most_output), rates.cost(usage)
    if bound is not None:
        assert cost is not None
        assert 0 <= cost <= bound


@given(RATES, TOKENS, TOKENS)
def test_a_cost_that_is_known_whatever_is_cached_has_a_bound(rates: Rates, inputs: int, outputs: int) -> None:
    if rates.cost(Usage(inputs, outputs)) is not None:
        assert rates.bound(inputs, outputs) is not None


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("gemini-2.5-pro", "gcp.gemini"),
        ("sonar", "perplexity"),
    ],
)
@given(st.data())
def test_the_bound_of_a_public_model_holds_in_every_tier(model: str, provider: str, data: st.DataObject) -> None:
    most_input, most_output = data.draw(st.integers(0, 400_000)), data.draw(st.integers(0, 10_000))
    usage = Usage(
        data.draw(st.integers(0, most_input)),
        data.draw(st.integers(0, most_output)),
        data.draw(st.integers(0, 400_000)),
        data.draw(st.integers(0, 400_000)),
    )
    prices = Prices()
    bound = prices.bound(
        model=model, provider=provider, url="", input_tokens=most_input, output_tokens=most_output, at=AT
    )
    cost = prices.cost(usage, model=model, provider=provider, url="", at=AT).usd
    assert bound is not None
    assert cost is not None
    assert cost <= bound


def test_a_bound_takes_the_dearest_rate_that_may_hold() -> None:
    rates = Rates(
        input=Rate(Decimal(2), ((100, Decimal(1)), (200, Decimal(4)))),
        output=Rate(Decimal(8)),
        cache_write=Rate(Decimal(3)),
        reasoning=Rate(Decimal(9)),
        request=Decimal("0.5"),
    )
    assert rates.bound(100, 0) == Decimal("0.5003")  # 100 x 3, written to a cache
    assert rates.bound(201, 0) == Decimal("0.500804")  # 201 x 4
    assert rates.bound(0, 10) == Decimal("0.50009")  # 10 x 9, reasoning
    assert rates.bound(0, 0) == Decimal("0.5")


@given(st.integers(0, 24 * 60 - 1), st.integers(0, 24 * 60 - 1))
@pytest.mark.parametrize("model", ["deepseek-chat", "deepseek-reasoner"])
def test_a_bound_holds_at_every_hour_of_the_day(model: str, sent: int, ended: int) -> None:
    prices = Prices()

    def at(minutes: int) -> datetime:
        return datetime(2025, 7, 1, minutes // 60, minutes % 60, tzinfo=UTC)

    bound = prices.bound(model=model, provider="deepseek", url="", input_tokens=1000, output_tokens=100, at=at(sent))
    cost = prices.cost(Usage(1000, 100), model=model, provider="deepseek", url="", at=at(ended)).usd
    assert bound is not None
    assert cost is not None
    assert cost <= bound


def test_a_tier_holds_beyond_its_beginning_and_for_all_tokens() -> None:
    rates = Rates(input=Rate(Decimal(2), ((100, Decimal(1)), (200, Decimal(4)))))
    assert [rates.cost(Usage(tokens)) for tokens in (100, 101, 200, 201)] == [
        Decimal("0.0002"),
        Decimal("0.000101"),
        Decimal("0.0002"),
        Decimal("0.000804"),
    ]


def test_what_is_less_than_can_be_kept_is_rounded_up() -> None:
    assert total([(1, Decimal("0.000000000001"))]) == Decimal("0.000000000001")
    assert total([(1, Decimal("0.000001"))]) == Decimal("0.000000000001")
    assert total([]) == 0


def test_what_needs_an_unknown_rate_has_neither_cost_nor_bound() -> None:
    only_output = Rates(output=Rate(Decimal(1)), cache_read=Rate(Decimal(1)))
    assert only_output.cost(Usage(1, 1)) is None
    assert only_output.bound(1, 1) is None
    assert only_output.cost(Usage(1, 1, cache_read_tokens=1)) == Decimal("0.000002")
    assert only_output.bound(0, 1) == Decimal("0.000001")
