"""What a line of evidence is: a JSON object in a fixed order of fields, without spaces, and its hash at the end.

    {"v":1, "run_id":…, "process":…, "seq":…, "at":…, "event":…, the kind's own fields…, "prev":…, "hash":…}

The hash is SHA-256 over the bytes of the line as it would be without `hash`; `prev` is the hash of the line before.
So nothing has to be written anew to check a line: the bytes that are there are what was hashed.
"""

from __future__ import annotations

import json
from datetime import UTC
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

VERSION = 1
GENESIS = "0" * 64
"""What the first line follows on."""

MAX_LINE = 1024 * 1024
"""Bytes of a line, its end included."""

KINDS = (
    "run",
    "call",
    "step",
    "job",
    "stop",
    "warning",
    "route",
    "overrun",
    "not_run",
    "lapsed",
    "drift",
    "stale",
    "torn",
    "merged",
    "end",
)

HEAD = ("v", "run_id", "process", "seq", "process_seq", "at", "event")
"""The fields before those of the kind; `process_seq` only where files were merged."""
LINKS = ("prev", "hash")
_OURS = frozenset((*HEAD, *LINKS))

_HASH = b',"hash":"'
_TAIL = len(_HASH) + len(GENESIS) + len('"}\n')
_SHORTER = ((1000, 500), (50, 200))
"""Items of a list and characters of a text that are kept of an event that is too long, and if it still is."""

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def stamp(moment: datetime) -> str:
    """Return a moment as events tell it: UTC, to the microsecond, always of the same length."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def seal(event: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return the line of an event that has everything but its hash, and the hash.

    What does not fit in a line is shortened: lists and texts of an event have no bound of their own.
    """
    sealed = _seal(event)
    for items, chars in _SHORTER:
        if len(sealed[0]) <= MAX_LINE:
            break
        sealed = _seal({name: _short(value, items, chars) for name, value in event.items()})
    return sealed


def parse(line: bytes) -> dict[str, Any] | None:
    """Return the event in a whole line; None where the line is none, whatever it is made of."""
    try:
        event = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def is_sealed(line: bytes, digest: str) -> bool:
    """Return whether a whole line is what its own hash was made of."""
    if not line.endswith(b'%s%s"}\n' % (_HASH, digest.encode("utf-8", "backslashreplace"))):
        return False
    hashed = sha256(memoryview(line)[:-_TAIL])
    hashed.update(b"}")
    return hashed.hexdigest() == digest


def head(event: Mapping[str, Any], *, run_id: str, process: str, seq: int) -> dict[str, Any]:
    """Return an event as it stands in a merged file, still without links: it keeps its number as `process_seq`."""
    return {
        "v": VERSION,
        "run_id": run_id,
        "process": process,
        "seq": seq,
        "process_seq": own_seq(event),
        "at": event["at"],
        "event": event["event"],
        **fields(event),
    }


def own_seq(event: Mapping[str, Any]) -> int:
    """Return the number of an event in the file of the process that wrote it."""
    number: int = event.get("process_seq", event["seq"])
    return number


def fields(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that an event has because of its kind."""
    return {name: value for name, value in event.items() if name not in _OURS}


def clashes(names: Mapping[str, Any]) -> list[str]:
    """Return which of a kind's fields have the name of one that every event has."""
    return sorted(_OURS.intersection(names))


def _seal(event: Mapping[str, Any]) -> tuple[bytes, str]:
    # Half of a surrogate pair, as in a file name that is no text, becomes an escape that JSON knows.
    body = _encode(event).encode("utf-8", "backslashreplace")
    digest = sha256(body).hexdigest()
    return b'%s%s%s"}\n' % (body[:-1], _HASH, digest.encode()), digest


def _short(value: Any, items: int, chars: int) -> Any:
    match value:
        case str() if len(value) > chars:
            return f"{value[:chars]}…"
        case list():
            return [_short(each, items, chars) for each in value[:items]]
        case dict():
            return {name: _short(each, items, chars) for name, each in list(value.items())[:items]}
        case _:
            return value
