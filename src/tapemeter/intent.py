"""What a program says of a call beyond its request: by which alias, what for, and whether it is a fallback.

The program's own client says it; calls of other clients have no intent. It follows the code into tasks by Python's
own rules, so that whatever request goes out meanwhile is an attempt at the one call that was meant.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.job import CallRecord


@dataclass(eq=False)
class Intent:
    """One call as its program meant it, over all attempts at it, those at other models included.

    `provider` is how the program's configuration calls the way it takes (`real`, `gateway`). `record` is the call it
    turned out to be, None until the first attempt is metered.
    """

    alias: str | None = None
    task: str | None = None
    provider: str | None = None
    is_fallback: bool = False
    fallback_reason: str | None = None
    record: CallRecord | None = None


_current: ContextVar[Intent | None] = ContextVar("tapemeter_intent", default=None)


def current() -> Intent | None:
    """Return what the running code means its calls to be; None where it says nothing."""
    return _current.get()


@contextmanager
def meaning(intent: Intent) -> Iterator[Intent]:
    """Have the calls of the block be attempts at one call."""
    token = _current.set(intent)
    try:
        yield intent
    finally:
        _current.reset(token)
