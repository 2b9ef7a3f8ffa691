"""Makes a tape of what VCR.py wrote, in any of the forms its versions, stubs and users' serializers left behind.

    top        {interactions: [{request, response}], version, metadata}; of older suites {requests: […], responses: […]}
    request    {method, uri, headers, body | parsed_body}
    response   {status: {code, message}, headers, body: {string} | parsed_body, url}
               {status_code, http_version, headers, content}, of the first stubs for httpx

Before version 1, the top was the list of pairs, a request had {protocol, host, port, path} for a uri, and the headers
of a response were the lines sent.

A body is None, text, bytes, pieces, or a value that the client was given to encode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.cassette.tapes import shapes
from tapemeter.cassette.tapes.model import NoTapeError, RawHeaders, Tape, TapeInteraction, TapeRequest, TapeResponse
from tapemeter.cassette.tapes.shapes import ShapeError
from tapemeter.errors import CassetteFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.yaml_reader import Place

NO_VERSION = "it does not end in `version: 1` as VCR.py writes it: it may have been cut, or another tool wrote it"
EMPTY = "the file is empty, which VCR.py takes for no recording at all"
ENCODED = (
    "bodies kept as values (a mapping, a list, parsed_body) are written as JSON: their own bytes are not on the tape"
)
_REMEDY = "mend it, restore the file from version control, or record it again"
_PARTED = {"requests", "responses"}
_PORTS = {"http": 80, "https": 443}


def read(document: Any, path: str, form: str, lines: dict[Place, int]) -> Tape:
    """Return the tape at `path` of which `document` is the content, `lines` saying where its parts begin.

    CassetteFormatError, with the interaction and where it is known the line, for what is no such tape.
    """
    if document is None:
        return Tape((), (EMPTY,), form)
    notes: dict[str, None] = {}
    if isinstance(document, list) and document and isinstance(document[0], dict) and "request" in document[0]:
        form += " (before version 1)"
        document, lines = {"interactions": document}, {("interactions", *place): line for place, line in lines.items()}
    elif not isinstance(document, dict) or not ("interactions" in document or document.keys() >= _PARTED):
        raise no_tape(path)
    elif "interactions" not in document:
        form += " (requests and responses)"
    elif "version" not in document:
        notes[NO_VERSION] = None
    interactions = []
    for number, (request, response, place) in enumerate(_pairs(document, path, lines), 1):
        try:
            interactions.append(TapeInteraction(_request(request, notes), _response(response, notes)))
        except ShapeError as error:
            line = lines.get(place)
            raise _fault(f"interaction {number}: {error}", path, line) from None
    metadata = document.get("metadata")
    return Tape(tuple(interactions), tuple(notes), form, metadata if isinstance(metadata, dict) else {})


def no_tape(path: str) -> NoTapeError:
    """Return the error for a file that is no tape of any form."""
    problem = "this is no tape: a tape has `interactions`, or `requests` and `responses`, at its top"
    return NoTapeError(f"{problem}; name the files that are tapes", path=path)


def _pairs(document: dict[str, Any], path: str, lines: dict[Place, int]) -> Iterator[tuple[Any, Any, Place]]:
    """Yield each request and response, and the place of the two."""
    try:
        if "interactions" in document:
            for index, each in enumerate(shapes.items(document["interactions"], "`interactions`")):
                place: Place = ("interactions", index)
                pair = each if isinstance(each, dict) else {}
                for side in ("request", "response"):
                    if side not in pair:
                        line = lines.get(place)
                        raise _fault(f"interaction {index + 1} has no {side}: the file may have been cut", path, line)
                yield pair["request"], pair["response"], place
            return
        requests = shapes.items(document["requests"], "`requests`")
        responses = shapes.items(document["responses"], "`responses`")
    except ShapeError as error:
        raise _fault(str(error), path, 1) from None
    if len(requests) != len(responses):
        problem = f"{len(requests)} requests and {len(responses)} responses: the file may have been cut"
        raise _fault(problem, path, lines.get(("responses",)))
    for index, (request, response) in enumerate(zip(requests, responses, strict=True)):
        yield request, response, ("requests", index)


def _request(value: Any, notes: dict[str, None]) -> TapeRequest:
    fields = shapes.mapping(value, "the request")
    headers = shapes.headers(fields.get("headers"))
    return TapeRequest(
        method=shapes.text(fields.get("method"), "the method"),
        uri=shapes.text(_uri(fields), "the uri"),
        headers=headers,
        body=_body(fields, headers, notes),
    )


def _uri(fields: dict[str, Any]) -> Any:
    match fields:
        case {"uri": uri} | {"url": uri}:
            return uri
        case {"protocol": str(scheme), "host": str(host), "path": str(path)}:
            port = fields.get("port")
            return f"{scheme}://{host}{'' if port in (None, _PORTS.get(scheme)) else f':{port}'}{path}"
    return None


def _response(value: Any, notes: dict[str, None]) -> TapeResponse:
    fields = shapes.mapping(value, "the response")
    headers = shapes.headers(fields.get("headers"))
    state = fields.get("status", fields.get("status_code"))
    code, message = (state.get("code"), state.get("message")) if isinstance(state, dict) else (state, None)
    held = fields.get("body")
    if isinstance(held, dict):
        fields = {**fields, "body": _held(held)}
    url = fields.get("url")
    return TapeResponse(
        status=shapes.status(code),
        message=message if isinstance(message, str) else None,
        headers=headers,
        body=_body(fields, headers, notes) or b"",
        url=url if isinstance(url, str) else None,
    )


def _held(body: dict[str, Any]) -> Any:
    """Return what the mapping holds that is the body of a response."""
    if "base64_string" in body:
        return shapes.base64_bytes(body["base64_string"])
    if body and "string" not in body:
        raise ShapeError("expected the body of the response to be {string: …}")
    return body.get("string")


def _body(fields: dict[str, Any], headers: RawHeaders, notes: dict[str, None]) -> bytes | None:
    """Return the body that a request or response has under one of its names."""
    if fields.get("parsed_body") is not None and fields.get("body") in (None, "", b"", {}):
        notes[ENCODED] = None
        return shapes.parsed(fields["parsed_body"], headers)
    value = fields.get("body")
    if value is None:
        value = fields.get("content")
    if isinstance(value, dict | list):
        notes[ENCODED] = None
    return shapes.body(value, headers)


def _fault(problem: str, path: str, line: int | None) -> CassetteFormatError:
    return CassetteFormatError(f"{problem}; {_REMEDY}", path=path, line=line)
