"""A provider on loopback that speaks every wire protocol, and keeps what it said each answer used.

Chat completions and messages are those of `Loopback`, which the prompt steers; the other protocols answer with their
samples of tests/contract. A body that says `status 400` anywhere is an error in all of them.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from struct import pack
from typing import TYPE_CHECKING, Any

import provider_samples as samples
import provider_samples_amazon as amazon
import provider_samples_google as google
import provider_samples_others as others
from provider_forms import JSON, Sample

from loopback import Loopback, _Handler
from tapemeter.model import Usage

if TYPE_CHECKING:
    from tapemeter.model import Headers

PROMPT = "usage 90 40"
"""What a program asks, so that `Loopback` says what it used at the end of a stream as well."""

USED = Usage(90, 40)


def _message_alone() -> Sample:
    """Return the Responses sample without its reasoning and its call of a tool, which no program here asked for."""
    item = {"id": "msg_7", "role": "assistant", "status": "completed", "type": "message"}
    said = {"type": "output_text", "text": "Sonnig 🌞", "annotations": []}
    output = [item | {"content": [said]}]
    asked = {"object": "response", "created_at": 1, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    plain = samples.RESPONSES_ANSWER | asked | {"output": output}
    part = {"item_id": "msg_7", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": plain | {"output": [], "status": "in_progress", "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": item | {"content": []}},
        {"type": "response.content_part.added", **part, "part": said | {"text": ""}},
        *({"type": "response.output_text.delta", **part, "delta": text, "logprobs": []} for text in ("Sonnig ", "🌞")),
        {"type": "response.output_text.done", **part, "text": said["text"], "logprobs": []},
        {"type": "response.content_part.done", **part, "part": said},
        {"type": "response.output_item.done", "output_index": 0, "item": output[0]},
        {"type": "response.completed", "response": plain},
    ]
    numbered = [event | {"sequence_number": number} for number, event in enumerate(events)]
    return replace(samples.RESPONSES, plain=plain, events=numbered)


def _call_of_a_tool() -> Sample:
    """Return the chat sample with the second of its choices alone: the call of a tool."""
    [choice] = (choice for choice in samples.CHAT.plain["choices"] if choice["finish_reason"] == "tool_calls")
    call = choice["message"]["tool_calls"][0] | {"type": "function"}
    choice = choice | {"index": 0, "message": choice["message"] | {"tool_calls": [call]}}
    plain = samples.CHAT.plain | {"object": "chat.completion", "created": 1, "choices": [choice]}
    events = []
    for event in samples.CHAT.events:
        choices = [choice | {"index": 0} for choice in event["choices"] if choice["index"] == 1]
        if choices or event["usage"]:
            events.append(event | {"object": "chat.completion.chunk", "created": 1, "choices": choices})
    return replace(samples.CHAT, plain=plain, events=events)


RANKED = others.RERANK_BY_TOKENS.plain
RERANK = replace(others.RERANK_BY_TOKENS, plain=RANKED | {"object": "list", "data": RANKED["results"]})
EMBEDDINGS = replace(samples.EMBEDDINGS, plain=samples.EMBEDDED | {"id": "e7", "object": "list"})
CALL_OF_A_TOOL = _call_of_a_tool()

ROUTES: tuple[tuple[str, Sample], ...] = (
    (r"/responses$", _message_alone()),
    (r"/v1/embeddings$", EMBEDDINGS),
    (r":(generate|streamGenerate)Content", google.GENERATE_AS_EVENTS),
    (r":(batchEmbedContents|embedContent)", google.EMBED),
    (r"/model/[^/]+/converse(-stream)?$", amazon.CONVERSE),
    (r"/model/anthropic[^/]+/invoke(-with-response-stream)?$", amazon.INVOKE_ANTHROPIC),
    (r"/v2/chat$", others.COHERE_CHAT),
    (r"/v2/embed$", others.COHERE_EMBED),
    (r"/v1/rerank$", RERANK),
    (r"/v2/rerank$", others.COHERE_RERANK),
    (r"/api/chat$", others.OLLAMA_CHAT),
    (r"/api/generate$", others.OLLAMA_GENERATE),
    (r"/api/embed$", others.OLLAMA_EMBED),
    (r"^/(generate|generate_stream)?$", others.HUGGING_FACE),
)
"""Which sample answers a path."""


class WireServer(Loopback):
    """The server; use it as a context manager. `said` is what each answer used, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._server.RequestHandlerClass = _WireHandler
        self._tell = self._server.handle_error
        self._server.handle_error = self._tell_what_is_wrong  # type: ignore[method-assign]
        self.said: list[Usage] = []
        self.knocks = 0

    def _tell_what_is_wrong(self, request: Any, address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # some SDKs hang up on an error
            self._tell(request, address)

    def leave(self) -> None:
        """Answer nobody any more: whoever comes is hung up on, and counted in `knocks`."""
        self._server.shutdown()
        threading.Thread(target=self._hang_up, daemon=True).start()

    def _hang_up(self) -> None:
        with suppress(OSError):  # the socket is closed in the end
            while True:
                connection, _ = self._server.socket.accept()
                self.knocks += 1
                connection.close()


class _WireHandler(_Handler):
    loopback: WireServer  # type: ignore[assignment]

    def do_POST(self) -> None:  # noqa: N802 - as the library wants it
        length = self.headers.get("content-length")
        raw = self._parts() if length is None else self.rfile.read(int(length))
        body = json.loads(raw)
        path = self.path.partition("?")[0]
        sample = next((sample for pattern, sample in ROUTES if re.search(pattern, path)), None)
        if path.endswith("/chat/completions") and body.get("tools"):
            sample = _renamed(CALL_OF_A_TOOL, body["tools"][0]["function"]["name"])
        if sample is None:
            self._as_loopback(raw)
            return
        self.loopback.note(self.path, body, dict(self.headers))
        if failing := re.search(r"status (\d+)", raw.decode()):
            self._fail(int(failing[1]))
            return
        self.loopback.said.append(sample.usage)
        if body.get("stream") or "tream" in path:
            data = sample.stream()
            if sample.provider == "gcp.gemini":  # whose SDK knows neither comments nor an end
                data = data.removeprefix(b": ping\n\n").removesuffix(b"data: [DONE]\n\n")
            self._send(sample.stream_headers, data)
        else:
            self._send(JSON, json.dumps(_as_asked(sample.plain, body)).encode())

    def _as_loopback(self, raw: bytes) -> None:
        if b"status 4" not in raw:
            self.loopback.said.append(USED)
        self.headers.replace_header("content-length", str(len(raw)))
        wire, self.rfile = self.rfile, BytesIO(raw)  # type: ignore[assignment]
        try:
            super().do_POST()
        finally:
            self.rfile = wire

    def _parts(self) -> bytes:
        """Read a body that comes in chunks."""
        self.headers["content-length"] = "0"
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _fail(self, status: int) -> None:
        """Say no in a form that each SDK finds its own words in."""
        said = f"asked for {status}"
        error = {"code": status, "message": said, "status": "INVALID_ARGUMENT", "type": "invalid_request_error"}
        data = json.dumps({"error": error, "message": said, "detail": said}).encode()
        self._send((*JSON, ("x-amzn-errortype", "ValidationException")), data, status)

    def _send(self, headers: Headers, data: bytes, status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        # A stream in many pieces, which cut events and characters apart.
        size = 200 if headers is not JSON else len(data)
        for start in range(0, len(data), size):
            self._chunk(data[start : start + size])
        self._chunk(b"")


def _renamed(sample: Sample, name: str) -> Sample:
    """Return the sample with the tool's name as the program has it."""
    return replace(
        sample,
        plain=json.loads(json.dumps(sample.plain).replace('"weather"', json.dumps(name))),
        events=json.loads(json.dumps(sample.events).replace('"weather"', json.dumps(name))),
    )


def _as_asked(plain: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with its vectors as base64 where that was asked for."""
    if body.get("encoding_format") != "base64":
        return plain
    rows = [row | {"embedding": b64encode(pack("<2f", *row["embedding"])).decode()} for row in plain["data"]]
    return plain | {"data": rows}
