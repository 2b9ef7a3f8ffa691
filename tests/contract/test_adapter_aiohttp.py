"""What aiohttp gives its users beside the contract of all adapters is the same recorded, replayed, and without us."""

from __future__ import annotations

import asyncio
import gzip
import io
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import openai
import pytest
import uvloop
from adapter_drivers import BODY
from adapter_server import stream_events
from aiohttp import web
from aiohttp.client_proto import ResponseHandler
from aiohttp.test_utils import TestServer
from aioresponses import aioresponses

from tapemeter.cassette.mode import Mode
from tapemeter.errors import BudgetStopped, CassetteMiss
from tapemeter.intercept import aiohttp_wire
from tapemeter.model import Chunk, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from adapter_server import Server
    from adapter_tape import Tape

    Deed = Callable[[aiohttp.ClientSession], Awaitable[Any]]

EVENTS = stream_events(3)
MODES = pytest.mark.parametrize("mode", [Mode.RECORD, Mode.REPLAY])


def run(deed: Deed, **options: Any) -> Any:
    async def main() -> Any:
        async with aiohttp.ClientSession(**options) as session:
            return await deed(session)

    return asyncio.run(main())


async def until_closed(response: aiohttp.ClientResponse) -> None:
    while not response.closed:  # noqa: ASYNC110 - that is all that can be seen of it
        await asyncio.sleep(0)


def three_times(tape: Tape, world: Server, deed: Deed, **options: Any) -> list[Any]:
    """Return what comes of a deed without us, recorded, and replayed; the last reaches no server."""
    alone = run(deed, **options)
    with tape.recording() as owner:
        recorded = run(deed, **options)
        assert owner.pending == {}
    count = len(world.arrived)
    with tape.replaying() as owner:
        replayed = run(deed, **options)
        assert owner.refusals == []
    assert len(world.arrived) == count
    return [alone, recorded, replayed]


# Reading


async def by_line(content: aiohttp.StreamReader) -> list[Any]:
    return [line async for line in content]


async def by_size(content: aiohttp.StreamReader) -> list[Any]:
    return [await content.read(7), await content.readexactly(9), await content.readuntil(b"}"), await content.read()]


READINGS = {
    by_line: b"".join(EVENTS).splitlines(keepends=True),
    by_size: [b"data: {", b'"model": ', b'"loopback-1", "choices": [{"index": 0, "delta": {"content": ""}'],
}


@pytest.mark.parametrize("read", READINGS, ids=lambda read: read.__name__)
def test_a_stream_is_read_in_any_way(world: Server, tape: Tape, read: Callable[..., Any]) -> None:
    async def deed(session: aiohttp.ClientSession) -> list[Any]:
        async with session.post(world.url("/stream"), data=BODY) as response:
            return await read(response.content)

    alone, recorded, replayed = three_times(tape, world, deed)

    assert alone == recorded == replayed
    assert replayed[: len(READINGS[read])] == READINGS[read]


def test_replay_tells_where_each_chunk_and_the_stream_ends(world: Server, tape: Tape) -> None:
    async def deed(session: aiohttp.ClientSession) -> list[Any]:
        async with session.post(world.url("/stream"), data=BODY) as response:
            return [*[piece async for piece in response.content.iter_chunks()], response.content.total_bytes]

    async def until_the_end(session: aiohttp.ClientSession) -> list[bytes]:
        async with session.post(world.url("/stream"), data=BODY) as response:
            pieces = []
            while not response.content.at_eof():
                pieces.append(await response.content.readany())
            return pieces

    with tape.recording():
        recorded = run(deed)
    with tape.replaying():
        replayed = run(deed)
    with tape.replaying():
        assert run(until_the_end) == EVENTS

    # How a recording is told of depends on how it came: the end of a chunk may come by itself.
    assert [piece for piece, _ in recorded[:-1] if piece] == EVENTS
    assert replayed == [*[(event, True) for event in EVENTS], sum(map(len, EVENTS))]


def test_a_wait_that_is_given_up_and_taken_up_again_breaks_no_stream(world: Server, tape: Tape) -> None:
    waits = []

    async def deed(session: aiohttp.ClientSession) -> list[bytes]:
        pieces = []
        async with session.post(world.url("/stream", gate=1), data=BODY) as response:
            while not response.content.at_eof():
                try:
                    pieces.append(await asyncio.wait_for(response.content.readany(), 0.02))
                except TimeoutError:
                    waits.append(len(pieces))
                    world.go.set()
        return pieces

    with tape.recording():
        recorded = run(deed)
    with tape.replaying():
        replayed = run(deed)

    assert waits[0] == 1
    assert b"".join(recorded) == b"".join(replayed) == b"".join(EVENTS)
    assert "ending" not in tape.interactions[0]["response"]


def test_two_readers_at_once_are_refused_as_without_us(world: Server, tape: Tape) -> None:
    async def deed(session: aiohttp.ClientSession) -> None:
        async with session.post(world.url("/stream", gate=1), data=BODY) as response:
            await response.content.readany()
            await asyncio.gather(response.content.readany(), response.content.readany())

    with tape.recording(), pytest.raises(RuntimeError, match="already waiting"):
        run(deed)


def test_a_body_that_is_not_unpacked_for_the_caller_can_be_by_the_caller(world: Server, tape: Tape) -> None:
    async def deed(session: aiohttp.ClientSession) -> tuple[bool, bytes]:
        async with session.post(world.url("/gzip"), data=BODY, auto_decompress=False) as response:
            return "content-encoding" in response.headers, await response.read()

    alone, recorded, replayed = three_times(tape, world, deed)

    assert recorded == alone
    assert recorded[1].startswith(b"\x1f\x8b")
    assert (replayed[0], replayed[1][:1]) == (False, b"{")
    assert tape.interactions[0]["response"]["decoded_from"] == "gzip"


def test_a_body_that_was_kept_packed_is_unpacked_for_the_caller() -> None:
    packed = gzip.compress(b'{"said": "hello"}')
    headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
    replay = Response(200, headers, (Chunk(0.0, packed),))

    class Playing(aiohttp.BaseConnector):
        async def connect(self, req: Any, *_: Any, **__: Any) -> Any:
            return aiohttp_wire.played(self, req, replay, 0.0)

    async def deed(auto_decompress: bool) -> tuple[str, bytes]:
        async with (
            aiohttp.ClientSession(connector=Playing(), auto_decompress=auto_decompress) as session,
            session.get("http://model.invalid/") as response,
        ):
            return response.headers["content-encoding"], await response.read()

    assert asyncio.run(deed(auto_decompress=True)) == ("gzip", b'{"said": "hello"}')
    assert asyncio.run(deed(auto_decompress=False)) == ("gzip", packed)


# Responses and sessions


def test_responses_know_what_they_know_without_us(world: Server, tape: Tape) -> None:
    async def deed(session: aiohttp.ClientSession) -> list[Any]:
        async with session.get(world.url("/redirect/302"), headers={"x-mine": "1"}) as response:
            info, text = response.request_info, await response.text()
            hops = [(hop.status, hop.url, hop.method) for hop in response.history]
            return [
                hops,
                (info.url, info.method, info.headers["x-mine"], info.real_url),
                (response.status, response.reason, response.ok, response.method, response.url),
                (response.content_type, response.get_encoding(), text, response.closed, response.connection),
            ]

    alone, recorded, replayed = three_times(tape, world, deed)

    assert alone == recorded == replayed
    assert len(replayed[0]) == 1


def test_an_error_of_which_only_the_status_is_looked_at_is_kept_with_its_message(tape: Tape) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        head = b"HTTP/1.1 429 Slow down\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n"
        writer.write(head + b'{"error": "as asked"}')  # at once, so that all of it is there with the status
        await writer.drain()
        writer.close()

    async def served() -> str:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/chat/completions"
            await ask(url)
            return url

    async def ask(url: str) -> None:
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            with pytest.raises(aiohttp.ClientResponseError) as error:
                await session.post(url, data=BODY)
            assert error.value.status == 429

    with tape.recording():
        url = asyncio.run(served())
    with tape.replaying():
        asyncio.run(ask(url))

    (kept,) = tape.interactions
    assert "ending" not in kept["response"]
    assert "as asked" in str(kept["response"])


def test_connections_are_given_back_however_a_response_is_left(world: Server, tape: Tape) -> None:
    async def deed(session: aiohttp.ClientSession) -> bool:
        read = await session.post(world.url(), data=BODY)
        await read.json()
        released = await session.post(world.url(n=2), data=BODY)
        released.release()
        closed = await session.post(world.url(n=3), data=BODY)
        closed.close()
        arrived = await session.post(world.url(n=4), data=BODY)  # all of it came with the head
        await until_closed(arrived)
        arrived.release()
        async with session.post(world.url(n=5), data=BODY) as response:
            assert response.status == 200
        return all(response.closed for response in (read, released, closed, arrived))

    assert three_times(tape, world, deed) == [True] * 3


def test_traces_tell_of_replayed_calls_as_of_sent_ones(world: Server, tape: Tape) -> None:
    told: list[str] = []

    def telling(name: str) -> Callable[..., Awaitable[None]]:
        async def tell(*_: object) -> None:
            told.append(name)

        return tell

    names = ["request_start", "request_headers_sent", "request_chunk_sent", "response_chunk_received", "request_end"]
    traces = aiohttp.TraceConfig()
    for name in names:
        getattr(traces, f"on_{name}").append(telling(name))

    async def deed(session: aiohttp.ClientSession) -> list[str]:
        told.clear()
        async with session.post(world.url(), data=BODY) as response:
            await response.read()
        return sorted(told)

    assert three_times(tape, world, deed, trace_configs=[traces]) == [sorted(names)] * 3


def test_middlewares_see_replayed_calls_and_their_attempts_are_attempts(world: Server, tape: Tape) -> None:
    async def again(request: aiohttp.ClientRequest, send: Any) -> aiohttp.ClientResponse:
        response = await send(request)
        while response.status == 503:
            response.release()
            response = await send(request)
        return response

    async def deed(session: aiohttp.ClientSession) -> int:
        async with session.post(world.url("/status/503", first=1), data=BODY) as response:
            await response.read()
            return response.status

    with tape.recording():
        recorded = run(deed, middlewares=[again])
    with tape.replaying():
        replayed = run(deed, middlewares=[again])

    assert recorded == replayed == 200
    assert [request.body for request in world.arrived] == [BODY, BODY]
    assert [kept["response"]["status"] for kept in tape.interactions] == [503, 200]


# Errors


def test_a_limit_on_the_whole_time_strikes_in_replay_as_what_it_is(world: Server, tape: Tape) -> None:
    limit = aiohttp.ClientTimeout(total=0.2)

    async def deed(session: aiohttp.ClientSession) -> type[Exception]:
        async with session.post(world.url("/stream", end="wait"), data=BODY, timeout=limit) as response:
            with pytest.raises(TimeoutError) as error:
                await response.read()
            return type(error.value)

    assert three_times(tape, world, deed) == [TimeoutError] * 3
    assert tape.interactions[0]["response"]["ending"] == "timeout"


def test_an_error_in_a_stream_is_told_to_whoever_reads_again(world: Server, tape: Tape) -> None:
    async def deed(session: aiohttp.ClientSession) -> list[type[Exception]]:
        async with session.post(world.url("/stream", end="break"), data=BODY) as response:
            errors = []
            for _ in range(2):
                with pytest.raises(aiohttp.ClientPayloadError) as error:
                    await response.content.read()
                errors.append(type(error.value))
            return errors

    assert three_times(tape, world, deed) == [[aiohttp.ClientPayloadError] * 2] * 3
    assert tape.interactions[0]["response"]["ending"] == "broken"


def test_a_request_that_fails_after_its_connection_was_made_is_settled(world: Server, tape: Tape) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield BODY

    class Failing(aiohttp.ClientRequest):
        async def send(self, conn: Any) -> Any:
            raise LookupError

    async def deed(session: aiohttp.ClientSession) -> None:
        await session.post(world.url(), data=parts())

    with tape.recording() as owner:
        with pytest.raises(LookupError):
            run(deed, request_class=Failing)
        assert owner.pending == {}
    assert tape.interactions == []


def test_a_whole_answer_over_budget_stops_its_reader_and_nobody_who_only_closes(world: Server, tape: Tape) -> None:
    body = BODY.replace(b"{", b'{"max_tokens": 3, ', 1)

    async def read(session: aiohttp.ClientSession) -> None:
        async with session.post(world.url(), data=body) as response:
            await response.read()

    async def leave(session: aiohttp.ClientSession) -> None:
        response = await session.post(world.url(n=2), data=body)
        await until_closed(response)
        response.release()

    with tape.recording(output_tokens=6) as owner:
        with pytest.raises(BudgetStopped):
            run(read)
        assert len(owner.refusals) == 1
    with tape.recording(output_tokens=6) as owner:
        run(leave)
        assert len(owner.refusals) == 1


def test_the_last_piece_of_a_stream_over_budget_is_still_read(world: Server, tape: Tape) -> None:
    body = BODY.replace(b"{", b'{"max_tokens": 1, "stream": true, ', 1)
    pieces: list[bytes] = []

    async def deed(session: aiohttp.ClientSession) -> None:
        async with session.post(world.url("/stream", mark=1), data=body) as response:
            async for piece in response.content.iter_any():
                pieces.append(piece)  # noqa: PERF401 - what was read before an error counts

    with tape.recording(output_tokens=2), pytest.raises(BudgetStopped):
        run(deed)

    assert b"".join(pieces).endswith(b"[DONE]\n\n")


# Requests


def test_a_large_body_and_one_that_can_be_read_once_are_sent_and_kept(world: Server, tape: Tape) -> None:
    large = b'{"text": "' + b"x" * 2**20 + b'"}'

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise OSError

        def tell(self) -> int:
            return 0

    async def deed(session: aiohttp.ClientSession) -> list[Any]:
        answers = []
        for place, data in enumerate([io.BytesIO(large), io.BufferedReader(Pipe(BODY))]):
            async with session.post(world.url(n=place), data=data) as response:
                answers.append(response.status)
        return answers

    with tape.recording():
        recorded = run(deed)
    with tape.replaying():
        replayed = run(deed)

    assert recorded == replayed == [200, 200]
    assert [request.body for request in world.arrived] == [large, BODY]


def test_a_body_is_sent_again_where_a_redirect_wants_it(world: Server, tape: Tape) -> None:
    async def deed(session: aiohttp.ClientSession) -> bytes:
        async def parts() -> AsyncIterator[bytes]:
            yield BODY

        async with session.post(world.url("/redirect/307"), data=parts()) as response:
            return await response.read()

    with tape.recording():
        recorded = run(deed)
    with tape.replaying():
        replayed = run(deed)

    assert recorded == replayed == b"landed"
    assert [request.body for request in world.arrived] == [BODY, BODY]
    assert all("loopback-1" in str(kept["request"]) for kept in tape.interactions)


def test_a_body_that_waits_to_be_asked_for_waits_for_nobody_in_replay(tape: Tape) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"got": await request.text()})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)

    async def main(url: str) -> Any:
        async with aiohttp.ClientSession() as session, session.post(url, data=BODY, expect100=True) as response:
            return await response.json()

    async def served() -> tuple[str, Any]:
        async with TestServer(app) as server:
            url = str(server.make_url("/v1/chat/completions"))
            return url, await main(url)

    with tape.recording():
        url, recorded = asyncio.run(served())
    with tape.replaying():
        assert asyncio.run(main(url)) == recorded == {"got": BODY.decode()}


# What is left alone


@MODES
def test_websockets_are_left_alone(tape: Tape, mode: Mode) -> None:
    async def echo(request: web.Request) -> web.WebSocketResponse:
        channel = web.WebSocketResponse()
        await channel.prepare(request)
        async for message in channel:
            await channel.send_str(message.data)
        return channel

    app = web.Application()
    app.router.add_get("/v1/realtime", echo)

    async def main() -> str:
        async with (
            TestServer(app) as server,
            aiohttp.ClientSession() as session,
            session.ws_connect(server.make_url("/v1/realtime")) as channel,
        ):
            await channel.send_str("hello")
            return await channel.receive_str()

    with tape.running(mode, models_only=True):
        assert asyncio.run(main()) == "hello"
    assert tape.interactions == []


@MODES
def test_connectors_that_stay_in_this_process_are_left_alone(tape: Tape, mode: Mode) -> None:
    class Answering(asyncio.Transport):
        def __init__(self, protocol: ResponseHandler) -> None:
            super().__init__()
            self._protocol = protocol

        def write(self, data: Any) -> None:
            self._protocol.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhere")

        def is_closing(self) -> bool:
            return False

        def close(self) -> None:
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

        abort = close

    class InProcess(aiohttp.BaseConnector):
        async def _create_connection(self, *_: Any) -> ResponseHandler:
            protocol = ResponseHandler(self._loop)
            protocol.connection_made(Answering(protocol))
            return protocol

    async def deed(session: aiohttp.ClientSession) -> str:
        async with session.get("https://api.openai.com/v1/models") as response:
            return await response.text()

    async def main() -> str:
        async with aiohttp.ClientSession(connector=InProcess()) as session:
            return await deed(session)

    with tape.running(mode):
        assert asyncio.run(main()) == "here"
    assert tape.interactions == []


@MODES
def test_what_aioresponses_answers_stays_its_own(tape: Tape, mode: Mode) -> None:
    async def deed(session: aiohttp.ClientSession) -> None:
        with aioresponses() as mock:
            mock.post("https://api.openai.com/v1/chat/completions", exception=LookupError())
            await session.post("https://api.openai.com/v1/chat/completions", data=BODY)

    with tape.running(mode), pytest.raises(LookupError):
        run(deed)
    assert tape.interactions == []


def test_what_aioresponses_passes_on_is_ours(world: Server, tape: Tape) -> None:
    async def deed(session: aiohttp.ClientSession) -> str:
        with aioresponses(passthrough=[world.plain("")]):
            async with session.post(world.url(), data=BODY) as response:
                return await response.text()

    with tape.recording():
        recorded = run(deed)
    with tape.replaying():
        assert run(deed) == recorded
    assert len(tape.interactions) == len(world.arrived) == 1


# Where it runs, and what runs on it


def test_replay_looks_up_no_name_and_makes_no_connection(tape: Tape, world: Server) -> None:
    class Resolver(aiohttp.abc.AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> Any:
            port = int(world.plain("").rpartition(":")[2])
            return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}]

        async def close(self) -> None:
            """Nothing is open."""

    async def deed(session: aiohttp.ClientSession) -> int:
        async with session.post("http://model.invalid/v1/chat/completions", data=BODY) as response:
            await response.read()
            return response.status

    async def recorded() -> int:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Resolver())) as session:
            return await deed(session)

    with tape.recording():
        assert asyncio.run(recorded()) == 200
    with tape.replaying():
        assert run(deed) == 200
    with tape.replaying(), pytest.raises(CassetteMiss):
        run(lambda session: session.get("https://other.invalid/"))


def test_it_works_on_another_event_loop(world: Server, tape: Tape) -> None:
    async def main() -> list[bytes]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(world.url("/stream"), data=BODY) as response,
        ):
            return [piece async for piece, _ in response.content.iter_chunks() if piece]

    with tape.recording():
        recorded = uvloop.run(main())
    with tape.replaying():
        replayed = uvloop.run(main())

    assert recorded == replayed == EVENTS


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_over_aiohttp_is_recorded_once(world: Server, tape: Tape, stream: bool) -> None:
    async def main(question: str = "hello") -> list[str | None]:
        transport = openai.DefaultAioHttpClient()
        async with openai.AsyncOpenAI(api_key="k", base_url=world.plain("/v1"), http_client=transport) as client:
            messages: Any = [{"role": "user", "content": question}]
            if not stream:
                whole = await client.chat.completions.create(model="m", messages=messages)
                return [whole.choices[0].message.content]
            events = await client.chat.completions.create(
                model="m", messages=messages, stream=True, extra_query={"do": "/stream"}
            )
            return [event.choices[0].delta.content async for event in events]

    with tape.recording() as owner:
        recorded = asyncio.run(main())
        assert owner.usage.calls == 1
    with tape.replaying():
        assert asyncio.run(main()) == recorded
        with pytest.raises(CassetteMiss):
            asyncio.run(main("something else"))

    assert len(tape.interactions) == len(world.arrived) == 1
