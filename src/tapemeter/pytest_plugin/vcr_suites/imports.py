"""Has `import vcr` give our objects while the plugin is active, whether VCR.py is installed or not.

Where it is installed, its own modules are imported, and in each of them the names of REPLACED become ours as soon as
it is executed; whatever else they hold stays, and works with our objects. Where it is not, modules of these names are
made of ours. Nothing of this is loaded before a suite imports `vcr`; at the end of the session everything is put back.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

ROOT = "vcr"
OURS = "tapemeter.vcr"

REPLACED: dict[str, tuple[str, ...]] = {
    "vcr": ("VCR", "default_vcr", "use_cassette", "mode", "Request"),
    "vcr.cassette": ("Cassette", "CassetteContextDecorator", "CassetteNotFoundError", "CassetteDecodeError"),
    "vcr.config": ("VCR",),
    "vcr.errors": ("CannotOverwriteExistingCassetteException", "MissingMetadataError", "UnhandledHTTPRequestError"),
    "vcr.matchers": (
        "body",
        "headers",
        "host",
        "method",
        "path",
        "port",
        "query",
        "raw_body",
        "requests_match",
        "get_matchers_results",
        "scheme",
        "uri",
    ),
    "vcr.persisters.filesystem": ("FilesystemPersister", "CassetteNotFoundError", "CassetteDecodeError"),
    "vcr.record_mode": ("RecordMode", "validate_record_mode"),
    "vcr.request": ("Request", "HeadersDict"),
    "vcr.serialize": ("serialize", "deserialize"),
    "vcr.unittest": ("VCRMixin", "VCRTestCase"),
}
"""What becomes ours in the modules of an installed VCR.py."""

STAND_INS = (
    *REPLACED,
    "vcr.filters",
    "vcr.persisters",
    "vcr.serializers",
    "vcr.serializers.compat",
    "vcr.serializers.jsonserializer",
    "vcr.serializers.yamlserializer",
    "vcr.util",
)
"""The modules that are there without VCR.py."""

_PACKAGES = frozenset({"vcr", "vcr.persisters", "vcr.serializers"})


class VcrImports:
    """Serves the imports of `vcr` and of the modules below it, from `install` to `undo`."""

    def __init__(self) -> None:
        self.is_used = False
        """Whether anybody has imported it."""
        self._undo: list[Callable[[], None]] = []
        self._served: set[str] = set()

    def install(self, place: int = 0) -> None:
        """Serve what is imported from now on, and what was imported before; as the finder at that place."""
        sys.meta_path.insert(place, self)
        for name in REPLACED if _is_vcr(getattr(sys.modules.get(ROOT), "__path__", ())) else ():
            if name in sys.modules:
                self._replace(name, sys.modules[name])

    def undo(self) -> None:
        """Put everything back: who imports `vcr` then gets VCR.py, if there is one."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in self._served:
            sys.modules.pop(name, None)
        while self._undo:
            self._undo.pop()()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of VCR.py's, or its stand-in; None for what is neither."""
        if name != ROOT and not name.startswith("vcr."):
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:  # those before have not found it
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return self._told(spec)
        if self._is_project(path):
            return None
        if name not in STAND_INS:
            raise ModuleNotFoundError(
                f"No module named {name!r}: VCR.py is not installed, and what tapemeter has in its place has no such "
                "module; see docs/reference/vcr.md, or install vcrpy",
                name=name,
            )
        self._served.add(name)
        loader: Any = _StandIn(self._note_use)
        return ModuleSpec(name, loader, is_package=name in _PACKAGES)

    def _is_project(self, path: Sequence[str] | None) -> bool:
        """Whether it is looked for in a package that somebody else calls `vcr`."""
        return path is not None and not isinstance(sys.modules.get(ROOT), _Module)

    def _told(self, spec: ModuleSpec) -> ModuleSpec:
        if spec.loader is not None and spec.name in REPLACED and self._is_theirs(spec):
            from tapemeter.intercept.imports import telling  # noqa: PLC0415 - see the module's docstring

            self._served.add(spec.name)
            telling(spec, lambda module: self._replace(spec.name, module))
        return spec

    def _is_theirs(self, spec: ModuleSpec) -> bool:
        """Whether what was found is VCR.py's, not a module of the project that has the same name."""
        if spec.name != ROOT:
            return ROOT in self._served or self.is_used
        return _is_vcr(spec.submodule_search_locations or ())

    def _note_use(self) -> None:
        self.is_used = True

    def _replace(self, name: str, module: ModuleType) -> None:
        """Put our objects into a module of VCR.py's."""
        self._note_use()
        ours = import_module(OURS + name.removeprefix(ROOT))
        for each in REPLACED[name]:
            if hasattr(module, each):
                self._undo.append(_put_back(module, each))
                setattr(module, each, getattr(ours, each))


class _Module(ModuleType):
    """A module that stands in for one of VCR.py's; those below it are there without being imported, as there."""

    def __getattr__(self, name: str) -> Any:
        below = f"{self.__name__}.{name}"
        if below not in STAND_INS:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return import_module(below)


class _StandIn:
    """Makes a module of ours under VCR.py's name."""

    def __init__(self, note_use: Callable[[], None]) -> None:
        self._note_use = note_use

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        self._note_use()
        ours = import_module(OURS + module.__name__.removeprefix(ROOT))
        vars(module).update(_public(ours))


def _public(ours: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in vars(ours).items():
        if not name.startswith("_") and not isinstance(value, ModuleType):
            yield name, value


def _put_back(module: ModuleType, name: str) -> Callable[[], None]:
    before = getattr(module, name)
    return lambda: setattr(module, name, before)


def _is_vcr(folders: Iterable[str]) -> bool:
    """Whether a package in these folders is VCR.py, not a module of the project's own of that name."""
    return any(os.path.isfile(os.path.join(folder, "patch.py")) for folder in folders)  # noqa: PTH113, PTH118 - no import
