"""The proxy as a server on loopback, in a thread of its own."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

from tapemeter import claiming
from tapemeter.errors import UsageError
from tapemeter.proxy.app import App
from tapemeter.proxy.tenants import Tenants

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import uvicorn

_PATIENCE = 10.0
"""Seconds that the server has to start, and to stop."""
_MISSING = "the proxy needs uvicorn; install it with: pip install 'pytest-tapemeter[proxy]'"


class ProxyServer:
    """A server that runs until it is closed; a context manager. UsageError where uvicorn is not installed.

    `tenants` are whose calls it takes. `port` is 0 for any that is free.
    """

    def __init__(self, port: int = 0) -> None:
        try:
            import uvicorn  # noqa: PLC0415 - an extra
        except ImportError:
            raise UsageError(_MISSING) from None
        self.tenants = Tenants()
        self._socket = socket.create_server(("127.0.0.1", port))
        # Connections take this over. asyncio does not set it for a socket that it has not made, and then the body of
        # an answer waits 40 ms until the client has confirmed the head.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._disown = claiming.own(self._socket.getsockname()[1])
        config = uvicorn.Config(
            App(self.tenants),
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
            lifespan="on",
        )
        self._server = _Quiet.of(config)
        self._thread = threading.Thread(target=self._run, name="tapemeter-proxy", daemon=True)

    @property
    def url(self) -> str:
        """Where it is, without a slash at its end."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def start(self) -> Self:
        """Start it; it takes requests from now on, since its socket is open."""
        from tapemeter import owner as owners  # noqa: PLC0415 - the thread belongs to no test

        before = owners.bind(None)
        try:
            self._thread.start()
        finally:
            owners.bind(before)
        return self

    def close(self) -> None:
        """Stop it; requests under way have a second to end."""
        self._server.should_exit = True
        self._thread.join(_PATIENCE)
        self._socket.close()
        self._disown()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


class _Quiet:
    """Makes a server that leaves the signals of the process alone: they are pytest's."""

    @staticmethod
    def of(config: uvicorn.Config) -> uvicorn.Server:
        import uvicorn  # noqa: PLC0415 - as above

        class Server(uvicorn.Server):
            def install_signal_handlers(self) -> None:
                """Leave them."""

        return Server(config)
