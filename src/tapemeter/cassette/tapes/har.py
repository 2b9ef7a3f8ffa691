"""Makes a tape of an HTTP Archive (HAR), as browsers and proxies save it.

Bodies in it are decoded, whatever its headers say. What is about pages and browsers is passed over.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from tapemeter.cassette.tapes import shapes
from tapemeter.cassette.tapes.model import RawHeaders, Tape, TapeInteraction, TapeRequest, TapeResponse
from tapemeter.cassette.tapes.shapes import ShapeError
from tapemeter.errors import CassetteFormatError

_CHARSET = re.compile(r"charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_OTHER = frozenset({"about", "blob", "chrome", "chrome-extension", "data", "file", "moz-extension", "ws", "wss"})
"""Schemes of what browsers note beside HTTP."""
_LONGEST = 1e9


def claims(document: Any) -> bool:
    """Return whether a document is of this form."""
    match document:
        case {"log": {"entries": list()}}:
            return True
    return False


def read(document: dict[str, Any], path: str, zipped: str) -> Tape:
    """Return the tape at `path`; CassetteFormatError for what is none."""
    log = document["log"]
    interactions, failed, other, empty = [], 0, 0, 0
    for number, entry in enumerate(log["entries"], 1):
        match entry:
            case {"response": {"status": 0}}:
                failed += 1
                continue
            case {"request": {"url": str(url)}} if url.partition(":")[0].lower() in _OTHER:
                other += 1
                continue
            case {"response": {"content": {"size": int(size)} as content}} if size > 0 and "text" not in content:
                empty += 1
        try:
            interactions.append(_interaction(entry))
        except ShapeError as error:
            problem = f"entry {number}: {error}; mend it, or save it again"
            raise CassetteFormatError(problem, path=path) from None
    notes = {
        f"{failed} requests were never answered, and are left out": failed,
        f"{other} entries are no HTTP exchanges, and are left out": other,
        f"{empty} answers were saved without their body, which stays empty: save the archive with its content": empty,
    }
    version = log.get("version")
    form = f"HAR {version if isinstance(version, str) and version.replace('.', '').isdecimal() else '1.2'}{zipped}"
    return Tape(tuple(interactions), tuple(note for note, times in notes.items() if times), form)


def _interaction(value: Any) -> TapeInteraction:
    entry = shapes.mapping(value, "an entry")
    request = shapes.mapping(entry.get("request"), "the request")
    response = shapes.mapping(entry.get("response"), "the response")
    headers = _headers(response)
    message = response.get("statusText")
    return TapeInteraction(
        request=TapeRequest(
            method=shapes.text(request.get("method"), "the method"),
            uri=shapes.text(request.get("url"), "the url").partition("#")[0],
            headers=_headers(request),
            body=_posted(request.get("postData")),
        ),
        response=TapeResponse(
            status=shapes.status(response.get("status")),
            message=message if isinstance(message, str) and message else None,
            headers={name: values for name, values in headers.items() if name.lower() != "content-encoding"},
            body=_content(response.get("content"), shapes.first(headers, "content-type")),
            timing=_timing(entry),
        ),
        recorded=shapes.instant(entry.get("startedDateTime")),
    )


def _headers(fields: dict[str, Any]) -> RawHeaders:
    """Return the headers but those by which HTTP/2 carries the first line of a request."""
    found = shapes.headers(fields.get("headers"))
    return {name: values for name, values in found.items() if not name.startswith(":")}


def _posted(value: Any) -> bytes | None:
    if value is None:
        return None
    data = shapes.mapping(value, "postData")
    if data.get("text"):
        return _bytes(data, str(data.get("mimeType") or ""))
    pairs = [
        (str(each.get("name")), str(each.get("value") or ""))
        for each in data.get("params") or ()
        if isinstance(each, dict)
    ]
    return urlencode(pairs).encode() if pairs else None


def _content(value: Any, content_type: str) -> bytes:
    if value is None:
        return b""
    content = shapes.mapping(value, "the content")
    return _bytes(content, content_type) if content.get("text") else b""


def _bytes(fields: dict[str, Any], content_type: str) -> bytes:
    """Return a body: base64 where it says so, else text in the charset of its type."""
    text = fields["text"]
    if not isinstance(text, str):
        raise ShapeError(f"expected the text of a body to be a text, found {shapes.kind(text)}")
    if "base64" in (fields.get("encoding"), fields.get("_encoding")):
        return shapes.base64_bytes(text)
    named = _CHARSET.search(content_type)
    try:
        return text.encode(named[1] if named else "utf-8")
    except (LookupError, UnicodeError):
        return text.encode("utf-8", "surrogatepass")


def _timing(entry: dict[str, Any]) -> tuple[float, float] | None:
    """Return seconds to the headers and to the end; None where the entry does not tell."""
    total = _seconds(entry.get("time"))
    if total is None:
        return None
    timings = entry.get("timings")
    receive = _seconds(timings.get("receive")) if isinstance(timings, dict) else None
    return max(0.0, total - (receive or 0.0)), total


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LONGEST:
        return None
    return value / 1000
