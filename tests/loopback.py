"""A provider on loopback for tests: speaks OpenAI chat and Anthropic messages, streams, fails on demand, counts.

The last user message steers it, so that a test says what it wants in the prompt:

    echo                     any other text: answered with `echo: <text>` and a running number
    status 429               an error with that status, in the provider's form
    status 429 then answer   the error the first time, an answer afterwards
    slow                     a stream that pauses after the first chunk until `GET /release`
    leak                     an answer that repeats the key it was called with
    endless                  a stream that never ends
    hang                     no answer, not even its headers, until `GET /release`
    words 30                 an answer of that many words
    usage 100 50             an answer that says how many tokens it read and wrote, at the end of a stream as well
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Loopback:
    """The server; use it as a context manager. `requests` are the paths that reached it, in order."""

    def __init__(self, port: int = 0) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.loopback = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._go = threading.Event()
        self._lock = threading.Lock()
        self.requests: list[str] = []
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.seen: set[str] = set()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def release(self) -> None:
        """Let slow streams go on."""
        self._go.set()

    def note(self, path: str, body: Any, headers: dict[str, str]) -> int:
        with self._lock:
            self.requests.append(path)
            self.bodies.append(body)
            self.headers.append(headers)
            return len(self.requests)

    def wait_for_release(self) -> None:
        """Wait for `release()`; where it does not come, the stream breaks."""
        if not self._go.wait(timeout=20):
            raise TimeoutError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # parallel callers do not wait to be let in


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    @property
    def loopback(self) -> Loopback:
        return self.server.loopback  # type: ignore[attr-defined,no-any-return]

    def do_GET(self) -> None:
        if self.path == "/release":
            self.loopback.release()
            self._json(200, {})
            return
        self.loopback.note(self.path, None, dict(self.headers))
        if self.path.startswith("/redirect"):
            self.send_response(307)
            self.send_header("location", "/v1/models")
            self.send_header("content-length", "0")
            self.end_headers()
            return
        self._json(200, {"object": "list", "data": [{"id": "loopback-1", "object": "model"}]})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            body = json.loads(raw)
        except ValueError:
            body = raw.decode("latin-1")
        number = self.loopback.note(self.path, body, dict(self.headers))
        if not isinstance(body, dict):
            self._json(200, {"raw": len(raw), "number": number})
            return
        prompt = _prompt(body)
        if failing := re.match(r"status (\d+)( then answer)?", prompt):
            first = prompt not in self.loopback.seen
            self.loopback.seen.add(prompt)
            if first or not failing[2]:
                status = int(failing[1])
                self._json(status, {"error": {"message": f"asked for {status}", "type": "test", "code": None}})
                return
        if prompt == "hang":
            with contextlib.suppress(TimeoutError):
                self.loopback.wait_for_release()
        text = f"echo: {prompt} #{number}"
        if words := re.fullmatch(r"words (\d+)", prompt):
            text = " ".join(["word"] * int(words[1]))
        told = re.fullmatch(r"usage (\d+) (\d+)", prompt)
        usage = (int(told[1]), int(told[2])) if told else (5, 7)
        if prompt == "leak":
            key = self.headers.get("authorization") or self.headers.get("x-api-key") or ""
            text = f"your key is {key.removeprefix('Bearer ')}"
        anthropic = self.path.endswith("/messages")
        if body.get("stream"):
            events = _message_events(text, usage) if anthropic else _completion_events(text, usage if told else None)
            self._stream(prompt, events, done=not anthropic)
        else:
            self._json(200, _message(text, usage) if anthropic else _completion(text, number, usage))

    def _json(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        if "gzip-please" in self.headers:
            data = gzip.compress(data)
            self.send_header("content-encoding", "gzip")
        self.send_header("content-length", str(len(data)))
        with contextlib.suppress(ConnectionError):  # whoever asked may be gone
            self.end_headers()
            self.wfile.write(data)

    def _stream(self, prompt: str, events: list[str], *, done: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for place, event in enumerate(events):
                if prompt == "slow" and place > 0:
                    self.loopback.wait_for_release()
                self._chunk(event.encode())
            if prompt == "endless":
                self.loopback.wait_for_release()
            if prompt == "broken":
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if done:
                self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")
        except OSError:
            self.close_connection = True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


def _prompt(body: dict[str, Any]) -> str:
    messages = body.get("messages") or []
    content = messages[-1].get("content", "") if messages else body.get("prompt") or body.get("input") or ""
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    return str(content)


def _completion(text: str, number: int, usage: tuple[int, int]) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1,
        "model": "loopback-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": _completion_usage(usage),
    }


def _completion_usage(usage: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}


def _message(text: str, usage: tuple[int, int]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "loopback-1",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": usage[0], "output_tokens": usage[1]},
    }


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


def _completion_events(text: str, usage: tuple[int, int] | None) -> list[str]:
    chunks: list[dict[str, Any]] = []
    for place, word in enumerate(_words(text)):
        delta = {"role": "assistant", "content": word} if place == 0 else {"content": word}
        chunks.append({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage is not None:
        chunks.append({"choices": [], "usage": _completion_usage(usage)})
    base = {"id": "chatcmpl-s", "object": "chat.completion.chunk", "created": 1, "model": "loopback-1"}
    return [f"data: {json.dumps({**base, **chunk})}\n\n" for chunk in chunks]


def _message_events(text: str, usage: tuple[int, int]) -> list[str]:
    start = {**_message("", usage), "content": [], "stop_reason": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
            for word in _words(text)
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": usage[1]},
        },
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
