"""Reads a cassette of ours as a tape, so that whoever reads tapes reads these too; and gives interactions as a tape."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.tapes.model import RawHeaders, Tape, TapeInteraction, TapeRequest, TapeResponse

if TYPE_CHECKING:
    from tapemeter.cassette.model import Interaction
    from tapemeter.model import Headers

FORM = "tapemeter"
_MARK = re.compile(rf"""^format:[ \t]*["']?{cassette_format.FORMAT.partition("/")[0]}/""", re.MULTILINE)
_MARK_WITHIN = 4096


def claims(text: str) -> bool:
    """Return whether a text is that of a cassette of ours, of whatever version."""
    return _MARK.search(text, 0, _MARK_WITHIN) is not None


def read(text: str, path: str) -> Tape:
    """Return the cassette at `path`; CassetteFormatError where it is cut, or not what it should be."""
    entries = cassette_format.load(text, path)
    return Tape(tuple(tape_interaction(entry.interaction) for entry in entries), (), FORM)


def tape_interaction(interaction: Interaction) -> TapeInteraction:
    """Return an interaction of ours as one of a tape: the body whole, and decoded as it is in the cassette."""
    request, response = interaction.request, interaction.response
    return TapeInteraction(
        request=TapeRequest(request.method, request.url, _grouped(request.headers), request.body or None),
        response=TapeResponse(
            status=response.status,
            message=phrase(response.status),
            headers=_grouped(response.headers),
            body=response.body,
            timing=(response.first_byte, response.total),
        ),
        recorded=interaction.recorded,
    )


def _grouped(headers: Headers) -> RawHeaders:
    grouped: RawHeaders = {}
    for name, value in headers:
        grouped.setdefault(name, []).append(value)
    return grouped


def phrase(status: int) -> str | None:
    """Return the usual reason phrase of a status, None where it has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return None
