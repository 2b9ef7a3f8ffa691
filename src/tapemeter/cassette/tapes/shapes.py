"""What the forms of all tools have in common: bodies, headers and times in their many spellings.

Each function returns the plain value, or raises `ShapeError` with what it had expected; no message shows a value.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from tapemeter.cassette.tapes.model import RawHeaders

_STATUS = range(100, 1000)
_FORM = "application/x-www-form-urlencoded"
_FRACTION = re.compile(r"\.\d+")


class ShapeError(ValueError):
    """A part of a tape is not what it should be; the message says what is expected."""


def mapping(value: Any, what: str) -> dict[str, Any]:
    """Return a mapping."""
    if not isinstance(value, dict):
        raise ShapeError(f"expected {what} to be a mapping, found {kind(value)}")
    return value


def items(value: Any, what: str) -> list[Any]:
    """Return a list."""
    if not isinstance(value, list):
        raise ShapeError(f"expected {what} to be a list, found {kind(value)}")
    return value


def text(value: Any, what: str) -> str:
    """Return a text that has to be there."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if not isinstance(value, str) or not value:
        raise ShapeError(f"expected {what} to be a text, found {kind(value)}")
    return value


def status(value: Any) -> int:
    """Return the status code of a response."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value[:4])
    if isinstance(value, bool) or not isinstance(value, int) or value not in _STATUS:
        raise ShapeError(f"expected the status to be a number from 100 to 999, found {kind(value)}")
    return value


def headers(value: Any) -> RawHeaders:
    """Return headers: a mapping of names to a value or to several, or a list of pairs."""
    if value is None:
        return {}
    found: RawHeaders = {}
    if isinstance(value, dict):
        for name, values in value.items():
            found.setdefault(name, []).extend(map(_value, values if isinstance(values, list) else [values]))
        return found
    for pair in items(value, "the headers"):
        match pair:
            case [str(name), each] | {"name": str(name), "value": each}:
                found.setdefault(name, []).append(_value(each))
            case str() if ":" in pair:  # a line as it was sent
                name, _, line = pair.partition(":")
                found.setdefault(name.strip(), []).append(line.strip())
            case _:
                raise ShapeError("expected the headers to be a mapping, or a list of pairs of name and value")
    return found


def first(found: RawHeaders, name: str) -> str:
    """Return the first value of a header, whatever the case of its name; empty where it is absent."""
    return next((values[0] for key, values in found.items() if values and key.lower() == name), "")


def body(value: Any, sent: RawHeaders) -> bytes | None:
    """Return a body: text, bytes, pieces of them, or the mapping or list that a client was given to encode."""
    match value:
        case None | bytes():
            return value
        case str():
            return value.encode("utf-8", "surrogatepass")
        case [*pieces] if pieces and all(isinstance(piece, bytes) for piece in pieces):
            return b"".join(pieces)
        case dict() if _FORM in first(sent, "content-type").lower():
            return urlencode(value, doseq=True).encode()
    return encoded(value)


def encoded(value: Any) -> bytes:
    """Return a value as the JSON that most clients write."""
    try:
        return json.dumps(value).encode()
    except (TypeError, ValueError, RecursionError):
        raise ShapeError("expected a body to be text, bytes, or what JSON can hold") from None


def base64_bytes(value: Any) -> bytes:
    """Return the bytes that base64 stands for."""
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (AttributeError, ValueError):
        raise ShapeError("a body is said to be base64, and is none") from None


def parsed(value: Any, sent: RawHeaders) -> bytes:
    """Return a `parsed_body`, by which serializers of suites replace a body, as a body again."""
    if isinstance(value, str) and "json" not in first(sent, "content-type").lower():
        return value.encode("utf-8", "surrogatepass")
    return encoded(value)


def instant(value: Any) -> str | None:
    """Return a time as in a cassette, `2026-11-21T04:00:00Z`; None where it is none.

    Known are RFC 3339, the dates of HTTP headers, and seconds since 1970.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        elif not isinstance(value, str):
            return None
        elif value[:1].isdigit():
            moment = datetime.fromisoformat(_FRACTION.sub("", value[:40]))
        else:
            moment = parsedate_to_datetime(value[:40])
    except (ValueError, OverflowError, OSError, IndexError, TypeError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    try:
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    except (ValueError, OverflowError):
        return None


def kind(value: Any) -> str:
    """Return what kind of value it is, for a message that must not show it."""
    names = {type(None): "nothing", dict: "a mapping", list: "a list", str: "a text", bytes: "bytes", bool: "a boolean"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else "something else")


def _value(value: Any) -> str:
    match value:
        case str():
            return value
        case bytes():
            return value.decode("latin-1")
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case None:
            return ""
        case [one]:
            return _value(one)
    raise ShapeError(f"expected the value of a header to be a text, found {kind(value)}")
