"""A model server on loopback whose answers a test writes itself, byte for byte, for what a real one seldom does."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Reply:
    """One answer. `pieces` are sent as chunks; None among them waits for `release`; `breaks` ends without an end.

    With `awaits_leaving` the answer stays open until the client hangs up; `ModelLoopback.left` is set then.
    """

    status: int = 200
    pieces: list[bytes | None] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    breaks: bool = False
    awaits_leaving: bool = False

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Reply:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, [json.dumps(value).encode()], {"content-type": "application/json", **named})

    @classmethod
    def events(cls, *events: Any, breaks: bool = False, awaits_leaving: bool = False, **headers: str) -> Reply:
        """Server-sent events; a text stands as it is, None waits."""
        pieces: list[bytes | None] = []
        for event in events:
            if event is None:
                pieces.append(None)
            else:
                data = event if isinstance(event, str) else json.dumps(event)
                pieces.append(f"data: {data}\n\n".encode())
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(200, pieces, {"content-type": "text/event-stream", **named}, breaks, awaits_leaving)


class ModelLoopback:
    """The server; a context manager. Replies are given in their order, the last one again and again."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.got: list[tuple[str, dict[str, str], Any]] = []
        """Path, headers and body of each request."""
        self.connections = 0
        self.left = threading.Event()
        self._go = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.loopback = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def reply(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def release(self) -> None:
        self._go.set()

    def next(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.loopback.connections += 1  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _answer(self, body: Any) -> None:
        loopback: ModelLoopback = self.server.loopback  # type: ignore[attr-defined]
        loopback.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        reply = loopback.next()
        try:
            self._send(reply, loopback)
        except OSError as error:  # whoever asked is gone, perhaps between two pieces
            if isinstance(error, ConnectionError):
                loopback.left.set()

    def _send(self, reply: Reply, loopback: ModelLoopback) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in reply.pieces:
            if piece is None:
                self.wfile.flush()
                loopback._go.wait(20)
            else:
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if reply.awaits_leaving:
            self._wait_until_left(loopback)
        elif reply.breaks:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _wait_until_left(self, loopback: ModelLoopback) -> None:
        self.close_connection = True
        self.connection.settimeout(20)
        if self.connection.recv(1) == b"":
            loopback.left.set()
