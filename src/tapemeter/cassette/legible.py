"""What came, as it is kept: without content coding and noise, and with the ending that it really had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter import providers
from tapemeter.cassette import volatile
from tapemeter.cassette.encoding import decode_chunks
from tapemeter.model import Chunk, Ending, header, without_headers
from tapemeter.values import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tapemeter.model import Headers, Response

_TAIL = 512
"""Bytes at the end of a stream in which the event stands that says it is over."""


def response(came: Response) -> Response:
    """Return a response as a cassette keeps it: without content coding where it can be removed, without noise."""
    headers = came.headers
    if len(came.chunks) == 1 and not came.is_stream:
        # A body that came whole is written without a list of its pieces.
        came = replace(came, chunks=(Chunk(came.total, came.chunks[0].data),))
    coding = header(headers, "content-encoding")
    if coding and coding.lower() != "identity":
        decoded = decode_chunks(came.chunks, coding)
        if decoded is not None:
            came = replace(came, chunks=decoded, decoded_from=coding)
        else:
            kept = tuple(pair for pair in headers if pair[0] == "content-encoding")
            return replace(came, headers=(*volatile.of_response(came.status, headers), *kept))
    return replace(came, headers=without_headers(volatile.of_response(came.status, headers), ["content-encoding"]))


def true_ending(ending: Ending, headers: Headers, chunks: Sequence[Chunk]) -> Ending:
    """Return COMPLETE for a body that was left after all of it had come, or the event that says it is over."""
    if ending not in {Ending.ABANDONED, Ending.CANCELLED}:
        return ending
    tail = b"".join(chunk.data for chunk in chunks[-4:])[-_TAIL:]
    length = header(headers, "content-length")
    whole = length is not None and length.isdecimal() and sum(len(chunk.data) for chunk in chunks) >= int(length)
    return Ending.COMPLETE if whole or providers.is_finished(tail) else ending
