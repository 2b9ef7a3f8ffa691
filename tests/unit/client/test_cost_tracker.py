from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_provider import answer
from tapemeter.client import cost as costs
from tapemeter.client.cost import REST, CallCost, CostTracker, Total
from tapemeter.client.result import Answer, GatewayFacts, TokenUsage
from tapemeter.errors import CostCalculationError
from tapemeter.pricing import Overrides, Prices

DAY = datetime(2026, 11, 21, tzinfo=UTC)
OWN = {
    "version": "1",
    "models": {
        "house-*": {"input_mtok": "100", "output_mtok": "200"},
        "free": {"free": True},
        "input-only": {"input_mtok": "1"},
    },
    "aliases": {"fast": "house-1"},
}
MONEY = st.decimals(0, 1000, places=12, allow_nan=False)
NAMES = st.none() | st.sampled_from(["a", "b", "c"])
COSTS = st.builds(
    lambda own, gateway: CallCost(own if own is not None else gateway, own, gateway),
    st.none() | MONEY,
    st.none() | MONEY,
)


def tracker(**changes: Any) -> CostTracker:
    return CostTracker(changes.get("prices", Prices(Overrides.parse(OWN, "llm_prices.yaml"))), lambda: DAY)


def gateway(usd: Any, model: str | None = None) -> GatewayFacts:
    return GatewayFacts(cost_usd=usd, model=model)


# One call


def test_ones_own_prices_come_first_and_the_gateways_figure_is_kept_beside_them() -> None:
    found = tracker().of(answer(model="house-1", gateway=gateway(Decimal("0.5"))))
    assert (found.usd, found.own_usd, found.gateway_usd) == (Decimal("0.002"), Decimal("0.002"), Decimal("0.5"))
    assert (found.source, found.version, found.quality, found.unavailable) == (
        "llm_prices.yaml",
        "1",
        "measured",
        False,
    )


def test_where_ones_own_prices_know_nothing_the_gateways_figure_counts() -> None:
    found = tracker().of(answer(model="nobody-knows-it", gateway=gateway(Decimal("0.5"))))
    assert (found.usd, found.own_usd, found.gateway_usd, found.source) == (
        Decimal("0.5"),
        None,
        Decimal("0.5"),
        "gateway",
    )


def test_what_nobody_knows_is_marked_and_not_zero() -> None:
    found = tracker().of(answer(model="nobody-knows-it"))
    assert (found.usd, found.unavailable, found.model, found.problem) == (None, True, "nobody-knows-it", None)


def test_a_public_model_has_the_public_price() -> None:
    found = tracker().of(answer(model="gpt-4o-mini"))
    assert found.source == "genai-prices"
    assert found.usd is not None
    assert found.usd > 0


@pytest.mark.parametrize(
    ("given", "asked", "model"),
    [
        (answer(model="house-2"), "house-1", "house-1"),
        (answer(model="house-2"), "main", "house-2"),
        (answer(model=None, gateway=gateway(None, "house-3")), "main", "house-3"),
        (answer(model=None), "fast", "fast"),
        (answer(model="house-2"), None, "house-2"),
    ],
)
def test_a_price_is_looked_for_by_every_name_that_the_model_has(given: Answer, asked: str | None, model: str) -> None:
    found = tracker().of(given, asked=asked)
    assert (found.usd, found.model) == (Decimal("0.002"), model)


def test_what_is_free_is_known_to_cost_nothing() -> None:
    assert tracker().of(answer(model="free")).usd == 0


def test_where_no_server_was_asked_nothing_was_paid() -> None:
    found = tracker().of(answer(model="echo", wire="", server_url=""))
    assert (found.usd, found.source, found.unavailable) == (0, "no server", False)


def test_a_rate_that_is_missing_makes_the_cost_unknown() -> None:
    assert tracker().of(answer(model="input-only")).unavailable


@pytest.mark.parametrize("quality", ["estimated", "partial"])
def test_a_cost_is_as_sure_as_the_usage_it_is_of(quality: str) -> None:
    assert tracker().of(answer(model="house-1", usage=TokenUsage(10, 5, quality=quality))).quality == quality


def test_an_unknown_usage_has_an_unknown_cost() -> None:
    assert tracker().of(answer(model="house-1", usage=TokenUsage(0, 0, quality="unknown"))).unavailable


@pytest.mark.parametrize(
    "usd",
    [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal(-1), Decimal(10**6), Decimal("1E-31"), 0.5, "0.5"],
)
def test_a_gateways_figure_that_is_no_amount_of_money_is_not_believed(usd: Any) -> None:
    found = tracker().of(answer(model="nobody-knows-it", gateway=gateway(usd)))
    assert (found.usd, found.gateway_usd) == (None, None)


class Broken(Prices):
    """Prices that cannot be told for a reason of their own."""

    def cost(self, *_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a rate of nothing")


@pytest.mark.parametrize(
    ("prices", "given", "problem"),
    [
        (Broken(), answer(model="house-1"), "ZeroDivisionError: a rate of nothing"),
        (
            Prices(),
            answer(model="house-1", usage=TokenUsage(1, 1, quality="splendid")),
            "ValueError: 'splendid' is not",
        ),
    ],
)
def test_an_error_in_pricing_never_costs_an_answer(prices: Prices, given: Answer, problem: str) -> None:
    found = tracker(prices=prices).of(given)
    assert found.unavailable
    assert found.problem is not None
    assert found.problem.startswith(problem)
    assert found.model == "house-1"


def test_with_an_error_in_pricing_the_gateways_figure_still_counts() -> None:
    found = tracker(prices=Broken()).of(answer(gateway=gateway(Decimal("0.1"))), asked="x")
    assert (found.usd, found.source) == (Decimal("0.1"), "gateway")
    assert found.problem == "ZeroDivisionError: a rate of nothing"


# Who must know


def test_who_requires_a_cost_gets_it_or_an_error_that_says_what_to_do() -> None:
    assert tracker().require(answer(model="house-1")) == Decimal("0.002")
    with pytest.raises(CostCalculationError, match=r"the call of nobody cost is not known; add the model to the price"):
        tracker().require(answer(model="nobody"), asked=None)
    with pytest.raises(CostCalculationError, match=r"a model without a name cost is not known; add"):
        tracker().require(answer(model=None))
    with pytest.raises(CostCalculationError, match=r"is not known \(ZeroDivisionError: a rate of nothing\); add"):
        tracker(prices=Broken()).require(answer())


def test_a_total_that_must_be_known_names_the_models_without_a_price() -> None:
    costs = tracker()
    costs.add(costs.of(answer(model="house-1")))
    assert costs.total(require_known=True).usd == Decimal("0.002")
    for model in ("x", "y", "x"):
        costs.add(costs.of(answer(model=model)))
    with pytest.raises(
        CostCalculationError, match=r"\$0.002, but the price of 3 of 4 .* by model: x \(2\), y \(1\); add"
    ):
        costs.total(require_known=True)
    assert costs.total().unknown == 3


# Totals


def test_totals_are_by_model_alias_group_and_task() -> None:
    costs = tracker()
    paid = CallCost(Decimal("0.25"), Decimal("0.25"), Decimal("0.3"))
    costs.add(paid, model="m", alias="planner", group="main", task="plan")
    costs.add(paid, model="m", group="main")
    costs.add(CallCost(None, model="n"), model="n", alias="planner", group="cheap", task="plan")
    assert costs.by_model == {
        "m": Total(Decimal("0.5"), 2, 0, Decimal("0.5"), Decimal("0.6")),
        "n": Total(calls=1, unknown=1),
    }
    assert costs.by_alias["planner"] == costs.by_task["plan"]
    assert (costs.by_task["plan"].usd, costs.by_task["plan"].at_least) == (Decimal("0.25"), True)
    assert {name: total.calls for name, total in costs.by_group.items()} == {"main": 2, "cheap": 1}
    assert repr(costs) == "<costs at least $0.5 for 3 calls>"
    with pytest.raises(TypeError):
        costs.by_model["m"] = Total()  # type: ignore[index]


def test_totals_that_were_looked_at_stay_as_they_were() -> None:
    costs = tracker()
    before = costs.by_model
    costs.add(CallCost(Decimal(1)), model="m")
    assert (dict(before), str(costs.total())) == ({}, "$1")


def test_names_without_end_share_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "_MOST_NAMES", 2)
    found = tracker()
    for number in range(5):
        found.add(CallCost(None, model=f"m{number}"), task=f"task {number % 4}")
    assert {name: total.calls for name, total in found.by_task.items()} == {"task 0": 2, "task 1": 1, REST: 2}
    with pytest.raises(CostCalculationError, match=r"m0 \(1\), m1 \(1\), \(all others\) \(3\)"):
        found.total(require_known=True)


@given(st.lists(st.tuples(COSTS, NAMES, NAMES, NAMES, NAMES), max_size=25))
def test_totals_are_exact_sums_whatever_the_program_makes_of_its_decimals(
    calls: list[tuple[CallCost, str | None, str | None, str | None, str | None]],
) -> None:
    found = tracker()
    with localcontext(prec=3):
        for cost, model, alias, group, task in calls:
            found.add(cost, model=model, alias=alias, group=group, task=task)
        total = found.total()
    with localcontext(prec=200):
        known = [cost for cost, *_ in calls if cost.usd is not None]
        assert total.usd == sum((cost.usd or 0 for cost in known), Decimal(0))
        assert total.own_usd == sum((cost.own_usd or 0 for cost, *_ in calls), Decimal(0))
        assert total.gateway_usd == sum((cost.gateway_usd or 0 for cost, *_ in calls), Decimal(0))
        assert (total.calls, total.unknown, total.at_least) == (
            len(calls),
            len(calls) - len(known),
            len(known) < len(calls),
        )
        for place, kind in enumerate(("by_model", "by_alias", "by_group", "by_task"), 1):
            totals = getattr(found, kind)
            assert set(totals) == {call[place] for call in calls} - {None}
            named = [call[0] for call in calls if call[place] is not None]
            assert sum((each.usd for each in totals.values()), Decimal(0)) == sum(
                (cost.usd or 0 for cost in named), Decimal(0)
            )
            assert sum(each.calls for each in totals.values()) == len(named)


def test_calls_of_many_threads_are_all_counted_and_no_total_is_seen_torn() -> None:
    found = tracker()
    cost = CallCost(Decimal("0.001"), Decimal("0.001"), Decimal("0.002"))
    done = threading.Event()
    torn: list[Total] = []

    def look() -> None:
        while not done.is_set():
            total = found.total()
            if total.usd * 1000 != total.calls or total.gateway_usd != total.usd * 2:
                torn.append(total)

    def call() -> None:
        for _ in range(200):
            found.add(cost, model="m", task="t")

    reader = threading.Thread(target=look)
    writers = [threading.Thread(target=call) for _ in range(4)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert torn == []
    assert found.total() == found.by_model["m"] == found.by_task["t"]
    assert found.total().usd == Decimal("0.8")
