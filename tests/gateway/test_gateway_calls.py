"""Calls through a real LiteLLM proxy: what it answers, what it says of itself, and what it refuses."""

from __future__ import annotations

import gzip
import shutil
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx
import pytest
from proxy import DEPLOY, MASTER_KEY

from tapemeter.client.gateway import GatewayProvider
from tapemeter.client.load import load
from tapemeter.client.service import LlmService
from tapemeter.errors import ProviderError, ProxyUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy import Proxy

    from loopback import Loopback
    from tapemeter.client.config import ProviderConfig
    from tapemeter.client.result import ModelCallResult

pytestmark = pytest.mark.gateway

FAILS_AT_FIRST_PROVIDER = "status 500 then answer"


def configured(folder: Path, environ: dict[str, str], file: str = "") -> ProviderConfig:
    """Return what a program in a folder goes by; the prices that are shipped are there."""
    (folder / "llm.yaml").write_text(f"schema: llm_config_v1\n{file}", encoding="utf-8")
    shutil.copy(DEPLOY / "llm_prices.yaml", folder)
    return load(environ, root=folder)


def usd(amount: str) -> object:
    """Return an amount that equals what LiteLLM makes of it, which reckons with floats."""
    return pytest.approx(Decimal(amount), rel=Decimal("1e-9"))


@pytest.fixture
def variables(proxy: Proxy) -> dict[str, str]:
    return {
        "LLM_PROVIDER": "gateway",
        "LLM_GATEWAY_URL": proxy.url,
        "LLM_GATEWAY_KEY": MASTER_KEY,
        "LLM_RETRIES": "0",
    }


@pytest.fixture
def program(variables: dict[str, str], tmp_path: Path) -> Iterator[LlmService]:
    """A program's service: it tries once, and has the proxy's further groups under their names."""
    groups = "".join(f"  {name}: {{model: {name}}}\n" for name in ("limited", "unpriced"))
    with LlmService(configured(tmp_path, variables, f"groups:\n{groups}")) as service:
        yield service


@pytest.fixture
def gateway(program: LlmService) -> Iterator[GatewayProvider]:
    endpoint = program.config.gateway
    assert endpoint is not None
    provider = GatewayProvider(endpoint, timeouts=program.config.timeouts, retries=program.config.retries)
    yield provider
    provider.close()


# Answers


def test_an_answer_says_what_it_cost_and_who_gave_it(program: LlmService, openai: Loopback) -> None:
    result = program.complete("usage 100 50", "planner", task="say")
    assert result.content.startswith("echo: usage 100 50")
    assert (result.provider, result.alias, result.group, result.task) == ("gateway", "planner", "main", "say")
    assert (result.usage.prompt, result.usage.completion, result.usage.quality) == (100, 50, "measured")
    assert result.gateway is not None
    assert (result.gateway.group, result.gateway.model) == ("main", "openai/gpt-5-mini")
    assert (result.gateway.attempted_fallbacks, result.gateway.attempted_retries) == (0, 0)
    assert result.gateway.call_id
    assert not result.is_fallback
    assert openai.bodies[-1]["model"] == "gpt-5-mini"


def test_the_gateways_figure_and_ones_own_are_side_by_side(program: LlmService) -> None:
    result = program.complete("usage 100 50", "router")
    assert result.gateway_cost_usd == usd("0.000025")  # gpt-5-nano: $0.05 and $0.40 per million tokens
    assert result.own_cost_usd == result.cost_usd == Decimal("0.000025")
    assert (result.cost_source, result.cost_unavailable) == ("genai-prices", False)
    total = program.costs.by_alias["router"]
    assert (total.own_usd, total.gateway_usd) == (result.own_cost_usd, result.gateway_cost_usd)


def test_a_price_that_nobody_knows_is_unknown_and_not_zero(program: LlmService) -> None:
    result = program.complete("hello", "unpriced")
    assert (result.cost_usd, result.gateway_cost_usd) == (None, None)
    assert result.cost_unavailable
    assert program.costs.total().at_least


def test_the_key_of_the_provider_and_that_of_the_proxy_stay_apart(program: LlmService, openai: Loopback) -> None:
    program.complete("whose key is it?")
    headers = {name.lower(): value for name, value in openai.headers[-1].items()}
    assert headers["authorization"] == "Bearer loopback-key"
    assert MASTER_KEY not in str(openai.headers[-1]) + str(openai.bodies[-1])
    assert "loopback-key" not in repr(program.config)
    assert MASTER_KEY not in repr(program.config)


def test_a_large_answer_that_comes_compressed_is_read(program: LlmService, proxy: Proxy) -> None:
    body = {"model": "main", "messages": [{"role": "user", "content": "words 400"}]}
    headers = {"authorization": f"Bearer {MASTER_KEY}", "accept-encoding": "gzip"}
    with httpx.stream("POST", f"{proxy.url}/v1/chat/completions", json=body, headers=headers) as raw:
        assert raw.headers["content-encoding"] == "gzip"
        assert b"word word" in gzip.decompress(b"".join(raw.iter_raw()))
    assert program.complete("words 400").content == " ".join(["word"] * 400)


def test_a_stream_ends_with_its_usage_and_its_cost(program: LlmService) -> None:
    with program.stream("usage 100 50", "router") as stream:
        pieces = list(stream)
    result = stream.result
    assert result is not None
    assert len(pieces) > 1
    assert "".join(pieces) == result.content == stream.text
    assert (result.usage.prompt, result.usage.completion) == (100, 50)
    assert result.cost_usd == result.own_cost_usd == Decimal("0.000025")
    assert result.gateway_cost_usd == usd("0.000025")
    assert result.gateway is not None
    assert (result.gateway.group, result.gateway.model) == ("cheap", "openai/gpt-5-nano")


async def _both_ways(program: LlmService) -> tuple[ModelCallResult, ModelCallResult]:
    answered = await program.acomplete("usage 100 50", "planner")
    async with program.astream("usage 100 50", "planner") as stream:
        streamed = await stream.whole()
    await program.aclose()
    return answered, streamed


@pytest.mark.asyncio
async def test_those_who_await_get_the_same(program: LlmService) -> None:
    for result in await _both_ways(program):
        assert result.content.startswith("echo: usage 100 50")
        assert result.usage.total == 150
        assert result.own_cost_usd == Decimal("0.000125")
        assert result.gateway_cost_usd == usd("0.000125")
        assert result.gateway is not None
        assert result.gateway.group == "main"


# What the proxy does by itself


def test_a_retry_of_the_proxy_shows(program: LlmService, openai: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "seen", set())
    before = len(openai.requests)
    result = program.complete("status 503 then answer")
    assert len(openai.requests) - before == 2
    assert result.gateway is not None
    assert (result.gateway.attempted_retries, result.gateway.attempted_fallbacks) == (1, 0)
    assert result.attempts == 1
    assert not result.is_fallback


def test_a_fallback_of_the_proxy_shows(program: LlmService, openai: Loopback, anthropic: Loopback) -> None:
    before = len(openai.requests), len(anthropic.requests)
    result = program.complete(FAILS_AT_FIRST_PROVIDER, "planner")
    assert result.content.startswith(f"echo: {FAILS_AT_FIRST_PROVIDER}")
    assert (len(openai.requests) - before[0], len(anthropic.requests) - before[1]) == (2, 1)
    assert result.gateway is not None
    assert result.gateway.attempted_fallbacks == 1
    assert (result.gateway.group, result.gateway.model) == ("fallback", "anthropic/claude-haiku-4-5")
    assert result.group == "main"
    assert result.gateway_cost_usd == usd("0.00004")  # claude-haiku-4-5: $1 and $5 per million tokens


# What the proxy refuses


def test_too_many_requests_send_the_program_to_its_fallback(
    program: LlmService, openai: Loopback, anthropic: Loopback
) -> None:
    assert program.complete("the only one in this minute", "limited").group == "limited"
    before = len(openai.requests), len(anthropic.requests)
    result = program.complete("one too many", "limited")
    assert (result.group, result.alias, result.is_fallback) == ("fallback", "limited", True)
    assert result.fallback_reason == "rate_limit (HTTP 429) at limited"
    assert (len(openai.requests) - before[0], len(anthropic.requests) - before[1]) == (0, 1)

    with pytest.raises(ProviderError, match=r"429") as refused:
        program.complete("and another", "limited", fallback=False)
    assert (refused.value.kind, refused.value.status, refused.value.is_transient) == ("rate_limit", 429, True)


def test_where_nobody_answers_the_error_lists_who_was_asked(program: LlmService) -> None:
    with pytest.raises(ProviderError) as failed:
        program.complete("status 500", "planner")
    assert failed.value.kind == "server_error"
    assert "server_error (HTTP 500) at main" in str(failed.value)
    assert "server_error (HTTP 500) at fallback" in str(failed.value)


def test_a_request_that_is_wrong_is_wrong_everywhere(program: LlmService, anthropic: Loopback) -> None:
    # The proxy asks its own fallback about it; the program does not.
    before = len(anthropic.requests)
    with pytest.raises(ProviderError) as failed:
        program.complete("status 400", "planner")
    assert (failed.value.kind, failed.value.status) == ("invalid_request", 400)
    assert not failed.value.is_transient
    assert len(anthropic.requests) - before == 1


def test_a_wrong_key_is_told_as_such_and_does_not_show(variables: dict[str, str], tmp_path: Path) -> None:
    wrong = "sk-0123456789abcdef0123456789abcdef"
    with (
        LlmService(configured(tmp_path, {**variables, "LLM_GATEWAY_KEY": wrong})) as program,
        pytest.raises(ProviderError) as failed,
    ):
        program.complete("hello")
    assert failed.value.kind == "auth"
    assert "LLM_GATEWAY_KEY" in str(failed.value)
    assert wrong not in str(failed.value)


def test_a_group_that_the_proxy_does_not_have_is_told_by_name(variables: dict[str, str], tmp_path: Path) -> None:
    file = "groups:\n  main: {model: a-group-of-no-proxy}\n"
    with LlmService(configured(tmp_path, variables, file)) as program, pytest.raises(ProviderError) as failed:
        program.complete("hello", fallback=False)
    assert "a-group-of-no-proxy" in str(failed.value)


# Its health


def test_the_proxy_is_alive(gateway: GatewayProvider) -> None:
    assert gateway.health()


def test_a_proxy_that_is_not_there_is_named_with_what_to_do(variables: dict[str, str], tmp_path: Path) -> None:
    nowhere = {**variables, "LLM_GATEWAY_URL": "http://127.0.0.1:9"}
    with LlmService(configured(tmp_path, nowhere)) as program, pytest.raises(ProxyUnreachableError) as failed:
        program.complete("hello")
    assert "http://127.0.0.1:9" in str(failed.value)
