"""Turns the requests and responses of a cassette into text by a serializer, and back.

A serializer is an object with `serialize(dict) -> str` and `deserialize(str) -> dict`; the dictionary is
`{"version": 1, "interactions": [{"request": …, "response": …}]}`, with `metadata` where there is some.
"""

from __future__ import annotations

from typing import Any

from tapemeter.cassette.tapes import vcr as vcr_form
from tapemeter.errors import CassetteFormatError
from tapemeter.vcr.request import Request
from tapemeter.vcr.serializers import compat, jsonserializer, yamlserializer
from tapemeter.vcr.util import read_body

CASSETTE_FORMAT_VERSION = 1

BUILT_IN = (yamlserializer, jsonserializer)


def is_built_in(serializer: Any) -> bool:
    """Say whether a serializer is one of VCR.py's own, whose files we read in every form that they ever had."""
    name = getattr(serializer, "__name__", "")
    return serializer in BUILT_IN or name in {"vcr.serializers.yamlserializer", "vcr.serializers.jsonserializer"}


def deserialize(cassette_string: str, serializer: Any) -> tuple[Any, ...]:
    """Return the requests and the responses of a cassette, and its metadata where it has some."""
    document = serializer.deserialize(cassette_string)
    if is_built_in(serializer):
        return of_tape(vcr_form.read(document, "cassette", "VCR.py", {}))
    if not isinstance(document, dict) or not isinstance(document.get("interactions"), list):
        raise CassetteFormatError(
            "a serializer's deserialize(text) must return a mapping with a list of `interactions`, "
            f"and returned {type(document).__name__}"
        )
    requests = [Request._from_dict(each["request"]) for each in document["interactions"]]  # noqa: SLF001 - the form of VCR.py's requests
    responses = [compat.convert_to_bytes(each["response"]) for each in document["interactions"]]
    return (requests, responses, *_metadata(document.get("metadata")))


def serialize(cassette_dict: dict[str, Any], serializer: Any) -> Any:
    """Return a cassette, of `requests`, `responses` and perhaps `metadata`, as its serializer writes it."""
    interactions = [
        {
            "request": compat.convert_to_unicode({**request._to_dict(), "body": read_body(request)}),  # noqa: SLF001 - as above
            "response": compat.convert_to_unicode(_copied(response)),
        }
        for request, response in zip(cassette_dict["requests"], cassette_dict["responses"], strict=True)
    ]
    document: dict[str, Any] = {"version": CASSETTE_FORMAT_VERSION, "interactions": interactions}
    if cassette_dict.get("metadata"):
        document["metadata"] = cassette_dict["metadata"]
    return serializer.serialize(document)


def of_tape(tape: Any) -> tuple[Any, ...]:
    """Return the requests and the responses of a tape that was read."""
    requests = [Request(**each.request.as_vcr()) for each in tape.interactions]
    responses = [each.response.as_vcr() for each in tape.interactions]
    return (requests, responses, *_metadata(dict(tape.metadata)))


def _metadata(found: Any) -> tuple[Any, ...]:
    return (found,) if found else ()


def _copied(response: Any) -> Any:
    """Return a response whose body can be replaced without touching the one in memory."""
    if isinstance(response, dict) and isinstance(response.get("body"), dict):
        return {**response, "body": dict(response["body"])}
    return dict(response) if isinstance(response, dict) else response
