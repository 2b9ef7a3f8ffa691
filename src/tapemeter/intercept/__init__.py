"""Interception of client libraries: `install()` hooks all known ones, imported or not, and returns the undo."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tapemeter.intercept import threads
from tapemeter.intercept.imports import ImportWatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tapemeter.intercept.adapter import Adapter


class Known:
    """A module of a client library, or of executors, and the class of its adapter, which is loaded once that is."""

    def __init__(self, module: str, adapter: str, arguments: tuple[str, ...] = ()) -> None:
        self.module, self.adapter, self.arguments = module, adapter, arguments

    def load(self) -> Adapter:
        """Return the adapter."""
        file, _, name = self.adapter.partition(":")
        made: Adapter = getattr(import_module(f"tapemeter.intercept.{file}"), name)(*self.arguments)
        return made


KNOWN = (
    Known("httpcore", "httpcore:HttpcoreAdapter", ("httpcore",)),
    Known("httpcore2", "httpcore:HttpcoreAdapter", ("httpcore2",)),
    Known("httpx", "httpcore:TransportCheck", ("httpx", "httpcore")),
    Known("httpx2", "httpcore:TransportCheck", ("httpx2", "httpcore2")),
    Known("http.client", "http_client:HttpClientAdapter"),
    Known("urllib3", "urllib3:Urllib3Adapter"),
    Known("aiohttp", "aiohttp:AiohttpAdapter"),
    Known("httpx._transports.default", "tls:TlsAdapter", ("httpx._transports.default",)),
    Known("httpx2._transports.default", "tls:TlsAdapter", ("httpx2._transports.default",)),
    Known("concurrent.futures.thread", "threads:ExecutorAdapter"),
)
"""Whatever is intercepted."""


def install() -> Callable[[], None]:
    """Intercept every known client library, those imported later included; return what undoes all of it.

    InterceptionError, here or at the import of the library, where its calls would be missed.
    """
    undos = [threads.install()]
    hooked: set[tuple[str, int]] = set()

    def hooking(known: Known) -> Callable[[ModuleType], None]:
        def hook(module: ModuleType) -> None:
            place = (known.adapter, id(module))
            if place not in hooked:  # `httpx2.alias_httpx()` gives one module two names
                hooked.add(place)
                undos.append(known.load().install(module))

        return hook

    watch = ImportWatch({known.module: hooking(known) for known in KNOWN})

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
