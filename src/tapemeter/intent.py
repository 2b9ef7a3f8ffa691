"""What a program says of a call beyond its request: by which alias, what for, and whether it is a fallback.

The program's own client says it; calls of other clients have no intent. It follows the code into tasks by Python's own
rules, and into threads through `intercept.threads`, so that whatever request goes out meanwhile is an attempt at the
one call that was meant.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from tapemeter.values import Mutable

if TYPE_CHECKING:
    from collections.abc import Iterator


class CallRecord(Mutable):
    """A call that a program wanted, over all attempts at it."""

    id: str
    number: int
    """Its place among the calls of its job, from 1."""
    began: float
    """When its first attempt was issued, on the job's clock."""
    attempts: int = 0
    let_through: bool = False
    """Whether any attempt at it was."""


class Intent(Mutable):
    """One call as its program meant it, over all attempts at it, those at other models included.

    `provider` is how the program's configuration calls the way it takes (`real`, `gateway`), `group` which of its
    groups is asked now. `record` is the call it turned out to be, None until the first attempt is metered.
    """

    alias: str | None = None
    task: str | None = None
    provider: str | None = None
    group: str | None = None
    is_fallback: bool = False
    fallback_reason: str | None = None
    record: CallRecord | None = None


_current: ContextVar[Intent | None] = ContextVar("tapemeter_intent", default=None)


def current() -> Intent | None:
    """Return what the running code means its calls to be; None where it says nothing."""
    return _current.get()


def bind(intent: Intent | None) -> Intent | None:
    """Have the code that runs from here on mean this; return what it meant before."""
    before = _current.get()
    _current.set(intent)
    return before


@contextmanager
def meaning(intent: Intent) -> Iterator[Intent]:
    """Have the calls of the block be attempts at one call."""
    before = bind(intent)
    try:
        yield intent
    finally:
        bind(before)  # not a token: an async generator may be closed in another context
