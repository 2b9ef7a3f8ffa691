"""Where tapes lie, and where the cassettes made of them go.

<tests>/cassettes/<module>/<test>.yaml    pytest-recording
<tests>/cassettes/<test>.yaml             pytest-vcr; the module is the one beside that defines the test
<folder>/<tests>/<module>/<test>.yaml     ours, below the folder of cassettes
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter.errors import UsageError
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIXES = (".yaml", ".yml", ".json", ".har", ".toml")
"""How tapes end; each may be followed by `.gz`."""
_GZIP = ".gz"
_OURS = ".yaml"
_THEIRS = "cassettes"
_PLAIN = re.compile(r"[\w.\-\[\]]{1,100}")
_NOT_OF_THE_PROJECT = frozenset({"__pycache__", "node_modules", "site-packages"})
"""Folders, beside hidden ones, in which nobody's tapes lie."""
_LONGEST_MODULE = 4 * 1024 * 1024


class Found(Value):
    """A file to look at: `root` is the folder that was given, None where the file itself was."""

    path: Path
    root: Path | None


def find(paths: Iterable[Path]) -> list[Found]:
    """Return the files that the paths name, each once, in order; UsageError where there is no such path.

    A file named by itself counts whatever it is called, one in a folder if it ends as a tape may.
    """
    found: dict[Path, Found] = {}
    for path in paths:
        if path.is_dir():
            for each in _below(path):
                found.setdefault(each, Found(each, path))
        elif path.exists():
            found[path] = Found(path, None)
        else:
            raise UsageError(f"{path}: no such file or folder; name tapes, or folders with tapes in them")
    return sorted(found.values(), key=lambda each: each.path)


def target(found: Found, folder: Path | None, here: Path) -> Path:
    """Return where the cassette of a tape goes: below `folder`, beside the tape where that is None.

    `here` is the root of the project, from which the paths of tests count.
    """
    name = _stem(found.path) + _OURS
    if folder is None:
        return found.path.with_name(name)
    parts = _relative(found, here).parent.parts
    if _THEIRS not in parts:
        return folder.joinpath(*parts, name)
    at = len(parts) - 1 - parts[::-1].index(_THEIRS)
    before, after = parts[:at], parts[at + 1 :]
    if not after:
        tests = found.path.parent.parent
        after = _modules(tests, _stem(found.path))
    return folder.joinpath(*before, *after, name)


def is_looked_for(cassette: Path) -> bool:
    """Return whether a test looks for a cassette of this name: ours are shorter, and have fewer signs in them."""
    return _PLAIN.fullmatch(_stem(cassette)) is not None


def _stem(path: Path) -> str:
    name = path.name.removesuffix(_GZIP)
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def _relative(found: Found, here: Path) -> Path:
    """Return the path from the project's root, where the tape lies below; else from what was given."""
    full = found.path.absolute()
    inside = full.is_relative_to(here) and _THEIRS in full.relative_to(here).parts
    if inside:
        return full.relative_to(here)
    return Path(found.path.name) if found.root is None else found.path.relative_to(found.root)


def _modules(folder: Path, test: str) -> tuple[str, ...]:
    """Return the name of the only module in a folder that defines a test, nothing where that is not sure."""
    function = test.partition("[")[0].rpartition(".")[2]
    defined = re.compile(rf"^[ \t]*(?:async[ \t]+)?def[ \t]+{re.escape(function)}[ \t]*\(", re.MULTILINE)
    found = [path.stem for path in sorted(folder.glob("*.py")) if defined.search(_text(path))]
    return (found[0],) if len(found) == 1 else ()


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST_MODULE)
    except OSError:
        return ""


def _below(folder: Path) -> list[Path]:
    found: list[Path] = []
    try:
        for where, folders, names in os.walk(folder, onerror=_raise):
            folders[:] = [name for name in folders if not name.startswith(".") and name not in _NOT_OF_THE_PROJECT]
            found += [Path(where, name) for name in names if name.removesuffix(_GZIP).endswith(SUFFIXES)]
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be listed: {error.strerror}; make it readable") from None
    return found


def _raise(error: OSError) -> None:
    raise error
