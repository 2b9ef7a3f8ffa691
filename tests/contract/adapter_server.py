"""A server on loopback whose answers show what HTTP can do: each path says what comes, and all that arrives is kept.

    /v1/chat/completions    an answer of a model, with a running number
    /stream                 events, each in a chunk of its own; `?events=3`
        &gate=1             after the first one, wait for `go`
        &end=break          break the connection in place of the end
        &end=wait           wait for `go` in place of the end; `half`: in the midst of one more chunk, `half!`
        &frame=length       not in chunks, but of announced length; `close`: until the connection is closed
        &mark=1             the last event says that nothing follows
    /status/503             an answer with that status; `?first=1`: of the first request only, then an answer of a model
    /redirect/302           to `/landed`, or `?to=` another place
    /landed                 a text
    /gzip, /br              compressed JSON; `?stream=1`: compressed events
    /silent                 no answer before `go`
    /drop                   an answer, behind which the connection is closed without a word
    /close                  an answer that says that the connection will be closed
    /headers                a header that comes twice, and one that is no ASCII
    /big                    300,000 bytes
    /xml                    the number 42 in XML-RPC
    /events                 a stream of Amazon's event messages

With `?do=/stream` a call of a model is answered in the same way.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import xmlrpc.client
import zlib
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

import brotli

if TYPE_CHECKING:
    import ssl

MODEL = "/v1/chat/completions"
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "loopback-1",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
}


@dataclass(frozen=True)
class Arrived:
    """A request as it arrived; `framing` is how its body was sent: `length`, `chunked`, or nothing."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    framing: str


class Server:
    """The server; use it as a context manager. `arrived` is what reached it, `connections` how many were opened."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.ours = self
        self._scheme = "http" if context is None else "https"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True)
        self._lock = threading.Lock()
        self.go = threading.Event()
        """Lets go on what waits."""
        self.arrived: list[Arrived] = []
        self.connections = 0
        self.answer: Any = ANSWER
        """What a model answers: a JSON object, to which a number is added, or the messages of Amazon's stream."""
        self.failing: list[int] = []
        """Statuses of the next answers of a model, if they are to be errors."""
        self.failed: set[str] = set()
        self.hung_up = threading.Event()
        self.waited_long = False
        """Whether something waited for `go` until it gave up."""

    def url(self, do: str = "", **options: object) -> str:
        """Return the URL of a model call whose answer is that of another path."""
        query = "&".join(f"{name}={value}" for name, value in {**({"do": do} if do else {}), **options}.items())
        return self.plain(MODEL + (f"?{query}" if query else ""))

    def plain(self, path: str) -> str:
        """Return the URL of a path."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}{path}"

    def note(self, request: Arrived) -> int:
        with self._lock:
            self.arrived.append(request)
            return len(self.arrived)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    ours: Server

    def handle_error(self, *_: object) -> None:
        """Keep quiet of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True
    wbufsize = 0
    timeout = 30

    def setup(self) -> None:
        self.server.ours.connections += 1
        super().setup()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        framing, body = self._body()
        ours = self.server.ours
        headers = {name.lower(): value for name, value in self.headers.items()}
        number = ours.note(Arrived(self.command, self.path, headers, body, framing))
        asked = urlsplit(self.path)
        options = {name: values[0] for name, values in parse_qs(asked.query).items()}
        path = options.get("do", asked.path)
        _, word, *more = path.split("/")
        deed = getattr(self, f"_do_{word}", None)
        if deed is not None:
            deed(*more, **{name: value for name, value in options.items() if name not in {"do", "n"}})
        elif ours.failing:
            self._do_status(str(ours.failing.pop(0)))
        elif isinstance(ours.answer, dict):
            self._json({**ours.answer, "number": number})
        else:
            self._do_events()

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST  # noqa: N815 - as the library wants them

    def _body(self) -> tuple[str, bytes]:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return "chunked", b"".join(parts)
        if "content-length" in self.headers:
            return "length", self.rfile.read(int(self.headers["content-length"]))
        return "", b""

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        self._send(status, json.dumps(value).encode(), {"content-type": "application/json", **headers})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        bodiless = status in {204, 304} or self.command == "HEAD"
        if status not in {204, 304}:
            self.send_header("content-length", str(len(data)))
        with contextlib.suppress(OSError):
            self.end_headers()
            if not bodiless:
                self.wfile.write(data)

    def _do_status(self, status: str, first: str = "") -> None:
        ours = self.server.ours
        if first and self.path in ours.failed:
            self._json(ANSWER)
            return
        ours.failed.add(self.path)
        self._json({"error": {"message": "as asked", "type": "test", "code": None}}, int(status))

    def _do_redirect(self, status: str, to: str = "/landed") -> None:
        self._send(int(status), b"", {"location": to})

    def _do_landed(self) -> None:
        self._send(200, b"landed", {"content-type": "text/plain"})

    def _do_gzip(self, stream: str = "") -> None:
        if not stream:
            data = gzip.compress(json.dumps(ANSWER).encode(), mtime=0)
            self._send(200, data, {"content-type": "application/json", "content-encoding": "gzip"})
            return
        packer = zlib.compressobj(wbits=31)
        pieces = [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in stream_events(3)]
        self._chunks([*pieces, packer.flush()], {"content-encoding": "gzip"})

    def _do_br(self) -> None:
        data = brotli.compress(json.dumps(ANSWER).encode())
        self._send(200, data, {"content-type": "application/json", "content-encoding": "br"})

    def _do_silent(self) -> None:
        self._wait()
        self._json(ANSWER)

    def _do_drop(self) -> None:
        self._json(ANSWER)
        self._hang_up()

    def _do_close(self) -> None:
        self._json(ANSWER, connection="close")
        self._hang_up()

    def _do_headers(self) -> None:
        self.send_response(200, "Fine")
        for name, value in [("X-Twice", "one"), ("X-Twice", "two"), ("X-Name", "J\xf6rg"), ("content-length", "2")]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"ok")

    def _do_xml(self) -> None:
        self._send(200, xmlrpc.client.dumps((42,), methodresponse=True).encode(), {"content-type": "text/xml"})

    def _do_big(self) -> None:
        self._send(200, b"0123456789" * 30_000, {"content-type": "application/octet-stream"})

    def _do_events(self) -> None:
        self._chunks(list(amazon_events()), {"content-type": "application/vnd.amazon.eventstream"})

    def _do_stream(
        self, events: str = "3", gate: str = "", end: str = "", frame: str = "chunked", mark: str = ""
    ) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        pieces = stream_events(int(events)) + ([b"data: [DONE]\n\n"] if mark else [])
        framing = {
            "chunked": ("transfer-encoding", "chunked"),
            "length": ("content-length", str(sum(map(len, pieces)))),
            "close": ("connection", "close"),
        }
        self.send_header(*framing[frame])
        self.end_headers()
        with contextlib.suppress(OSError):
            for place, piece in enumerate(pieces):
                if place == 1 and gate:
                    self._wait()
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if frame == "chunked" else piece)
            self._end(end, b"0\r\n\r\n" if frame == "chunked" else b"")
            return
        self.close_connection = True

    def _end(self, end: str, last: bytes) -> None:
        if end == "half":
            self.wfile.write(b"a\r\nhalf!")
        if end in {"wait", "half"}:
            self._wait()
        if end == "break":
            self._hang_up()
        else:
            self.wfile.write(last)

    def _chunks(self, pieces: list[bytes], headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {"content-type": "text/event-stream", "transfer-encoding": "chunked", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _wait(self) -> None:
        if not self.server.ours.go.wait(20):
            self.server.ours.waited_long = True
            raise TimeoutError

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.server.ours.hung_up.set()


def stream_events(count: int) -> list[bytes]:
    """Return the events of a stream, of different lengths."""
    choices = ({"index": 0, "delta": {"content": "word " * place}, "finish_reason": None} for place in range(count))
    return [f"data: {json.dumps({'model': 'loopback-1', 'choices': [choice]})}\n\n".encode() for choice in choices]


def amazon_events() -> list[bytes]:
    """Return the messages of a stream of Amazon's Converse."""
    told: list[tuple[str, dict[str, Any]]] = [
        ("messageStart", {"role": "assistant"}),
        *(("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}}) for word in ("one ", "two")),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": {"inputTokens": 11, "outputTokens": 3, "totalTokens": 14}, "metrics": {"latencyMs": 5}}),
    ]
    return [_message(kind, json.dumps(value).encode()) for kind, value in told]


def _message(kind: str, payload: bytes) -> bytes:
    pairs = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + len(value).to_bytes(2, "big") + value.encode()
        for name, value in pairs.items()
    )
    prelude = (16 + len(headers) + len(payload)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    message = prelude + zlib.crc32(prelude).to_bytes(4, "big") + headers + payload
    return message + zlib.crc32(message).to_bytes(4, "big")
