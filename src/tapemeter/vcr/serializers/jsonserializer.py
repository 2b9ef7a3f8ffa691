"""VCR.py's JSON."""

from __future__ import annotations

import json
from typing import Any


def deserialize(cassette_string: str) -> Any:
    """Return what stands in a file; ValueError for what is no JSON."""
    return json.loads(cassette_string)


def serialize(cassette_dict: dict[str, Any]) -> str:
    """Return a cassette as JSON; TypeError where a body is no text."""
    try:
        return json.dumps(cassette_dict, indent=4) + "\n"
    except TypeError:
        raise TypeError(
            "a body of this cassette is no UTF-8 text, which JSON cannot hold; use the serializer `yaml`"
        ) from None
