"""What aiohttp's client finds where a connection should be: a recording that plays, or an answer that is noted.

Either way the body is a `StreamReader` that gets its next piece when the caller waits for one, so that each is read as
it came. Imports aiohttp, so only its adapter imports this.
"""

from __future__ import annotations

import asyncio
import io
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpVersion11, RawResponseMessage
from multidict import CIMultiDict, CIMultiDictProxy

from tapemeter import exchange
from tapemeter.cassette.encoding import decode_chunks
from tapemeter.errors import BudgetStopped
from tapemeter.intercept import deadline
from tapemeter.intercept.adapter import GRACE, lower, raise_ending, reading, sending
from tapemeter.intercept.http1 import framed, reason
from tapemeter.model import Ending, header, without_headers

if TYPE_CHECKING:
    from tapemeter.exchange import Call
    from tapemeter.model import Chunk, Response

NETWORKS = (aiohttp.TCPConnector, aiohttp.UnixConnector, aiohttp.NamedPipeConnector)
"""Connectors that lead out of this process; through a proxy, too."""

_FIRST_FINAL = 200
_LIMIT = 2**16
"""Bytes; the library's own default for what a reader holds, and for the length of a line."""


async def whole_body(request: aiohttp.ClientRequest) -> bytes:
    """Return all of a request's body; what can be read only once is replaced by what was read."""
    payload = request.body
    if not isinstance(payload, aiohttp.Payload):
        return payload
    whole = bytes(await payload.as_bytes())  # which may be of a kind like bytes
    if not isinstance(payload, aiohttp.BytesPayload):
        await request.update_body(aiohttp.BytesIOPayload(io.BytesIO(whole)))
    return whole


def played(connector: Any, request: Any, replay: Response, speed: float) -> Connection:
    """Return a connection that takes a request and answers it with what was recorded."""
    if request._continue is not None:  # noqa: SLF001 - a body that waits to be asked for is asked for
        request._continue.set_result(True)  # noqa: SLF001
    return _PlayedConnection(connector, request.connection_key, _Player(request.loop, replay, speed), request.loop)


def note(connection: Connection, call: Call) -> None:
    """Have the one answer that comes next over a connection noted."""
    _Noter(connection, call)


class _Noter:
    """Stands before a connection's protocol until the answer's head is there, and puts a noted body behind it."""

    def __init__(self, connection: Connection, call: Call) -> None:
        self._connection, self._call = connection, call
        self._protocol: Any = connection.protocol
        self._options: dict[str, Any] = {}
        vars(self._protocol).update(read=self._read, set_response_params=self._prepare)
        connection.add_callback(self._leave)

    def _prepare(self, **options: Any) -> None:
        self._options = options
        type(self._protocol).set_response_params(self._protocol, **options)

    async def _read(self) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        __tracebackhide__ = True
        call = self._call
        with sending(call):
            with deadline.scope(call) as scope:
                message, payload = await type(self._protocol).read(self._protocol)
            if scope.cancelled_caught:
                raise TimeoutError("a budget's deadline has come")
        if message.code < _FIRST_FINAL:
            return message, payload
        self._step_aside()
        headers = lower((name.decode("latin-1"), value.decode("latin-1")) for name, value in message.raw_headers)
        if message.compression and self._options.get("auto_decompress", True):
            headers = without_headers(headers, ["content-encoding"])  # nobody sees the body as it was sent
        exchange.answer(call, message.code, headers)
        if payload.at_eof():
            exchange.finish(call, Ending.COMPLETE)
            return message, payload
        return message, _NotedBody(payload, message, self._connection, call, self._options)

    def _step_aside(self) -> None:
        for name in ("read", "set_response_params"):
            vars(self._protocol).pop(name, None)

    def _leave(self) -> None:
        """Settle a call whose connection was given back or closed before there was an answer."""
        if not self._call.status:
            self._step_aside()
            exchange.drop(self._call)


class _Flow:
    """What a reader that is filled piece by piece has for a protocol: nothing is to be held back."""

    connected = True
    _reading_paused = False

    def pause_reading(self) -> None:
        """Nothing comes unasked."""

    def resume_reading(self, **_: object) -> None:
        """See pause_reading."""


class _Body(aiohttp.StreamReader):
    """A body that is filled piece by piece, when the caller waits for the next; subclasses say by what."""

    def __init__(self, options: dict[str, Any], *, limit: int, in_chunks: bool) -> None:
        loop = asyncio.get_running_loop()
        flow: Any = _Flow()
        super().__init__(flow, limit, timer=options.get("timer"), loop=loop)
        self._in_chunks = in_chunks
        if in_chunks:
            self.begin_http_chunk_receiving()

    def _take(self, data: bytes, *, ends: bool) -> None:
        self.feed_data(data)
        if ends and self._in_chunks:
            self.end_http_chunk_receiving()


class _NotedBody(_Body):
    """A body on its way to the caller, each piece noted as it is read."""

    def __init__(
        self,
        source: aiohttp.StreamReader,
        message: RawResponseMessage,
        connection: Connection,
        call: Call,
        options: dict[str, Any],
    ) -> None:
        super().__init__(options, limit=source.get_read_buffer_limits()[0], in_chunks=message.chunked)
        self._source, self._connection, self._call = source, connection, call
        self._left = Ending.ABANDONED
        """How the body ends if nobody reads on."""

    def on_eof(self, callback: Any) -> None:
        """Call back when all has arrived, read or not: the connection is free then."""
        self._source.on_eof(callback)

    def set_exception(self, exc: BaseException, *cause: Any) -> None:
        """End the body for its reader, who closed or released it."""
        super().set_exception(exc, *cause)
        if self._call.finished:
            return
        with suppress(BudgetStopped):  # it is among the refusals, and whoever closes is to come to the end of it
            with reading(self._call, timeouts=(), breaks=()):
                self._note_unread()
            exchange.finish(self._call, Ending.COMPLETE if self._source.at_eof() else self._left)

    def _note_unread(self) -> None:
        """Note what arrived of an answer that is no stream, such as an error of which only the status is looked at."""
        if not self._call.is_stream and self._source.exception() is None:
            with suppress(RuntimeError):  # somebody is still waiting for it
                data = self._source.read_nowait()
                exchange.feed(self._call, data)

    async def _wait(self, func_name: str) -> None:  # noqa: ARG002 - the library's own signature
        __tracebackhide__ = True
        if self._exception is not None:
            raise self._exception
        data, ends, failure = b"", False, None
        try:
            data, ends = await self._next()
        except asyncio.CancelledError:
            self._left = Ending.CANCELLED  # it may only have been a wait with a limit, and be followed by another
            raise
        except Exception as error:  # noqa: BLE001 - raised again below
            failure = error
        try:
            with reading(self._call, timeouts=(TimeoutError,), breaks=(aiohttp.ClientError, OSError)):
                if failure is not None:
                    raise failure
                if data:
                    exchange.feed(self._call, data)
        except BudgetStopped as stopped:
            super().set_exception(stopped)
            self._connection.close()
            raise
        self._left = Ending.ABANDONED
        self._take(data, ends=ends)
        if self._source.at_eof():
            self._end()

    async def _next(self) -> tuple[bytes, bool]:
        with deadline.scope(self._call):
            return await self._source.readchunk()
        raise TimeoutError("a budget's deadline has come")

    def _end(self) -> None:
        try:
            exchange.finish(self._call, Ending.COMPLETE)
        except BudgetStopped as stopped:
            super().set_exception(stopped)  # for the next read; the last piece is still there
        else:
            self.feed_eof()


class _PlayedBody(_Body):
    """A recorded body on its way to the caller, with the pauses that the replay speed asks for."""

    def __init__(self, replay: Response, speed: float, options: dict[str, Any]) -> None:
        super().__init__(options, limit=options.get("read_bufsize", _LIMIT), in_chunks=replay.is_stream)
        self._replay, self._speed = replay, speed
        self._started = perf_counter()
        self._to_come = deque(chunk for chunk in _unpacked(replay, options) if chunk.data)
        self._times_out = aiohttp.SocketTimeoutError if options.get("read_timeout") else TimeoutError
        if not self._to_come or not (replay.is_stream or speed):
            while self._to_come:
                self._take(self._to_come.popleft().data, ends=True)
            self._end()

    async def _wait(self, func_name: str) -> None:  # noqa: ARG002 - the library's own signature
        __tracebackhide__ = True
        if not self._to_come:
            await self._fail()
        chunk = self._to_come[0]
        if self._speed:
            await self._sleep(self._started + chunk.at / self._speed - perf_counter())
        self._to_come.popleft()
        self._take(chunk.data, ends=True)
        if not self._to_come:
            self._end()

    def _end(self) -> None:
        if self._replay.ending is Ending.COMPLETE:
            self.feed_eof()

    async def _fail(self) -> None:
        """Do what happened at the end of the recorded body, which was no proper end."""
        if self._replay.ending is Ending.CANCELLED:
            # Whoever was cancelled here is about to be again; without end waits only who changed since.
            await self._sleep(self._started + self._replay.total - perf_counter() + GRACE)
        raise_ending(self._replay, timeout=self._times_out, broken=aiohttp.ClientPayloadError)

    async def _sleep(self, seconds: float) -> None:
        with self._timer:
            await asyncio.sleep(max(0.0, seconds))


def _unpacked(replay: Response, options: dict[str, Any]) -> tuple[Chunk, ...]:
    """Return the pieces of a recorded body as the library's parser would hand them out."""
    coding = header(replay.headers, "content-encoding")
    if coding is None or not options.get("auto_decompress", True):
        return replay.chunks
    decoded = decode_chunks(replay.chunks, coding)
    return replay.chunks if decoded is None else decoded


class _Player(ResponseHandler):
    """The protocol of a connection to nowhere: whatever is sent, the recorded response is what it reads."""

    def __init__(self, loop: asyncio.AbstractEventLoop, replay: Response, speed: float) -> None:
        super().__init__(loop)
        self.transport = _NOWHERE
        self._replay, self._speed = replay, speed
        self._options: dict[str, Any] = {}

    def set_response_params(self, **options: Any) -> None:
        """Keep what the body is to heed."""
        self._options = options

    async def read(self) -> Any:
        """Return the recorded head, and the body to come."""
        await asyncio.sleep(0)  # the task that writes the request's body is to get its turn
        replay = self._replay
        raw = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in framed(replay))
        message = RawResponseMessage(
            HttpVersion11,
            replay.status,
            reason(replay.status),
            CIMultiDictProxy(CIMultiDict((_text(name), _text(value)) for name, value in raw)),
            raw,
            should_close=False,
            compression=None,
            upgrade=False,
            chunked=replay.is_stream,
        )
        return message, _PlayedBody(replay, self._speed, self._options)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")  # as the library reads headers


class _PlayedConnection(Connection):
    """A connection that belongs to no pool."""

    def close(self) -> None:
        """Tell whoever waits for that, and be gone."""
        self._notify_release()
        self._protocol = None

    def release(self) -> None:
        """See close."""
        self.close()

    def __del__(self, *_: object) -> None:
        """Nothing is held open that one could forget to close."""


class _Nowhere(asyncio.Transport):
    """Takes all that is written."""

    def write(self, data: object) -> None: ...

    def writelines(self, list_of_data: object) -> None: ...

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


_NOWHERE = _Nowhere()
