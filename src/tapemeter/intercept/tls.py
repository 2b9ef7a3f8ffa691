"""Makes clients cheap in replay: one default TLS context serves them all, since none will connect.

Loading the system's certificates takes tens of milliseconds and is most of what making a client costs. In
replay the context made for the first client is given to the following ones that ask for the same defaults; it
verifies as any other would, so a host that the test may reach is still reached safely. Outside replay every
client gets its own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tapemeter import lending
from tapemeter import owner as owners
from tapemeter.cassette.mode import Mode
from tapemeter.intercept.hook import Hook

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import ModuleType

_SOURCES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")


class TlsAdapter:
    """The module of httpx or httpx2 that makes a transport, and with it a TLS context."""

    def __init__(self, module: str) -> None:
        self.module = module

    def install(self, module: ModuleType) -> Callable[[], None]:
        """Share default contexts in replay; a library without the known function is left as it is."""
        if not hasattr(module, "create_ssl_context"):
            return lambda: None
        return Hook(module, "create_ssl_context", _sharing).undo


def _sharing(create: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
    shared: dict[tuple[Any, ...], ssl.SSLContext] = {}

    def create_ssl_context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:  # noqa: FBT001, FBT002 - the library's own signature
        if verify is not True or cert is not None or not _in_replay():
            return create(verify=verify, cert=cert, trust_env=trust_env)
        key = (trust_env, *(os.environ.get(name) for name in _SOURCES))
        if key not in shared:
            shared[key] = create(verify=verify, cert=cert, trust_env=trust_env)
        return shared[key]

    return create_ssl_context


def _in_replay() -> bool:
    cassette = lending.in_use()
    if cassette is not None:
        return cassette.sends_nothing
    owner = owners.current()
    if owner is not None:
        return owner.mode is Mode.REPLAY
    house = owners.house()
    return house is not None and house.mode is Mode.REPLAY
