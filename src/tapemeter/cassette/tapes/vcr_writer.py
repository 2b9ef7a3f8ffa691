"""Writes VCR.py's own form: what its loader reads back to the same requests and responses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from tapemeter.cassette.tapes import yaml_events
from tapemeter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tapemeter.cassette.tapes.model import TapeInteraction

VERSION = 1


def dump_vcr(
    interactions: Iterable[TapeInteraction],
    form: Literal["yaml", "json"] = "yaml",
    metadata: Mapping[str, Any] | None = None,
) -> str:
    """Return a file of VCR.py with the interactions.

    Text stands as text, other bytes as `!!binary`; JSON has no place for these, so it raises UsageError.
    """
    document: dict[str, Any] = {
        "version": VERSION,
        "interactions": [{"request": _request(each), "response": _response(each)} for each in interactions],
    }
    if metadata:
        document["metadata"] = dict(metadata)
    if form == "yaml":
        return yaml_events.dump(document)
    try:
        return json.dumps(document, indent=4) + "\n"
    except TypeError:
        raise UsageError("JSON cannot hold a body that is no UTF-8 text; write VCR.py's YAML form instead") from None


def _request(interaction: TapeInteraction) -> dict[str, Any]:
    request = interaction.request.as_vcr()
    request["body"] = _text(request["body"])
    return request


def _response(interaction: TapeInteraction) -> dict[str, Any]:
    response = interaction.response.as_vcr()
    response["body"] = {"string": _text(response["body"]["string"])}
    return response


def _text(body: bytes | None) -> str | bytes | None:
    """Return a body as text where reading it gives back the same bytes, whatever YAML says of its characters."""
    if body is None:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body
