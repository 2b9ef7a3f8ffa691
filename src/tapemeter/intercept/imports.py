"""Runs an adapter when its library is imported, now or later, so that a library nobody uses costs nothing."""

from __future__ import annotations

import importlib.util
import sys
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
        self._finding: set[str] = set()

    def install(self) -> None:
        """Serve what is imported already, and watch for the rest."""
        sys.meta_path.insert(0, self)
        for name in list(self._wanted):  # serving one may import another, which is then found by the watch
            if name in sys.modules and name in self._wanted:
                self._wanted.pop(name)(sys.modules[name])

    def undo(self) -> None:
        """Stop watching."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a wanted module as the other finders would, and have its loader tell us when it is done."""
        del path, target
        if name not in self._wanted or name in self._finding:
            return None
        self._finding.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._finding.discard(name)
        if spec is None or spec.loader is None:
            return None
        spec.loader = _TellingLoader(spec.loader, self._wanted.pop(name))  # type: ignore[assignment]
        return spec


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
