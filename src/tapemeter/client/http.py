"""A model server over HTTP: OpenAI-compatible, or Anthropic's messages; for code that waits and code that awaits.

Both kinds of code share all rules, in `calls`; here is only how httpx is asked, and how its waits are cut.
"""

from __future__ import annotations

import threading
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, cast

from tapemeter.client.calls import Call
from tapemeter.client.retry import Tries

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from decimal import Decimal

    import httpx

    from tapemeter.client.config import Endpoint, Retries, Timeouts
    from tapemeter.client.request import ModelRequest
    from tapemeter.client.result import Answer, Delta
    from tapemeter.model import Headers


_LEAST_WAIT = 0.001
"""Seconds."""


class HttpProvider:
    """Answers by asking a server. Safe for threads and tasks.

    A `transport` takes the place of httpx's own, for both kinds of code. Connections are kept for code that waits;
    for code that awaits only between `keep` and `aclose`, since they belong to one event loop.

    Of the timeouts, all are exact for code that awaits. For code that waits they are looked at with every chunk, and a
    silent server is noticed after the longest that may hold: while it streams, the longer of `first_chunk` and `idle`.
    """

    def __init__(
        self, endpoint: Endpoint, *, timeouts: Timeouts, retries: Retries, name: str = "real", transport: Any = None
    ) -> None:
        self.endpoint, self.timeouts, self.retries = endpoint, timeouts, retries
        self._name, self._transport = name, transport
        self._client: httpx.Client | None = None
        self._async_client: httpx.AsyncClient | None = None
        self._keeper = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{self.name} at {self.endpoint.base_url}>"

    @property
    def name(self) -> str:
        """What results call it."""
        return self._name

    def call(self, request: ModelRequest, attempt: int, *, stream: bool, began: float) -> Call:
        """Return one exchange for a request, the `attempt`th at it, from 1; the first `began` then."""
        return Call(self, request, attempt, stream=stream, began=began)

    def facts(self, answer: Answer, headers: Headers, gateway_usd: Decimal | None) -> Answer:
        """Return an answer with what the server's headers say of it."""
        del headers, gateway_usd
        return answer

    def complete(self, request: ModelRequest) -> Answer:
        """Return the answer; ProviderError where there is none."""
        tries = Tries(self.retries, self.timeouts.total)
        for again in tries:
            with again:
                call = self.call(request, again.num, stream=False, began=tries.began)
                with self._sent(call) as chunks:
                    for chunk in chunks:
                        call.take(chunk)
                return call.answer()
        raise AssertionError

    async def acomplete(self, request: ModelRequest) -> Answer:
        """Return the answer; ProviderError where there is none."""
        tries = Tries(self.retries, self.timeouts.total)
        async for again in tries:
            with again:
                call = self.call(request, again.num, stream=False, began=tries.began)
                async with self._asent(call) as chunks:
                    async for chunk in chunks:
                        call.take(chunk)
                return call.answer()
        raise AssertionError

    def stream(self, request: ModelRequest) -> Iterator[Delta | Answer]:
        """Yield the answer piece by piece, then as a whole; ProviderError where it does not come, or breaks off."""
        with ExitStack() as open_until_read:
            call, chunks = self._opened(request, open_until_read)
            for chunk in chunks:
                yield from call.take(chunk)
        yield call.answer()

    async def astream(self, request: ModelRequest) -> AsyncIterator[Delta | Answer]:
        """Yield the answer piece by piece, then as a whole; errors as `stream`."""
        async with AsyncExitStack() as open_until_read:
            call, chunks = await self._aopened(request, open_until_read)
            async for chunk in chunks:
                for piece in call.take(chunk):
                    yield piece
        yield call.answer()

    def close(self) -> None:
        """Let go of connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Let go of connections, from async code."""
        self.close()
        client, self._async_client = self._async_client, None
        if client is not None:
            await client.aclose()

    def keep(self) -> None:
        """Keep connections of this thread's async code open, until `aclose`."""
        if self._async_client is None:
            import httpx  # noqa: PLC0415 - where it is imported first, it is intercepted

            self._async_client = httpx.AsyncClient(**self._settings())
            self._keeper = threading.get_ident()

    def _opened(self, request: ModelRequest, stack: ExitStack) -> tuple[Call, Iterator[bytes]]:
        """Return a stream that has begun to be answered; it is tried again until then, and never after."""
        tries = Tries(self.retries, self.timeouts.total)
        for again in tries:
            with again:
                call = self.call(request, again.num, stream=True, began=tries.began)
                return call, stack.enter_context(self._sent(call))
        raise AssertionError

    async def _aopened(self, request: ModelRequest, stack: AsyncExitStack) -> tuple[Call, AsyncIterator[bytes]]:
        """Return a stream that has begun to be answered, as `_opened` does."""
        tries = Tries(self.retries, self.timeouts.total)
        async for again in tries:
            with again:
                call = self.call(request, again.num, stream=True, began=tries.began)
                return call, await stack.enter_async_context(self._asent(call))
        raise AssertionError

    @contextmanager
    def _sent(self, call: Call) -> Iterator[Iterator[bytes]]:
        import httpx  # noqa: PLC0415 - as above

        with self._lock:
            if self._client is None:
                self._client = httpx.Client(**self._settings())
            client = self._client
        request = client.build_request("POST", call.url, headers=call.headers, content=call.body)
        waits = request.extensions["timeout"] = {
            "connect": self.timeouts.connect,
            "pool": self.timeouts.connect,
            "write": _waitable(call.waits.for_headers[0]),
            "read": _waitable(call.waits.for_headers[0]),
        }
        with call.telling(httpx):
            response = client.send(request, stream=True)
            try:
                call.begin(response.status_code, response.headers.raw)
                waits["read"] = _waitable(call.waits.for_any_chunk)  # a blocking read is told once, for the whole body
                if call.failed:
                    for chunk in response.iter_bytes():
                        call.take(chunk)
                    raise call.error()
                yield response.iter_bytes()
            finally:
                response.close()

    @asynccontextmanager
    async def _asent(self, call: Call) -> AsyncIterator[AsyncIterator[bytes]]:
        import httpx  # noqa: PLC0415 - as above

        async with self._asking(httpx) as client:
            request = client.build_request("POST", call.url, headers=call.headers, content=call.body)
            request.extensions["timeout"] = dict.fromkeys(("connect", "pool"), self.timeouts.connect)
            with call.telling(httpx):
                response = await call.within(client.send(request, stream=True), call.waits.for_headers)
                try:
                    call.begin(response.status_code, response.headers.raw)
                    async with aclosing(_each(call, response)) as chunks:
                        if call.failed:
                            async for chunk in chunks:
                                call.take(chunk)
                            raise call.error()
                        yield chunks
                finally:
                    await response.aclose()

    @asynccontextmanager
    async def _asking(self, httpx: Any) -> AsyncIterator[httpx.AsyncClient]:
        if self._async_client is not None and self._keeper == threading.get_ident():
            yield self._async_client
        else:
            async with httpx.AsyncClient(**self._settings()) as client:
                yield client

    def _settings(self) -> dict[str, Any]:
        return {"transport": self._transport, "follow_redirects": False, "timeout": None}


def _waitable(seconds: float | None) -> float | None:
    """Return a time for which a socket can wait: none of it, or less, would be an error of another kind."""
    return None if seconds is None else max(seconds, _LEAST_WAIT)


async def _each(call: Call, response: httpx.Response) -> AsyncGenerator[bytes]:
    async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_bytes())) as chunks:
        while True:
            chunk = await call.within(anext(chunks, None), call.waits.for_chunk)
            if chunk is None:
                return
            yield chunk
