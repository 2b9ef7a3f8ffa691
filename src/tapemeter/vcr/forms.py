"""Turns requests and responses between VCR.py's objects and ours.

A response of VCR.py's is `{"status": {"code", "message"}, "headers": {name: [values]}, "body": {"string": bytes}}`.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tapemeter.cassette import volatile
from tapemeter.cassette.tapes import vcr as vcr_form
from tapemeter.cassette.tapes.conversion import decoded, flat, interaction_of
from tapemeter.model import Chunk, Ending, Response, header, without_headers
from tapemeter.model import Request as Sent
from tapemeter.values import replace
from tapemeter.vcr.request import Request
from tapemeter.vcr.util import read_body

if TYPE_CHECKING:
    from tapemeter.cassette.model import Interaction
    from tapemeter.cassette.tapes.model import TapeInteraction, TapeResponse
    from tapemeter.model import Headers

ENDING = "x-tapemeter-ending"
"""The header by which a file says that the body in it is not whole; VCR.py's form has no other place for it."""
_NO_FRAMING = ("content-length", "transfer-encoding", ENDING)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def request_of(sent: Sent) -> Request:
    """Return a request as VCR.py's hooks see it; a header that occurs more than once has its values joined."""
    headers: dict[str, str] = {}
    for name, value in sent.headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(sent.method, sent.url, sent.body, headers)


def sent_of(request: Any) -> Sent:
    """Return a request of VCR.py's as one of ours; a body that is a value as JSON."""
    body = read_body(request)
    if isinstance(body, dict | list):
        body = json.dumps(body).encode()
    headers = tuple((str(name).lower(), text(value)) for name, value in request.headers.items())
    return Sent(request.method, request.uri, headers, bytes(body or b""))


def kept_of(request: Any) -> Sent:
    """Return a request of VCR.py's as a cassette of ours keeps one: without what describes the client alone."""
    sent = sent_of(request)
    return sent.with_headers(volatile.of_request(sent.headers))


def response_of(came: Response) -> dict[str, Any]:
    """Return a response that came as VCR.py records it, with its content coding."""
    headers: dict[str, list[str]] = {}
    for name, value in came.headers:
        headers.setdefault(name, []).append(value)
    if came.ending is not Ending.COMPLETE:
        headers[ENDING] = [came.ending.value]
    return {
        "status": {"code": came.status, "message": _PHRASES.get(came.status, "")},
        "headers": headers,
        "body": {"string": came.body},
    }


def played(request: Any, response: Any, cassette: str) -> tuple[Interaction, Response]:
    """Return a recorded interaction as it is booked, and the response as its client is to get it.

    The client gets a compressed body with the header that says so. CassetteFormatError for what is no response.
    """
    fields = {
        "method": request.method,
        "uri": request.uri,
        "headers": dict(request.headers),
        "body": read_body(request),
    }
    document = {"interactions": [{"request": fields, "response": response}], "version": 1}
    tape = vcr_form.read(document, cassette, "VCR.py", {})
    found = _without_false_coding(tape.interactions[0])
    ending = _ending(flat(found.response.headers))
    interaction = interaction_of(found)
    interaction = replace(interaction, response=replace(interaction.response, ending=ending))
    return interaction, replace(_as_sent(found.response), ending=ending)


def _without_false_coding(found: TapeInteraction) -> TapeInteraction:
    """Return an interaction without a header that says its body is compressed, where the body is plain text."""
    response = found.response
    if not header(flat(response.headers), "content-encoding") or not _is_text(response.body):
        return found
    headers = {name: values for name, values in response.headers.items() if name.lower() != "content-encoding"}
    return replace(found, response=replace(response, headers=headers))


def _as_sent(response: TapeResponse) -> Response:
    """Return the response as a server would have sent it, so that its client can read it.

    A body that plainly is in a coding that no header names goes decoded.
    """
    headers = flat(response.headers)
    body = response.body if header(headers, "content-encoding") else decoded(response)[0]
    return Response(
        status=response.status,
        headers=without_headers(headers, _NO_FRAMING),
        chunks=(Chunk(0.0, body),) if body else (),
    )


def _ending(headers: Headers) -> Ending:
    named = header(headers, ENDING)
    return Ending(named) if named in set(Ending) else Ending.COMPLETE


def text(value: Any) -> str:
    """Return the value of a header as text."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _is_text(body: bytes) -> bool:
    """Whether a body is one that people could read, as no compressed one is, save the very shortest."""
    try:
        return len(body) > 1 and not _CONTROL.search(body.decode())
    except UnicodeDecodeError:
        return False
