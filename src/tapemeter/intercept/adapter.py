"""What an adapter for a client library is, and how the parts of one call are put around a send.

An adapter replaces the one method of its library through which every request passes. `Hook` puts a function in
place of a method and takes it away again; `sending` is what holds while a claimed call is on its way.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tapemeter import exchange
from tapemeter.intercept import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from tapemeter.exchange import Call


class Adapter(Protocol):
    """A client library that can be intercepted."""

    module: str
    """The import name of the library that is hooked; nothing happens before it is imported."""

    def install(self, module: ModuleType) -> Callable[[], None]:
        """Intercept the library and return what undoes it; InterceptionError where it would miss calls."""


class Hook:
    """A method of a class replaced by a wrapper around it, until `undo`."""

    def __init__(self, owner: type | ModuleType, name: str, wrap: Callable[[Any], Any]) -> None:
        self._owner, self._name = owner, name
        self._original = getattr(owner, name)
        self._own = name in vars(owner)
        self._wrapper = wrap(self._original)
        setattr(owner, name, self._wrapper)

    def undo(self) -> None:
        """Put the original back, unless somebody else has put theirs on top and not taken it away."""
        if vars(self._owner).get(self._name) is not self._wrapper:
            return
        if self._own:
            setattr(self._owner, self._name, self._original)
        else:
            delattr(self._owner, self._name)


@contextmanager
def sending(call: Call) -> Iterator[None]:
    """Hold the network guard open for a call that is being sent, and drop the call if no response comes.

    BudgetStopped takes the place of the client's own error where a deadline was why.
    """
    try:
        with guard.passing():
            yield
    except BaseException as error:
        exchange.drop(call, error)
        raise
