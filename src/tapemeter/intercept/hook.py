"""Puts a function in the place of a method, and takes it away again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


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
