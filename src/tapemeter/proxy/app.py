"""Takes a program's request, asks the provider in the name of its test, and passes the answer on as it comes.

    POST /<tenant>/<upstream>/<path as the provider has it>

The provider is asked by an httpx client, whose calls are intercepted like anyone's: whether an answer comes from a
cassette or from the provider, nothing here knows. Chunks go on as they come, in their content coding.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tapemeter import job as jobs
from tapemeter import owner as owners
from tapemeter import providers
from tapemeter.errors import Refusal, UnownedCall
from tapemeter.proxy import refusals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    import httpx

    from tapemeter.proxy.tenants import Tenant, Tenants

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

LARGEST_REQUEST = 64 * 1024 * 1024
"""Bytes of the body of a request; a longer one is refused."""

_OF_THE_CONNECTION = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers that say something of one connection, and mean nothing on the next."""
_TOO_LARGE = 413


class App:
    """The ASGI application of the proxy."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or go along with the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await _Exchange(scope, receive, send).answer(self._tenants, self._asking())

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                if self._client is not None:
                    await self._client.aclose()
                return

    def _asking(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx  # noqa: PLC0415 - where it is imported first, it is intercepted

            self._client = httpx.AsyncClient(
                timeout=None,  # noqa: S113 - the program's own client has timeouts, and hangs up  # type: ignore[arg-type]
                trust_env=False,
                follow_redirects=False,
                verify=ssl.create_default_context(),
            )
            self._client.headers.clear()
        return self._client


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._started = False
        _, self._token, self._upstream, *rest = [*scope["raw_path"].decode("latin-1").split("/", 3), "", "", ""][:4]
        self._path = rest[0]

    async def answer(self, tenants: Tenants, client: httpx.AsyncClient) -> None:
        tenant = tenants.of(self._token)
        if tenant is None:
            await self._fail(refusals.NOT_FOUND, "not_found", "this URL belongs to no test that is running")
            return
        try:
            await self._ask(tenant, client)
        except Refusal as refusal:
            # It is on record with the test, which fails for it, whatever the program makes of this.
            await self._fail(refusals.status_of(refusal), refusal.slug.replace("-", "_"), str(refusal))

    async def _ask(self, tenant: Tenant, client: httpx.AsyncClient) -> None:
        import httpx  # noqa: PLC0415 - see App

        upstream = tenant.upstreams.get(self._upstream)
        if upstream is None:
            known = ", ".join(sorted(tenant.upstreams))
            await self._fail(refusals.NOT_FOUND, "not_found", f"there is no upstream here; the upstreams are {known}")
            return
        if tenant.owner.closed:
            refusal = UnownedCall(f"{tenant.owner.label} is over; a program that it started still makes calls: end it")
            raise refusal
        body = await self._body()
        if body is None:
            return
        owners.bind(tenant.owner)
        jobs.bind_steps(tenant.steps)
        query = self._scope["query_string"].decode("latin-1")
        url = f"{upstream.address}/{self._path}{'?' if query else ''}{query}"
        headers = [(name, value) for name, value in self._scope["headers"] if name not in _OF_THE_CONNECTION]
        request = httpx.Request(self._scope["method"], url, headers=headers, content=body or None)
        try:
            response = await client.send(request, stream=True)
        except httpx.HTTPError as error:
            await self._fail(refusals.BAD_GATEWAY, "connection", f"{upstream.name} does not answer: {error}")
            return
        try:
            await self._pass_on(response)
        finally:
            await response.aclose()

    async def _pass_on(self, response: httpx.Response) -> None:
        import httpx  # noqa: PLC0415 - see App

        await self._start(response.status_code, (pair for pair in response.headers.raw))
        with suppress(httpx.HTTPError):  # the program sees an answer that breaks off, as we did
            async for chunk in response.aiter_raw():
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _body(self) -> bytes | None:
        parts, size, more = [], 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > LARGEST_REQUEST:
                words = f"the request is longer than {LARGEST_REQUEST:,} bytes"
                await self._fail(_TOO_LARGE, "request_too_large", words)
                return None
            more = message.get("more_body", False)
        return b"".join(parts)

    async def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._started = True
        kept = [(name.lower(), value) for name, value in headers if name.lower() not in _OF_THE_CONNECTION]
        await self._send({"type": "http.response.start", "status": status, "headers": kept})

    async def _fail(self, status: int, kind: str, message: str) -> None:
        """Answer with an error; an answer that has begun breaks off instead."""
        if self._started:
            return
        await self._start(status, refusals.HEADERS)
        body = providers.error_body(self._upstream, status, kind, message)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
