"""From the paths of a command line to cassettes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette import store, verify
from tapemeter.errors import CassetteError, CassetteFormatError, UsageError
from tapemeter.values import Value, replace

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from tapemeter.cassette.format import Entry
    from tapemeter.cassette.model import Interaction

DEFAULT = Path("cassettes")
"""Where commands look that were given no path."""

SUFFIX = ".yaml"

_OTHERS = (".yml", ".yaml.gz", ".yml.gz")
"""How else the tapes of other tools are named; `.json` may be anything, so it is read only where it is named."""

OURS = "tapemeter"
"""The form of our own cassettes."""


class OtherEntry(Value):
    """An interaction of another tool's tape, without secrets, in place of an entry of ours."""

    path: str
    key: str
    interaction: Interaction
    line: int = 1
    text: str = ""
    edited: bool = False


class Tape(Value):
    """A cassette file as it was read: the entries of one of ours are parsed when they are asked for.

    `form` is whose it is: ours, or such as `VCR.py YAML`. `size` is bytes of the file. `edited` says whether one of
    ours was edited by hand since it was written.
    """

    path: Path
    form: str
    size: int
    edited: bool
    entries: tuple[Entry | OtherEntry, ...]

    def __repr__(self) -> str:
        return f"Tape({str(self.path)!r}, {self.form!r}, size={self.size}, edited={self.edited})"

    @property
    def is_ours(self) -> bool:
        """Whether it is in our own format."""
        return self.form == OURS

    def interactions(self) -> Iterator[tuple[int, Entry | OtherEntry, Interaction]]:
        """Yield each interaction with its number, from 1; CassetteFormatError at one that is broken.

        Only one at a time is kept in memory, but for a file that was edited and so is parsed as a whole.
        """
        for number, entry in enumerate(self.entries, 1):
            yield number, entry, entry.interaction
            forget(entry)


def forget(entry: Entry | OtherEntry) -> None:
    """Have an entry keep no longer what it has parsed; one of an edited file cannot be parsed alone, so it keeps it."""
    if not isinstance(entry, OtherEntry) and not entry.edited:
        vars(entry).pop("interaction", None)


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

    A file named by itself counts whatever it is called, one in a folder if it is named as a tape is.
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
    """Return a cassette, ours or another tool's; CassetteError where it cannot be read.

    What is shown of another tool's has no secrets, as if it had been recorded by us.
    """
    try:
        size = path.stat().st_size
        text = store.read(path)
    except OSError as error:
        raise CassetteError(f"{path}: cannot be read: {error.strerror or error}; make it readable") from None
    except CassetteFormatError as error:  # compressed, or nothing at all
        return _of_others(path, error)
    try:
        entries = cassette_format.load(text, str(path))
    except CassetteFormatError as error:
        if not text.strip() or cassette_format.version(text) is not None:
            raise
        return _of_others(path, error)
    return Tape(path, OURS, size, verify.edited(text, entries), entries)


def _of_others(path: Path, error: CassetteFormatError) -> Tape:
    """Return a tape of another tool; `error`, which says what is wrong with it as one of ours, where it is none."""
    from tapemeter.cassette.match import Matcher  # noqa: PLC0415 - only for tapes of other tools, as what follows
    from tapemeter.cassette.tapes import tape as tapes  # noqa: PLC0415
    from tapemeter.redact import Redactor  # noqa: PLC0415

    try:
        found = tapes.read(path)
    except (CassetteFormatError, OSError):
        raise error from None
    redactor, matcher = Redactor(), Matcher()
    entries = []
    for interaction in tapes.interactions_of(found):
        secrets = redactor.secrets_of(interaction.request)
        request = redactor.request(interaction.request)
        safe = replace(interaction, request=request, response=redactor.response(interaction.response, secrets))
        try:
            key = matcher.stored_key(request)
        except (ValueError, RecursionError):
            key = "-"
        entries.append(OtherEntry(str(path), key, replace(safe, key=key)))
    return Tape(path, found.form, path.stat().st_size, edited=False, entries=tuple(entries))


def _below(folder: Path) -> list[Path]:
    try:
        return [
            Path(where, name)
            for where, _, names in os.walk(folder, onerror=_raise)
            for name in names
            if name.endswith((SUFFIX, *_OTHERS)) and not name.startswith(store.TEMPORARY_PREFIX)
        ]
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be listed: {error.strerror}; make it readable") from None


def _raise(error: OSError) -> NoReturn:
    raise error
