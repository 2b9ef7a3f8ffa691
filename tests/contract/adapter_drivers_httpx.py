"""Drivers of httpx and httpx2, sync and async."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import httpx2
from adapter_drivers import BODY, AsyncDriver, Form, Heard, SyncDriver, driver, file, in_parts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from types import ModuleType

    from adapter_drivers import Ask


async def _aparts() -> AsyncIterator[bytes]:
    for part in in_parts():
        yield part


FORMS: dict[str, Callable[[], Form]] = {
    "bytes": lambda: Form({"content": BODY}),
    "str": lambda: Form({"content": BODY.decode()}),
    "json": lambda: Form({"json": {"model": "m", "messages": []}}, b'{"model":"m","messages":[]}', {}),
    "form": lambda: Form({"data": {"model": "m"}}, b"model=m", {}),
    "multipart": lambda: Form({"data": {"model": "m"}, "files": {"file": ("a.wav", b"RIFF")}}, None, {}),
    "nothing": lambda: Form({}, b"", {}),
}
SYNC_FORMS = {
    "file": lambda: Form({"content": file()}),
    "iterator": lambda: Form({"content": in_parts()}),
}
ASYNC_FORMS = {
    "iterator": lambda: Form({"content": _aparts()}),
}


def _trusting(ask: Ask) -> Any:
    return ssl.create_default_context(cafile=ask.ca) if ask.ca else False


def _options(ask: Ask) -> dict[str, Any]:
    given = {"content": ask.body} if ask.form is None else dict(ask.form.given)
    headers = ask.headers if ask.form is None else ask.form.headers
    return {**given, "headers": dict(headers), "timeout": ask.timeout, "follow_redirects": ask.follow}


class _Sync(SyncDriver):
    library: ClassVar[ModuleType]
    can = frozenset({"decode", "follow", "pieces", "proxy", "reconnect"})
    forms = FORMS | SYNC_FORMS

    def __enter__(self) -> Any:
        self._client = self.library.Client(verify=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, ask: Ask, heard: Heard | None = None) -> Heard:
        heard = Heard() if heard is None else heard
        if ask.proxy is not None or ask.ca is not None:
            with self._another(ask) as client:
                self._read(client, ask, heard)
        else:
            self._read(self._client, ask, heard)
        return heard

    def _another(self, ask: Ask) -> Any:
        return self.library.Client(proxy=ask.proxy, verify=_trusting(ask))

    def _read(self, client: Any, ask: Ask, heard: Heard) -> None:
        with client.stream(ask.method, ask.url, **_options(ask)) as response:
            heard.begin(response.status_code, response.headers.multi_items(), response.url)
            if not ask.stream:
                heard.take(ask, response.read())
                return
            for piece in response.iter_bytes():
                if not heard.take(ask, piece):
                    return


class _Async(AsyncDriver):
    library: ClassVar[ModuleType]
    can = frozenset({"cancel", "decode", "follow", "pieces", "proxy", "reconnect"})
    forms: ClassVar[Mapping[str, Callable[[], Form]]] = FORMS | ASYNC_FORMS

    async def open(self) -> None:
        self._client = self.library.AsyncClient(verify=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def aask(self, ask: Ask, heard: Heard) -> None:
        if ask.proxy is not None or ask.ca is not None:
            async with self.library.AsyncClient(proxy=ask.proxy, verify=_trusting(ask)) as client:
                await self._read(client, ask, heard)
        else:
            await self._read(self._client, ask, heard)

    async def _read(self, client: Any, ask: Ask, heard: Heard) -> None:
        async with client.stream(ask.method, ask.url, **_options(ask)) as response:
            heard.begin(response.status_code, response.headers.multi_items(), response.url)
            if not ask.stream:
                heard.take(ask, await response.aread())
                return
            async for piece in response.aiter_bytes():
                if not heard.take(ask, piece):
                    return


@driver
class Httpx(_Sync):
    name = "httpx"
    modules = ("httpcore", "httpx")
    library = httpx
    timeouts = (httpx.TimeoutException,)
    breaks = (httpx.NetworkError, httpx.ProtocolError)


@driver
class Httpx2(_Sync):
    name = "httpx2"
    modules = ("httpcore2", "httpx2")
    library = httpx2
    timeouts = (httpx2.TimeoutException,)
    breaks = (httpx2.NetworkError, httpx2.ProtocolError)


@driver
class HttpxAsync(_Async):
    name = "httpx-async"
    modules = ("httpcore", "httpx")
    library = httpx
    timeouts = (httpx.TimeoutException,)
    breaks = (httpx.NetworkError, httpx.ProtocolError)


@driver
class Httpx2Async(_Async):
    name = "httpx2-async"
    modules = ("httpcore2", "httpx2")
    library = httpx2
    timeouts = (httpx2.TimeoutException,)
    breaks = (httpx2.NetworkError, httpx2.ProtocolError)
