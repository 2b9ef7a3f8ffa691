"""aiohttp's client: hooked where a session gets the connection for one request, `BaseConnector.connect`.

That is below redirects, middlewares and retries and above the connection, so replay looks up no name and makes no TLS
context. What it gets is a connection that plays the recording; or a real one, whose answer is noted. All the rest is
aiohttp's own code: cookies, traces, history, timeouts. Libraries that mock aiohttp answer above that place, and
connectors that open no connection of the library's own kinds, such as those to an app in this process, are left alone.

Clients that have aiohttp for a transport, as `openai[aiohttp]` and LiteLLM do, are recorded here and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter import exchange
from tapemeter.intercept import deadline
from tapemeter.intercept.adapter import claim, lower, missed, sending, takes
from tapemeter.intercept.hook import Hook
from tapemeter.model import Request, without_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType


class AiohttpAdapter:
    """aiohttp from 3.12 on."""

    module = "aiohttp"

    def install(self, module: ModuleType) -> Callable[[], None]:
        """Intercept every connector; InterceptionError where the library no longer sends through these methods."""
        self._check(module)
        from tapemeter.intercept import aiohttp_wire  # noqa: PLC0415 - imports aiohttp, which is there only now

        hook = Hook(module.BaseConnector, "connect", lambda connect: _connecting(aiohttp_wire, connect))
        return hook.undo

    def _check(self, module: ModuleType) -> None:
        connector = getattr(module, "BaseConnector", None)
        if not takes(connector, "connect", "self", "req", traces=[], timeout=None):
            raise missed(module, "BaseConnector.connect is gone or takes other arguments")
        for name in ("TCPConnector", "UnixConnector", "NamedPipeConnector"):
            if getattr(getattr(module, name, None), "connect", None) is not getattr(connector, "connect", None):
                raise missed(module, f"{name} connects past BaseConnector.connect")
        if not takes(getattr(module, "ClientRequest", None), "update_body", "self", b""):
            raise missed(module, "ClientRequest.update_body is gone or takes other arguments")
        protocol = getattr(getattr(module, "client_proto", None), "ResponseHandler", None)
        if not takes(protocol, "set_response_params", "self", timer=None) or not takes(protocol, "read", "self"):
            raise missed(module, "ResponseHandler.set_response_params or .read is gone or takes other arguments")
        if not getattr(protocol, "__dictoffset__", 0):
            raise missed(module, "nothing can be put before the methods of a ResponseHandler")
        if not takes(getattr(module, "StreamReader", None), "_wait", "self", "read"):
            raise missed(module, "StreamReader._wait is gone or takes other arguments")


def _connecting(wire: ModuleType, connect: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def intercepted(connector: Any, req: Any, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        head = _head(req)
        owner = claim(head) if isinstance(connector, wire.NETWORKS) else None
        if owner is None:
            return await connect(connector, req, *args, **options)
        call = exchange.begin(owner, head.with_body(await wire.whole_body(req)))
        if call is None:
            return await connect(connector, req, *args, **options)
        if call.replay is not None:
            return wire.played(connector, req, call.replay, owner.house.replay_speed)
        with sending(call):
            with deadline.scope(call) as scope:
                connection = await connect(connector, req, *args, **options)
            if scope.cancelled_caught:
                raise TimeoutError("a budget's deadline has come")
        wire.note(connection, call)
        return connection

    return intercepted


def _head(req: Any) -> Request:
    headers = lower(req.headers.items())
    if req.compress:
        headers = without_headers(headers, ["content-encoding"])  # which comes on when the body is sent
    return Request(method=req.method, url=str(req.url), headers=headers)
