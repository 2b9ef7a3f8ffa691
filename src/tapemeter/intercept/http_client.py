"""`http.client` and thus `urllib.request`: hooked where a connection sends a request, and where it reads the answer.

Both are methods of `HTTPConnection`; a connection is only made in between, when there is something to send. A request
may come in parts; it is held back until it is whole. An answer is read by the library's own code, off the wire or off
a stand-in for the socket that plays the recording, so it is what the library makes of it in every detail.

urllib3 has connections of the same class, and an adapter of its own that sees a call earlier; it hands over the calls
that it began. See docs/decisions/0012-one-layer-for-each-client.md.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from tapemeter import exchange
from tapemeter.intercept import stages
from tapemeter.intercept.adapter import address, claim, lower, missed, takes
from tapemeter.intercept.hook import Hook
from tapemeter.model import Request, header

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tapemeter.errors import InterceptionError

HTTPS_PORT = 443


class HttpClientAdapter:
    """The client of Python's standard library."""

    module = "http.client"

    def install(self, module: ModuleType) -> Callable[[], None]:
        """Intercept every connection; InterceptionError where the library no longer sends through these methods."""
        connection = getattr(module, "HTTPConnection", None)
        for name, arguments in (("_send_output", ("self", "body", True)), ("getresponse", ("self",))):
            if not takes(connection, name, *arguments):
                raise _missed(module, f"HTTPConnection.{name} is gone or takes other arguments")
        if not isinstance(getattr(module.HTTPConnection("localhost"), "_buffer", None), list):
            raise _missed(module, "HTTPConnection no longer gathers a request's head in `_buffer`")
        hooks = [
            Hook(module.HTTPConnection, "_send_output", _sending),
            Hook(module.HTTPConnection, "getresponse", _answering),
        ]

        def undo() -> None:
            for hook in reversed(hooks):
                hook.undo()

        return undo


def _missed(module: ModuleType, what: str) -> InterceptionError:
    return missed(module, what, version=f"of Python {platform.python_version()}")


def _sending(send: Callable[..., None]) -> Callable[..., None]:
    def _send_output(conn: Any, message_body: Any = None, encode_chunked: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's own signature
        __tracebackhide__ = True
        if stages.is_decided(conn):
            send(conn, message_body, encode_chunked)
            return
        stages.leave(conn)
        try:
            head = _head(conn)
            owner = claim(head)
            if owner is None:
                send(conn, message_body, encode_chunked)
                return
            if message_body is None and _announces_body(head):
                stages.gather(conn, owner, head)
                send(conn, None, encode_chunked)
                return
            body = None if message_body is None else _whole(message_body)
            call = exchange.begin(owner, head.with_body(body or b""))
            stages.send(conn, call, lambda: send(conn, body, encode_chunked))
        except BaseException:
            del conn._buffer[:]  # noqa: SLF001 - else the next request would begin with this one's head
            raise

    return _send_output


def _answering(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def getresponse(conn: Any) -> Any:
        __tracebackhide__ = True
        return stages.answered(conn, read)

    return getresponse


def _head(conn: Any) -> Request:
    """Return the request whose head the connection has gathered, still without a body."""
    first, *lines = [line if isinstance(line, bytes) else line.encode("latin-1") for line in conn._buffer]  # noqa: SLF001 - nowhere else is it whole
    method, _, target = first.decode("latin-1").rpartition(" ")[0].partition(" ")
    pairs = (line.decode("latin-1").replace("\r\n", "").partition(":") for line in lines)
    scheme, host, port = ("https" if conn.default_port == HTTPS_PORT else "http"), conn.host, conn.port
    if conn._tunnel_host:  # noqa: SLF001 - set by the public `set_tunnel`
        host, port = conn._tunnel_host, conn._tunnel_port  # noqa: SLF001
    return Request(
        method=method,
        url=address(scheme, host, port if port != conn.default_port else None, target),
        headers=lower((name, value.strip()) for name, _, value in pairs),
    )


def _announces_body(head: Request) -> bool:
    length = header(head.headers, "content-length")
    return header(head.headers, "transfer-encoding") is not None or (length is not None and length != "0")


def _whole(body: Any) -> bytes:
    """Return all of a body: bytes, a file, or what yields bytes; text of a file is sent as Latin-1."""
    if body is None:
        return b""
    if hasattr(body, "read"):
        data = body.read()
        return data.encode("latin-1") if isinstance(data, str) else bytes(data)
    try:
        return bytes(memoryview(body))
    except TypeError:
        return b"".join(body)
