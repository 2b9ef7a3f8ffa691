"""Interception of client libraries: `install()` hooks all known ones, imported or not, and returns the undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.intercept import threads
from tapemeter.intercept.http_client import HttpClientAdapter
from tapemeter.intercept.httpcore import HttpcoreAdapter, TransportCheck
from tapemeter.intercept.imports import ImportWatch
from tapemeter.intercept.tls import TlsAdapter
from tapemeter.intercept.urllib3 import Urllib3Adapter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tapemeter.intercept.adapter import Adapter

ADAPTERS: tuple[Adapter, ...] = (
    HttpcoreAdapter("httpcore"),
    HttpcoreAdapter("httpcore2"),
    TransportCheck("httpx", "httpcore"),
    TransportCheck("httpx2", "httpcore2"),
    HttpClientAdapter(),
    Urllib3Adapter(),
    TlsAdapter("httpx._transports.default"),
    TlsAdapter("httpx2._transports.default"),
)
"""One for each client library."""


def install() -> Callable[[], None]:
    """Intercept every known client library, those imported later included; return what undoes all of it.

    InterceptionError, here or at the import of the library, where its calls would be missed.
    """
    undos = [threads.install()]
    hooked: set[tuple[type[Adapter], int]] = set()

    def hooking(adapter: Adapter) -> Callable[[ModuleType], None]:
        def hook(module: ModuleType) -> None:
            known = (type(adapter), id(module))
            if known not in hooked:  # `httpx2.alias_httpx()` gives one module two names
                hooked.add(known)
                undos.append(adapter.install(module))

        return hook

    watch = ImportWatch({adapter.module: hooking(adapter) for adapter in ADAPTERS})

    def undo() -> None:
        watch.undo()
        for step in reversed(undos):
            step()

    try:
        watch.install()
    except BaseException:
        undo()
        raise
    return undo
