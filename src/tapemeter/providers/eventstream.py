"""Takes Amazon's event streams (`application/vnd.amazon.eventstream`) apart, however their bytes are cut.

A message is a prelude of three numbers (its length, that of its headers, a checksum of both), headers, a payload and
a checksum. The checksum of the prelude is checked, for nothing behind a wrong length could be found; after one that
does not hold, nothing more is read. That of a message is not: a secret that was taken out of a recording must not
change what is counted. A message beyond LONGEST ends the reading, so that memory stays bounded whatever comes.
"""

from __future__ import annotations

from base64 import b64decode
from struct import Struct
from typing import TYPE_CHECKING
from zlib import crc32

from tapemeter.providers.values import Json, fields, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 24 * 1024 * 1024
"""Bytes of the longest message that is read; Amazon's own bound on a payload."""

_PRELUDE = Struct("!III")
_CHECKED = 8
"""Bytes of the prelude that its checksum is of."""
_CHECKSUM = 4
_STRING = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of the value of a header, by its type; types 6 and 7 say their own length."""
_LENGTH_TOLD = (6, _STRING)


class Frames:
    """Turns the bytes of an event stream into JSON objects.

    An event becomes an object of one member: its type, with its payload. A `chunk`, which holds a model's own event in
    base64, becomes that event. An error becomes `{"error": {"type": ..., "message": ...}}`.
    """

    __slots__ = ("_held", "_is_broken")

    def __init__(self) -> None:
        self._held = bytearray()
        self._is_broken = False

    def feed(self, data: bytes) -> list[Json]:
        """Take the next bytes and return the events that they complete."""
        if self._is_broken:
            return []
        self._held += data
        events, place = [], 0
        while len(self._held) - place >= _PRELUDE.size:
            length, head, checksum = _PRELUDE.unpack_from(self._held, place)
            if crc32(self._held[place : place + _CHECKED]) != checksum or not _is_sane(length, head):
                self._is_broken = True
                break
            if len(self._held) - place < length:
                break
            message = bytes(self._held[place : place + length])
            event = _event(
                dict(_headers(message[_PRELUDE.size : _PRELUDE.size + head])), message[_PRELUDE.size + head : -4]
            )
            if event:
                events.append(event)
            place += length
        del self._held[: len(self._held) if self._is_broken else place]
        return events


def _is_sane(length: int, head: int) -> bool:
    return head + _PRELUDE.size + _CHECKSUM <= length <= LONGEST


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the headers that are texts, up to the first that cannot be read."""
    place = 0
    while place < len(data):
        named = place + 1 + data[place]
        name, kind = data[place + 1 : named], data[named : named + 1]
        if not kind:
            return
        place = named + 1
        if kind[0] in _LENGTH_TOLD:
            size = int.from_bytes(data[place : place + 2], "big")
            place += 2
        elif kind[0] in _SIZES:
            size = _SIZES[kind[0]]
        else:
            return
        if kind[0] == _STRING:
            yield name.decode("utf-8", "replace"), data[place : place + size].decode("utf-8", "replace")
        place += size


def _event(headers: dict[str, str], payload: bytes) -> Json:
    match headers.get(":message-type"):
        case "error":
            return _error(headers.get(":error-code"), headers.get(":error-message"))
        case "exception":
            return _error(headers.get(":exception-type"), fields(parse(payload)).get("message"))
    value = fields(parse(payload))
    kind = headers.get(":event-type", "")
    if kind != "chunk":
        return {kind: value}
    encoded = value.get("bytes")
    try:
        return fields(parse(b64decode(encoded))) if isinstance(encoded, str) else {}
    except ValueError:
        return {}


def _error(kind: str | None, message: object) -> Json:
    return {"error": {"type": kind, "message": message}}
