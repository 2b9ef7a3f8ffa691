"""Cuts a call that a budget's deadline falls into, wherever its client waits: for a connection, a header, a chunk.

A blocking client waits in a socket: its timeout is shortened to what is left, in httpcore's backend where every timeout
passes by, elsewhere on the socket itself. An async client is cancelled, by a scope around each step. Name resolution is
the one wait that cannot be cut.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext, suppress
from functools import wraps
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tapemeter import exchange
from tapemeter.intercept.hook import Hook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import ModuleType

    from tapemeter.exchange import Call

WAITS = (
    ("SyncBackend", "connect_tcp"),
    ("SyncBackend", "connect_unix_socket"),
    ("SyncStream", "read"),
    ("SyncStream", "write"),
    ("SyncStream", "start_tls"),
    ("TLSinTLSStream", "read"),
    ("TLSinTLSStream", "write"),
)
"""Where a blocking client of httpcore waits; each takes a `timeout` by name."""

_SHORTEST = 1e-6
"""Seconds; a timeout of zero would not wait at all, which sockets take for another mode."""


class _Due(threading.local):
    at: float | None = None


_due = _Due()


def hooks(backend: ModuleType) -> list[Hook]:
    """Have every wait of httpcore's blocking backend heed the deadline of the running thread."""
    return [Hook(getattr(backend, name), method, _shortened) for name, method in WAITS if hasattr(backend, name)]


@contextmanager
def waiting(call: Call) -> Iterator[None]:
    """Let the block wait no longer than the call's budget allows; it sees the client's own timeout error then."""
    patience = exchange.patience(call)
    if patience is None:
        yield
        return
    before, _due.at = _due.at, perf_counter() + patience
    try:
        yield
    finally:
        _due.at = before


@contextmanager
def limited(call: Call, waits: Any) -> Iterator[None]:
    """Have a socket, or any other object with its `settimeout` and `gettimeout`, do the same within the block."""
    patience = exchange.patience(call)
    if patience is None or waits is None:
        yield
        return
    before = waits.gettimeout()
    left = max(_SHORTEST, patience)
    waits.settimeout(left if before is None else min(before, left))
    try:
        yield
    finally:
        with suppress(OSError):  # it may be closed
            waits.settimeout(before)


def scope(call: Call) -> AbstractContextManager[Any]:
    """Return the same for async code: where the time is up, what it waits for is cancelled.

    The scope says in `cancelled_caught` whether that happened.
    """
    patience = exchange.patience(call)
    if patience is None:
        return nullcontext(_NEVER)
    import anyio  # noqa: PLC0415 - httpx depends on it, and only a deadline needs it

    return anyio.move_on_after(patience)


class _Never:
    cancelled_caught = False


_NEVER = _Never()


def _shortened(wait: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(wait)  # a session within this one looks at what it takes
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if _due.at is None:
            return wait(*args, **kwargs)
        left = max(_SHORTEST, _due.at - perf_counter())
        given = kwargs.get("timeout")
        kwargs["timeout"] = left if given is None else min(given, left)
        return wait(*args, **kwargs)

    return wrapper
