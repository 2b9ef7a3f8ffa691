"""What tests compare: every sum exact, by model and by step, and zero for what never occurred."""

from __future__ import annotations

import decimal
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.budget.dimensions import COUNTED, Dimension, natural
from tapemeter.budget.tally import Tally

AMOUNTS = st.dictionaries(st.sampled_from(COUNTED), st.integers(0, 10**15))
ATTEMPTS = st.lists(
    st.tuples(AMOUNTS, st.sampled_from(["gpt", "llama", None]), st.sampled_from(["plan", "plan/search", None])),
    max_size=8,
)


def filled(attempts: list[tuple[dict[Dimension, int], str | None, str | None]]) -> Tally:
    tally = Tally()
    for amounts, model, step in attempts:
        tally.add(amounts, model=model, step=step)
    return tally


@pytest.mark.parametrize("dimension", COUNTED)
def test_each_figure_is_the_sum_of_its_dimension_alone(dimension: Dimension) -> None:
    tally = Tally()
    for units in (3, 4):
        tally.add({dimension: units}, model=None, step=None)

    assert tally.units(dimension) == 7
    found = {each: getattr(tally, each.value) for each in COUNTED}
    assert found == {each: natural(each, 7 if each is dimension else 0) for each in COUNTED}


def test_nothing_is_zero_everywhere() -> None:
    tally = Tally()

    assert {getattr(tally, each.value) for each in COUNTED} == {0}
    assert (tally.unpriced, dict(tally.by_model), dict(tally.by_step)) == (0, {}, {})


@given(ATTEMPTS)
def test_the_whole_is_the_sum_of_its_parts(attempts: list[tuple[dict[Dimension, int], str | None, str | None]]) -> None:
    tally = filled(attempts)

    for dimension in COUNTED:
        assert tally.units(dimension) == sum(amounts.get(dimension, 0) for amounts, _, _ in attempts)
        for model in ("gpt", "llama"):
            parts = sum(amounts.get(dimension, 0) for amounts, of, _ in attempts if of == model)
            assert tally.by_model[model].units(dimension) == parts
        for step in ("plan", "plan/search"):
            parts = sum(amounts.get(dimension, 0) for amounts, _, of in attempts if of == step)
            assert tally.by_step[step].units(dimension) == parts
    assert set(tally.by_model) == {model for _, model, _ in attempts} - {None}
    assert set(tally.by_step) == {step for _, _, step in attempts} - {None}


def test_what_never_occurred_is_zero_and_is_not_kept() -> None:
    tally = filled([({Dimension.CALLS: 1}, "gpt", "plan")])

    assert tally.by_model["llama"].calls == tally.by_step["search"].cost_usd == 0
    tally.by_model["llama"].add({Dimension.CALLS: 5}, model=None, step=None)
    assert (list(tally.by_model), list(tally.by_step)) == (["gpt"], ["plan"])
    assert tally.by_model["llama"].calls == 0


def test_nobody_adds_a_model_by_looking_at_the_models() -> None:
    tally = filled([({Dimension.CALLS: 1}, "gpt", None)])
    seen: Any = tally.by_model
    seen["llama"] = Tally()

    assert list(tally.by_model) == ["gpt"]


def test_calls_of_unknown_price_are_counted_wherever_they_belong() -> None:
    tally = Tally()
    tally.add({Dimension.COST_USD: 10**12}, model="gpt", step="plan")
    tally.add({Dimension.CALLS: 1}, model="llama", step="plan", priced=False)

    assert (tally.unpriced, tally.cost_usd) == (1, Decimal(1))
    assert (tally.by_model["gpt"].unpriced, tally.by_model["llama"].unpriced) == (0, 1)
    assert tally.by_step["plan"].unpriced == 1


def test_money_is_exact_however_coarse_the_program_s_own_decimals_are() -> None:
    tally = filled([({Dimension.COST_USD: 1_234_567_890_123_456}, None, None)])

    with decimal.localcontext(prec=2):
        assert tally.cost_usd == Decimal("1234.567890123456")


def test_it_shows_calls_tokens_and_money() -> None:
    tally = filled([({Dimension.CALLS: 2, Dimension.TOTAL_TOKENS: 30, Dimension.COST_USD: 25 * 10**10}, None, None)])

    assert repr(tally) == "<usage 2 calls, 30 tokens, $0.25>"


def test_no_thread_s_use_is_lost() -> None:
    tally = Tally()

    def add(number: int) -> None:
        amounts = {Dimension.CALLS: 1, Dimension.INPUT_TOKENS: number}
        tally.add(amounts, model=f"model {number % 5}", step=f"step {number % 3}", priced=number % 2 == 0)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(add, range(600)))
    finally:
        sys.setswitchinterval(before)

    assert (tally.calls, tally.input_tokens, tally.unpriced) == (600, sum(range(600)), 300)
    assert {model.calls for model in tally.by_model.values()} == {120}
    assert {step.calls for step in tally.by_step.values()} == {200}
