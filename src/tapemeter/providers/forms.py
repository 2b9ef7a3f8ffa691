"""Reads the forms with files (`multipart/form-data`) in which recordings and images are sent to a model.

A field becomes a text, or the list of them where it is repeated. A file becomes `{"bytes": its length}`: what is in it
is never looked at. Fields beyond MOST_PARTS, and texts beyond LONGEST_TEXT, are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tapemeter.model import header

if TYPE_CHECKING:
    from tapemeter.model import Headers
    from tapemeter.providers.values import Json

MOST_PARTS = 256
LONGEST_TEXT = 1024 * 1024

_MEDIA = "multipart/form-data"
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]{1,200})"|([^\s;",]{1,200})(?![^\s;,]))', re.IGNORECASE)
_NAME = re.compile(rb';\s*name="([^"\r\n]{1,100})"', re.IGNORECASE)
_FILE = re.compile(rb";\s*filename\*?=", re.IGNORECASE)
_LONGEST_HEAD = 4096
_TYPED: dict[str, dict[str, Any]] = {"stream": {"true": True, "false": False}}


def read_form(headers: Headers, body: bytes) -> Json | None:
    """Return the fields of a form; None where a body is none."""
    media = header(headers, "content-type") or ""
    found = _BOUNDARY.search(media)
    if not media.lower().startswith(_MEDIA) or found is None:
        return None
    mark = b"--" + (found[1] or found[2]).encode("utf-8", "replace")
    form: Json = {}
    place = body.find(mark)
    for _ in range(MOST_PARTS):
        if place < 0:
            break
        end = body.find(mark, place + len(mark))
        if end < 0:
            break
        _take(body, place + len(mark), end, form)
        place = end
    return form


def _take(body: bytes, start: int, end: int, form: Json) -> None:
    """Add the part between two marks."""
    empty = body.find(b"\r\n\r\n", start, min(end, start + _LONGEST_HEAD))
    if empty < 0:
        return
    head = body[start:empty]
    name = _NAME.search(head)
    if name is None:
        return
    first, last = empty + 4, end - 2  # CRLF before the mark belongs to it
    key = name[1].decode("utf-8", "replace").removesuffix("[]")
    if _FILE.search(head):
        value: Any = {"bytes": max(0, last - first)}
    elif last - first <= LONGEST_TEXT:
        text = body[first:last].decode("utf-8", "replace")
        value = _TYPED.get(key, {}).get(text, int(text) if key == "n" and _is_small(text) else text)
    else:
        return
    if key in form:
        earlier = form[key]
        form[key] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
    else:
        form[key] = value


def _is_small(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10  # noqa: PLR2004 - far more images than there can be
