"""Keeps cassettes in files: read in every known form of VCR.py's, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tapemeter.cassette import store
from tapemeter.cassette.tapes import tape as tapes
from tapemeter.vcr.serialize import deserialize, is_built_in, of_tape, serialize


class CassetteNotFoundError(FileNotFoundError):
    """There is no such cassette, or nothing stands in it."""


class CassetteDecodeError(ValueError):
    """A cassette is no text in the expected encoding."""


class FilesystemPersister:
    """VCR.py's default persister."""

    @classmethod
    def load_cassette(cls, cassette_path: Any, serializer: Any) -> tuple[Any, ...]:
        """Return the requests and the responses in a file, and its metadata where it has some.

        CassetteNotFoundError where there is none; CassetteError where it cannot be read.
        """
        path = Path(cassette_path)
        if not path.is_file():
            raise CassetteNotFoundError(f"there is no cassette {path}")
        if is_built_in(serializer):
            if not path.stat().st_size:
                raise CassetteNotFoundError(f"the cassette {path} is empty")
            tape = tapes.read(path)
            if not tape.interactions and not tape.metadata and not path.read_bytes().strip():
                raise CassetteNotFoundError(f"the cassette {path} is empty")
            return of_tape(tape)
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise CassetteDecodeError(f"the cassette {path} is no UTF-8 text") from error
        if not text.strip():
            raise CassetteNotFoundError(f"the cassette {path} is empty")
        return deserialize(text, serializer)

    @staticmethod
    def save_cassette(cassette_path: Any, cassette_dict: dict[str, Any], serializer: Any) -> None:
        """Write a cassette in place of the file at once, so that no crash leaves half of one."""
        text = serialize(cassette_dict, serializer)
        store.write(Path(cassette_path), text if isinstance(text, str) else text.decode())
