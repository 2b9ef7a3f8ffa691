"""Drivers of Python's own clients: `http.client`, and `urllib.request` on top of it."""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from adapter_drivers import BODY, JSON, Ask, Form, Heard, SyncDriver, driver, file, in_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LENGTH = {**JSON, "content-length": str(len(BODY))}


@driver
class HttpClient(SyncDriver):
    name = "http.client"
    modules = ("http.client",)
    can = frozenset({"pieces", "proxy"})
    timeouts = (TimeoutError,)
    breaks = (http.client.HTTPException, ConnectionError)
    forms: ClassVar[Mapping[str, Callable[[], Form]]] = {
        "bytes": lambda: Form({"body": BODY}),
        "bytearray": lambda: Form({"body": bytearray(BODY)}),
        "str": lambda: Form({"body": BODY.decode()}),
        "file": lambda: Form({"body": file()}),
        "iterator": lambda: Form({"body": in_parts()}),
        "chunked": lambda: Form(
            {"body": in_parts(), "encode_chunked": True}, BODY, {**JSON, "transfer-encoding": "chunked"}
        ),
        "iterator of known length": lambda: Form({"body": in_parts()}, BODY, LENGTH),
        "nothing": lambda: Form({}, b"", {}),
    }

    def __enter__(self) -> Self:
        self._local = threading.local()
        self._all: list[http.client.HTTPConnection] = []
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._all:
            connection.close()

    def ask(self, ask: Ask, heard: Heard | None = None) -> Heard:
        heard = Heard() if heard is None else heard
        target = urlsplit(ask.url)
        connection = self._connection(ask)
        if ask.form is None:
            given = {"body": ask.body, "headers": dict(ask.headers)}
        else:
            given = {**ask.form.given, "headers": dict(ask.form.headers)}
        path = target.path + (f"?{target.query}" if target.query else "")
        try:
            connection.request(ask.method, ask.url if ask.proxy and target.scheme == "http" else path, **given)
            with connection.getresponse() as response:
                heard.begin(response.status, response.headers)
                _read(response, ask, heard)
        except BaseException:
            connection.close()  # it would not take another request
            raise
        return heard

    def _connection(self, ask: Ask) -> http.client.HTTPConnection:
        """Return the thread's own connection to where the request goes."""
        target = urlsplit(ask.url)
        secure = target.scheme == "https"
        place = urlsplit(ask.proxy or ask.url).netloc
        known = vars(self._local).setdefault(place, {})
        if ask.timeout not in known:
            if secure:
                context = ssl.create_default_context(cafile=ask.ca)
                connection = http.client.HTTPSConnection(place, timeout=ask.timeout, context=context)
            else:
                connection = http.client.HTTPConnection(place, timeout=ask.timeout)
            if secure and ask.proxy:
                connection.set_tunnel(target.hostname or "", target.port)
            known[ask.timeout] = connection
            self._all.append(connection)
        return known[ask.timeout]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@driver
class UrllibRequest(SyncDriver):
    name = "urllib"
    modules = ("http.client",)
    can = frozenset({"follow", "pieces", "proxy", "reconnect"})
    timeouts = (TimeoutError, urllib.error.URLError)
    breaks = (http.client.HTTPException, ConnectionError, urllib.error.URLError)
    forms: ClassVar[Mapping[str, Callable[[], Form]]] = {
        "bytes": lambda: Form({"data": BODY}),
        "file": lambda: Form({"data": file()}, BODY, LENGTH),
        "iterator": lambda: Form({"data": in_parts()}),
        "nothing": lambda: Form({}, b"", {}),
    }

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, ask: Ask, heard: Heard | None = None) -> Heard:
        heard = Heard() if heard is None else heard
        proxies = {"http": ask.proxy, "https": ask.proxy} if ask.proxy else {}
        handlers: list[Any] = [urllib.request.ProxyHandler(proxies)]
        if not ask.follow:
            handlers.append(_NoRedirects())
        if ask.url.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ask.ca)))
        form = ask.form or Form({"data": ask.body}, None, ask.headers)
        request = urllib.request.Request(ask.url, headers=dict(form.headers), method=ask.method, **form.given)
        try:
            response = urllib.request.build_opener(*handlers).open(request, timeout=ask.timeout)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            heard.begin(response.status, response.headers, response.url)
            _read(response, ask, heard)
        return heard


def _read(response: Any, ask: Ask, heard: Heard) -> None:
    if not ask.stream:
        heard.take(ask, response.read())
        return
    while (piece := response.read1()) and heard.take(ask, piece):
        pass
