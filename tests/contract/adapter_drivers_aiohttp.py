"""Drivers of aiohttp: by itself, and as the transport of httpx."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
from adapter_drivers import BODY, AsyncDriver, Form, Heard, driver, file, in_parts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from adapter_drivers import Ask


async def _aparts() -> AsyncIterator[bytes]:
    for part in in_parts():
        yield part


def _multipart() -> aiohttp.FormData:
    form = aiohttp.FormData({"model": "m"})
    form.add_field("file", b"RIFF", filename="a.wav")
    return form


FORMS: dict[str, Callable[[], Form]] = {
    "bytes": lambda: Form({"data": BODY}),
    "bytearray": lambda: Form({"data": bytearray(BODY)}),
    "str": lambda: Form({"data": BODY.decode()}),
    "json": lambda: Form({"json": {"model": "m", "messages": []}}, b'{"model": "m", "messages": []}', {}),
    "form": lambda: Form({"data": {"model": "m"}}, b"model=m", {}),
    "multipart": lambda: Form({"data": _multipart()}, None, {}),
    "file": lambda: Form({"data": file()}),
    "iterator": lambda: Form({"data": _aparts()}),
    "chunked": lambda: Form({"data": BODY, "chunked": True}),
    "compressed": lambda: Form({"data": BODY, "compress": "gzip"}, None),
    "nothing": lambda: Form({}, b"", {}),
}


@driver
class Aiohttp(AsyncDriver):
    name = "aiohttp"
    modules = ("aiohttp",)
    can = frozenset({"cancel", "decode", "follow", "pieces", "proxy"})
    timeouts = (aiohttp.SocketTimeoutError,)
    breaks = (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
    forms = FORMS

    async def open(self) -> None:
        self._client = aiohttp.ClientSession()

    async def close(self) -> None:
        await self._client.close()

    async def aask(self, ask: Ask, heard: Heard) -> None:
        options: dict[str, Any] = {"data": ask.body} if ask.form is None else dict(ask.form.given)
        trusted = ssl.create_default_context(cafile=ask.ca) if ask.ca else False
        async with self._client.request(
            ask.method,
            ask.url,
            **options,
            headers=ask.headers if ask.form is None else ask.form.headers,
            allow_redirects=ask.follow,
            proxy=ask.proxy,
            ssl=trusted,
            timeout=aiohttp.ClientTimeout(sock_read=ask.timeout),
        ) as response:
            heard.begin(response.status, response.headers, response.url)
            if not ask.stream:
                heard.take(ask, await response.read())
                return
            async for piece in response.content.iter_any():
                if not heard.take(ask, piece):
                    return
