"""Prices of public models, each worked out by hand from the rates on the list; US dollars."""

from __future__ import annotations

import decimal
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.model import Cost, Quality, Usage
from tapemeter.pricing import Prices, genai, listed

LOOPBACK = "http://127.0.0.1:8000/v1/chat/completions"
AT = datetime(2025, 12, 1, 12, tzinfo=UTC)
THE_FIRST = datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))
THE_LAST = datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))


def cost(usage: Usage, model: str | None, provider: str = "openai", *, url: str = LOOPBACK, at: datetime = AT) -> Cost:
    return Prices().cost(usage, model=model, provider=provider, url=url, at=at)


@pytest.mark.parametrize(
    ("model", "provider", "usage", "usd"),
    [
        # 1000 x 2.50 + 200 x 10
        ("gpt-4o", "openai", Usage(1000, 200), "0.0045"),
        # 600 x 2.50 + 400 x 1.25 + 200 x 10
        ("gpt-4o", "openai", Usage(1000, 200, cache_read_tokens=400), "0.004"),
        # reasoning is output: 10 x 2 + 100 x 8
        ("o3", "openai", Usage(10, 100, reasoning_tokens=90), "0.00082"),
        # 700 x 3 + 100 x 0.30 + 200 x 3.75 + 10 x 15
        ("claude-sonnet-4-0", "anthropic", Usage(1000, 10, 100, 200), "0.00303"),
        # up to 200,000 tokens of input: 197,000 x 3 + 1000 x 0.30 + 2000 x 3.75 + 10 x 15
        ("claude-sonnet-4-5", "anthropic", Usage(200_000, 10, 1000, 2000), "0.59895"),
        # beyond, all tokens at the higher rate: 197,001 x 6 + 1000 x 0.60 + 2000 x 7.50 + 10 x 22.50
        ("claude-sonnet-4-5", "anthropic", Usage(200_001, 10, 1000, 2000), "1.197831"),
        # output, too, goes by the length of the input: 200,001 x 2.50 + 10 x 15
        ("gemini-2.5-pro", "gcp.gemini", Usage(200_001, 10), "0.5001525"),
        # no rate for what is written to a cache: 1000 x 2.50
        ("gpt-4o", "openai", Usage(1000, 0, cache_write_tokens=300), "0.0025"),
        # reasoning with a rate of its own: 100 x 2 + 400 x 8 + 600 x 3
        ("sonar-deep-research", "perplexity", Usage(100, 1000, reasoning_tokens=600), "0.0052"),
        # requests have a price: 100 x 1 + 10 x 1, and 12 a thousand
        ("sonar", "perplexity", Usage(100, 10), "0.01211"),
        # 1000 x 0.02, and no output
        ("text-embedding-3-small", "openai", Usage(1000, 0), "0.00002"),
        # one token: 0.075 millionths, to the last digit
        ("gpt-4o-mini", "openai", Usage(1, 0, cache_read_tokens=1), "0.000000075"),
    ],
)
def test_a_usage_costs_what_the_rates_come_to(model: str, provider: str, usage: Usage, usd: str) -> None:
    found = cost(usage, model, provider)
    assert found == Cost(Decimal(usd), Quality.MEASURED, "genai-prices", version("genai-prices"))


def test_more_cached_tokens_than_input_are_no_more_than_the_input() -> None:
    assert cost(Usage(100, 0, 10**9, 10**9), "gpt-4o").usd == Decimal("0.000125")  # 100 x 1.25
    assert cost(Usage(0, 10, reasoning_tokens=99), "o3").usd == Decimal("0.00008")  # 10 x 8


def test_a_price_is_the_one_of_its_day() -> None:
    usage = Usage(1000, 100)
    assert cost(usage, "o3", at=datetime(2025, 6, 9, 23, tzinfo=UTC)).usd == Decimal("0.014")  # 10 and 40
    assert cost(usage, "o3", at=datetime(2025, 6, 10, tzinfo=UTC)).usd == Decimal("0.0028")  # 2 and 8


def test_a_day_is_one_of_utc_and_so_is_a_moment_without_a_zone() -> None:
    still_the_ninth = datetime(2025, 6, 10, 1, tzinfo=timezone(timedelta(hours=2)))
    assert cost(Usage(1000, 0), "o3", at=still_the_ninth).usd == Decimal("0.01")
    assert cost(Usage(1000, 0), "o3", at=datetime(2025, 6, 9, 23)).usd == Decimal("0.01")  # noqa: DTZ001
    assert cost(Usage(1000, 0), "o3", at=datetime(2025, 6, 10)).usd == Decimal("0.002")  # noqa: DTZ001


def test_a_price_that_goes_by_the_hour_is_that_of_the_moment_whichever_was_asked_for_first() -> None:
    prices = Prices()

    def at(hour: int) -> Decimal | None:
        moment = datetime(2025, 7, 1, hour, tzinfo=UTC)
        return prices.cost(Usage(1000, 0), model="deepseek-chat", provider="deepseek", url="", at=moment).usd

    assert (at(0), at(1), at(17), at(12)) == tuple(map(Decimal, ("0.000135", "0.00027", "0.000135", "0.00027")))


@pytest.mark.parametrize("at", [THE_FIRST, THE_LAST, datetime.min, datetime.max])  # noqa: DTZ901
def test_the_first_and_the_last_day_there_are_have_prices(at: datetime) -> None:
    assert cost(Usage(1000, 0), "gpt-4o", at=at).usd == Decimal("0.0025")


def test_the_address_tells_whose_model_it_is_where_the_provider_does_not() -> None:
    prices = Prices()

    def through(path: str) -> Decimal | None:
        url = f"https://router.huggingface.co/{path}/v1/chat/completions?x=1"
        model = "openai/gpt-oss-120b"
        return prices.cost(Usage(0, 1000), model=model, provider="huggingface", url=url, at=AT).usd

    assert (through("groq"), through("together")) == (Decimal("0.00075"), Decimal("0.0006"))


@pytest.mark.parametrize("provider", ["openai", "unknown", "someone", "", "litellm"])
def test_a_model_is_known_by_its_name_alone_where_neither_provider_nor_address_is(provider: str) -> None:
    assert cost(Usage(1000, 0), "gpt-4o", provider).usd == Decimal("0.0025")


@pytest.mark.parametrize("name", sorted(listed.PROVIDERS.values()))
def test_every_provider_that_is_called_otherwise_is_on_the_list(name: str) -> None:
    assert name in {provider.id for provider in genai.listing().providers}


@pytest.mark.parametrize("model", [None, "", "house-model", "gpt-4o" + "-" * 300])
def test_what_is_not_on_the_list_has_no_price_never_zero(model: str | None) -> None:
    assert cost(Usage(1, 0), model) == Cost(None, Quality.UNKNOWN)
    bound = Prices().bound(model=model, provider="openai", url=LOOPBACK, input_tokens=1, output_tokens=1, at=AT)
    assert bound is None


@pytest.mark.parametrize(
    ("model", "provider"), [("omni-moderation-latest", "openai"), ("deepseek/deepseek-r1:free", "openrouter")]
)
def test_a_model_that_the_list_has_as_free_costs_nothing(model: str, provider: str) -> None:
    assert cost(Usage(100, 10), model, provider) == Cost(
        Decimal(0), Quality.MEASURED, "genai-prices", version("genai-prices")
    )
    bound = Prices().bound(model=model, provider=provider, url="", input_tokens=100, output_tokens=10, at=AT)
    assert bound == 0


def test_a_model_that_the_list_has_without_a_price_has_none() -> None:
    assert cost(Usage(100, 10), "qwen-3-coder-480b", "cerebras").usd is None


def test_prices_are_of_the_installed_list_whatever_the_program_has_put_in_its_place() -> None:
    from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot  # noqa: PLC0415 - where it is needed

    set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=True))
    try:
        listed._model.cache_clear()
        assert cost(Usage(1000, 200), "gpt-4o").usd == Decimal("0.0045")
    finally:
        set_custom_snapshot(None)


def test_a_model_without_a_price_of_output_has_none_for_a_usage_with_output() -> None:
    found = cost(Usage(10, 1), "text-embedding-3-small")
    assert (found.usd, found.quality) == (None, Quality.UNKNOWN)


@pytest.mark.parametrize("quality", [Quality.MEASURED, Quality.ESTIMATED, Quality.PARTIAL])
def test_a_cost_is_as_sure_as_the_usage(quality: Quality) -> None:
    assert cost(Usage(10, 1, quality=quality), "gpt-4o").quality is quality


@pytest.mark.parametrize("model", ["gpt-4o", "house-model", None])
def test_what_used_nothing_costs_nothing_and_an_unknown_usage_is_no_such_thing(model: str | None) -> None:
    assert cost(Usage(), model).usd == 0
    assert cost(Usage(quality=Quality.UNKNOWN), model) == Cost(None, Quality.UNKNOWN)


def test_a_request_that_used_nothing_costs_what_requests_cost() -> None:
    assert cost(Usage(), "sonar", "perplexity").usd == Decimal("0.012")


def test_the_dearest_rates_are_the_highest_of_all_text_models() -> None:
    per_input = Prices().dearest(input_tokens=10**6, output_tokens=0)
    per_output = Prices().dearest(input_tokens=0, output_tokens=10**6)
    assert (per_input, per_output) == (Decimal(150), Decimal(600))  # o1-pro
    assert Prices().dearest(input_tokens=2, output_tokens=1) == Decimal("0.0009")


def test_the_decimal_context_of_the_program_changes_no_price() -> None:
    with decimal.localcontext(decimal.Context(prec=2, rounding=decimal.ROUND_DOWN, traps=[decimal.Inexact])):
        found = cost(Usage(123_457, 89), "gpt-4o").usd
        bound = Prices().bound(model="gpt-4o", provider="", url="", input_tokens=123_457, output_tokens=89, at=AT)
        dearest = Prices().dearest(input_tokens=123_457, output_tokens=0)
    assert found == bound == Decimal("0.3095325")  # 123,457 x 2.50 + 89 x 10
    assert dearest > 1


@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=40), st.datetimes())
def test_no_name_address_or_moment_makes_it_fail(model: str, provider: str, url: str, at: datetime) -> None:
    found = cost(Usage(2**53, 2**53, 2**53, 2**53, 2**53), model, provider, url=url, at=at)
    assert found.usd is None or found.usd >= 0
    Prices().bound(model=model, provider=provider, url=url, input_tokens=2**53, output_tokens=2**53, at=at)


@pytest.mark.parametrize("name", ["\ud800", "\x00", "//", "https://[", "((((a+)+)+)+)$", "a/b/c", "😀"])
def test_odd_names_are_unknown_and_no_error(name: str) -> None:
    assert cost(Usage(1, 1), name, name, url=name) == Cost(None, Quality.UNKNOWN)
