"""The life of a call between an adapter and a cassette, with a pool that answers whatever it is told to."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpcore
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapemeter import claiming, exchange
from tapemeter import owner as owners
from tapemeter.cassette.mode import Mode
from tapemeter.errors import PartialRecording
from tapemeter.intercept.httpcore import HttpcoreAdapter
from tapemeter.model import Ending, Request
from tapemeter.session import Session, new_run
from tapemeter.settings import CassetteArguments, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

KEY = "sk-proj-" + "Zq7" * 12
URL = "https://api.openai.com/v1/chat/completions"


class Body:
    """A response body in given pieces; each piece is bytes, or an error that is raised in its place."""

    def __init__(self, pieces: Sequence[bytes | BaseException]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


class Answer:
    """What the pool answers next."""

    def __init__(self, *pieces: bytes | BaseException, content_type: str = "text/event-stream") -> None:
        self.pieces, self.content_type = pieces, content_type

    def respond(self) -> httpcore.Response:
        headers = [(b"content-type", self.content_type.encode())] if self.content_type else []
        return httpcore.Response(200, headers=headers, content=Body(self.pieces))


@contextmanager
def library(answer: Answer) -> Iterator[ModuleType]:
    """Give an intercepted httpcore whose pools give one answer."""

    class ConnectionPool:
        def handle_request(self, request: Any) -> Any:
            return answer.respond()

    class AsyncConnectionPool:
        async def handle_async_request(self, request: Any) -> Any:
            return answer.respond()

    module = ModuleType("httpcore")
    vars(module).update(vars(httpcore))
    module.ConnectionPool, module.AsyncConnectionPool = ConnectionPool, AsyncConnectionPool  # type: ignore[attr-defined]
    for name in ("HTTPProxy", "SOCKSProxy", "AsyncHTTPProxy", "AsyncSOCKSProxy"):
        delattr(module, name)
    undo = HttpcoreAdapter("httpcore").install(module)
    try:
        yield module
    finally:
        undo()


def ask() -> httpcore.Request:
    body = b'{"model": "m", "messages": []}'
    return httpcore.Request(
        "POST", URL, headers={"authorization": f"Bearer {KEY}", "content-type": "application/json"}, content=body
    )


def read(module: Any) -> list[bytes]:
    return list(module.ConnectionPool().handle_request(ask()).stream)


def aread(module: Any) -> list[bytes]:
    async def main() -> list[bytes]:
        response = await module.AsyncConnectionPool().handle_async_request(ask())
        return [piece async for piece in response.stream]

    return asyncio.run(main())


@contextmanager
def running(folder: Path, mode: Mode) -> Iterator[owners.Owner]:
    """Run the block as a test with a cassette in the folder, which is written at the end."""
    settings = Settings(root=folder, cassette_dir=folder, mode=mode)
    session = Session(settings, new_run(settings))
    owner = session.owner("test", nodeid="test", path=folder / "it.yaml", arguments=CassetteArguments())
    owners.enter(owner)
    try:
        yield owner
    finally:
        session.close(owner, keep=True)


def recorded_and_replayed(
    answer: Answer, reading: Callable[[Any], list[bytes]] = read
) -> tuple[list[bytes], list[bytes], str]:
    """Return what the caller got while recording, what it got in replay, and the file."""
    with tempfile.TemporaryDirectory() as name, library(answer) as module:
        folder = Path(name)
        with running(folder, Mode.RECORD):
            first = reading(module)
        with running(folder, Mode.REPLAY):
            return first, reading(module), (folder / "it.yaml").read_text(encoding="utf-8")


# Replay gives what was recorded

PIECES = st.binary(min_size=1, max_size=40) | st.text(min_size=1, max_size=40).map(
    lambda text: text.encode("utf-8", "replace")
)
EVENTS = st.text(max_size=20).map(lambda text: f"data: {json.dumps({'text': text})}\n\n".encode())
TYPES = st.sampled_from(
    ["text/event-stream", "application/json", "text/plain; charset=utf-8", "application/octet-stream", ""]
)


@st.composite
def cut(draw: st.DrawFn, wholes: st.SearchStrategy[bytes]) -> list[bytes]:
    """A body cut anywhere, within letters too."""
    whole = draw(wholes)
    places = sorted({0, len(whole), *draw(st.lists(st.integers(0, len(whole)), max_size=8))})
    return [whole[start:stop] for start, stop in itertools.pairwise(places)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
)
BODIES = (
    st.lists(PIECES, max_size=6)
    | st.lists(EVENTS, max_size=6)
    | cut(st.lists(EVENTS, max_size=4).map(b"".join))
    | cut(JSON.map(lambda value: json.dumps(value).encode()))
    | cut(JSON.map(lambda value: json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace")))
)


@settings(max_examples=150, deadline=None)
@given(body=BODIES, content_type=TYPES)
def test_replay_gives_the_recorded_bytes_at_the_recorded_boundaries(body: list[bytes], content_type: str) -> None:
    first, again, _ = recorded_and_replayed(Answer(*body, content_type=content_type))

    assert first == body
    assert again == body


@settings(max_examples=60, deadline=None)
@given(data=st.data(), content_type=TYPES)
def test_replay_gives_the_recorded_bytes_without_the_secret_wherever_it_was_cut(
    data: st.DataObject, content_type: str
) -> None:
    text = st.text(alphabet="abc {}\n\"':,é", max_size=12)
    whole = KEY.join(data.draw(st.lists(text, min_size=2, max_size=3))).encode()
    body = data.draw(cut(st.just(whole)))

    first, again, file = recorded_and_replayed(Answer(*body, content_type=content_type))

    assert b"".join(first) == whole
    assert KEY not in file
    hidden = b"".join(again)
    assert [part for part in whole.split(KEY.encode()) if part not in hidden] == []
    assert len(again) <= len(body)


@pytest.mark.parametrize("body", [[], [b"one"], [b"data: 1\n\n", b"data: 2\n\n"], ["ü".encode()[:1], "ü".encode()[1:]]])
def test_async_callers_get_the_same(body: list[bytes]) -> None:
    assert recorded_and_replayed(Answer(*body), aread)[:2] == (body, body)


# How a body ends


@pytest.mark.parametrize("reading", [read, aread])
@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (httpcore.ReadTimeout("late"), "timeout"),
        (httpcore.RemoteProtocolError("cut"), "broken"),
        (httpcore.ReadError("reset"), "broken"),
    ],
)
def test_what_went_wrong_goes_wrong_again_after_the_same_pieces(
    error: Exception, ending: str, reading: Callable[[Any], list[bytes]]
) -> None:
    again = {"timeout": httpcore.ReadTimeout, "broken": httpcore.RemoteProtocolError}[ending]
    got: list[str] = []

    def failing(module: Any) -> list[bytes]:
        with pytest.raises((type(error), again)) as raised:
            reading(module)
        got.append(raised.typename)
        return []

    _, _, file = recorded_and_replayed(Answer(b"data: 1\n\n", error), failing)

    assert got == [type(error).__name__, again.__name__]
    assert f"ending: {ending}" in file


def test_any_other_error_leaves_a_partial_recording() -> None:
    def failing(module: Any) -> list[bytes]:
        with pytest.raises((ZeroDivisionError, PartialRecording)):
            read(module)
        return []

    assert "ending: abandoned" in recorded_and_replayed(Answer(b"data: 1\n\n", ZeroDivisionError()), failing)[2]


@pytest.mark.parametrize("last", [b"data: [DONE]\n\n", b'event: message_stop\ndata: {"type": "message_stop"}\n\n'])
def test_a_stream_that_is_left_after_its_last_event_is_complete(last: bytes) -> None:
    def leaving(module: Any) -> list[bytes]:
        response = module.ConnectionPool().handle_request(ask())
        pieces = iter(response.stream)
        got = [next(pieces), next(pieces)]
        response.stream.close()
        return got

    assert "ending:" not in recorded_and_replayed(Answer(b"data: 1\n\n", last, b": more"), leaving)[2]


def test_only_the_first_word_on_the_end_of_a_call_counts(tmp_path: Path) -> None:
    request = Request("POST", URL, (("content-type", "application/json"),), b"{}")
    with running(tmp_path, Mode.RECORD) as owner:
        call = exchange.begin(owner, request)
        assert call is not None
        exchange.answer(call, 200, ())
        exchange.finish(call, Ending.COMPLETE)
        exchange.finish(call, Ending.BROKEN)
        assert [interaction.response.ending for interaction in owner.cassette.new] == [Ending.COMPLETE]
        assert owner.pending == {}


def test_a_call_that_ends_after_its_test_is_not_kept(tmp_path: Path) -> None:
    request = Request("POST", URL, (("content-type", "application/json"),), b"{}")
    with running(tmp_path, Mode.RECORD) as owner:
        call = exchange.begin(owner, request)
    assert call is not None

    exchange.answer(call, 200, ())
    exchange.finish(call, Ending.COMPLETE)

    assert owner.cassette.new == []
    assert not (tmp_path / "it.yaml").exists()


# What is claimed


@pytest.mark.parametrize(
    ("url", "mode", "claimed"),
    [
        (URL, Mode.REPLAY, True),
        (URL, Mode.LIVE, True),
        (URL, Mode.OFF, False),
        ("http://127.0.0.1:1/v1/messages", Mode.REPLAY, True),
        ("http://127.0.0.1:1/health", Mode.REPLAY, False),
        ("https://example.com/", Mode.REPLAY, True),
        ("https://example.com/", Mode.RECORD, True),
        ("https://example.com/", Mode.LIVE, False),
    ],
)
def test_model_calls_are_claimed_and_what_replay_would_have_to_answer(
    tmp_path: Path, url: str, mode: Mode, claimed: bool
) -> None:
    with running(tmp_path, mode) as owner:
        assert (claiming.claim(Request("GET", url)) is owner) is claimed


def test_a_web_socket_is_left_to_the_network_guard(tmp_path: Path) -> None:
    with running(tmp_path, Mode.REPLAY):
        assert claiming.claim(Request("GET", URL, (("upgrade", "websocket"),))) is None


@pytest.mark.parametrize(("body", "ours"), [(b'{"model": "m", "prompt": "p"}', True), (b'{"to": "you"}', False)])
def test_a_body_on_loopback_decides_where_the_path_does_not(tmp_path: Path, body: bytes, ours: bool) -> None:
    head = Request("POST", "http://127.0.0.1:1/ask", (("content-type", "application/json"),))
    with running(tmp_path, Mode.RECORD) as owner:
        assert claiming.claim(head) is owner
        assert (exchange.begin(owner, head.with_body(body)) is not None) is ours
