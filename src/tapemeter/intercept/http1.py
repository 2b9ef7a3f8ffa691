"""HTTP/1.1 as bytes, for clients whose bodies can only be seen, or played, below their own parser.

A body that is read passes through a `Body`, which takes the framing off and gives back its pieces. A recorded response
is written by `wire` as a server would send it, so that the client's own code reads it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from tapemeter.model import Ending, without_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.model import Headers, Response

HOLD = 64 * 1024
"""Bytes of a body whose pieces mean nothing that are taken for one piece."""

_FRAMING = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"})
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_LONGEST_LINE = 64 * 1024
_FIRST_WITH_BODY = 200


class Body(Protocol):
    """A body on its way to the caller: told what was taken off the wire, it says what that was of the content."""

    is_over: bool
    """Whether all of it has come."""

    def take(self, data: bytes) -> list[bytes]:
        """Return the pieces that are whole with these bytes, in order; none of them is empty."""

    def end(self) -> bool:
        """Note that the connection ended; return whether the body may end so."""

    def rest(self) -> bytes:
        """Return, once, what was taken of a piece that is not whole yet."""


class Plain:
    """A body of known length, or one that lasts until the connection is closed.

    Where pieces mean something each read is one; else they are gathered.
    """

    def __init__(self, length: int | None, *, gather: bool) -> None:
        self._left, self._gather = length, gather
        self._held: list[bytes] = []
        self.is_over = length == 0

    def take(self, data: bytes) -> list[bytes]:
        """See Body."""
        if self._left is not None:
            self._left -= len(data)
            self.is_over = self._left <= 0
        if data:
            self._held.append(data)
        if self.is_over or not self._gather or sum(map(len, self._held)) >= HOLD:
            whole = self.rest()
            return [whole] if whole else []
        return []

    def end(self) -> bool:
        """See Body."""
        self.is_over = self.is_over or self._left is None
        return self.is_over

    def rest(self) -> bytes:
        """See Body."""
        held, self._held = self._held, []
        return b"".join(held)


class Chunked:
    """A body in chunks: each is a piece, however small the parts in which it is read."""

    def __init__(self) -> None:
        self._line = b""
        self._left = 0
        """Bytes that are to come of a chunk; 0 while a line is read."""
        self._held: list[bytes] = []
        self.is_over = False

    def take(self, data: bytes) -> list[bytes]:
        """See Body."""
        pieces: list[bytes] = []
        while data and not self.is_over:
            if self._left == 0:
                line, end, data = data.partition(b"\n")
                self._line = (self._line + line)[:_LONGEST_LINE]
                if end:
                    self._read_size()
            else:
                part, data = data[: self._left], data[self._left :]
                self._left -= len(part)
                self._held.append(part)
                if self._left == 0:
                    pieces.append(self.rest())
        return pieces

    def _read_size(self) -> None:
        size, self._line = self._line.partition(b";")[0].strip(), b""
        if not size:  # the line end behind a chunk
            return
        try:
            self._left = max(0, int(size, 16))
        except ValueError:  # the client finds out as well, and says so
            self._left = 0
        self.is_over = self._left == 0  # trailers are no content

    def end(self) -> bool:
        """See Body."""
        return self.is_over

    def rest(self) -> bytes:
        """See Body."""
        held, self._held = self._held, []
        return b"".join(held)


def unframed(body: bytes) -> bytes:
    """Return the content of a whole body in chunks."""
    return b"".join(Chunked().take(body))


def wire(replay: Response, speed: float) -> Iterator[tuple[float, bytes]]:
    """Yield a recorded response as a server would send it, part by part.

    With each part comes the time at which it is due, in seconds since the call; 0 for at once, which is always so
    where the speed is 0. A body that did not end well just ends.
    """
    whole = _is_whole(replay)
    yield 0.0, _head(replay.status, framed(replay))
    if not _has_body(replay.status):
        return
    for chunk in replay.chunks:
        if not chunk.data:
            continue
        data = chunk.data if whole else b"%x\r\n%b\r\n" % (len(chunk.data), chunk.data)
        yield (chunk.at / speed if speed else 0.0), data
    if not whole and replay.ending is Ending.COMPLETE:
        yield 0.0, b"0\r\n\r\n"


def framed(replay: Response) -> Headers:
    """Return the headers of a recorded response with those that say how its body is sent now."""
    headers = without_headers(replay.headers, _FRAMING)
    if not _has_body(replay.status):
        return headers
    if not _is_whole(replay):
        return (*headers, ("transfer-encoding", "chunked"))
    return (*headers, ("content-length", str(sum(len(chunk.data) for chunk in replay.chunks))))


def reason(status: int) -> str:
    """Return the phrase that goes with a status."""
    return _REASONS.get(status, "Unknown")


def _is_whole(replay: Response) -> bool:
    return not replay.is_stream and replay.ending is Ending.COMPLETE


def _has_body(status: int) -> bool:
    return status >= _FIRST_WITH_BODY and status not in {204, 304}


def _head(status: int, headers: Headers) -> bytes:
    lines = [
        f"HTTP/1.1 {status:03d} {reason(status)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    # A cassette is no trusted input: a value with a line end in it is to stay one value.
    legal = (" ".join(line.split("\r")).replace("\n", " ") for line in lines)
    return "".join(f"{line}\r\n" for line in (*legal, "")).encode("latin-1", "replace")
