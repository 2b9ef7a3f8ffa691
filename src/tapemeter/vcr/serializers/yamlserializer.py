"""VCR.py's YAML: read without running anything that stands in it."""

from __future__ import annotations

from typing import Any

from tapemeter.cassette.tapes import yaml_events
from tapemeter.errors import UsageError


def deserialize(cassette_string: str) -> Any:
    """Return what stands in a file; CassetteFormatError, with its line, for what is no YAML or not allowed in it."""
    return yaml_events.load(cassette_string, "cassette", {})


def serialize(cassette_dict: dict[str, Any]) -> str:
    """Return a cassette as YAML."""
    return yaml_events.dump(cassette_dict)


def with_custom_tags(constructors: Any) -> Any:
    """Refuse: a cassette cannot make objects of a program's own here."""
    raise UsageError(
        f"yamlserializer.with_custom_tags is not supported ({len(constructors)} tags): cassettes hold plain data only; "
        "register a serializer of your own that reads these files"
    )
