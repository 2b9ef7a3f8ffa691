from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tapemeter.providers.values import LARGEST_COUNT, count, money, name, parse


@pytest.mark.parametrize("value", [0, 1, LARGEST_COUNT])
def test_a_count_is_a_whole_number(value: int) -> None:
    assert count(value) == value


@pytest.mark.parametrize("value", [None, True, False, -1, 1.0, "1", LARGEST_COUNT + 1, [1], {}, float("nan")])
def test_anything_else_is_no_count(value: Any) -> None:
    assert count(value) is None


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (0, "0"),
        (1, "1"),
        (0.00125, "0.00125"),
        ("0.0000000001", "1E-10"),
        (" 2.5 ", "2.5"),
        (1.5e-07, "1.5E-7"),
        ("0e-999999", "0"),
    ],
)
def test_money_is_exact(value: Any, amount: str) -> None:
    found = money(value)

    assert found == Decimal(amount)
    assert len(f"{found:f}") < 40


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1,
        -0.5,
        "-0.5",
        "",
        "free",
        "NaN",
        "sNaN",
        "Infinity",
        float("nan"),
        float("inf"),
        "1e999999999",
        "1e-999999",
        10**12,
        pytest.param(10**5000, id="a huge number"),
        pytest.param(-(10**5000), id="a huge debt"),
        "1" * 100,
        [1],
        {"total": 1},
    ],
)
def test_an_absurd_amount_is_none(value: Any) -> None:
    assert money(value) is None


def test_a_name_is_fit_to_be_written() -> None:
    assert name("gpt-small") == "gpt-small"
    assert name("modèle") == "modèle"
    assert name("m\ud800") == "m?"
    assert name("m" * 1_000) == "m" * 256
    assert [name(value) for value in (None, "", 7, ["m"])] == [None] * 4


def test_a_body_is_json_in_utf_8() -> None:
    assert parse('{"a": "é"}'.encode()) == {"a": "é"}
    assert parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert parse('{"a": 1}'.encode("utf-16")) is None
    assert parse(b'{"a": ') is None
    assert parse(b"[" * 100_000) is None
    assert parse(b'{"a": ' + b"9" * 5_000 + b"}") is None
