"""What the errors of a model server say: in whose words, which limit, and never a key."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from model_loopback import ModelLoopback, Reply
from tapemeter.client.config import Endpoint, Retries, Timeouts, Wire
from tapemeter.client.gateway import GatewayProvider
from tapemeter.client.http import HttpProvider
from tapemeter.client.request import ModelRequest, messages_from
from tapemeter.client.secret import Secret
from tapemeter.errors import ProviderError, ProxyUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-loopback-" + "4fq9" * 6
ONCE = Retries(attempts=1, first_wait=0.0, longest_wait=0.0)
SHORT = 0.1


@pytest.fixture
def models() -> Iterator[ModelLoopback]:
    with ModelLoopback() as running:
        yield running


def failure(url: str, request: ModelRequest, *, key: str = KEY, stream: bool = False, **limits: Any) -> ProviderError:
    endpoint = Endpoint(f"{url}/v1", Wire.OPENAI, Secret(key))
    made = HttpProvider(endpoint, timeouts=Timeouts(**{"total": 20, **limits}), retries=ONCE)
    with closing(made), pytest.raises(ProviderError) as caught:
        list(made.stream(request)) if stream else made.complete(request)
    return caught.value


def ask_for(prompt: str = "hello", **options: Any) -> ModelRequest:
    return ModelRequest("m", messages_from(prompt), **options)


@pytest.mark.parametrize("before", [0, 250, 280, 290])
def test_no_cut_of_the_servers_words_leaves_a_part_of_the_key(models: ModelLoopback, before: int) -> None:
    models.reply(Reply.json({"error": {"message": "x" * before + KEY}}, 401))
    assert KEY[:12] not in str(failure(models.url, ask_for()))


def test_a_key_of_the_provider_behind_is_hidden_too(models: ModelLoopback) -> None:
    other = "sk-proj-" + "Ab3dEf6h" * 5
    models.reply(Reply.json({"error": {"message": f"Incorrect API key provided: {other}"}}, 401))
    assert other not in str(failure(models.url, ask_for()))


def test_a_key_of_one_letter_does_not_spoil_the_message(models: ModelLoopback) -> None:
    models.reply(Reply.json({"error": {"message": "no"}}, 401))
    assert "HTTP 401 (auth): no;" in str(failure(models.url, ask_for(), key="1"))


def test_words_that_are_no_json_are_quoted(models: ModelLoopback) -> None:
    models.reply(Reply(502, [b"upstream  is\x1b[31m gone"], {"content-type": "text/plain"}))
    assert "HTTP 502 (server_error): upstream is [31m gone;" in str(failure(models.url, ask_for()))


def test_an_error_in_the_midst_of_a_stream_is_told_in_the_servers_words(models: ModelLoopback) -> None:
    text = {"choices": [{"index": 0, "delta": {"content": "Hello"}}]}
    models.reply(Reply.events(text, {"error": {"type": "overloaded_error", "message": "too many ask"}}))
    error = failure(models.url, ask_for(), stream=True)
    assert (error.kind, error.partial) == ("overloaded", "Hello")
    assert "an error in the midst of the answer: too many ask;" in str(error)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prompt": "\ud800"}, "half a surrogate pair"),
        ({"temperature": float("nan")}, "what JSON has no words for"),
        ({"extra": {"x": object()}}, "what JSON has no words for"),
    ],
)
def test_what_cannot_be_sent_is_an_error_before_anything_is(
    models: ModelLoopback, options: dict[str, Any], words: str
) -> None:
    error = failure(models.url, ask_for(**options))
    assert (error.kind, error.attempts, models.got) == ("invalid_request", 0, [])
    assert words in str(error)


@pytest.mark.parametrize("limit", ["first_chunk", "idle"])
def test_a_timeout_names_the_variable_that_gives_more(models: ModelLoopback, limit: str) -> None:
    text = {"choices": [{"index": 0, "delta": {"content": "Hello"}}]}
    models.reply(Reply.events(*([text] if limit == "idle" else []), None, "[DONE]"))
    error = failure(models.url, ask_for(), stream=True, first_chunk=SHORT, idle=SHORT)
    assert f"give it more time (LLM_TIMEOUT_{limit.upper()})" in str(error)


class _Closed(httpx.BaseTransport):
    """A host that lets nobody in."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("", request=request)


def test_a_host_that_lets_nobody_in_is_not_given_more_time() -> None:
    endpoint = Endpoint("http://127.0.0.1:1/v1")
    made = HttpProvider(endpoint, timeouts=Timeouts(connect=7), retries=ONCE, transport=_Closed())
    with closing(made), pytest.raises(ProviderError, match="connect of 7 s has passed; check the address") as caught:
        made.complete(ask_for())
    assert caught.value.kind == "timeout"


def test_a_gateway_that_lets_nobody_in_cannot_be_reached() -> None:
    endpoint = Endpoint("http://127.0.0.1:1")
    made = GatewayProvider(endpoint, timeouts=Timeouts(connect=7), retries=ONCE, transport=_Closed())
    with closing(made), pytest.raises(ProxyUnreachableError, match=r"connect of 7 s.*docker compose") as caught:
        made.complete(ask_for())
    assert caught.value.kind == "timeout"
