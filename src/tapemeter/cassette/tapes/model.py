"""A recording of another tool as it was read: its requests and responses, before anything is made of them.

Header names are kept as they were written, in their order. Bodies are bytes as they were stored, with whatever content
coding they then had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.errors import CassetteFormatError
from tapemeter.values import Value, field

if TYPE_CHECKING:
    from collections.abc import Mapping

RawHeaders = dict[str, list[str]]
"""Names as written, each with its values."""


class NoTapeError(CassetteFormatError):
    """The file is of no form that is known: it may be anything at all, such as a configuration."""


class TapeRequest(Value):
    """One recorded request; `body` is None where there was none."""

    method: str
    uri: str
    headers: RawHeaders = field(default_factory=dict)
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"TapeRequest({self.method!r}, {self.uri!r}, {self.headers!r})"  # no body: nobody has looked through it

    def as_vcr(self) -> dict[str, Any]:
        """Return the mapping that VCR.py makes its `Request` of, safe to change."""
        return {"method": self.method, "uri": self.uri, "body": self.body, "headers": _copied(self.headers)}


class TapeResponse(Value):
    """One recorded response; `message` is the reason phrase and `url` that of the answer, None where none was kept.

    `timing` is seconds from the request to the headers and to the end of the body, where the form keeps them.
    """

    status: int
    message: str | None = None
    headers: RawHeaders = field(default_factory=dict)
    body: bytes = b""
    url: str | None = None
    timing: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return f"TapeResponse({self.status!r}, {self.message!r}, {self.headers!r}, url={self.url!r})"

    def as_vcr(self) -> dict[str, Any]:
        """Return the mapping that VCR.py gives to `before_record_response`, safe to change."""
        response: dict[str, Any] = {
            "status": {"code": self.status, "message": self.message},
            "headers": _copied(self.headers),
            "body": {"string": self.body},
        }
        return response if self.url is None else {**response, "url": self.url}


class TapeInteraction(Value):
    """One recorded exchange; `recorded` is UTC such as `2026-11-21T04:00:00Z`, None where nothing tells."""

    request: TapeRequest
    response: TapeResponse
    recorded: str | None = None


class Tape(Value):
    """A recording in the order of its file.

    `notes` are sentences about what its form does not keep, or keeps in a doubtful way; `form` names the form, such as
    `VCR.py YAML`. `metadata` is what VCR.py's `get_metadata` kept.
    """

    interactions: tuple[TapeInteraction, ...]
    notes: tuple[str, ...]
    form: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def _copied(headers: RawHeaders) -> RawHeaders:
    return {name: list(values) for name, values in headers.items()}
