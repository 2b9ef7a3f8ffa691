"""From the paths of a command line to cassettes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette import store, verify
from tapemeter.errors import CassetteError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tapemeter.cassette.format import Entry

DEFAULT = Path("cassettes")
"""Where commands look that were given no path."""

SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True)
class Tape:
    """A cassette file as it was read: its entries are parsed when they are asked for."""

    path: Path
    text: str = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.text.encode())

    @property
    def edited(self) -> bool:
        """Whether the file was edited by hand since it was written."""
        return verify.edited(self.text, self.entries)


def add_paths(parser: argparse.ArgumentParser) -> None:
    """Let a command take any number of files and folders."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help=f"cassette, or folder of cassettes at any depth (default: {DEFAULT}/)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let a command answer in JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def find(paths: Sequence[Path]) -> list[Path]:
    """Return the files that the paths name, each once, in order; UsageError where there is no such path.

    A file named by itself counts whatever it is called, one in a folder if it ends in `.yaml`.
    """
    found: dict[Path, None] = {}
    for path in paths or [DEFAULT]:
        if path.is_dir():
            found.update(dict.fromkeys(_below(path)))
        elif path.exists():
            found[path] = None
        else:
            refuse_missing(path)
    return sorted(found)


def refuse_missing(path: Path) -> NoReturn:
    """Raise the UsageError for a path at which there is nothing."""
    where = "" if path.is_absolute() else f" (looked in {Path.cwd()})"
    raise UsageError(
        f"{path}: no such file or folder{where}; name a cassette or a folder of cassettes, "
        "or record some with pytest --record-cassettes"
    )


def find_one(path: Path) -> Path:
    """Return the path of a single cassette; UsageError where there is nothing, or a folder."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder, expected one cassette; `tapemeter cassette ls {path}` lists those in it")
    if not path.exists():
        refuse_missing(path)
    return path


def read(path: Path) -> Tape:
    """Return a cassette; CassetteError where it cannot be read."""
    try:
        text = store.read(path)
    except OSError as error:
        raise CassetteError(f"{path}: cannot be read: {error.strerror or error}; make it readable") from None
    return Tape(path, text, cassette_format.load(text, str(path)))


def _below(folder: Path) -> list[Path]:
    try:
        return [
            Path(where, name)
            for where, _, names in os.walk(folder, onerror=_raise)
            for name in names
            if name.endswith(SUFFIX)
        ]
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be listed: {error.strerror}; make it readable") from None


def _raise(error: OSError) -> NoReturn:
    raise error
