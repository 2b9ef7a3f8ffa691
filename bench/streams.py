"""How long the first chunk of a stream takes, while it is recorded and without us."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx

from bench import samples
from bench.replaying import entered, session
from bench.timing import row
from tapemeter.cassette.mode import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.timing import Row

_STREAMS = 100
_CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'


def first_chunks(folder: Path) -> Iterator[Row]:
    """Measure from the request to the first of 20 chunks of an event stream from a server on loopback."""
    group = "first chunk of a stream from loopback"
    with _server() as url:

        def recorded() -> float:
            with session(folder, Mode.RECORD_ALL) as made:
                owner = entered(made, folder / "stream.yaml")
                try:
                    return _median(url)
                finally:
                    made.close(owner, keep=False)

        yield row(group, "floor: httpx", lambda: _median(url), 5, "ms")
        yield row(group, "tapemeter, recording", recorded, 5, "ms")


def _median(url: str) -> float:
    found = []
    with httpx.Client() as client:
        for _ in range(_STREAMS):
            started = time.perf_counter()
            with client.stream("POST", url, json=samples.question(0)) as response:
                chunks = response.iter_bytes()
                next(chunks)
                found.append(time.perf_counter() - started)
                for _ in chunks:
                    pass
    return sorted(found)[len(found) // 2]


@contextmanager
def _server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Streaming)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
    finally:
        server.shutdown()
        server.server_close()


class _Streaming(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for _ in range(20):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(_CHUNK), _CHUNK))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass
