"""VCR.py's matchers: each takes the request that is made and one that was recorded, and raises where they differ.

A matcher of a user's own may raise AssertionError, or return False. `None` and an empty body are the same here, since
what a client below the one that recorded makes of no body differs.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs
from xml.parsers.expat import ExpatError

from tapemeter.intercept.http1 import unframed
from tapemeter.vcr.util import joined, read_body

Matcher = Callable[[Any, Any], Any]

_LINES, _COLUMNS = 20, 200
"""How much of a difference a message shows."""


def method(r1: Any, r2: Any) -> None:
    """Compare the methods."""
    _same(r1.method, r2.method)


def uri(r1: Any, r2: Any) -> None:
    """Compare the whole URLs; no path is the path `/`, and what stands behind `#` does not count."""
    _same(canonical_uri(r1), canonical_uri(r2))


def scheme(r1: Any, r2: Any) -> None:
    """Compare the schemes."""
    _same(r1.scheme, r2.scheme)


def host(r1: Any, r2: Any) -> None:
    """Compare the host names."""
    _same(r1.host, r2.host)


def port(r1: Any, r2: Any) -> None:
    """Compare the ports; that of the scheme where there is none."""
    _same(r1.port, r2.port)


def path(r1: Any, r2: Any) -> None:
    """Compare the paths; no path is the path `/`."""
    _same(canonical_path(r1), canonical_path(r2))


def query(r1: Any, r2: Any) -> None:
    """Compare the query parameters, in any order."""
    _same(r1.query, r2.query)


def headers(r1: Any, r2: Any) -> None:
    """Compare all headers; the case of their names says nothing."""
    _same(r1.headers, r2.headers)


def raw_body(r1: Any, r2: Any) -> None:
    """Compare the bodies byte by byte."""
    _same_bodies(read_body(r1), read_body(r2))


def body(r1: Any, r2: Any) -> None:
    """Compare what the bodies say: JSON, forms and XML-RPC as values, where both are said to be that."""
    first, second = Body(r1), Body(r2)
    if not first.says_the_same(second):
        raise AssertionError(_difference(*first.beside(second)))


class Body:
    """What the body of a request says, read once for many comparisons."""

    def __init__(self, request: Any) -> None:
        self._raw = read_body(request) or None
        self._kinds = _kinds(request)
        try:
            self._value, self._is_read = _value(self._raw, self._kinds), True
        except (ValueError, ExpatError, AttributeError, TypeError):
            self._value, self._is_read = self._raw, False

    def says_the_same(self, other: Body) -> bool:
        """Say whether two bodies say the same."""
        first, second = self.beside(other)
        return bool(first == second)

    def beside(self, other: Body) -> tuple[Any, Any]:
        """Return what is compared of two bodies: values where both were read alike, else what was sent."""
        alike = self._kinds == other._kinds or isinstance(self._raw, dict | list) or isinstance(other._raw, dict | list)
        if alike and self._is_read and other._is_read:
            return self._value, other._value
        return self._raw, other._raw


def canonical_path(request: Any) -> str:
    """Return the path of a request, `/` where there is none."""
    return request.path or "/"


def canonical_uri(request: Any) -> str:
    """Return the URL of a request with the path `/` where there is none, and without what no server gets to see."""
    whole: str = request.uri.partition("#")[0]
    if request.path:
        return whole
    scheme, mark, rest = whole.partition("://")
    end = next((place for place, letter in enumerate(rest) if letter in "?;"), len(rest))
    return f"{scheme}{mark}{rest[:end]}/{rest[end:]}" if mark else whole


def requests_match(r1: Any, r2: Any, matchers: Iterable[Matcher]) -> bool:
    """Say whether no matcher tells two requests apart."""
    return all(evaluate(matcher, r1, r2)[0] for matcher in matchers)


def get_matchers_results(
    r1: Any, r2: Any, matchers: Iterable[Matcher]
) -> tuple[list[str], list[tuple[str, str | None]]]:
    """Return the names of the matchers that hold, and of those that fail with what each says."""
    held: list[str] = []
    failed: list[tuple[str, str | None]] = []
    for matcher in matchers:
        found, message = evaluate(matcher, r1, r2)
        if found:
            held.append(name_of(matcher))
        else:
            failed.append((name_of(matcher), message))
    return held, failed


def evaluate(matcher: Matcher, r1: Any, r2: Any) -> tuple[bool, str | None]:
    """Return whether a matcher holds, and what it says where it does not."""
    try:
        found = matcher(r1, r2)
    except AssertionError as error:
        return False, str(error)
    return found is None or bool(found), None


def name_of(matcher: Matcher) -> str:
    """Return how messages call a matcher."""
    return getattr(matcher, "__name__", repr(matcher))


def _same(first: Any, second: Any) -> None:
    if first != second:
        raise AssertionError(f"{first} != {second}")


def _same_bodies(first: Any, second: Any) -> None:
    if (first or None) != (second or None):
        raise AssertionError(_difference(first, second))


def _kinds(request: Any) -> tuple[str, ...]:
    """Return how the headers say that a body is to be read."""

    def says(word: str, name: str = "content-type") -> bool:
        value = request.headers.get(name, "")
        return word in (value.decode("latin-1") if isinstance(value, bytes) else str(value)).lower()

    found = {
        "chunked": says("chunked", "transfer-encoding"),
        "form": says("application/x-www-form-urlencoded"),
        "json": says("application/json"),
        "xmlrpc": says("text/xml") and says("xmlrpc", "user-agent"),
    }
    return tuple(kind for kind, holds in found.items() if holds)


def _value(value: Any, kinds: tuple[str, ...]) -> Any:
    if isinstance(value, dict | list) or not value:
        return value or None
    for kind in kinds:
        value = _READERS[kind](value)
    return value


def _unchunked(value: Any) -> bytes:
    whole = value.encode() if isinstance(value, str) else joined(value)
    return unframed(whole) if whole.rstrip().endswith(b"\r\n0") or whole.rstrip() == b"0" else whole


def _of_form(value: bytes) -> Any:
    return parse_qs(value.decode("ascii"))


def _of_xml_rpc(value: bytes) -> Any:
    import xmlrpc.client  # noqa: PLC0415 - hardly anybody records such calls

    return xmlrpc.client.loads(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "chunked": _unchunked,
    "form": _of_form,
    "json": json.loads,
    "xmlrpc": _of_xml_rpc,
}


def _difference(now: Any, recorded: Any) -> str:
    new, old = _text(now), _text(recorded)
    if new is None or old is None or new == old:
        return f"the bodies differ ({_size(now)} in this request, {_size(recorded)} recorded)"
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), "recorded", "this request", n=1, lineterm=""))
    shown = [line if len(line) <= _COLUMNS else f"{line[:_COLUMNS]}…" for line in lines[:_LINES]]
    return "\n".join(shown + ([f"… ({len(lines) - _LINES} more lines)"] if len(lines) > _LINES else []))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, bytes | bytearray):
        return json.dumps(value, indent=2, sort_keys=True, default=str)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _size(value: Any) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes | bytearray) else "no bytes"
