"""Takes secrets out of what is written, and out of what is compared with it.

Whatever hooks and filters of the suite left is redacted as in a cassette of ours. A value that they put in place of
another, such as `filter_headers=[("authorization", "DUMMY")]`, is theirs: it stays, unless it looks like a key.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tapemeter.cassette.encoding import decode_chunks
from tapemeter.model import Chunk, Response, header
from tapemeter.values import Value
from tapemeter.vcr.forms import sent_of, text
from tapemeter.vcr.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tapemeter.model import Headers
    from tapemeter.model import Request as Sent
    from tapemeter.redact import Redactor

_FORM = "application/x-www-form-urlencoded"


class Secrets(Value):
    """What takes the secrets out of an interaction: rules, and the request as it was before any hook."""

    redactor: Redactor
    original: Sent

    def out_of(self, request: Any, response: Any) -> tuple[Any, Any]:
        """Return an interaction without its secrets; what has none stays as it is."""
        return self.out_of_request(request), _redacted_response(response, self.redactor, self._found)

    def out_of_request(self, request: Any) -> Any:
        """Return a request without its secrets, those too that hooks took from one place but not from another."""
        sent, found = sent_of(request), self._found
        carried = tuple(("authorization", secret.decode("utf-8", "replace")) for secret in found)
        clean = self.redactor.request(sent.with_headers((*sent.headers, *carried)))
        clean = clean.with_headers(clean.headers[: len(sent.headers)])
        return _made_of(_Kept(self, found).in_place(clean, sent), sent, request)

    @property
    def _found(self) -> frozenset[bytes]:
        return self.redactor.secrets_of(self.original)


def _made_of(clean: Sent, sent: Sent, request: Any) -> Any:
    if clean == sent:
        return request
    names = [str(name) for name in request.headers]
    headers = {name: value for name, (_, value) in zip(names, clean.headers, strict=True)}
    body = request.body
    if clean.body != sent.body:
        body = json.loads(clean.body) if isinstance(body, dict | list) else clean.body
    return Request(request.method, clean.url, body, headers)


class _Kept:
    """Knows which values hooks and filters put in the place of others: those that are not of the original request."""

    def __init__(self, secrets: Secrets, found: frozenset[bytes]) -> None:
        self.secrets, self.found = secrets, found
        original = secrets.original
        form = original.body.decode("latin-1") if original.content_type == _FORM else ""
        self._were = {value for _, value in original.headers}
        self._were |= {value for text in (urlsplit(original.url).query, form) for _, value in _pairs_of(text)}

    def in_place(self, clean: Sent, sent: Sent) -> Sent:
        """Return a redacted request in which such values stand again, unless they look like a key."""
        headers: Headers = tuple(
            (name, self._chosen(old, new, old))
            for (name, new), (_, old) in zip(clean.headers, sent.headers, strict=True)
        )
        place, mark, query = clean.url.partition("?")
        query = self._pairs(query, sent.url.partition("?")[2])
        body = clean.body
        if sent.content_type == _FORM:
            body = self._pairs(clean.body.decode("latin-1"), sent.body.decode("latin-1")).encode("latin-1")
        return replace(clean, headers=headers, url=place + mark + query, body=body)

    def _pairs(self, clean: str, sent: str) -> str:
        new, old = clean.split("&"), sent.split("&")
        if len(new) != len(old):
            return clean
        values = ((_pairs_of(before) or [("", before)])[0][1] for before in old)
        return "&".join(map(self._chosen, old, new, values))

    def _chosen(self, before: str, after: str, value: str) -> str:
        """Return what stood there, or what redaction made of it; `value` is what it says."""
        bare = value.encode("utf-8", "surrogatepass")
        is_known = value in self._were or any(secret in bare for secret in self.found)
        return after if is_known or self.secrets.redactor.text(value) != value else before


def _pairs_of(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True)


def _redacted_response(response: dict[str, Any], redactor: Redactor, secrets: frozenset[bytes]) -> dict[str, Any]:
    held = response.get("headers")
    headers = {name: _values(values) for name, values in held.items()} if isinstance(held, dict) else {}
    body = response.get("body")
    string = body.get("string") if isinstance(body, dict) else None
    raw = string.encode() if isinstance(string, str) else bytes(string or b"")
    lines = tuple((str(name).lower(), value) for name, values in headers.items() for value in values)
    coding = header(lines, "content-encoding")
    plain = decode_chunks((Chunk(0.0, raw),), coding) if coding and raw else None
    legible = Response(200, lines, plain if plain is not None else (Chunk(0.0, raw),))
    clean = redactor.response(legible, secrets)
    if clean is legible:
        return response
    values = iter([value for _, value in clean.headers])
    headers = {name: [next(values) for _ in range(len(each))] for name, each in headers.items()}
    if clean.body == legible.body:
        return {**response, "headers": headers}
    kept = {name: each for name, each in headers.items() if plain is None or name.lower() != "content-encoding"}
    new: Any = clean.body.decode() if isinstance(string, str) else clean.body
    return {**response, "headers": kept, "body": {**(body if isinstance(body, dict) else {}), "string": new}}


def _values(values: Any) -> list[str]:
    each: Iterable[Any] = values if isinstance(values, list | tuple) else [values]
    return [text(value) for value in each]
