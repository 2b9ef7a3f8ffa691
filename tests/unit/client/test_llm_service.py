"""The service over real servers and scripted providers: configuration read again, many callers at once, streams."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from model_loopback import ModelLoopback, Reply
from tapemeter.client import Circuit, Endpoint, Group, LlmService, ProviderConfig, ProviderKind, Retries, Wire
from tapemeter.errors import ConfigError, ProviderError, UsageError
from tapemeter.pricing import Prices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONCE = Retries(attempts=1, first_wait=0.0, longest_wait=0.0)


def answer(text: str, model: str = "gpt-5-mini") -> Reply:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    message = {"role": "assistant", "content": text}
    return Reply.json({"model": model, "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})


@pytest.fixture
def models() -> Iterator[ModelLoopback]:
    with ModelLoopback() as running:
        running.reply(answer("hello"))
        yield running


def config(*urls: str, **given: Any) -> ProviderConfig:
    """A configuration of which the groups main, and fallback if there is a second address, have a server each."""
    names = ("main", "fallback", "cheap")
    servers = {name: Endpoint(f"{url}/v1", Wire.OPENAI) for name, url in zip(names, urls, strict=False)}
    groups = {name: Group(name, f"gpt-5-{name}", server) for name, server in servers.items()}
    common = Endpoint(f"{urls[0]}/v1", Wire.OPENAI)
    return ProviderConfig(ProviderKind.REAL, common, retries=ONCE, groups=groups, **given)


def test_a_result_has_both_costs_and_who_answered(models: ModelLoopback) -> None:
    with LlmService(config(models.url), prices=Prices()) as llm:
        result = llm.complete("hello", "planner", task="t")
        assert (result.provider, result.group, result.alias, result.task) == ("real", "main", "planner", "t")
        assert (result.model_name, result.truncated, result.attempts) == ("gpt-5-mini", False, 1)
        assert (result.own_cost_usd, result.gateway_cost_usd) == (result.cost_usd, None)
        assert result.cost_source == "genai-prices"
        assert result.latency > 0
        assert llm.costs.total().usd == result.cost_usd
        assert llm.costs.by_alias["planner"].calls == 1
        assert "real" in repr(llm)


def test_a_cost_that_nobody_knows_is_no_error(models: ModelLoopback) -> None:
    models.reply(answer("hello", model="nobodys-model"))
    groups = {"main": Group("main", "nobodys-other-model", Endpoint(f"{models.url}/v1"))}
    with LlmService(ProviderConfig(ProviderKind.REAL, None, retries=ONCE, groups=groups, fallbacks=())) as llm:
        result = llm.complete("hello")
        assert (result.cost_usd, result.cost_unavailable) == (None, True)
        assert (llm.costs.total().usd, llm.costs.total().at_least) == (Decimal(0), True)


def test_prices_of_the_config_hold_outside_of_a_run(models: ModelLoopback, tmp_path: Path) -> None:
    prices = tmp_path / "mine.yaml"
    prices.write_text('schema: llm_prices_v1\nmodels:\n  gpt-5-main: {input_mtok: "1", output_mtok: "10"}\n')
    with LlmService(config(models.url, prices=prices)) as llm:
        result = llm.complete("hello")
    assert (result.cost_usd, result.cost_source) == (Decimal("0.002"), str(prices.name))


def test_a_configuration_that_is_read_again_holds_for_the_calls_that_begin_then(models: ModelLoopback) -> None:
    with ModelLoopback() as others, LlmService(config(models.url)) as llm:
        others.reply(answer("from elsewhere"))
        pieces = [{"delta": {"content": "one "}}, {"delta": {"content": "two"}, "finish_reason": "stop"}]
        first, last = ({"choices": [{"index": 0, **piece}]} for piece in pieces)
        models.reply(Reply.events(first, None, last))
        stream = llm.stream("under way")
        assert next(stream) == "one "
        llm.aliases.set("mine", "main")
        llm.reload(config(others.url))
        assert "mine" not in llm.aliases.names()
        assert llm.complete("hello").content == "from elsewhere"
        models.release()
        assert stream.whole().content == "one two"
        assert llm.config.groups["main"].endpoint == Endpoint(f"{others.url}/v1", Wire.OPENAI)


def test_a_configuration_that_is_wrong_changes_nothing(models: ModelLoopback, tmp_path: Path) -> None:
    with LlmService(config(models.url)) as llm:
        before = llm.config
        wrong = tmp_path / "llm.yaml"
        wrong.write_text("schema: llm_config_v1\nprovider: nobody\n")
        with pytest.raises(ConfigError):
            llm.reload(wrong)
        with pytest.raises(ConfigError):
            llm.reload(config(models.url, default_group="nowhere"))
        assert llm.config is before
        assert llm.complete("hello").content == "hello"


def test_the_environment_is_read_where_no_configuration_is_given(
    models: ModelLoopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLM_BASE_URL", f"{models.url}/v1")
    monkeypatch.setenv("LLM_API_KEY", "sk-loopback-4fq94fq9")
    with LlmService() as llm:
        assert llm.complete("hello").content == "hello"
        monkeypatch.setenv("LLM_MODEL", "other-model")
        llm.reload()
        llm.complete("hello")
    assert [body["model"] for _, _, body in models.got][1] == "other-model"


def test_a_server_that_nobody_named_is_a_config_error() -> None:
    for kind, variable in ((ProviderKind.REAL, "LLM_BASE_URL"), (ProviderKind.GATEWAY, "LLM_GATEWAY_URL")):
        with LlmService(ProviderConfig(kind)) as llm, pytest.raises(ConfigError, match=variable):
            llm.complete("hello")


def test_threads_share_one_service_while_aliases_change(models: ModelLoopback) -> None:
    with ModelLoopback() as cheap, LlmService(config(models.url, models.url, cheap.url)) as llm:
        cheap.reply(answer("cheap", "gpt-5-cheap"))
        models.reply(answer("main", "gpt-5-main"))
        done = threading.Event()

        def change() -> None:
            while not done.is_set():
                llm.aliases.set("planner", "cheap")
                llm.aliases.set("planner", "main")

        changing = threading.Thread(target=change)
        changing.start()
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda n: llm.complete(f"call {n}", "planner"), range(80)))
        done.set()
        changing.join()
        # Whatever the alias stood for when a call began, its group, its model and its server belong together.
        assert {(result.group, result.content, result.model_name) for result in results} <= {
            ("main", "main", "gpt-5-main"), ("cheap", "cheap", "gpt-5-cheap"),
        }  # fmt: skip
        assert llm.costs.by_alias["planner"].calls == 80


def test_tasks_fall_back_each_for_itself_and_the_circuit_opens_for_all(models: ModelLoopback) -> None:
    with ModelLoopback() as second:
        models.reply(Reply.json({"error": "down"}, 503))
        second.reply(answer("instead"))

        async def ask_all(llm: LlmService) -> list[Any]:
            first = await asyncio.gather(*(llm.acomplete(f"call {n}") for n in range(6)))
            return [*first, *await asyncio.gather(*(llm.acomplete(f"later {n}") for n in range(6)))]

        with LlmService(config(models.url, second.url, circuit=Circuit(failures=3, cool_down=600.0))) as llm:
            results = asyncio.run(ask_all(llm))
        ways = {(result.content, result.is_fallback, result.group) for result in results}
        assert ways == {("instead", True, "fallback")}
        assert {result.fallback_reason for result in results[:6]} == {"overloaded (HTTP 503) at main"}
        assert all(str(result.fallback_reason).startswith("circuit open at main") for result in results[6:])
        assert len(models.got) == 6


def test_a_call_that_wants_no_fallback_gets_none(models: ModelLoopback) -> None:
    with ModelLoopback() as second, LlmService(config(models.url, second.url)) as llm:
        models.reply(Reply.json({"error": "down"}, 503))
        with pytest.raises(ProviderError, match="503"):
            llm.complete("hello", fallback=False)
        assert second.got == []


def test_a_stream_can_be_left_and_has_no_result_then(models: ModelLoopback) -> None:
    piece = {"choices": [{"index": 0, "delta": {"content": "one "}}]}
    models.reply(Reply.events(piece, None, piece))
    with LlmService(config(models.url)) as llm:
        with llm.stream("hello") as stream:
            assert next(stream) == "one "
        assert (stream.text, stream.result) == ("one ", None)
        with pytest.raises(RuntimeError, match="closed before it was whole"):
            stream.whole()


def test_async_streams_and_services_are_contexts(models: ModelLoopback) -> None:
    whole = {"choices": [{"index": 0, "delta": {"content": "all"}, "finish_reason": "stop"}]}
    models.reply(Reply.events(whole))

    async def use() -> list[Any]:
        async with LlmService(config(models.url)) as llm:
            async with llm.astream("hello") as stream:
                texts = [text async for text in stream]
            again = llm.astream("hello")
            left = llm.astream("hello")
            async with left:
                pass
            with pytest.raises(RuntimeError, match="closed before"):
                await left.whole()
            return [texts, stream.result, await again.whole(), stream.text]

    texts, result, again, text = asyncio.run(use())
    assert (texts, result.content, again.content, text) == (["all"], "all", "all", "all")


def test_async_calls_share_a_connection_while_their_service_is_a_context(models: ModelLoopback) -> None:
    async def use() -> tuple[int, int]:
        alone = LlmService(config(models.url))
        await alone.acomplete("a")
        await alone.acomplete("b")
        before = models.connections
        async with LlmService(config(models.url)) as kept:
            await kept.acomplete("a")
            kept.reload(config(models.url, fallbacks=()))
            await kept.acomplete("b")
            await kept.acomplete("c")
            elsewhere = await asyncio.to_thread(asyncio.run, kept.acomplete("d"))
        assert elsewhere.content == "hello"
        return before, models.connections - before

    # Of the context's, one is for each configuration, and one for the loop of another thread.
    assert asyncio.run(use()) == (2, 3)


def test_an_option_that_is_none_is_refused(models: ModelLoopback) -> None:
    with LlmService(config(models.url)) as llm, pytest.raises(UsageError, match=r"max_tokens.*max_output_tokens"):
        llm.complete("hello", max_tokens=3)  # type: ignore[call-arg]
