"""Writes an HTTP Archive (HAR 1.2), which browsers, proxies and viewers open.

body that is UTF-8    its text
other bytes           base64, marked `encoding` in a response as the format has it, `_encoding` in a request,
                      for which it has nothing
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tapemeter.cassette.tapes.conversion import UNKNOWN_TIME
from tapemeter.cassette.tapes.ours import phrase
from tapemeter.model import header

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tapemeter.cassette.model import Interaction
    from tapemeter.model import Headers, Request, Response

VERSION = "1.2"
_HTTP = "HTTP/1.1"
_BYTES = "application/octet-stream"
_UNKNOWN = -1
_DECIMALS = 3


def dump_har(interactions: Iterable[Interaction], version: str) -> str:
    """Return a HAR file with the interactions; `version` is that of tapemeter, which made it."""
    log = {
        "version": VERSION,
        "creator": {"name": "tapemeter", "version": version},
        "entries": [_entry(interaction) for interaction in interactions],
    }
    return json.dumps({"log": log}, indent=2) + "\n"


def _entry(interaction: Interaction) -> dict[str, Any]:
    response = interaction.response
    total = max(response.total, response.first_byte)
    return {
        "startedDateTime": (interaction.recorded or UNKNOWN_TIME).replace("Z", ".000Z"),
        "time": _milliseconds(total),
        "request": _request(interaction.request),
        "response": _response(response),
        "cache": {},
        "timings": {
            "send": 0,
            "wait": _milliseconds(response.first_byte),
            "receive": _milliseconds(total - response.first_byte),
        },
    }


def _request(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "httpVersion": _HTTP,
        "cookies": [],
        "headers": _headers(request.headers),
        "queryString": _query(request.url),
        **({"postData": _posted(request)} if request.body else {}),
        "headersSize": _UNKNOWN,
        "bodySize": len(request.body),
    }


def _posted(request: Request) -> dict[str, Any]:
    text, encoding = _text(request.body)
    return {
        "mimeType": header(request.headers, "content-type") or _BYTES,
        "text": text,
        **({"_encoding": encoding} if encoding else {}),
    }


def _response(response: Response) -> dict[str, Any]:
    text, encoding = _text(response.body)
    return {
        "status": response.status,
        "statusText": phrase(response.status) or "",
        "httpVersion": _HTTP,
        "cookies": [],
        "headers": _headers(response.headers),
        "content": {
            "size": len(response.body),
            "mimeType": header(response.headers, "content-type") or _BYTES,
            "text": text,
            **({"encoding": encoding} if encoding else {}),
        },
        "redirectURL": header(response.headers, "location") or "",
        "headersSize": _UNKNOWN,
        "bodySize": _UNKNOWN if response.decoded_from else len(response.body),
    }


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _query(url: str) -> list[dict[str, str]]:
    try:
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return []
    return [{"name": name, "value": value} for name, value in pairs]


def _text(body: bytes) -> tuple[str, str]:
    """Return a body as text, and how it is encoded; that is empty where it is plain."""
    try:
        return body.decode(), ""
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, _DECIMALS)
