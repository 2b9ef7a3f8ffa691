"""What a gateway says of its calls and of itself; here a server on loopback says it, in tests/gateway the real one."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from model_loopback import ModelLoopback, Reply
from tapemeter.client.config import Endpoint, Retries, Timeouts, Wire
from tapemeter.client.gateway import GatewayProvider
from tapemeter.client.request import ModelRequest, messages_from
from tapemeter.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator

ASKED = ModelRequest("main", messages_from("hello"))
ANSWER = {"model": "main", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
END = {"choices": [{"index": 0, "delta": {}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25}}
STREAM = [{"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}, END, "[DONE]"]


@pytest.fixture
def models() -> Iterator[ModelLoopback]:
    with ModelLoopback() as running:
        yield running


MADE: list[GatewayProvider] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while MADE:
        MADE.pop().close()


def provider(url: str) -> GatewayProvider:
    once = Retries(attempts=1, first_wait=0, longest_wait=0)
    MADE.append(GatewayProvider(Endpoint(url), timeouts=Timeouts(connect=5, total=10), retries=once))
    return MADE[-1]


def told(models: ModelLoopback, **headers: str) -> Any:
    models.reply(Reply.json(ANSWER, **{f"x_litellm_{name}": value for name, value in headers.items()}))
    return provider(models.url).complete(ASKED).gateway


def test_its_headers_are_heard(models: ModelLoopback) -> None:
    facts = told(
        models,
        response_cost="0.0000125",
        model_group="main",
        model_name="openai/gpt-5-mini",
        call_id="c1",
        attempted_fallbacks="1",
        attempted_retries="2",
    )
    assert facts.cost_usd == Decimal("0.0000125")
    assert (facts.group, facts.model, facts.call_id) == ("main", "openai/gpt-5-mini", "c1")
    assert (facts.attempted_fallbacks, facts.attempted_retries) == (1, 2)


def test_what_is_absent_or_absurd_is_unknown(models: ModelLoopback) -> None:
    nothing = told(models)
    assert (nothing.cost_usd, nothing.group, nothing.attempted_retries) == (None, None, None)
    absurd = told(models, response_cost="-1", attempted_retries="many", attempted_fallbacks="9" * 50)
    assert (absurd.cost_usd, absurd.attempted_retries, absurd.attempted_fallbacks) == (None, None, None)


def test_the_cost_of_a_stream_is_in_its_last_event(models: ModelLoopback) -> None:
    models.reply(Reply.events(*STREAM))
    *_, answer = provider(models.url).stream(ASKED)
    assert answer.gateway.cost_usd == Decimal("0.25")  # type: ignore[union-attr]


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_its_address_is_its_own(models: ModelLoopback, suffix: str) -> None:
    models.reply(Reply.json(ANSWER))
    made = provider(models.url + suffix)
    made.complete(ASKED)
    assert made.health()
    assert [path for path, _, _ in models.got] == ["/v1/chat/completions", "/health/liveliness"]


def test_it_is_spoken_to_in_its_own_protocol(models: ModelLoopback) -> None:
    models.reply(Reply.json(ANSWER))
    once = Retries(attempts=1, first_wait=0, longest_wait=0)
    MADE.append(GatewayProvider(Endpoint(models.url, Wire.ANTHROPIC), timeouts=Timeouts(total=10), retries=once))
    assert MADE[-1].complete(ASKED).content == "hi"
    assert models.got[0][0] == "/v1/chat/completions"


@pytest.mark.parametrize("address", ["http://[::1", "http://127.0.0.1:x", f"http://{'a' * 70}.example", "nonsense", ""])
def test_the_health_of_what_is_no_address_is_bad(address: str) -> None:
    made = provider(address)
    assert [made.health().ok, anyio.run(made.ahealth).ok] == [False, False]
    assert "does not answer" in made.health().problem


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "no_db_connection", "message": "No connected db."}, "auth"),
        ({"message": "Invalid model name passed in model=mian", "code": "400"}, "not_found"),
        ({"message": "bad request"}, "invalid_request"),
    ],
)
def test_its_own_words_for_errors_are_understood(models: ModelLoopback, error: dict[str, str], kind: str) -> None:
    models.reply(Reply.json({"error": error}, 400))
    with pytest.raises(ProviderError) as caught:
        provider(models.url).complete(ASKED)
    assert caught.value.kind == kind


def test_health_says_what_is_wrong_and_never_raises(models: ModelLoopback) -> None:
    models.reply(Reply.json({}, 503))
    ill = provider(models.url).health()
    assert (bool(ill), ill.status) == (False, 503)
    assert "answers HTTP 503, expected 200" in ill.problem
    gone = provider("http://127.0.0.1:1")
    for health in (gone.health(), anyio.run(gone.ahealth)):
        assert not health
        assert "the gateway at http://127.0.0.1:1 does not answer" in health.problem
        assert "docker compose" in health.problem
    models.reply(Reply.json({}))
    assert anyio.run(provider(models.url).ahealth).ok
