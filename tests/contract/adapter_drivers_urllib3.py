"""Drivers of urllib3, and of requests and botocore, which send through it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, ClassVar, Self

import botocore.awsrequest
import botocore.exceptions
import botocore.httpsession
import requests
import requests.adapters
import urllib3
import urllib3.exceptions
from adapter_drivers import BODY, Ask, Form, Heard, SyncDriver, driver, file, in_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PIECES = {
    "bytes": lambda: Form({"body": BODY}),
    "bytearray": lambda: Form({"body": bytearray(BODY)}),
    "str": lambda: Form({"body": BODY.decode()}),
    "file": lambda: Form({"body": file()}),
    "text file": lambda: Form({"body": io.StringIO(BODY.decode())}),
    "iterator": lambda: Form({"body": in_parts()}),
    "chunked": lambda: Form({"body": BODY, "chunked": True}),
    "json": lambda: Form({"json": {"model": "m", "messages": []}}, b'{"model":"m","messages":[]}'),
    "form": lambda: Form({"fields": {"model": "m"}, "encode_multipart": False}, b"model=m", {}),
    "multipart": lambda: Form({"fields": {"model": "m", "file": ("a.wav", b"RIFF")}}, None, {}),
    "nothing": lambda: Form({}, b"", {}),
}


def _given(ask: Ask, word: str) -> dict[str, Any]:
    """Return what goes with a request; `word` is what the library calls a body."""
    if ask.form is not None:
        return {**ask.form.given, "headers": dict(ask.form.headers)}
    return {word: ask.body, "headers": dict(ask.headers)}


def _retry(ask: Ask) -> urllib3.Retry:
    """Return that redirects are followed, and nothing is tried again that is not asked for."""
    if not ask.retries:
        return urllib3.Retry(5, connect=False, read=False)
    return urllib3.Retry(ask.retries, status_forcelist=[503], allowed_methods=None)


@driver
class Urllib3(SyncDriver):
    name = "urllib3"
    modules = ("urllib3",)
    can = frozenset({"decode", "follow", "pieces", "proxy", "reconnect", "retry"})
    timeouts = (urllib3.exceptions.TimeoutError,)
    breaks = (urllib3.exceptions.ProtocolError,)
    forms: ClassVar[Mapping[str, Callable[[], Form]]] = PIECES

    def __enter__(self) -> Self:
        self._pools = urllib3.PoolManager(maxsize=16)
        return self

    def __exit__(self, *_: object) -> None:
        self._pools.clear()

    def ask(self, ask: Ask, heard: Heard | None = None) -> Heard:
        heard = Heard() if heard is None else heard
        pools = self._pools
        if ask.proxy is not None:
            pools = urllib3.ProxyManager(ask.proxy, ca_certs=ask.ca)
        elif ask.ca is not None:
            pools = urllib3.PoolManager(ca_certs=ask.ca)
        response = pools.request(
            ask.method,
            ask.url,
            timeout=ask.timeout,
            redirect=ask.follow,
            retries=_retry(ask),
            preload_content=not ask.stream,
            **_given(ask, "body"),
        )
        heard.begin(response.status, response.headers, response.geturl() or "")
        if not ask.stream:
            heard.take(ask, response.data)
        else:
            try:
                for piece in response.stream(None):
                    if not heard.take(ask, piece):
                        break
            finally:
                response.close()
        if pools is not self._pools:
            pools.clear()
        return heard


@driver
class Requests(SyncDriver):
    name = "requests"
    modules = ("urllib3",)
    can = frozenset({"decode", "follow", "pieces", "proxy", "reconnect", "retry"})
    timeouts = (requests.Timeout, requests.ConnectionError)  # a body that does not come in time is the latter
    breaks = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    forms: ClassVar[Mapping[str, Callable[[], Form]]] = {
        "bytes": lambda: Form({"data": BODY}),
        "str": lambda: Form({"data": BODY.decode()}),
        "file": lambda: Form({"data": file()}),
        "iterator": lambda: Form({"data": in_parts()}),
        "json": lambda: Form({"json": {"model": "m", "messages": []}}, b'{"model": "m", "messages": []}', {}),
        "form": lambda: Form({"data": {"model": "m"}}, b"model=m", {}),
        "multipart": lambda: Form({"data": {"model": "m"}, "files": {"file": ("a.wav", b"RIFF")}}, None, {}),
        "nothing": lambda: Form({}, b"", {}),
    }

    def __enter__(self) -> Self:
        self._session = requests.Session()
        self._session.trust_env = False
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(self, ask: Ask, heard: Heard | None = None) -> Heard:
        heard = Heard() if heard is None else heard
        session = self._session
        if ask.retries:
            session = requests.Session()
            retry = urllib3.Retry(ask.retries, status_forcelist=[503], allowed_methods=None)
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
        with session.request(
            ask.method,
            ask.url,
            timeout=ask.timeout,
            allow_redirects=ask.follow,
            stream=ask.stream,
            proxies={"all": ask.proxy} if ask.proxy is not None else None,
            verify=ask.ca,
            **_given(ask, "data"),
        ) as response:
            heard.begin(response.status_code, response.headers, response.url)
            if not ask.stream:
                heard.take(ask, response.content)
            else:
                for piece in response.iter_content(None):
                    if not heard.take(ask, piece):
                        break
        if session is not self._session:
            session.close()
        return heard


@driver
class Botocore(SyncDriver):
    """The HTTP client of botocore, below what it signs and parses."""

    name = "botocore"
    modules = ("urllib3",)
    can = frozenset({"decode", "pieces", "proxy", "reconnect"})
    timeouts = (
        botocore.exceptions.ReadTimeoutError,
        botocore.exceptions.ResponseStreamingError,
        urllib3.exceptions.TimeoutError,
    )
    breaks = (
        botocore.exceptions.ConnectionClosedError,
        botocore.exceptions.ResponseStreamingError,
        urllib3.exceptions.ProtocolError,
    )
    forms: ClassVar[Mapping[str, Callable[[], Form]]] = {
        "bytes": lambda: Form({"data": BODY}),
        "str": lambda: Form({"data": BODY.decode()}),
        "file": lambda: Form({"data": file()}),
        "form": lambda: Form({"data": {"model": "m"}}, b"model=m", {}),
        "told to wait": lambda: Form({"data": BODY}, BODY, {**_JSON, "Expect": "100-continue"}),
        "nothing": lambda: Form({}, b"", {}),
    }

    def __enter__(self) -> Self:
        self._session = botocore.httpsession.URLLib3Session(timeout=20.0, max_pool_connections=16)
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(self, ask: Ask, heard: Heard | None = None) -> Heard:
        heard = Heard() if heard is None else heard
        session = self._session
        if ask.proxy is not None or ask.ca is not None or ask.timeout != Ask("").timeout:
            proxies = {"http": ask.proxy, "https": ask.proxy} if ask.proxy else None
            session = botocore.httpsession.URLLib3Session(proxies=proxies, verify=ask.ca or True, timeout=ask.timeout)
        request = botocore.awsrequest.AWSRequest(
            ask.method, ask.url, stream_output=ask.stream, **_given(ask, "data")
        ).prepare()
        response = session.send(request)
        heard.begin(response.status_code, response.headers)
        if not ask.stream:
            heard.take(ask, response.content)
        else:
            try:
                for piece in response.raw.stream(None):
                    if not heard.take(ask, piece):
                        break
            finally:
                response.raw.close()
        if session is not self._session:
            session.close()
        return heard


_JSON = {"content-type": "application/json"}
