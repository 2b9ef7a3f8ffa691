"""Suites recorded through the proxy replay with the proxy gone: the product's own client, and LiteLLM's SDK."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from proxy import DEPLOY, MASTER_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from proxy import Proxy

    from loopback import Loopback

pytestmark = pytest.mark.gateway

PROGRAM = """
import pytest


def tell(result):
    facts = result.gateway
    print("GOT", result.content, result.group, result.gateway_cost_usd, facts.model, facts.attempted_fallbacks)


def test_asks(llm):
    tell(llm.complete("usage 100 50", "planner", task="ask"))


def test_streams(llm):
    with llm.stream("usage 20 10", "router") as stream:
        pieces = list(stream)
    print("GOT", len(pieces))
    tell(stream.result)


def test_is_answered_by_the_fallback_of_the_proxy(llm):
    tell(llm.complete("status 500 then answer", "planner"))


@pytest.mark.llm_budget(calls=2)
@pytest.mark.expect_stopped_budget("calls", after_calls=2)
def test_is_stopped(llm):
    for number in range(3):
        tell(llm.complete(f"number {number}", "router"))


@pytest.mark.llm_budget(cost_usd="0.0001")
@pytest.mark.expect_stopped_budget("cost_usd")
def test_is_stopped_by_its_money(llm):
    while True:
        tell(llm.complete("usage 100 50", "planner", max_output_tokens=50))
"""

SDK = """
import asyncio
import os

import litellm

MESSAGES = [{"role": "user", "content": "usage 100 50"}]


STREAM = {"stream": True, "stream_options": {"include_usage": True}}


def options(**others):
    url, key = os.environ["LLM_GATEWAY_URL"], os.environ["LLM_GATEWAY_KEY"]
    return {"model": "litellm_proxy/main", "api_base": url, "api_key": key, "messages": MESSAGES, **others}


def text(response):
    return response.choices[0].message.content


def test_asks():
    response = litellm.completion(**options())
    print("GOT", text(response), response.usage.total_tokens)


def test_awaits():
    print("GOT", text(asyncio.run(litellm.acompletion(**options()))))


def test_streams():
    pieces = list(litellm.completion(**options(**STREAM)))
    print("GOT", len(pieces), "".join(piece.choices[0].delta.content or "" for piece in pieces))


def test_awaits_a_stream():
    async def read():
        return [piece async for piece in await litellm.acompletion(**options(**STREAM))]

    print("GOT", "".join(piece.choices[0].delta.content or "" for piece in asyncio.run(read())))
"""


class Suite:
    """A suite in a folder of its own, in a process of its own, as a program behind the proxy."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, proxy: Proxy) -> None:
        self._pytester, self._monkeypatch = pytester, monkeypatch
        self.path = pytester.path
        given = {
            "LLM_PROVIDER": "gateway",
            "LLM_GATEWAY_URL": proxy.url,
            "LLM_GATEWAY_KEY": MASTER_KEY,
            "LLM_RETRIES": "0",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)

    def write(self, tests: str) -> None:
        self.path.joinpath("test_it.py").write_text(tests, encoding="utf-8")

    def run(self, *options: str) -> list[str]:
        """Run all of it, which must pass, and return the `GOT` lines of its tests."""
        result = self._pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-rP", *options)
        assert result.ret == 0
        return [line for line in result.outlines if line.startswith("GOT ")]

    def replay(self) -> list[str]:
        """Run it from its cassettes, as where there is no proxy and no key."""
        self._monkeypatch.setenv("LLM_GATEWAY_KEY", "anything")
        return self.run("--llm-mode=replay", "--llm-fail-on=unplayed,unpriced")

    def interactions(self) -> dict[str, int]:
        """Return how many recordings each cassette has."""
        return {
            path.stem: len(yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"])
            for path in sorted(self.path.glob("cassettes/**/*.yaml"))
        }

    def calls(self) -> list[dict[str, Any]]:
        """Return the events of the calls of the last run."""
        [events] = (self.path / ".tapemeter" / "latest").glob("llm_usage_events.jsonl")
        lines = events.read_text(encoding="utf-8").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == "call"]

    def text_of_all_files(self) -> str:
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in _files(self.path))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, proxy: Proxy) -> Suite:
    return Suite(pytester, monkeypatch, proxy)


def test_a_suite_replays_with_the_proxy_gone(suite: Suite, proxy: Proxy, openai: Loopback, anthropic: Loopback) -> None:
    suite.write(PROGRAM)
    shutil.copy(DEPLOY / "llm_prices.yaml", suite.path)
    recorded = suite.run("--record-cassettes")
    sent = len(openai.requests), len(anthropic.requests)
    live = suite.calls()
    assert len(recorded) > 5

    proxy.kill()
    assert suite.replay() == recorded
    assert (len(openai.requests), len(anthropic.requests)) == sent

    # The evidence of both says the same: who asked, what for, who answered, what it cost by whose figures.
    told = ("test", "alias", "task", "provider", "gateway_cost_usd", "cost_usd", "cost_unavailable", "is_fallback")
    replayed = suite.calls()
    assert [[call[name] for name in told] for call in replayed] == [[call[name] for name in told] for call in live]
    asked = next(call for call in replayed if call["task"] == "ask")
    assert (asked["alias"], asked["provider"], asked["cost_unavailable"]) == ("planner", "gateway", False)
    assert Decimal(asked["gateway_cost_usd"]) == Decimal("0.000125")
    assert MASTER_KEY not in suite.text_of_all_files()


def test_calls_of_litellms_own_sdk_are_recorded_once_and_replayed(suite: Suite, proxy: Proxy, openai: Loopback) -> None:
    suite.write(SDK)
    before = len(openai.requests)
    recorded = suite.run("--record-cassettes")
    sent = len(openai.requests)
    assert sent - before == len(recorded) == 4
    assert suite.interactions() == {"test_asks": 1, "test_awaits": 1, "test_awaits_a_stream": 1, "test_streams": 1}
    assert len(suite.calls()) == 4
    assert {call["gateway_cost_usd"] for call in suite.calls()} == {"0.000125"}

    proxy.kill()
    assert suite.replay() == recorded
    assert len(openai.requests) == sent
    assert MASTER_KEY not in suite.text_of_all_files()
