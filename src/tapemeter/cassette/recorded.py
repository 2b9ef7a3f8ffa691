"""What a run has recorded anew so far, by cassette: recordings that no test of the run may drop.

Several tests may use one cassette, and under pytest-xdist they run in several processes. These share a folder that
the run made for them, with a file of keys for each cassette; a run in one process needs none.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Recorded:
    """The keys that a run has recorded, to be read and added to while the cassette is locked."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._keys: dict[Path, set[str]] = {}

    def keys(self, path: Path) -> set[str]:
        """Return the keys that any process of the run has recorded into the cassette at `path`."""
        note = self._note(path)
        if note is None:
            return self._keys.get(path, set())
        return set(note.read_text(encoding="ascii").split()) if note.exists() else set()

    def add(self, path: Path, keys: Iterable[str]) -> None:
        """Note keys that were just recorded into it."""
        note = self._note(path)
        if note is None:
            self._keys.setdefault(path, set()).update(keys)
            return
        with note.open("a", encoding="ascii") as file:
            file.writelines(f"{key}\n" for key in keys)

    def _note(self, path: Path) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()
