"""What a sample of a wire protocol is, and the forms in which its requests and answers go over the wire."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zlib import crc32

from tapemeter import providers
from tapemeter.model import Headers, Request, Usage

if TYPE_CHECKING:
    from tapemeter.providers.meter import Asked

EVENTS = (("content-type", "text/event-stream; charset=utf-8"),)
JSON = (("content-type", "application/json"),)
LINES = (("content-type", "application/x-ndjson"),)
FRAMES = (("content-type", "application/vnd.amazon.eventstream"),)
FORM = (("content-type", "multipart/form-data; boundary=7MA4YWxkTrZu0gW"),)

_BOUNDARY = "7MA4YWxkTrZu0gW"


@dataclass(frozen=True)
class Sample:
    """A request, its plain answer, the same answer as a stream, and what is true of them.

    `framing` says how the stream comes: as events, as JSON lines, as one list, as Amazon's frames, or as their chunks.
    """

    path: str
    body: dict[str, Any]
    plain: dict[str, Any]
    events: list[dict[str, Any]]
    prompt: list[str]
    """The text parts of the request."""
    surroundings: int
    """What the bound adds to the bytes of the text parts."""
    most: int | None
    chars: int
    usage: Usage
    answered: dict[str, Any] = field(default_factory=dict)
    provider: str = ""
    """Where it is not the first word of the protocol."""
    model: str | None = None
    """Where the body does not name it."""
    origin: str = "http://127.0.0.1:8080"
    stream_path: str = ""
    """Where the path says that it streams."""
    framing: str = "events"
    is_form: bool = False
    partial_chars: bool = True
    """Whether the text of a stream that ends early is counted in tokens."""

    @property
    def stream_headers(self) -> Headers:
        return {"events": EVENTS, "lines": LINES, "list": JSON, "frames": FRAMES, "chunks": FRAMES}[self.framing]

    def request(self, *, streams: bool = False) -> Request:
        path = self.stream_path if streams and self.stream_path else self.path
        body = self.body | {"stream": True} if streams and not self.stream_path else self.body
        url = f"{self.origin}{path}"
        if self.is_form:
            return Request("POST", url, FORM, multipart(body))
        return Request("POST", url, JSON, json.dumps(body).encode())

    def asked(self, *, streams: bool = False) -> Asked:
        asked = providers.ask(self.request(streams=streams))
        assert asked is not None
        return asked

    def stream(self, newline: str = "\n") -> bytes:
        match self.framing:
            case "frames":
                return b"".join(frame(*named) for event in self.events for named in event.items())
            case "chunks":
                return b"".join(chunk(event) for event in self.events)
            case "lines":
                return newline.join([*(json.dumps(event, ensure_ascii=False) for event in self.events), ""]).encode()
            case "list":
                between = f"{newline},{newline}"
                return f"[{between.join(json.dumps(event, indent=1) for event in self.events)}{newline}]".encode()
        lines = [": ping", ""]
        for event in self.events:
            lines += [f"event: {event['type']}"] if "type" in event else []
            lines += [f"data: {json.dumps(event, ensure_ascii=False)}", ""]
        return newline.join([*lines, "data: [DONE]", "", ""]).encode()


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def multipart(fields: dict[str, Any]) -> bytes:
    """Return a form as the SDKs send it; a value of bytes is a file."""
    parts = []
    for name, given in fields.items():
        for value in given if isinstance(given, list) else [given]:
            key = f"{name}[]" if isinstance(given, list) else name
            head = f'Content-Disposition: form-data; name="{key}"'
            if isinstance(value, bytes):
                head += '; filename="a.bin"\r\nContent-Type: application/octet-stream'
            data = value if isinstance(value, bytes) else _field(value).encode()
            parts.append(f"--{_BOUNDARY}\r\n{head}\r\n\r\n".encode() + data + b"\r\n")
    return b"".join([*parts, f"--{_BOUNDARY}--\r\n".encode()])


def _field(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def frame(kind: str, value: dict[str, Any], message: str = "event") -> bytes:
    """Return one message of an Amazon event stream."""
    named = {":message-type": message, f":{message}-type": kind, ":content-type": "application/json"}
    return framed(named, json.dumps(value).encode())


def framed(headers: dict[str, str], payload: bytes) -> bytes:
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + len(value.encode()).to_bytes(2, "big") + value.encode()
        for name, value in headers.items()
    )
    prelude = (16 + len(head) + len(payload)).to_bytes(4, "big") + len(head).to_bytes(4, "big")
    prelude += crc32(prelude).to_bytes(4, "big")
    return prelude + head + payload + crc32(prelude + head + payload).to_bytes(4, "big")


def chunk(event: dict[str, Any]) -> bytes:
    """Return a model's own event as Bedrock's invoke-with-response-stream sends it."""
    return frame("chunk", {"bytes": b64encode(compact(event).encode()).decode(), "p": "abcdefgh"})


SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "Où ?"}}}
TOOL = {"name": "weather", "description": "Tells the weather 🌦", "parameters": SCHEMA}
TOOL_TEXTS = ["weather", "Tells the weather 🌦", compact(SCHEMA)]
ARGUMENTS = '{"city":"Zürich"}'
CITY = {"city": "Zürich"}
