"""What every provider of `tapemeter.client` keeps to, for code that waits and code that awaits, on a real server."""

from __future__ import annotations

import gzip
import json
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from model_loopback import ModelLoopback, Reply
from tapemeter.client.config import Endpoint, Retries, Timeouts, Wire
from tapemeter.client.echo import EchoProvider
from tapemeter.client.gateway import GatewayProvider
from tapemeter.client.http import HttpProvider
from tapemeter.client.request import ModelRequest, messages_from
from tapemeter.client.result import Answer, Delta
from tapemeter.client.secret import Secret
from tapemeter.errors import ProviderError, ProxyUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tapemeter.client.provider import ModelProvider

KEY = "sk-loopback-" + "4fq9" * 6
ONCE = Retries(attempts=1, first_wait=0.0, longest_wait=0.0)
PATIENT = Timeouts(connect=5, first_chunk=20, idle=20, total=20)
OPENAI = {
    "id": "chatcmpl-1",
    "model": "served-1",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello there"}}],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
}
OPENAI_EVENTS = [
    {"id": "chatcmpl-1", "model": "served-1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"index": 0, "delta": {"content": "Hello "}}]},
    {"choices": [{"index": 0, "delta": {"content": "there"}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": OPENAI["usage"]},
    "[DONE]",
]
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "model": "served-1",
    "content": [{"type": "text", "text": "Hello there"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 6, "output_tokens": 4, "cache_read_input_tokens": 3},
}
ANTHROPIC_EVENTS = [
    {"type": "message_start", "message": {**ANTHROPIC, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "there"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
]


@dataclass(frozen=True)
class Kind:
    """A provider under the contract, with what its server says."""

    name: str
    make: Callable[..., HttpProvider]
    whole: dict[str, Any]
    events: list[Any]
    path: str

    def __str__(self) -> str:
        return self.name


def openai(url: str, **given: Any) -> HttpProvider:
    return HttpProvider(Endpoint(f"{url}/v1", Wire.OPENAI, Secret(KEY)), **given)


def anthropic(url: str, **given: Any) -> HttpProvider:
    return HttpProvider(Endpoint(url, Wire.ANTHROPIC, Secret(KEY)), **given)


def gateway(url: str, **given: Any) -> HttpProvider:
    return GatewayProvider(Endpoint(url, Wire.OPENAI, Secret(KEY), "LLM_GATEWAY_KEY"), **given)


KINDS = [
    Kind("openai", openai, OPENAI, OPENAI_EVENTS, "/v1/chat/completions"),
    Kind("anthropic", anthropic, ANTHROPIC, ANTHROPIC_EVENTS, "/v1/messages"),
    Kind("gateway", gateway, OPENAI, OPENAI_EVENTS, "/v1/chat/completions"),
]


@pytest.fixture
def models() -> Iterator[ModelLoopback]:
    with ModelLoopback() as running:
        yield running


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


class Asked:
    """Asks a provider in one of four ways, and gives what came, or the error."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __str__(self) -> str:
        return self.how

    @property
    def streams(self) -> bool:
        return self.how.endswith("stream")

    def __call__(self, provider: ModelProvider, request: ModelRequest) -> tuple[list[str], Answer]:
        match self.how:
            case "sync":
                return [], provider.complete(request)
            case "sync stream":
                return _parts([*provider.stream(request)])
            case "async":
                return [], anyio.run(provider.acomplete, request)
            case "trio stream":
                return _parts(anyio.run(_collect, provider, request, backend="trio"))
        return _parts(anyio.run(_collect, provider, request))


def _parts(pieces: list[Delta | Answer]) -> tuple[list[str], Answer]:
    *deltas, whole = pieces
    assert isinstance(whole, Answer)
    return [piece.text for piece in deltas if isinstance(piece, Delta)], whole


async def _collect(provider: ModelProvider, request: ModelRequest) -> list[Delta | Answer]:
    return [piece async for piece in provider.astream(request)]


WAYS = ["sync", "async", "sync stream", "async stream", "trio stream"]


@pytest.fixture(params=WAYS)
def ask(request: pytest.FixtureRequest) -> Asked:
    return Asked(request.param)


def ask_for(prompt: str = "Say hello.", **options: Any) -> ModelRequest:
    return ModelRequest("asked-1", messages_from(prompt), **options)


def good(kind: Kind, ask: Asked) -> Reply:
    return Reply.events(*kind.events) if ask.streams else Reply.json(kind.whole)


def provider(kind: Kind, models: ModelLoopback, timeouts: Timeouts = PATIENT, retries: Retries = ONCE) -> HttpProvider:
    return kind.make(models.url, timeouts=timeouts, retries=retries)


# What comes back


def test_an_answer_comes_whole(kind: Kind, ask: Asked, models: ModelLoopback) -> None:
    models.reply(good(kind, ask))
    with closing(provider(kind, models)) as made:
        pieces, answer = ask(made, ask_for())
    assert pieces == (["Hello ", "there"] if ask.streams else [])
    assert (answer.content, answer.model_name, answer.finish_reason) == ("Hello there", "served-1", "stop")
    usage = answer.usage
    assert (usage.prompt, usage.completion, usage.cached, usage.total) == (9, 4, 3, 13)
    assert usage.quality == "measured"
    assert (answer.attempts, answer.response_id) == (1, kind.whole["id"])
    [(path, headers, body)] = models.got
    assert path == kind.path
    assert KEY in {headers.get("authorization", "").removeprefix("Bearer "), headers.get("x-api-key", "")}
    assert body["model"] == "asked-1"
    assert body.get("stream", False) is ask.streams


def test_a_compressed_answer_is_read(kind: Kind, ask: Asked, models: ModelLoopback) -> None:
    plain = good(kind, ask)
    packed = gzip.compress(b"".join(piece or b"" for piece in plain.pieces))
    models.reply(Reply(200, [packed], {**plain.headers, "content-encoding": "gzip"}))
    with closing(provider(kind, models)) as made:
        assert ask(made, ask_for())[1].content == "Hello there"


def test_a_byte_at_a_time_is_the_same(kind: Kind, ask: Asked, models: ModelLoopback) -> None:
    plain = good(kind, ask)
    whole = b"".join(piece or b"" for piece in plain.pieces)
    models.reply(Reply(200, [whole[at : at + 1] for at in range(len(whole))], plain.headers))
    with closing(provider(kind, models)) as made:
        assert ask(made, ask_for())[1].content == "Hello there"


def test_usage_that_is_missing_is_estimated(kind: Kind, models: ModelLoopback) -> None:
    models.reply(Reply.json({name: value for name, value in kind.whole.items() if name != "usage"}))
    with closing(provider(kind, models)) as made:
        answer = made.complete(ask_for())
    assert (answer.usage.quality, answer.usage.completion) == ("estimated", 3)


# Errors

STATUSES = [
    (401, "auth"),
    (402, "budget"),
    (404, "not_found"),
    (422, "invalid_request"),
    (429, "rate_limit"),
    (500, "server_error"),
    (503, "overloaded"),
]


@pytest.mark.parametrize(("status", "expected"), STATUSES)
def test_an_error_has_its_kind_and_no_key(
    kind: Kind, ask: Asked, models: ModelLoopback, status: int, expected: str
) -> None:
    said = f"not with {KEY}, no " + "x" * 1000
    models.reply(Reply.json({"error": {"message": said, "type": "strange"}}, status))
    with closing(provider(kind, models)) as made, pytest.raises(ProviderError) as caught:
        ask(made, ask_for())
    error = caught.value
    assert (error.kind, error.status, error.attempts, error.model) == (expected, status, 1, "asked-1")
    assert error.provider == made.name
    assert KEY not in str(error)
    assert "not with ***" in str(error)
    assert f"HTTP {status}" in str(error)
    assert len(str(error)) < 700


def test_a_provider_shows_its_address_and_no_key(kind: Kind) -> None:
    made = kind.make("http://127.0.0.1:1", timeouts=PATIENT, retries=ONCE)
    assert repr(made).startswith(f"<{made.name} at http://127.0.0.1:1")
    assert KEY not in f"{made!r} {made.endpoint!r}"


def test_a_redirect_is_not_followed(kind: Kind, ask: Asked, models: ModelLoopback) -> None:
    models.reply(Reply(307, [], {"location": "http://127.0.0.1:1/elsewhere"}))
    with closing(provider(kind, models)) as made, pytest.raises(ProviderError, match="leads elsewhere") as caught:
        ask(made, ask_for())
    assert caught.value.kind == "protocol"


NO_ANSWERS = [
    b"", b"<html>hello</html>", b"[]", b'{"half', b'"text"', b"\xff\xfe", b"{}", b'{"detail": "Not Found"}',
    b'{"choices": [], "content": []}', b'{"choices": [{}], "content": [{}]}',
]  # fmt: skip


@pytest.mark.parametrize("body", NO_ANSWERS)
def test_a_body_that_is_no_answer_is_an_error(kind: Kind, models: ModelLoopback, body: bytes) -> None:
    models.reply(Reply(200, [body], {"content-type": "application/json"}))
    with closing(provider(kind, models)) as made, pytest.raises(ProviderError) as caught:
        made.complete(ask_for())
    assert caught.value.kind == "protocol"


def test_a_stream_that_is_none_is_an_error(kind: Kind, models: ModelLoopback) -> None:
    models.reply(Reply(200, [b"data: {half\n\n"], {"content-type": "text/event-stream"}))
    with closing(provider(kind, models)) as made, pytest.raises(ProviderError) as caught:
        list(made.stream(ask_for()))
    assert caught.value.kind == "protocol"


@pytest.mark.parametrize("how", ["sync stream", "async stream", "trio stream"])
@pytest.mark.parametrize("breaks", [True, False])
def test_a_stream_that_breaks_off_keeps_what_came(kind: Kind, models: ModelLoopback, how: str, breaks: bool) -> None:
    models.reply(Reply.events(*kind.events[:3], breaks=breaks))
    with closing(provider(kind, models)) as made, pytest.raises(ProviderError) as caught:
        Asked(how)(made, ask_for())
    assert caught.value.kind == "cut"
    assert caught.value.partial.startswith("Hello")


def test_an_error_in_the_midst_of_a_stream_is_one(kind: Kind, models: ModelLoopback) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "too much"}}
    models.reply(Reply.events(*kind.events[:3], error))
    with closing(provider(kind, models)) as made, pytest.raises(ProviderError) as caught:
        list(made.stream(ask_for()))
    assert (caught.value.kind, caught.value.partial[:5]) == ("overloaded", "Hello")


def test_nobody_there_is_a_connection_error(kind: Kind, ask: Asked) -> None:
    made = kind.make("http://127.0.0.1:1", timeouts=PATIENT, retries=ONCE)
    with closing(made), pytest.raises(ProviderError) as caught:
        ask(made, ask_for())
    assert caught.value.kind == "connection"
    assert isinstance(caught.value, ProxyUnreachableError) is (kind.name == "gateway")
    assert "127.0.0.1:1" in str(caught.value)


# Time


@pytest.mark.parametrize(
    ("limit", "timeouts"),
    [
        ("total", Timeouts(connect=5, first_chunk=None, idle=None, total=0.2)),
        ("first_chunk", Timeouts(connect=5, first_chunk=0.2, idle=None, total=20)),
        ("idle", Timeouts(connect=5, first_chunk=20, idle=0.2, total=20)),
    ],
)
@pytest.mark.parametrize("how", ["sync stream", "async stream", "trio stream"])
def test_a_server_that_says_nothing_is_not_waited_for(
    kind: Kind, models: ModelLoopback, how: str, limit: str, timeouts: Timeouts
) -> None:
    silent_after = 3 if limit == "idle" else 0
    if how == "sync stream" and limit != "total":
        timeouts = Timeouts(connect=5, first_chunk=0.2, idle=0.2, total=20)  # a blocking read is told once
    models.reply(Reply.events(*kind.events[:silent_after], None, *kind.events[silent_after:]))
    with closing(provider(kind, models, timeouts)) as made, pytest.raises(ProviderError) as caught:
        Asked(how)(made, ask_for())
    assert caught.value.kind == "timeout"
    assert f"the timeout {limit} of 0.2 s has passed" in str(caught.value)
    assert caught.value.partial == ("Hello there" if limit == "idle" and kind.name != "anthropic" else
                                    "Hello " if limit == "idle" else "")  # fmt: skip


def test_a_time_that_is_up_before_it_begins_is_a_timeout(kind: Kind, ask: Asked, models: ModelLoopback) -> None:
    models.reply(good(kind, ask))
    timeouts = Timeouts(connect=5, first_chunk=None, idle=None, total=1e-9)
    with (
        closing(provider(kind, models, timeouts)) as made,
        pytest.raises(ProviderError, match="timeout total") as caught,
    ):
        ask(made, ask_for())
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_whole_answer_is_waited_for_up_to_the_total(kind: Kind, models: ModelLoopback, how: str) -> None:
    models.reply(Reply(200, [None, b"{}"], {"content-type": "application/json"}))
    timeouts = Timeouts(connect=5, first_chunk=0.01, idle=None, total=0.2)
    with closing(provider(kind, models, timeouts)) as made, pytest.raises(ProviderError, match=r"total of 0\.2 s"):
        Asked(how)(made, ask_for())


# Again

TWICE = Retries(attempts=2, first_wait=0.0, longest_wait=5.0)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_help_is_tried_again(kind: Kind, ask: Asked, models: ModelLoopback, status: int) -> None:
    models.reply(Reply.json({"error": "busy"}, status, retry_after="0"), good(kind, ask))
    with closing(provider(kind, models, retries=TWICE)) as made:
        _, answer = ask(made, ask_for())
    assert (answer.content, answer.attempts) == ("Hello there", 2)
    assert [headers.get("x-stainless-retry-count") for _, headers, _ in models.got] == [None, "1"]


@pytest.mark.parametrize("status", [400, 401, 402, 404])
def test_what_cannot_help_is_not_tried_again(kind: Kind, ask: Asked, models: ModelLoopback, status: int) -> None:
    models.reply(Reply.json({"error": "no"}, status))
    with closing(provider(kind, models, retries=TWICE)) as made, pytest.raises(ProviderError):
        ask(made, ask_for())
    assert len(models.got) == 1


def test_a_server_that_wants_more_time_than_there_is_is_believed(kind: Kind, models: ModelLoopback) -> None:
    models.reply(Reply.json({"error": "later"}, 429, retry_after="60"))
    with closing(provider(kind, models, retries=TWICE)) as made, pytest.raises(ProviderError) as caught:
        made.complete(ask_for())
    assert (caught.value.retry_after, len(models.got)) == (60.0, 1)


def test_a_stream_that_has_begun_is_not_tried_again(kind: Kind, models: ModelLoopback) -> None:
    models.reply(Reply.events(*kind.events[:3], breaks=True))
    with closing(provider(kind, models, retries=TWICE)) as made, pytest.raises(ProviderError):
        list(made.stream(ask_for()))
    assert len(models.got) == 1


# Leaving early


def test_a_stream_that_is_left_lets_go(kind: Kind, models: ModelLoopback) -> None:
    models.reply(Reply.events(*kind.events[:3], awaits_leaving=True))
    with closing(provider(kind, models)) as made:
        pieces = made.stream(ask_for())
        with closing(pieces):  # type: ignore[type-var]
            assert next(pieces) == Delta("Hello ")
            assert not models.left.is_set()
        assert models.left.wait(10)  # while the provider is still open


@pytest.mark.anyio
async def test_a_stream_that_is_cancelled_lets_go(kind: Kind, models: ModelLoopback) -> None:
    models.reply(Reply.events(*kind.events[:4], awaits_leaving=True))
    made = provider(kind, models)
    got: list[Delta | Answer] = []
    async with aclosing(made.astream(ask_for())) as pieces:  # type: ignore[type-var]
        with anyio.CancelScope() as scope:
            async for piece in pieces:
                got.append(piece)
                if len(got) == 1:
                    scope.cancel()
    assert got[0] == Delta("Hello ")
    assert not any(isinstance(piece, Answer) for piece in got)
    assert scope.cancelled_caught
    assert await anyio.to_thread.run_sync(models.left.wait, 10)
    await made.aclose()


# Under trio httpx leaves generators of its own to the garbage; ours are closed, and would be an error here.
@pytest.mark.filterwarnings(r"ignore:Async generator 'http(x|core)\.:ResourceWarning")
@pytest.mark.anyio
async def test_a_stream_that_is_left_by_a_task_lets_go(kind: Kind, models: ModelLoopback) -> None:
    models.reply(Reply.events(*kind.events[:3], awaits_leaving=True))
    made = provider(kind, models)
    async with aclosing(made.astream(ask_for())) as pieces:  # type: ignore[type-var]
        assert await anext(pieces) == Delta("Hello ")
    assert await anyio.to_thread.run_sync(models.left.wait, 10)
    await made.aclose()


@pytest.mark.anyio
async def test_connections_of_async_code_are_kept_if_wanted(kind: Kind, models: ModelLoopback) -> None:
    models.reply(Reply.json(kind.whole))
    made = provider(kind, models)
    made.keep()
    first, second = await made.acomplete(ask_for()), await made.acomplete(ask_for())
    await made.aclose()
    assert first == second


def test_loops_come_and_go(kind: Kind, models: ModelLoopback) -> None:
    models.reply(Reply.json(kind.whole))
    made = provider(kind, models)
    for _ in range(3):
        assert anyio.run(made.acomplete, ask_for()).content == "Hello there"


# Tools

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def tool_reply(kind: Kind, ask: Asked) -> Reply:
    arguments = json.dumps({"city": "Lisbon"})
    if kind.name == "anthropic":
        block = {"type": "tool_use", "id": "t1", "name": "look_up", "input": {}}
        if not ask.streams:
            whole = {**ANTHROPIC, "content": [{**block, "input": {"city": "Lisbon"}}], "stop_reason": "tool_use"}
            return Reply.json(whole)
        parts = [{"type": "input_json_delta", "partial_json": part} for part in (arguments[:5], arguments[5:])]
        return Reply.events(
            ANTHROPIC_EVENTS[0],
            {"type": "content_block_start", "index": 0, "content_block": block},
            *({"type": "content_block_delta", "index": 0, "delta": part} for part in parts),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 4}},
        )
    call = {"index": 0, "id": "t1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}
    if not ask.streams:
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return Reply.json({**OPENAI, "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}]})
    begun = {**call, "function": {"name": "look_up", "arguments": arguments[:5]}}
    more = {"index": 0, "function": {"arguments": arguments[5:]}}
    deltas = [{"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]} for part in (begun, more)]
    return Reply.events(
        OPENAI_EVENTS[0], *deltas, {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    )


def test_calls_of_tools_come_back(kind: Kind, ask: Asked, models: ModelLoopback) -> None:
    models.reply(tool_reply(kind, ask))
    with closing(provider(kind, models)) as made:
        _, answer = ask(made, ask_for(tools=(TOOL,)))
    [call] = answer.tool_calls
    assert (call.id, call.name, call.parsed()) == ("t1", "look_up", {"city": "Lisbon"})
    assert (answer.finish_reason, answer.content) == ("tool_calls", "")
    assert models.got[0][2]["tools"]


# Echo


def test_echo_says_what_it_was_told(ask: Asked) -> None:
    messages = messages_from([{"role": "user", "content": "one"}, {"role": "user", "content": [{"text": "two words"}]}])
    made = EchoProvider()
    pieces, answer = ask(made, ModelRequest("any", messages))
    assert pieces == (["two ", "words"] if ask.streams else [])
    assert (answer.content, answer.model_name, made.name) == ("two words", "echo", "echo")
    assert (answer.usage.prompt, answer.usage.completion, answer.usage.quality) == (3, 3, "estimated")
    made.close()
    anyio.run(made.aclose)


def test_echo_without_a_user_says_nothing() -> None:
    made = EchoProvider()
    request = ModelRequest("any", messages_from([{"role": "system", "content": "be brief"}]))
    assert [made.complete(request).content] == [""]
    assert len(list(made.stream(request))) == 1
