"""A request as VCR.py's hooks, matchers and serializers know it."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import Any, cast
from urllib.parse import ParseResult, parse_qsl, urlparse

from tapemeter.vcr.util import CaseInsensitiveDict, is_iterator

_PORTS = {"https": 443, "http": 80}


class HeadersDict(CaseInsensitiveDict):
    """The headers of a request: one value each, found whatever the case, which stays as it was first written."""

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, tuple | list):
            value = value[0]
        key = self._store.get(key.lower(), (key,))[0]
        super().__setitem__(key, value)


class Request:
    """A request: `method`, `uri`, `body` and `headers` may be changed, the parts of the `uri` only be read.

    A body is None, bytes (a text becomes bytes), or what its client was given; a file or an iterator gives its content
    anew each time.
    """

    def __init__(self, method: str, uri: str, body: Any, headers: Any) -> None:
        self.method = method
        self.uri = uri
        self._was_file = hasattr(body, "read")
        self._was_iter = not self._was_file and is_iterator(body)
        if self._was_file:
            place = body.tell() if hasattr(body, "tell") else None
            self.body = body.read()
            if place is not None:
                body.seek(place)
        else:
            self.body = list(body) if self._was_iter else body
        self.headers = headers

    @property
    def uri(self) -> str:
        """The absolute URL."""
        return self._uri

    @uri.setter
    def uri(self, uri: str) -> None:
        self._uri = uri
        self.parsed_uri: ParseResult = urlparse(uri)

    @property
    def headers(self) -> HeadersDict:
        """The headers, whatever the case of their names."""
        return self._headers

    @headers.setter
    def headers(self, headers: Any) -> None:
        self._headers = headers if isinstance(headers, HeadersDict) else HeadersDict(headers)

    @property
    def body(self) -> Any:
        """The body."""
        if self._was_file:
            return BytesIO(self._body)
        return iter(self._body) if self._was_iter else self._body

    @body.setter
    def body(self, body: Any) -> None:
        self._body = body.encode() if isinstance(body, str) else body

    @property
    def body_bytes(self) -> bytes | None:
        """The body as one piece; None where there is none."""
        return cast("bytes | None", b"".join(self._body) if isinstance(self._body, list) else self._body)

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self.parsed_uri.scheme

    protocol = scheme

    @property
    def url(self) -> str:
        """The absolute URL, by the name that it had once."""
        return self._uri

    @property
    def host(self) -> str | None:
        """The host name."""
        return self.parsed_uri.hostname

    @property
    def port(self) -> int | None:
        """The port, or that of the scheme."""
        return self.parsed_uri.port or _PORTS.get(self.parsed_uri.scheme)

    @property
    def path(self) -> str:
        """The path, still percent-encoded; empty where there is none."""
        return self.parsed_uri.path

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query parameters, sorted."""
        return sorted(parse_qsl(self.parsed_uri.query))

    def add_header(self, key: str, value: Any) -> None:
        """Set a header, as VCR.py let one do once."""
        warnings.warn("Request.add_header is deprecated; assign to request.headers", DeprecationWarning, stacklevel=2)
        self.headers[key] = value

    def __repr__(self) -> str:
        return f"<Request ({self.method}) {self.uri}>"

    def _to_dict(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "uri": self.uri,
            "body": self.body,
            "headers": {name: [value] for name, value in self.headers.items()},
        }

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> Request:
        return cls(**fields)
