"""urllib3 and thus requests and botocore: hooked where a connection pool makes one attempt at a request.

`HTTPConnectionPool._make_request` is below retries and redirects and above the connection, which is only made inside of
it; all pools send through it. The answer is noted, or played, by what `http.client` has for that, of which urllib3's
connections are a kind. Connections that answer by themselves, as libraries that mock have them, are left alone; what
they send with `http.client` after all is seen there.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tapemeter import exchange
from tapemeter.intercept import stages
from tapemeter.intercept.adapter import address, claim, lower, missed, sending, takes
from tapemeter.intercept.hook import Hook
from tapemeter.model import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from tapemeter.exchange import Call


class Urllib3Adapter:
    """urllib3 from version 2 on."""

    module = "urllib3"

    def install(self, module: ModuleType) -> Callable[[], None]:
        """Intercept every pool; InterceptionError where the library no longer sends through these methods."""
        pool, secure = (getattr(module, name, None) for name in ("HTTPConnectionPool", "HTTPSConnectionPool"))
        options: dict[str, Any] = {"body": None, "headers": {}, "timeout": None, "chunked": False, "retries": None}
        if not takes(pool, "_make_request", "self", "conn", "GET", "/", **options, response_conn=None):
            raise missed(module, "HTTPConnectionPool._make_request is gone or takes other arguments")
        if getattr(secure, "_make_request", None) is not getattr(pool, "_make_request", None):
            raise missed(module, "HTTPSConnectionPool sends past HTTPConnectionPool._make_request")
        if not takes(secure, "_prepare_proxy", "self", "conn"):
            raise missed(module, "HTTPSConnectionPool._prepare_proxy is gone or takes other arguments")
        tunnels = _Tunnels()
        hooks = [
            Hook(module.HTTPConnectionPool, "_make_request", lambda send: _attempting(module, tunnels, send)),
            Hook(module.HTTPSConnectionPool, "_prepare_proxy", lambda prepare: _preparing(tunnels, prepare)),
        ]

        def undo() -> None:
            for hook in reversed(hooks):
                hook.undo()

        return undo


_Tunnels = WeakKeyDictionary[Any, "Callable[[], None]"]
"""What a connection has still to do before it can reach its host through a proxy."""


def _preparing(tunnels: _Tunnels, prepare: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def _prepare_proxy(pool: Any, conn: Any) -> None:
        tunnels[conn] = partial(prepare, pool, conn)  # replay needs no proxy

    return _prepare_proxy


def _attempting(module: ModuleType, tunnels: _Tunnels, send: Callable[..., Any]) -> Callable[..., Any]:
    def _make_request(pool: Any, conn: Any, method: str, url: str, **options: Any) -> Any:
        __tracebackhide__ = True

        def make(call: Call | None) -> Any:
            tunnel = tunnels.pop(conn, None)
            if tunnel is not None and (call is None or call.replay is None):
                tunnel()
            with stages.handed_over(conn, call):
                return send(pool, conn, method, url, **options)

        if stages.is_decided(conn) or not _is_plain(module, conn):  # by a session within this one
            tunnels.pop(conn, lambda: None)()
            return send(pool, conn, method, url, **options)
        head = _head(pool, method, url, options.get("headers"))
        owner = claim(head)
        if owner is None:
            return make(None)
        body, options["body"] = _read(options.get("body"))
        call = exchange.begin(owner, head.with_body(body), attempt=_attempt(options.get("retries")))
        if call is None:
            return make(None)
        options["headers"] = _without_expect(options.get("headers"))
        if call.replay is not None:
            return _playing(conn, partial(make, call))
        _shorten(pool, options, call)
        with sending(call):
            return make(call)

    return _make_request


def _is_plain(module: ModuleType, conn: Any) -> bool:
    """Say whether answers of a connection are read by the library's own code, wrapped by somebody else or not."""
    reads = next((kind for kind in type(conn).__mro__ if "getresponse" in vars(kind)), object)
    return reads.__module__ == str(module.connection.__name__)


def _playing(conn: Any, make: Callable[[], Any]) -> Any:
    verified = conn.is_verified
    conn.is_verified = True  # nothing is sent that a warning could be about
    try:
        return make()
    finally:
        conn.is_verified = verified


def _shorten(pool: Any, options: dict[str, Any], call: Call) -> None:
    """Have the attempt wait no longer than its budget allows."""
    patience = exchange.patience(call)
    if patience is None:
        return
    timeout = pool._get_timeout(options.get("timeout")).clone()  # noqa: SLF001 - what the pool itself does with it
    given = timeout.total if isinstance(timeout.total, int | float) else patience  # else none, or the sockets' own
    timeout.total = min(given, patience)
    options["timeout"] = timeout


def _head(pool: Any, method: str, url: str, headers: Mapping[Any, Any] | None) -> Request:
    port = pool.port if pool.port != pool.ConnectionCls.default_port else None
    lines = ((_text(name), _text(value)) for name, value in (headers or {}).items())
    return Request(method=method, url=address(pool.scheme, pool.host, port, url), headers=lower(lines))


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _read(body: Any) -> tuple[bytes, Any]:
    """Return all of a body, and what is to be sent in its place so that it is framed as before."""
    if body is None:
        return b"", None
    if isinstance(body, str):
        return body.encode(), body
    if hasattr(body, "read"):
        data = body.read()
        whole = data.encode() if isinstance(data, str) else bytes(data)
        return whole, io.BytesIO(whole)
    try:
        return bytes(memoryview(body)), body
    except TypeError:
        whole = b"".join(part.encode() if isinstance(part, str) else bytes(part) for part in body)
        return whole, iter([whole])


def _attempt(retries: Any) -> int:
    """Return how often the request was tried before, at the place to which it was last redirected."""
    history = getattr(retries, "history", ())
    redirects = [place for place, entry in enumerate(history, 1) if entry.redirect_location]
    return len(history) - (redirects[-1] if redirects else 0)


def _without_expect(headers: Any) -> Any:
    """Return the headers without the wish to be told to go on; botocore would listen for that on the socket itself."""
    if not any(_text(name).lower() == "expect" for name in headers or ()):
        return headers
    return {name: value for name, value in headers.items() if _text(name).lower() != "expect"}
