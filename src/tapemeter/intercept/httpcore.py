"""httpx and httpx2: hooked where all their network transports meet, the connection pools of httpcore.

Every client, transport, proxy and mount sends through `ConnectionPool.handle_request` or its async twin;
in-process transports (mock, ASGI, WSGI) never get there. Libraries that mock httpx hook the same place or a
higher one later than we do, so what they answer never reaches us. See docs/decisions/0002-where-to-intercept.md.
"""

from __future__ import annotations

import importlib
import inspect
import time
from typing import TYPE_CHECKING, Any

from tapemeter import exchange
from tapemeter.errors import BudgetStopped
from tapemeter.intercept import deadline
from tapemeter.intercept.adapter import GRACE, claim, missed, raise_ending, reading, sending, takes
from tapemeter.intercept.hook import Hook
from tapemeter.model import Ending, Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager
    from types import ModuleType

    from tapemeter.exchange import Call
    from tapemeter.owner import Owner


class HttpcoreAdapter:
    """httpcore under httpx, or httpcore2 under httpx2: two copies of one library."""

    def __init__(self, module: str) -> None:
        self.module = module

    def install(self, module: ModuleType) -> Callable[[], None]:
        """Intercept both pools; InterceptionError where the library no longer sends through them."""
        self._check(module)
        backend = importlib.import_module(f"{self.module}._backends.sync")
        hooks = [
            Hook(module.ConnectionPool, "handle_request", lambda send: _sync(module, send)),
            Hook(module.AsyncConnectionPool, "handle_async_request", lambda send: _async(module, send)),
            *deadline.hooks(backend),
        ]

        def undo() -> None:
            for hook in reversed(hooks):
                hook.undo()

        return undo

    def _check(self, module: ModuleType) -> None:
        for method, pool, subclasses in (
            ("handle_request", "ConnectionPool", ("HTTPProxy", "SOCKSProxy")),
            ("handle_async_request", "AsyncConnectionPool", ("AsyncHTTPProxy", "AsyncSOCKSProxy")),
        ):
            send = getattr(getattr(module, pool, None), method, None)
            if not takes(getattr(module, pool, None), method, "self", "request"):
                raise missed(module, f"{pool}.{method}(request) is gone or takes other arguments")
            for name in subclasses:
                # Without the optional socksio the SOCKS classes are stand-ins that cannot send.
                if getattr(getattr(module, name, None), method, send) is not send:
                    raise missed(module, f"{name}.{method} sends past {pool}.{method}")
        backend = importlib.import_module(f"{self.module}._backends.sync")
        for name, method in deadline.WAITS:
            wait = getattr(getattr(backend, name, None), method, None)
            if wait is None or "timeout" not in inspect.signature(wait).parameters:
                raise missed(module, f"{name}.{method}(timeout=…) is gone, so a deadline could not cut it")


class TransportCheck:
    """httpx or httpx2 itself: not hooked, but its transports must send through the pools that are."""

    def __init__(self, module: str, core: str) -> None:
        self.module, self._core = module, core

    def install(self, module: ModuleType) -> Callable[[], None]:
        """Look at one transport of each kind; InterceptionError where it holds no pool of httpcore."""
        core = importlib.import_module(self._core)
        for name, pool in (("HTTPTransport", "ConnectionPool"), ("AsyncHTTPTransport", "AsyncConnectionPool")):
            transport = getattr(module, name)(verify=False)
            if not isinstance(getattr(transport, "_pool", None), getattr(core, pool)):
                raise missed(module, f"{name} no longer sends through {self._core}.{pool}")
        return lambda: None


def _sync(module: ModuleType, send: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def handle_request(pool: Any, request: Any) -> Any:
        __tracebackhide__ = True
        head = _head(request)
        owner = claim(head)
        if owner is None:
            return send(pool, request)
        body = b"".join(request.stream)
        request.stream = _Bytes(body)
        call = exchange.begin(owner, head.with_body(body))
        if call is None:
            return send(pool, request)
        if call.replay is not None:
            return _played(module, call.replay, _SyncPlayed(module, owner, call.replay))
        with sending(call), deadline.waiting(call):
            response = send(pool, request)
        exchange.answer(call, response.status, _text_headers(response.headers))
        response.stream = _SyncTee(module, response.stream, call)
        return response

    return handle_request


def _async(module: ModuleType, send: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def handle_async_request(pool: Any, request: Any) -> Any:
        __tracebackhide__ = True
        head = _head(request)
        owner = claim(head)
        if owner is None:
            return await send(pool, request)
        body = b"".join([part async for part in request.stream])
        request.stream = _Bytes(body)
        call = exchange.begin(owner, head.with_body(body))
        if call is None:
            return await send(pool, request)
        if call.replay is not None:
            return _played(module, call.replay, _AsyncPlayed(module, owner, call.replay))
        response: Any = None
        with sending(call):
            with deadline.scope(call) as scope:
                response = await send(pool, request)
            if scope.cancelled_caught:
                raise module.ReadTimeout("a budget's deadline has come")
        exchange.answer(call, response.status, _text_headers(response.headers))
        response.stream = _AsyncTee(module, response.stream, call)
        return response

    return handle_async_request


def _head(request: Any) -> Request:
    url = request.url
    host = url.host.decode("ascii")
    port = "" if url.port is None else f":{url.port}"
    scheme, target = url.scheme.decode("ascii"), url.target.decode("latin-1")
    return Request(
        method=request.method.decode("ascii"),
        url=f"{scheme}://{f'[{host}]' if ':' in host else host}{port}{target}",
        headers=_text_headers(request.headers),
    )


def _text_headers(raw: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw)


def _played(module: ModuleType, replay: Response, stream: Any) -> Any:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in replay.headers]
    if not replay.is_stream and replay.ending is Ending.COMPLETE:
        headers.append((b"content-length", b"%d" % sum(len(chunk.data) for chunk in replay.chunks)))
    return module.Response(
        status=replay.status, headers=headers, content=stream, extensions={"http_version": b"HTTP/1.1"}
    )


class _Bytes:
    """A request body that was read, for both kinds of pool."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        yield self._data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data


class _Played:
    """A recorded body on its way to the caller, with the pauses that the replay speed asks for."""

    def __init__(self, module: ModuleType, owner: Owner, replay: Response) -> None:
        self._module = module
        self._replay = replay
        self._speed = owner.house.replay_speed

    def _pauses(self) -> Iterator[tuple[float, bytes]]:
        """Yield each chunk with the time since the call at which it is due, 0 for at once."""
        speed = self._speed
        for chunk in self._replay.chunks:
            yield (chunk.at / speed if speed else 0.0), chunk.data

    def _check_ending(self) -> None:
        """Do what happened at the end of the recorded body, if that was no proper end."""
        timeout, broken = self._module.ReadTimeout, self._module.RemoteProtocolError
        raise_ending(self._replay, timeout=timeout, broken=broken)


class _SyncPlayed(_Played):
    def __iter__(self) -> Iterator[bytes]:
        started = time.perf_counter()
        for due, data in self._pauses():
            if due:
                time.sleep(max(0.0, started + due - time.perf_counter()))
            yield data
        self._check_ending()

    def close(self) -> None:
        """Nothing is held open."""


class _AsyncPlayed(_Played):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        started = time.perf_counter()
        for due, data in self._pauses():
            if due:
                import anyio  # noqa: PLC0415 - only a paced replay needs to sleep, and httpx depends on anyio

                await anyio.sleep(max(0.0, started + due - time.perf_counter()))
            yield data
        if self._replay.ending is Ending.CANCELLED:
            import anyio  # noqa: PLC0415 - as above

            # Whoever was cancelled here is about to be again; without end waits only who changed since.
            await anyio.sleep(max(0.0, started + self._replay.total - time.perf_counter()) + GRACE)
        self._check_ending()

    async def aclose(self) -> None:
        """Nothing is held open."""


def _reading(module: ModuleType, call: Call) -> AbstractContextManager[None]:
    return reading(call, timeouts=(module.TimeoutException,), breaks=(module.NetworkError, module.ProtocolError))


class _SyncTee:
    """A response body on its way to the caller, each chunk noted as it passes."""

    def __init__(self, module: ModuleType, stream: Any, call: Call) -> None:
        self._module, self._stream, self._call = module, stream, call

    def __iter__(self) -> Iterator[bytes]:
        try:
            with _reading(self._module, self._call):
                chunks = iter(self._stream)
                while (data := self._next(chunks)) is not None:
                    exchange.feed(self._call, data)
                    yield data
            exchange.finish(self._call, Ending.COMPLETE)
        except BudgetStopped:
            self.close()
            raise

    def _next(self, chunks: Iterator[bytes]) -> bytes | None:
        with deadline.waiting(self._call):
            return next(chunks, None)

    def close(self) -> None:
        """Close the connection's stream; a body that was not read to its end stays a partial recording."""
        try:
            if hasattr(self._stream, "close"):
                self._stream.close()
        finally:
            exchange.finish(self._call, Ending.ABANDONED)


class _AsyncTee:
    """The same for async callers."""

    def __init__(self, module: ModuleType, stream: Any, call: Call) -> None:
        self._module, self._stream, self._call = module, stream, call

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            with _reading(self._module, self._call):
                chunks = aiter(self._stream)
                while (data := await self._next(chunks)) is not None:
                    exchange.feed(self._call, data)
                    yield data
            exchange.finish(self._call, Ending.COMPLETE)
        except BudgetStopped:
            await self.aclose()
            raise

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        with deadline.scope(self._call) as scope:
            return await anext(chunks, None)
        if scope.cancelled_caught:
            raise self._module.ReadTimeout("a budget's deadline has come")
        return None

    async def aclose(self) -> None:
        """Close the connection's stream; a body that was not read to its end stays a partial recording."""
        try:
            if hasattr(self._stream, "aclose"):
                await self._stream.aclose()
        finally:
            exchange.finish(self._call, Ending.ABANDONED)
