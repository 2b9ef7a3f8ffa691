"""Makes a tape of what cassetter wrote, as YAML or TOML.

top       {version, interactions: [{request, response, recorded_at}]}
body      YAML {type: json | text | binary | none, content}; TOML body_type and body_content beside the headers
content   json: the value, in TOML its text; text: the text; binary: hexadecimal digits
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tapemeter.cassette.tapes import shapes
from tapemeter.cassette.tapes.model import Tape, TapeInteraction, TapeRequest, TapeResponse
from tapemeter.cassette.tapes.shapes import ShapeError
from tapemeter.errors import CassetteFormatError

if TYPE_CHECKING:
    from tapemeter.yaml_reader import Place

ENCODED = (
    "JSON bodies are kept as values: their own bytes are not on the tape, and are written as cassetter replays them"
)
_TYPES = frozenset({"json", "text", "binary", "none"})
_KNOWN = frozenset({"version", "interactions"})


def claims(document: Any) -> bool:
    """Return whether a document is of this form: its first interaction says the type of a body."""
    match document:
        case {"interactions": [{"request": {"body": {"type": str(kind)}}}, *_]}:
            return kind in _TYPES
        case {"interactions": [{"request": {"body_type": str(kind)}}, *_]}:
            return kind in _TYPES
    return False


def read(document: dict[str, Any], path: str, form: str, lines: dict[Place, int]) -> Tape:
    """Return the tape at `path`; CassetteFormatError for what is none."""
    notes: dict[str, None] = {}
    for name, value in document.items():
        if name not in _KNOWN and isinstance(value, list) and value:
            notes[f"{len(value)} of `{name}`, which are no HTTP exchanges, cannot be kept"] = None
    interactions = []
    for index, each in enumerate(document["interactions"]):
        try:
            interactions.append(_interaction(each, notes))
        except ShapeError as error:
            raise CassetteFormatError(
                f"interaction {index + 1}: {error}; mend it, or record it again",
                path=path,
                line=lines.get(("interactions", index)),
            ) from None
    return Tape(tuple(interactions), tuple(notes), form)


def _interaction(value: Any, notes: dict[str, None]) -> TapeInteraction:
    fields = shapes.mapping(value, "an interaction")
    request = shapes.mapping(fields.get("request"), "the request")
    response = shapes.mapping(fields.get("response"), "the response")
    return TapeInteraction(
        request=TapeRequest(
            method=shapes.text(request.get("method"), "the method"),
            uri=shapes.text(request.get("uri"), "the uri"),
            headers=shapes.headers(request.get("headers")),
            body=_body(request, notes),
        ),
        response=TapeResponse(
            status=shapes.status(response.get("status")),
            headers=shapes.headers(response.get("headers")),
            body=_body(response, notes) or b"",
        ),
        recorded=shapes.instant(str(fields.get("recorded_at"))),
    )


def _body(fields: dict[str, Any], notes: dict[str, None]) -> bytes | None:
    kind, content = _typed(fields)
    match kind, content:
        case "none", _:
            return None
        case "json", _:
            notes[ENCODED] = None
            return shapes.encoded(content)
        case "text", str():
            return shapes.body(content, {})
        case "binary", str():
            try:
                return bytes.fromhex(content)
            except ValueError:
                raise ShapeError("expected a binary body to be hexadecimal digits") from None
    raise ShapeError(f"expected a body to be one of {', '.join(sorted(_TYPES))}, with its content")


def _typed(fields: dict[str, Any]) -> tuple[Any, Any]:
    """Return the type of a body and its content."""
    if "body_type" in fields:
        kind, content = fields["body_type"], fields.get("body_content")
        if kind == "json" and isinstance(content, str):
            try:
                content = json.loads(content)
            except (ValueError, RecursionError):
                raise ShapeError("expected the content of a json body to be JSON") from None
        return kind, content
    held = fields.get("body")
    return (held.get("type"), held.get("content")) if isinstance(held, dict) else (None, None)
