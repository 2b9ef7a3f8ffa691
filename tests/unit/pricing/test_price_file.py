from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tapemeter import documents, schemas
from tapemeter.errors import PolicyError
from tapemeter.model import Cost, Quality, Usage
from tapemeter.pricing import Overrides, Prices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT = datetime(2026, 3, 1, tzinfo=UTC)
NAME = "llm_prices.yaml"


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Prices]:
    """Read prices from a price file with that text below its head."""

    def prices(text: str, *, name: str = NAME, head: str = 'schema: llm_prices_v1\nversion: "7"\n') -> Prices:
        path = tmp_path / name
        path.write_text(head + text, encoding="utf-8")
        document = documents.load(path, schemas.PRICES, source=name)
        return Prices(Overrides.parse(document.value, document.source, document.line))

    return prices


def cost(prices: Prices, model: str, usage: Usage, *, at: datetime = AT) -> Cost:
    return prices.cost(usage, model=model, provider="openai", url="http://127.0.0.1/v1", at=at)


def usd(prices: Prices, model: str, *, at: datetime = AT) -> Decimal | None:
    """Return what a million tokens of input cost."""
    return cost(prices, model, Usage(10**6), at=at).usd


def test_a_price_of_ones_own_says_whose_it_is_and_of_which_edition(load: Callable[..., Prices]) -> None:
    prices = load(
        """
models:
  our-model: {input_mtok: "0.60", output_mtok: 3, cache_read_mtok: "0.06", cache_write_mtok: "0.75", request: "0.001"}
"""
    )
    # 700 x 0.60 + 100 x 0.06 + 200 x 0.75 + 50 x 3, and a request
    found = cost(prices, "our-model", Usage(1000, 50, 100, 200))
    assert found == Cost(Decimal("0.001726"), Quality.MEASURED, NAME, "7")
    bound = prices.bound(model="our-model", provider="", url="", input_tokens=1000, output_tokens=50, at=AT)
    assert bound == Decimal("0.0019")  # 1000 x 0.75 + 50 x 3


def test_it_comes_before_that_of_the_public_list(load: Callable[..., Prices]) -> None:
    prices = load('models: {gpt-4o: {input_mtok: "1.00", output_mtok: "1.00"}}')
    assert usd(prices, "gpt-4o") == 1
    assert usd(prices, "gpt-4o-mini") == Decimal("0.15")


def test_cached_input_without_a_price_costs_what_other_input_does(load: Callable[..., Prices]) -> None:
    prices = load('models: {a: {input_mtok: "2"}}')
    assert cost(prices, "a", Usage(100, 0, 30, 20)).usd == Decimal("0.0002")


def test_a_free_model_costs_nothing_whatever_it_used(load: Callable[..., Prices]) -> None:
    prices = load('models: {"local-*": {free: true}}')
    found = cost(prices, "local-llama", Usage(10**6, 10**6, 10**5, 10**5, 10**5, Quality.ESTIMATED))
    assert found == Cost(Decimal(0), Quality.ESTIMATED, NAME, "7")
    assert prices.bound(model="local-llama", provider="", url="", input_tokens=9, output_tokens=9, at=AT) == 0


def test_a_price_that_is_not_given_is_unknown_never_zero(load: Callable[..., Prices]) -> None:
    prices = load('models: {a: {input_mtok: "2"}}')
    assert cost(prices, "a", Usage(10, 1)).usd is None
    assert prices.bound(model="a", provider="", url="", input_tokens=10, output_tokens=1, at=AT) is None


def test_zero_is_a_price(load: Callable[..., Prices]) -> None:
    assert usd(load('models: {gpt-4o: {input_mtok: 0, output_mtok: "0"}}'), "gpt-4o") == 0


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4o", 1),
        ("gpt-4o-ours", 2),
        ("gpt-4x", 3),
        ("gpt-4oo", 4),
        ("gpt-5", 5),
        ("ft:gpt-4o:acme", 6),
        ("elsewhere", 7),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_name_comes_first_and_then_the_glob_with_the_most_letters(
    load: Callable[..., Prices], model: str, price: int, *, backwards: bool
) -> None:
    lines = [
        'gpt-4o: {input_mtok: "1"}',
        '"gpt-4o-*": {input_mtok: "2"}',
        '"gpt-4[a-z]": {input_mtok: "3"}',
        '"gpt-4o*": {input_mtok: "4"}',
        '"gpt-*": {input_mtok: "5"}',
        '"ft:*": {input_mtok: "6"}',
        '"*": {input_mtok: "7"}',
    ]
    text = "\n  ".join(["models:", *(reversed(lines) if backwards else lines)])
    assert usd(load(text), model) == price


def test_of_two_globs_with_as_many_letters_the_first_in_the_file_holds(load: Callable[..., Prices]) -> None:
    assert usd(load('models: {"gp*": {input_mtok: 1}, "*rs": {input_mtok: 2}}'), "gpt-ours") == 1
    assert usd(load('models: {"*rs": {input_mtok: 2}, "gp*": {input_mtok: 1}}'), "gpt-ours") == 2


def test_globs_tell_capitals_apart_and_fit_whole_names(load: Callable[..., Prices]) -> None:
    prices = load('models: {"our-?": {free: true}}')
    assert usd(prices, "our-a") == 0
    for other in ("Our-a", "our-ab", "our-", "xour-a", "our-a\n"):
        assert usd(prices, other) is None


def test_prices_hold_from_their_day_on_in_any_order(load: Callable[..., Prices]) -> None:
    prices = load(
        """
models:
  a:
    - {from: "2026-03-01", input_mtok: "3"}
    - {input_mtok: "1"}
    - {from: "2026-02-01", input_mtok: "2"}
"""
    )
    days = [datetime(1, 1, 1), datetime(2026, 1, 31, 23, 59), datetime(2026, 2, 1), datetime(2026, 3, 1)]  # noqa: DTZ001
    assert [usd(prices, "a", at=day) for day in days] == [1, 1, 2, 3]


def test_before_its_first_day_a_price_says_nothing(load: Callable[..., Prices]) -> None:
    text = """
models:
  "our-*": {free: true}
  our-model: {from: "2026-02-01", input_mtok: "2"}
  gpt-4o: {from: "2026-02-01", input_mtok: "2"}
  other: {from: "2026-02-01", input_mtok: "2"}
"""
    prices, before = load(text), datetime(2026, 1, 31, tzinfo=UTC)
    assert [usd(prices, model) for model in ("our-model", "gpt-4o", "other")] == [2, 2, 2]
    assert [usd(prices, model, at=before) for model in ("our-model", "gpt-4o", "other")] == [0, Decimal("2.5"), None]


def test_an_alias_stands_for_a_model_and_may_go_by_another(load: Callable[..., Prices]) -> None:
    prices = load("aliases: {fast: house, house: gpt-4o-mini}\nmodels: {fast-one: {free: true}}")
    assert prices.resolve("fast") == prices.resolve("house") == "gpt-4o-mini"
    assert prices.resolve("gpt-4o-mini") == "gpt-4o-mini"
    assert prices.resolve("Fast") == "Fast"
    assert usd(prices, "fast") == usd(prices, "gpt-4o-mini") == Decimal("0.15")


def test_assume_max_says_what_the_dearest_model_costs(load: Callable[..., Prices]) -> None:
    prices = load('assume_max: {input_mtok: "5", output_mtok: 20}')
    assert prices.dearest(input_tokens=1000, output_tokens=100) == Decimal("0.007")
    nothing = load("assume_max: {input_mtok: 0, output_mtok: 0}")
    assert nothing.dearest(input_tokens=1000, output_tokens=100) == 0


@pytest.mark.parametrize("text", ["", "models:\naliases:\nassume_max:\n", "models: {}\naliases: {}\n"])
def test_a_file_that_says_nothing_leaves_the_public_list(load: Callable[..., Prices], text: str) -> None:
    assert usd(load(text), "gpt-4o") == Decimal("2.5")


def test_a_file_may_be_json_and_without_a_version(load: Callable[..., Prices]) -> None:
    text = '{"schema": "llm_prices_v1", "models": {"a": {"input_mtok": "2"}}}'
    assert cost(load(text, name="prices.json", head=""), "a", Usage(1)).version == ""


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("modles: {}", 3, "modles: expected no other field than schema, version, models, aliases, assume_max, found"),
        ("models:\n  a: {input_mtok: 0.5}", 4, 'models.a.input_mtok: expected US dollars in quotes ("0.25")'),
        ('models:\n  a: {input_mtok: "1e3"}', 4, "models.a.input_mtok: expected US dollars"),
        ('models:\n  a: {input_mtok: "-1"}', 4, "models.a.input_mtok: expected US dollars"),
        ("models:\n  a: {input_mtok: -1}", 4, "models.a.input_mtok: expected US dollars"),
        ("models:\n  a: {input_mtok: 1000000000}", 4, "models.a.input_mtok: expected US dollars"),
        ('models:\n  a: {input_mtok: "1000000000"}', 4, "models.a.input_mtok: expected US dollars"),
        ("models:\n  a: {input_mtok: true}", 4, "models.a.input_mtok: expected US dollars"),
        ('models:\n  a: {input_mtok: "NaN"}', 4, "models.a.input_mtok: expected US dollars"),
        ("models:\n  a: {free: false}", 4, "models.a.free: expected true, found false"),
        ('models:\n  a: {free: true, request: "1"}', 4, "models.a.request: expected no price beside free: true"),
        ("models:\n  a: {}", 4, "models.a: expected a mapping with free: true, or with one price or more, found {}"),
        ("models:\n  a: []", 4, "models.a: expected a list, of 1 or more"),
        ("models:\n  a: cheap", 4, "models.a: expected a price, or a list of prices"),
        ('models:\n  a: {input: "1"}', 4, "models.a.input: expected no other field than free, input_mtok"),
        ('models:\n  a:\n  - {free: true}\n  - {from: "2026"}', 6, "models.a[1]: expected a price beside the day"),
        ('models:\n  a: {free: true, from: "2026-13-01"}', 4, 'models.a.from: expected a day, such as "2026-01-01"'),
        (
            'models:\n  a:\n  - {free: true}\n  - free: true\n    from: "2026-02-30"',
            7,
            'models.a[1].from: expected a day of the calendar, found "2026-02-30"',
        ),
        ('models:\n  "": {free: true}', 4, 'models."": expected as a key text, not empty'),
        ("aliases:\n  a: 7", 4, "aliases.a: expected text, not empty"),
        ("assume_max:\n  input_mtok: 7", 3, "assume_max.output_mtok: expected US dollars"),
        (
            "models:\n  a:\n    - {free: true}\n    - {input_mtok: 1}",
            6,
            'two prices of "a" hold from the beginning; have each begin on a day of its own',
        ),
        (
            'models:\n  a:\n    - {free: true, from: "2026-01-01"}\n    - {input_mtok: 1, from: "2026-01-01"}',
            6,
            'two prices of "a" hold from 2026-01-01; have each begin on a day of its own',
        ),
        (
            "aliases:\n  a: b\n  b: c\n  c: b",
            5,
            'the aliases lead in a circle: "b" -> "c" -> "b"; have one of them name a model',
        ),
        ("aliases:\n  a: a", 4, 'the aliases lead in a circle: "a" -> "a"; have one of them name a model'),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(
    load: Callable[..., Prices], text: str, line: int, problem: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        load(text)
    assert (caught.value.path, caught.value.line) == (NAME, line)
    assert caught.value.problem.startswith(problem)


def test_a_circle_of_many_is_shown_by_its_beginning_and_its_end(load: Callable[..., Prices]) -> None:
    lines = [f"  n{number}: n{(number + 1) % 900}" for number in range(900)]
    with pytest.raises(PolicyError) as caught:
        load("\n".join(["aliases:", *lines]))
    assert '"n0" -> "n1" -> "n2"' in caught.value.problem
    assert caught.value.problem.endswith('"n6" -> … -> "n0"; have one of them name a model')


def test_without_lines_the_file_is_named_alone() -> None:
    with pytest.raises(PolicyError, match=r"^prices: the aliases lead"):
        Overrides.parse({"aliases": {"a": "a"}}, "prices")
