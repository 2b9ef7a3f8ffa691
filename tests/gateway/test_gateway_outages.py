"""The proxy dies and comes back: what a program sees, who answers meanwhile, and how it returns to the proxy."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from proxy import MASTER_KEY

from tapemeter.client.config import Circuit, Endpoint, Group
from tapemeter.client.load import load
from tapemeter.client.service import LlmService
from tapemeter.errors import ProviderError, ProxyUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy import Proxy

    from loopback import Loopback
    from tapemeter.client.result import ModelCallResult

pytestmark = pytest.mark.gateway


@pytest.fixture
def program(proxy: Proxy, server: Loopback, tmp_path: Path) -> Iterator[LlmService]:
    """A program that asks the proxy, and falls back on a server that does not go down with it."""
    variables = {"LLM_PROVIDER": "gateway", "LLM_GATEWAY_URL": proxy.url, "LLM_GATEWAY_KEY": MASTER_KEY}
    config = load({**variables, "LLM_RETRIES": "0"}, root=tmp_path)
    groups = {**config.groups, "fallback": Group("fallback", "spare-1", Endpoint(f"{server.url}/v1"))}
    circuit = Circuit(failures=2, cool_down=4)
    with LlmService(replace(config, groups=groups, circuit=circuit)) as service:
        yield service


def test_a_program_outlives_its_proxy_and_returns_to_it(program: LlmService, proxy: Proxy, server: Loopback) -> None:
    assert not program.complete("before").is_fallback

    stream = program.stream("slow", "planner")
    first = next(stream)
    proxy.kill()
    with pytest.raises(ProviderError) as cut:
        list(stream)
    assert (cut.value.kind, cut.value.partial) == ("cut", first)
    assert first == "echo: "
    assert server.requests == []  # what was shown cannot be taken back, so nobody else is asked

    meanwhile = program.complete("meanwhile", "planner")
    assert meanwhile.content.startswith("echo: meanwhile")
    assert (meanwhile.is_fallback, meanwhile.group, meanwhile.model_name) == (True, "fallback", "loopback-1")
    assert meanwhile.fallback_reason == "connection at main"

    left_alone = program.complete("the circuit is open", "planner")
    assert left_alone.fallback_reason is not None
    assert left_alone.fallback_reason.startswith("circuit open at main")

    with pytest.raises(ProviderError):
        program.complete("nobody else", "planner", fallback=False)

    proxy.start()
    back = next(result for result in _calls(program) if not result.is_fallback)
    assert (back.is_fallback, back.fallback_reason, back.group) == (False, None, "main")
    assert back.gateway is not None
    assert back.gateway.group == "main"


def _calls(program: LlmService) -> Iterator[ModelCallResult]:
    """Go on with the program's work, for as long as a circuit may stay open."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        yield program.complete("after", "planner")


def test_both_gone_is_an_error_that_names_them(program: LlmService, proxy: Proxy, server: Loopback) -> None:
    proxy.kill()
    server.__exit__()
    with pytest.raises(ProviderError) as failed:
        program.complete("anyone?")
    assert "at main" in str(failed.value)
    assert "at fallback" in str(failed.value)
    assert proxy.url in str(failed.value)
    with pytest.raises(ProxyUnreachableError, match=proxy.url):
        program.complete("the proxy alone?", fallback=False)
