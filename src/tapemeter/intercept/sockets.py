"""What stands between the parser of `http.client` and a socket: a file that notes the body, a socket that plays one."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

from tapemeter import exchange
from tapemeter.errors import BudgetStopped
from tapemeter.intercept import deadline
from tapemeter.intercept.adapter import raise_ending, reading
from tapemeter.intercept.http1 import HOLD, Chunked, Plain, wire
from tapemeter.model import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tapemeter.exchange import Call
    from tapemeter.intercept.http1 import Body
    from tapemeter.model import Response


class NotedFile:
    """The file that a response is read from, each piece of its body noted as it passes.

    `response` is one of `http.client` whose head was read; `cut` closes its connection.
    """

    def __init__(self, response: Any, call: Call, sock: Any, cut: Callable[[], None]) -> None:
        self._file, self._call, self._sock, self._cut = response.fp, call, sock, cut
        self._body: Body = Chunked() if response.chunked else Plain(response.length, gather=not call.is_stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """Read that many bytes, or all; as much as comes at once is one piece."""
        parts: list[bytes] = []
        left = size if size >= 0 else HOLD
        while left and (part := self._take(self._file.read1, left)):
            parts.append(part)
            left = left - len(part) if size >= 0 else HOLD
        return b"".join(parts)

    def read1(self, size: int = -1) -> bytes:
        """Read what is there, or comes next."""
        return self._take(self._file.read1, size) if size else b""

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the body goes."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readline(self, limit: int = -1) -> bytes:
        """Read a line, or a part of it that is no longer than the limit."""
        return self._take(self._file.readline, limit) if limit else b""

    def peek(self, size: int = 0) -> bytes:
        """Look at what is there, or comes next, without taking it."""
        with self._reading(), deadline.limited(self._call, self._sock):
            peeked: bytes = self._file.peek(size)
            return peeked

    def close(self) -> None:
        """Close the file; a body that was not read to its end stays a partial recording."""
        try:
            self._file.close()
        finally:
            self._finish(Ending.ABANDONED)

    def _take(self, read: Callable[[int], bytes], size: int) -> bytes:
        if self._call.finished:
            return read(size)
        try:
            with self._reading():
                try:
                    with deadline.limited(self._call, self._sock):
                        data = read(size)
                    for piece in self._body.take(data):
                        exchange.feed(self._call, piece)
                except BudgetStopped:
                    raise
                except BaseException:
                    self._feed_rest()
                    raise
            if not data:
                self._finish(Ending.COMPLETE if self._body.end() else Ending.BROKEN)
            elif self._body.is_over:
                self._finish(Ending.COMPLETE)
        except BudgetStopped:
            self._cut()
            raise
        return data

    def _reading(self) -> Any:
        return reading(self._call, timeouts=(TimeoutError,), breaks=(OSError,))

    def _feed_rest(self) -> None:
        rest = self._body.rest()
        if rest:
            exchange.feed(self._call, rest)

    def _finish(self, ending: Ending) -> None:
        if self._call.finished:
            return
        try:
            self._feed_rest()
        except BudgetStopped:
            exchange.finish(self._call, Ending.CUT)
            raise
        exchange.finish(self._call, ending)


class StandIn:
    """A socket for one call: what is sent goes nowhere, what is read is a recorded response.

    `socket` is the one in whose place it stands, if the connection has any.
    """

    def __init__(self, socket: Any, replay: Response, speed: float) -> None:
        self.socket, self._replay, self._speed = socket, replay, speed
        self._timeout: float | None = None

    def sendall(self, data: Any) -> None:
        """Send nothing."""

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Return the response as a file."""
        return io.BufferedReader(_PlayedFile(self._replay, self._speed))

    def settimeout(self, timeout: float | None) -> None:
        """Keep the timeout; nothing is waited for."""
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        """Return the timeout that was set."""
        return self._timeout

    def setsockopt(self, *_: Any) -> None:
        """Set nothing."""

    def shutdown(self, how: int) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Close the socket in whose place this stands."""
        if self.socket is not None:
            self.socket.close()


class _PlayedFile(io.RawIOBase):
    """A recorded response as a server would send it, with the pauses that the replay speed asks for."""

    def __init__(self, replay: Response, speed: float) -> None:
        self._started = time.perf_counter()
        self._parts = _timely(self._started, replay, speed)
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._left = part
        size = len(buffer)
        data, self._left = self._left[:size], self._left[size:]
        buffer[: len(data)] = data
        return len(data)


def _timely(started: float, replay: Response, speed: float) -> Iterator[bytes]:
    for due, part in wire(replay, speed):
        if due:
            time.sleep(max(0.0, started + due - time.perf_counter()))
        yield part
    if replay.ending is not Ending.BROKEN:  # whoever reads finds by itself that something is missing
        raise_ending(replay, timeout=TimeoutError, broken=ConnectionResetError)
