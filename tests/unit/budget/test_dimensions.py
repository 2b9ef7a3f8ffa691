"""Whole units, and the amounts that people, programs and JSON see: nothing is lost on the way, nor rounded down."""

from __future__ import annotations

import decimal
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.budget.dimensions import (
    COUNTED,
    Dimension,
    Scope,
    Unit,
    from_units,
    natural,
    plain,
    shown,
    to_units,
    unit,
)

COST, WALL, IDLE, CALLS = Dimension.COST_USD, Dimension.WALL_SECONDS, Dimension.IDLE_STREAM_SECONDS, Dimension.CALLS
DIMENSIONS = st.sampled_from(Dimension)
UNITS = st.integers(0, 10**15)
"""Up to the largest limit there is: a billion seconds."""
HUGE = st.integers(0, 10**40)


def test_scopes_are_in_order_from_the_outermost() -> None:
    assert [scope.value for scope in Scope] == ["run", "job", "step", "call"]


def test_time_is_not_added_up_over_calls() -> None:
    assert set(Dimension) - set(COUNTED) == {WALL, IDLE}
    assert list(COUNTED) == [dimension for dimension in Dimension if dimension in COUNTED]


@pytest.mark.parametrize("dimension", Dimension)
def test_money_and_seconds_have_a_unit_and_all_else_is_a_number(dimension: Dimension) -> None:
    wanted = {COST: Unit.MONEY, WALL: Unit.SECONDS, IDLE: Unit.SECONDS}.get(dimension, Unit.NUMBER)

    assert unit(dimension) is wanted


@pytest.mark.parametrize(
    ("dimension", "amount", "units"),
    [
        (COST, Decimal("0.25"), 250_000_000_000),
        (COST, Decimal("1E-12"), 1),
        (COST, Decimal("1E-13"), 1),
        (COST, 0.1, 100_000_000_000),
        (COST, 0, 0),
        (WALL, 1.5, 1_500_000),
        (WALL, Decimal("0.0000001"), 1),
        (IDLE, 2, 2_000_000),
        (CALLS, 3, 3),
        (CALLS, 2.1, 3),
        (WALL, -0.0000001, 0),
    ],
)
def test_an_amount_in_units_is_rounded_up_and_a_float_is_what_it_is_written_as(
    dimension: Dimension, amount: Decimal | float, units: int
) -> None:
    assert to_units(dimension, amount) == units


SHOWN = [
    (CALLS, 0, "0", 0, 0),
    (CALLS, 1204, "1,204", 1204, 1204),
    (COST, 0, "$0.00", Decimal(0), "0"),
    (COST, 250_000_000_000, "$0.25", Decimal("0.25"), "0.25"),
    (COST, 1, "$0.000000000001", Decimal("1E-12"), "0.000000000001"),
    (COST, 5 * 10**12, "$5.00", Decimal(5), "5"),
    (COST, 1200 * 10**12, "$1200.00", Decimal(1200), "1200"),
    (COST, 1_234_500_000_000, "$1.2345", Decimal("1.2345"), "1.2345"),
    (WALL, 0, "0 s", 0.0, 0.0),
    (WALL, 12_500_000, "12.5 s", 12.5, 12.5),
    (WALL, 120_000_000, "120 s", 120.0, 120.0),
    (IDLE, 1, "0.000001 s", 1e-6, 1e-6),
]


@pytest.mark.parametrize(("dimension", "units", "text", "as_code", "as_json"), SHOWN)
def test_units_are_written_for_people_for_code_and_for_json(
    dimension: Dimension, units: int, text: str, as_code: Any, as_json: Any
) -> None:
    assert shown(dimension, units) == text
    for found, wanted in ((natural(dimension, units), as_code), (plain(dimension, units), as_json)):
        assert (found, type(found)) == (wanted, type(wanted))


@given(DIMENSIONS, HUGE)
def test_units_as_an_amount_and_back_are_the_same(dimension: Dimension, units: int) -> None:
    assert to_units(dimension, from_units(dimension, units)) == units


@given(DIMENSIONS, UNITS)
def test_units_as_code_and_json_have_them_and_back_are_the_same(dimension: Dimension, units: int) -> None:
    read = json.loads(json.dumps(plain(dimension, units)))

    assert to_units(dimension, natural(dimension, units)) == units
    assert to_units(dimension, Decimal(str(read))) == units


@given(DIMENSIONS, UNITS)
def test_what_people_see_is_exact(dimension: Dimension, units: int) -> None:
    text = shown(dimension, units).removeprefix("$").removesuffix(" s").replace(",", "")

    assert to_units(dimension, Decimal(text)) == units
    assert "E" not in text


@given(DIMENSIONS, st.decimals(0, 10**9, places=15))
def test_no_rounding_hides_a_use_and_none_makes_it_a_unit_more(dimension: Dimension, amount: Decimal) -> None:
    units = to_units(dimension, amount)

    assert from_units(dimension, units) >= amount
    assert units == 0 or from_units(dimension, units - 1) < amount


@given(DIMENSIONS, UNITS, UNITS)
def test_of_two_uses_the_larger_has_more_units_and_sums_are_exact(dimension: Dimension, one: int, two: int) -> None:
    together = from_units(dimension, one) + from_units(dimension, two)

    assert to_units(dimension, together) == one + two
    assert (from_units(dimension, one) < from_units(dimension, two)) is (one < two)


@given(DIMENSIONS, UNITS, st.integers(1, 6))
def test_units_and_amounts_are_exact_however_coarse_the_program_s_own_decimals_are(
    dimension: Dimension, units: int, prec: int
) -> None:
    exact, text, as_json = from_units(dimension, units), shown(dimension, units), plain(dimension, units)
    coarse = decimal.Context(prec=prec, rounding=decimal.ROUND_DOWN, traps=[decimal.Inexact])

    with decimal.localcontext(coarse):
        assert from_units(dimension, units) == exact
        assert (shown(dimension, units), plain(dimension, units)) == (text, as_json)
        assert to_units(dimension, exact) == units
        assert to_units(dimension, natural(dimension, units)) == units
