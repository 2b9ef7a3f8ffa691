"""The provider that goes through LiteLLM's own SDK: the same answers, errors and recordings as the one over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio.from_thread import start_blocking_portal

import tapemeter
from tapemeter.client import LlmService, ProviderConfig
from tapemeter.client.config import Endpoint, ProviderKind, Retries, Timeouts, Wire
from tapemeter.client.litellm_sdk import LitellmProvider
from tapemeter.client.request import ModelRequest, messages_from
from tapemeter.client.result import Answer, Delta
from tapemeter.client.secret import Secret
from tapemeter.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

    from loopback import Loopback

IGNORED = ("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::UserWarning")
pytestmark = [
    pytest.mark.gateway,
    # What the SDK keeps open, or does with types that go, is not ours to mend.
    pytest.mark.filterwarnings(*IGNORED),
]

KEY = "sk-loopback-" + "4fq9" * 6


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    """One loop for all async code, since the SDK keeps connections of the first that there is."""
    with start_blocking_portal() as running:
        yield running


def provider(server: Loopback, wire: Wire, attempts: int = 1) -> LitellmProvider:
    address = server.url if wire is Wire.ANTHROPIC else f"{server.url}/v1"
    retries = Retries(attempts=attempts, first_wait=0.0, longest_wait=0.0)
    return LitellmProvider(Endpoint(address, wire, Secret(KEY)), timeouts=Timeouts(total=20), retries=retries)


def ask_for(prompt: str) -> ModelRequest:
    return ModelRequest("gpt-5-mini", messages_from(prompt), max_output_tokens=20)


@pytest.mark.parametrize("wire", Wire)
def test_it_answers_whole(server: Loopback, portal: BlockingPortal, wire: Wire) -> None:
    made = provider(server, wire)
    answers = [made.complete(ask_for("usage 100 50")), portal.call(made.acomplete, ask_for("usage 100 50"))]
    for answer in answers:
        assert answer.content.startswith("echo: usage 100 50")
        assert (answer.usage.prompt, answer.usage.completion, answer.usage.quality) == (100, 50, "measured")
        assert (answer.finish_reason, answer.wire, answer.model_name) == ("stop", wire.value, "loopback-1")
    assert len(server.requests) == 2


def test_it_streams(server: Loopback, portal: BlockingPortal) -> None:
    made = provider(server, Wire.OPENAI)

    async def collect() -> list[Delta | Answer]:
        return [piece async for piece in made.astream(ask_for("words 3"))]

    for pieces in (portal.call(collect), [*made.stream(ask_for("words 3"))]):
        *deltas, answer = pieces
        assert len(deltas) > 1
        assert isinstance(answer, Answer)
        assert answer.content == "".join(delta.text for delta in deltas if isinstance(delta, Delta)) == "word word word"


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid_request"), (401, "auth"), (429, "rate_limit"), (503, "overloaded")]
)
def test_errors_have_their_kinds_and_no_key(server: Loopback, status: int, kind: str) -> None:
    with pytest.raises(ProviderError) as caught:
        provider(server, Wire.OPENAI).complete(ask_for(f"status {status}"))
    assert (caught.value.kind, caught.value.status) == (kind, status)
    assert KEY not in str(caught.value)


def test_what_may_help_is_tried_again_by_our_rules_alone(server: Loopback) -> None:
    answer = provider(server, Wire.OPENAI, attempts=2).complete(ask_for("status 503 then answer"))
    assert answer.attempts == 2
    assert len(server.requests) == 2


def test_it_serves_a_service_whose_calls_are_recorded_once(server: Loopback, tmp_path: Path) -> None:
    config = ProviderConfig(ProviderKind.REAL, Endpoint(f"{server.url}/v1"))
    said = []
    for mode in ("record", "replay"):
        with (
            tapemeter.open_run(mode=mode, root=tmp_path) as run,
            run.job("one") as job,
            LlmService(config, provider=provider(server, Wire.OPENAI)) as llm,
        ):
            said.append(llm.complete("hello", "planner"))
            assert (job.usage.calls, job.usage.attempts) == (1, 1)
    assert said[0].content == said[1].content
    assert [result.provider for result in said] == ["litellm", "litellm"]
    assert len(server.requests) == 1
