"""What is under way on a connection of `http.client`: a request that is sent, played to, gathered, or left alone."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tapemeter import exchange
from tapemeter.intercept import deadline
from tapemeter.intercept.adapter import lower, sending
from tapemeter.intercept.http1 import unframed
from tapemeter.intercept.sockets import NotedFile, StandIn
from tapemeter.model import Ending, Request, header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tapemeter.exchange import Call
    from tapemeter.model import Response
    from tapemeter.owner import Owner


class _Stage:
    """A request that is nobody's business here."""

    is_decided = False
    """Whether what is sent now was decided on before."""

    def __init__(self, conn: Any) -> None:
        self.conn = conn

    def answered(self, read: Callable[[Any], Any]) -> Any:
        """Return the response; `read` reads one off the connection's socket."""
        return read(self.conn)

    def leave(self) -> None:
        """Leave the connection as it was."""


_UNDER_WAY = "_tapemeter_under_way"
"""The attribute of a connection that holds its stage; what lay beside it would have to know when it is gone."""


def _under_way(conn: Any) -> _Stage | None:
    stage: _Stage | None = vars(conn).get(_UNDER_WAY)
    return stage


def _begin(conn: Any, stage: _Stage) -> None:
    vars(conn)[_UNDER_WAY] = stage


def _end(conn: Any) -> _Stage | None:
    stage: _Stage | None = vars(conn).pop(_UNDER_WAY, None)
    return stage


def is_decided(conn: Any) -> bool:
    """Say whether what is sent through a connection now was decided on before."""
    stage = _under_way(conn)
    return stage is not None and stage.is_decided


@contextmanager
def handed_over(conn: Any, call: Call | None) -> Iterator[None]:
    """Have a connection send and answer within the block for somebody who decided on its call already.

    With None it is left alone.
    """
    stage = _Stage(conn) if call is None else _next_stage(conn, call)
    stage.is_decided = True
    _begin(conn, stage)
    try:
        yield
    finally:
        leave(conn)
        stage.leave()


def send(conn: Any, call: Call | None, transmit: Callable[[], None]) -> None:
    """Send a request that is whole, or let what plays its answer take it."""
    if call is None:
        transmit()
        return
    stage = _next_stage(conn, call)
    stage.is_decided = True
    _begin(conn, stage)
    try:
        if call.replay is not None:
            transmit()
        else:
            with sending(call), deadline.limited(call, _Waits(conn)):
                transmit()
    except BaseException:
        leave(conn)
        raise
    stage.is_decided = False


def gather(conn: Any, owner: Owner, head: Request) -> None:
    """Hold back what is sent from here on, until it is all that the head announces, or an answer is asked for."""
    _begin(conn, _Gathering(conn, owner, head))


def answered(conn: Any, read: Callable[[Any], Any]) -> Any:
    """Return the response to what was sent; `read` reads one off the connection's socket."""
    stage = _under_way(conn)
    if isinstance(stage, _Gathering):
        stage.begin()
    stage = _end(conn)
    if stage is None:
        return read(conn)
    try:
        return stage.answered(read)
    finally:
        stage.leave()


def leave(conn: Any) -> None:
    """Forget what is under way on a connection."""
    stage = _end(conn)
    if stage is not None:
        stage.leave()


def _next_stage(conn: Any, call: Call) -> _Stage:
    return _Sent(conn, call) if call.replay is None else _Playing(conn, call.owner, call.replay)


class _Sent(_Stage):
    """A request on its way to the server."""

    def __init__(self, conn: Any, call: Call) -> None:
        super().__init__(conn)
        self._call = call

    def answered(self, read: Callable[[Any], Any]) -> Any:
        conn, call, sock = self.conn, self._call, self.conn.sock
        with sending(call), deadline.limited(call, _Waits(conn)):
            response = read(conn)
        exchange.answer(call, response.status, lower(response.headers.items()))
        if response.length == 0:
            exchange.finish(call, Ending.COMPLETE)
        else:
            response.fp = NotedFile(response, call, sock, lambda: conn.close() if conn.sock is sock else None)
        return response


class _Playing(_Stage):
    """A recorded answer in the place of the connection's socket."""

    def __init__(self, conn: Any, owner: Owner, replay: Response) -> None:
        super().__init__(conn)
        conn.sock = self._stand_in = StandIn(conn.sock, replay, owner.house.replay_speed or 0.0)

    def leave(self) -> None:
        if self.conn.sock is self._stand_in:
            self.conn.sock = self._stand_in.socket


class _Gathering(_Stage):
    """A request of which only the head is there, in the place of the socket it will be sent through."""

    def __init__(self, conn: Any, owner: Owner, head: Request) -> None:
        super().__init__(conn)
        self._owner, self._request = owner, head
        self._socket, conn.sock = conn.sock, self
        self._head: bytes | None = None
        self._body = b""

    def sendall(self, data: Any) -> None:
        """Keep what is sent; begin the call once that is all that was announced."""
        if self._head is None:
            self._head = bytes(data)
            return
        self._body += bytes(data)
        length = header(self._request.headers, "content-length") or ""
        if length.isdecimal() and len(self._body) >= int(length):
            self.begin()

    def begin(self) -> None:
        """Begin the call with what was kept, and send that."""
        conn = self.conn
        leave(conn)
        chunked = header(self._request.headers, "transfer-encoding") is not None
        body = unframed(self._body) if chunked else self._body
        call = exchange.begin(self._owner, self._request.with_body(body))
        send(conn, call, lambda: conn.send((self._head or b"") + self._body))

    def leave(self) -> None:
        if self.conn.sock is self:
            self.conn.sock = self._socket

    def close(self) -> None:
        """Close the socket in whose place this stands."""
        if self._socket is not None:
            self._socket.close()


class _Waits:
    """The timeouts of a connection: of the socket it has, and of the one it would open."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self._before = conn.timeout
        self._sock = conn.sock

    def gettimeout(self) -> float | None:
        if self._sock is not None:
            timeout: float | None = self._sock.gettimeout()
            return timeout
        return self._before if isinstance(self._before, int | float) else socket.getdefaulttimeout()

    def settimeout(self, timeout: float | None) -> None:
        self._conn.timeout = timeout
        if self._conn.sock is not None:
            self._conn.sock.settimeout(timeout)
