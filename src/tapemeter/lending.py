"""Which cassette of another kind answers, while a program holds it open: VCR.py's, whose owners lend them.

Of those that are lent the one that was opened last holds, for all code of the process, as VCR.py's do. Only one
that was opened within a task, or in a thread other than the main one, holds for that code and what it starts alone,
so that tasks that run side by side each have their own.
"""

from __future__ import annotations

import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from tapemeter import owner as owners
from tapemeter.values import Mutable

if TYPE_CHECKING:
    from tapemeter.owner import Owner


class InUse(Protocol):
    """A cassette of another kind that is in use."""

    @property
    def sends_nothing(self) -> bool:
        """Whether it answers all calls itself."""


class Lent(Mutable):
    """A cassette that is lent: by whom, and whether for all code or only for what the lender starts."""

    cassette: InUse
    lender: Owner | None
    is_everywhere: bool

    @property
    def holds(self) -> bool:
        """Whether it is still in use; what a test that is over forgot to close is not."""
        return self in _lent and (self.lender is None or not self.lender.closed)


_lent: list[Lent] = []
_bound: ContextVar[Lent | None] = ContextVar("tapemeter_tape", default=None)


def in_use() -> InUse | None:
    """Return the cassette that is lent to code that runs here and now; None where there is none."""
    if not _lent:
        return None
    house = owners.house()
    if house is not None and house.is_live:
        return None  # cassettes are neither read nor written
    bound = _bound.get()
    if bound is None or not bound.holds:
        return next((lent.cassette for lent in reversed(_lent) if lent.holds), None)
    later = (lent for lent in reversed(_lent[_lent.index(bound) + 1 :]) if lent.holds and lent.is_everywhere)
    return next(later, bound).cassette


def lend(cassette: InUse) -> Lent:
    """Have a cassette answer from here on, until it is taken `back`."""
    is_main = threading.current_thread() is threading.main_thread()
    lent = Lent(cassette, owners.current(), is_everywhere=is_main and not _in_task())
    _lent.append(lent)
    _bound.set(lent)
    return lent


def back(lent: Lent) -> None:
    """Take a cassette out of use, in whatever order."""
    if lent in _lent:
        _lent.remove(lent)
    if _bound.get() is lent:
        _bound.set(next((other for other in reversed(_lent) if other.holds), None))


def bind(lent: Lent | None) -> Lent | None:
    """Have the code that runs from here on use a cassette; return what it used before."""
    before = _bound.get()
    _bound.set(lent)
    return before


def bound() -> Lent | None:
    """Return the cassette that was opened for the running code, whatever became of it."""
    return _bound.get()


def _in_task() -> bool:
    asyncio: Any = sys.modules.get("asyncio.events")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001 - get_running_loop raises
