"""Turns what was read from a tape into interactions of a cassette.

The request keeps its bytes. The response is kept as a cassette keeps it: decoded where it can be, without the headers
that say nothing about the call.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from tapemeter.cassette import volatile
from tapemeter.cassette.encoding import decode_chunks
from tapemeter.cassette.model import Interaction
from tapemeter.cassette.tapes import shapes
from tapemeter.model import Chunk, Headers, Request, Response, header, without_headers

if TYPE_CHECKING:
    from tapemeter.cassette.tapes.model import RawHeaders, Tape, TapeInteraction, TapeResponse

UNKNOWN_TIME = "1970-01-01T00:00:00Z"
"""When an interaction was recorded of which nothing tells."""

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_PACKED = ("zip", "zstd", "tar", "octet-stream", "image/", "audio/", "video/")
"""What stands in the media type of bodies that are meant to be compressed."""
_LONGEST_PEEK = 65536


def interactions_of(tape: Tape) -> tuple[Interaction, ...]:
    """Return the interactions of a tape, not redacted and without keys.

    Redact them, then give each its key: `replace(interaction, key=matcher.stored_key(interaction.request))`.
    """
    return tuple(map(interaction_of, tape.interactions))


def interaction_of(each: TapeInteraction) -> Interaction:
    """Return one interaction, not redacted and without a key."""
    request, response = each.request, each.response
    return Interaction(
        request=Request(request.method, request.uri, volatile.of_request(flat(request.headers)), request.body or b""),
        response=_response(response),
        recorded=each.recorded or _recorded(response) or UNKNOWN_TIME,
        key="",
    )


def flat(headers: RawHeaders) -> Headers:
    """Return headers as pairs, names in lower case."""
    return tuple((name.lower(), value) for name, values in headers.items() for value in values)


def decoded(response: TapeResponse) -> tuple[bytes, str | None]:
    """Return the body without its content codings, and the header that named them; None where it stays as it is.

    A body may disagree with its header: it is kept where it is not in the coding that it names, and decoded where it
    plainly is in one that none names.
    """
    headers = flat(response.headers)
    coding = header(headers, "content-encoding") or ""
    if coding.lower() in {"", "identity"}:
        coding = next((name for magic, name in _MAGIC.items() if response.body.startswith(magic)), "")
        if any(word in (header(headers, "content-type") or "").lower() for word in _PACKED):
            coding = ""
    if not coding or not response.body:
        return response.body, None
    chunks = decode_chunks((Chunk(0.0, response.body),), coding)
    if chunks is None:
        return response.body, None
    return b"".join(chunk.data for chunk in chunks), coding


def _response(response: TapeResponse) -> Response:
    headers = flat(response.headers)
    body, coding = decoded(response)
    kept = without_headers(volatile.of_response(response.status, headers), ["content-encoding"])
    if coding is None and not _is_text(body):  # in a coding that cannot be removed here: a client may know how
        kept += tuple(pair for pair in headers if pair[0] == "content-encoding")
    first, total = response.timing or (0.0, 0.0)
    return Response(
        status=response.status,
        headers=kept,
        chunks=(Chunk(total, body),) if body else (),
        first_byte=first,
        total=total,
        decoded_from=coding,
    )


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _recorded(response: TapeResponse) -> str | None:
    """Return when a response was made: by its date, else by what many a model says in its answer."""
    if date := shapes.instant(shapes.first(response.headers, "date")):
        return date
    if response.body[:1] != b"{" or len(response.body) > _LONGEST_PEEK:
        return None
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    for name in ("created", "created_at"):
        moment = answer.get(name)
        if isinstance(moment, int | float) and math.isfinite(moment) and moment > 0:
            return shapes.instant(moment)
    return None
