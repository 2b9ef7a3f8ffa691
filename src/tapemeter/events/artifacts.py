"""What is too long for a line of evidence: kept beside it, in a file that is named by what is in it.

    runs/<run id>/artifacts/sha256-<digest>.txt     the text of an answer, UTF-8, without secrets

The same text is kept once, whoever writes it, and a file that was changed gives itself away.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from tapemeter.events import files, layout
from tapemeter.values import Value

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "artifacts"
LONGEST_TEXT = 8 * 1024
"""Bytes of UTF-8 that a line of evidence holds of an answer; a longer one is cut to a summary."""
SUMMARY = 1_000
"""Characters of a summary, without its mark."""
LARGEST = 16 * 1024 * 1024
"""Bytes of the largest artifact; what a longer text has beyond that is not kept."""

_NAME = re.compile(rf"{FOLDER}/sha256-([0-9a-f]{{64}})\.txt")


class Kept(Value):
    """What a line of evidence tells of a text: all of it, or a summary and where all of it is."""

    text: str | None
    truncated: bool = False
    artifact: str | None = None


NOTHING_KEPT = Kept(None)


class Artifacts:
    """The artifacts of a run, whose folder is made with the first. Safe for threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, text: str) -> Kept:
        """Return what a line is to tell of a text; a long one is in its file by then."""
        data = text.encode(errors="backslashreplace")
        if len(data) <= LONGEST_TEXT:
            return Kept(data.decode())
        name = _write(self._folder, data[:LARGEST])
        mark = f"\N{HORIZONTAL ELLIPSIS} [cut: {len(text):,} characters in all, see {name}]"
        return Kept(data[: 4 * SUMMARY].decode(errors="ignore")[:SUMMARY] + mark, truncated=True, artifact=name)


def problem(folder: Path, name: str) -> str | None:
    """Return what is wrong with an artifact that a line of evidence names; None where it is what it was."""
    matched = _NAME.fullmatch(name)
    if matched is None:
        return "the line names an artifact that cannot be one"
    try:
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return f"the line names {name}, and there is no such file"
    return None if digest == matched[1] else f"{name} is not what it was when the line was written"


def copy(source: Path, target: Path) -> None:
    """Have a run's folder hold the artifacts of another as well."""
    for path in sorted((source / FOLDER).glob("sha256-*.txt")):
        with path.open("rb") as file:
            _write(target, file.read(LARGEST))


def _write(folder: Path, data: bytes) -> str:
    name = f"{FOLDER}/sha256-{hashlib.sha256(data).hexdigest()}.txt"
    path = folder / name
    if not path.exists():
        layout.make(folder)
        path.parent.mkdir(exist_ok=True)
        with files.replacing(path) as file:
            file.write(data)
    return name
