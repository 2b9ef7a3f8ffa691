"""A proxy on loopback that does nothing but CONNECT."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Self


class Tunnel:
    """The proxy; use it as a context manager. `asked` are the first lines of what it was asked for."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.asked = self.asked = []
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True)

    asked: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    asked: list[str]


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    rbufsize = 0  # what comes after the head is the tunnel's

    def handle(self) -> None:
        first = self.rfile.readline().decode().strip()
        self.server.asked.append(first)
        while self.rfile.readline().strip():
            pass
        host, _, port = first.split()[1].rpartition(":")
        with socket.create_connection((host, int(port))) as target:
            self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(target, self.connection), daemon=True)
            back.start()
            _pass_on(self.connection, target)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
