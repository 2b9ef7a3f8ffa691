"""Where a cassette lies: the path of the file for a test, or for a fixture of wider scope.

    <dir>/<test module without .py>/<class and test name>.yaml
    <dir>/<where the fixture lives>/@<scope>.<fixture>.yaml

Characters that file systems refuse become `-`. Whatever loses something that way, or is too long, ends in a
short hash of its full name, so that no two tests share a file by accident.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

SUFFIX = ".yaml"
_UNSAFE = r"[^\w.\-\[\]]+"
_LONGEST = 100
"""Bytes of a name; file systems allow 255, some fewer."""


def of_test(folder: Path, nodeid: str) -> Path:
    """Return the path of a test's cassette below the cassette folder."""
    module, _, name = nodeid.partition("::")
    return _below(folder, module) / (_safe(_dotted(name) or "module", nodeid) + SUFFIX)


def of_name(folder: Path, name: str) -> Path:
    """Return the path of a cassette that was given a name."""
    return folder / (name + SUFFIX)


def of_fixture(folder: Path, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Path:
    """Return the path of the cassette of a fixture of class scope or wider."""
    node = fixturedef.baseid if fixturedef.scope == "session" else request.node.nodeid
    module, _, classes = node.partition("::")
    parts = [fixturedef.scope, *([_dotted(classes)] if fixturedef.scope == "class" else []), fixturedef.argname]
    name = ".".join(parts)
    full = f"{node}::{name}"
    if hasattr(request, "param"):
        simple = isinstance(request.param, str | int | float | bool)
        shown = request.param if simple else getattr(request, "param_index", 0)
        name, full = f"{name}[{shown}]", f"{full}[{shown!r}]"
    return _below(folder, module) / f"@{_safe(name, full)}{SUFFIX}"


def _dotted(name: str) -> str:
    """Join classes and test with dots, leaving the parameters as they are."""
    path, bracket, parameters = name.partition("[")
    return path.replace("::", ".") + bracket + parameters


@lru_cache(maxsize=64)  # the tests of a module follow on one another
def _below(folder: Path, module: str) -> Path:
    return folder / _module(module)


def _module(path: str) -> Path:
    parts = PurePosixPath(path.removesuffix(".py")).parts
    inside = [part for part in parts if part not in {"..", "/", "."}]
    if len(inside) < len(parts):  # a test outside the root
        inside.append(_hash(path))
    return Path(*inside)


def _safe(name: str, full: str) -> str:
    safe = re.sub(_UNSAFE, "-", name)
    short = safe.encode()[:_LONGEST].decode(errors="ignore")
    return name if short == name else f"{short.rstrip('.-')}-{_hash(full)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
