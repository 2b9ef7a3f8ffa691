"""A model on loopback whose answers change between two runs, as those of a real one do over the months."""

from __future__ import annotations

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "model-2026-01",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}],
    "usage": {"prompt_tokens": 40, "completion_tokens": 20, "total_tokens": 60},
}


def completion(content: str = "Hello.", *, message: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An answer of OpenAI's kind; `finish_reason` and `message` are of its only choice."""
    reason = changes.pop("finish_reason", "stop")
    said = message or {"role": "assistant", "content": content}
    return {**COMPLETION, "choices": [{"index": 0, "finish_reason": reason, "message": said}], **changes}


def usage(read: int, written: int) -> dict[str, int]:
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def streamed(*words: str, model: str = "model-2026-01", **delta: Any) -> bytes:
    """The same as a stream, with an event for each word; `delta` is added to each."""
    base = {"id": "chatcmpl-s", "object": "chat.completion.chunk", "created": 1, "model": model}
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": word, **delta}, "finish_reason": None}]} for word in words
    ]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": usage(9, 9)}]
    events = [f"data: {json.dumps({**base, **chunk})}\n\n".encode() for chunk in chunks]
    return b"".join([*events, b"data: [DONE]\n\n"])


class ChangingModel:
    """Answers with what it was told, the last for good: JSON, bytes of a stream, or an HTTP status; counts calls."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.model = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._answers: deque[Any] = deque([COMPLETION])
        self.calls = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answers(self, *answers: Any) -> None:
        """Say what is answered from here on."""
        self._answers = deque(answers)

    def next(self) -> Any:
        self.calls += 1
        return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        answer = self.server.model.next()  # type: ignore[attr-defined]
        status, kind = 200, "application/json"
        if isinstance(answer, bytes):
            kind, data = "text/event-stream", answer
        else:
            if isinstance(answer, int):
                status, answer = answer, {"error": {"message": "no", "type": "test", "code": None}}
            data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
