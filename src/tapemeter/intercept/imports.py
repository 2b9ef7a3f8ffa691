"""Runs an adapter when its library is imported, now or later, so that a library nobody uses costs nothing."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class ImportWatch:
    """Calls a function with each of the named modules once it is imported, until `undo`."""

    def __init__(self, wanted: Mapping[str, Callable[[ModuleType], None]]) -> None:
        self._wanted = dict(wanted)

    def install(self) -> None:
        """Serve what is imported already, and watch for the rest."""
        sys.meta_path.insert(0, self)
        for name in list(self._wanted):  # serving one may import another, which is then found by the watch
            if name in sys.modules and name in self._wanted:
                self._wanted.pop(name)(sys.modules[name])

    def undo(self) -> None:
        """Stop watching."""
        self._wanted.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a wanted module as the other finders would, and have its loader tell us when it is done.

        Whoever only looks for it, or fails to import it, leaves it wanted.
        """
        if name not in self._wanted:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:  # those before have not found it
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                telling(spec, partial(self._imported, name))
                return spec
        return None

    def _imported(self, name: str, module: ModuleType) -> None:
        if name in self._wanted:  # the watch may have ended since the module was found
            self._wanted[name](module)
            self._wanted.pop(name, None)


def telling(spec: ModuleSpec, imported: Callable[[ModuleType], None]) -> None:
    """Have a function called with the module of a spec once it is executed."""
    if spec.loader is not None:
        spec.loader = _TellingLoader(spec.loader, imported)  # type: ignore[assignment]


class _TellingLoader:
    """A module's own loader, followed by a call with the module."""

    def __init__(self, loader: Loader, imported: Callable[[ModuleType], None]) -> None:
        self._loader, self._imported = loader, imported

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._imported(module)
