"""Reads and writes cassette files: no crash, full disk or second process ever leaves half of one."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tapemeter.errors import CassetteFormatError, CassetteTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILE_BYTES = 256 * 1024 * 1024
"""The largest cassette that is read or written."""

TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".tapemeter-", ".tmp"
"""A process killed while it writes leaves a file named like this; `.tapemeter-*.tmp` ignores it in git."""


def read(path: Path) -> str:
    """Return the text of the file, bounded by MAX_FILE_BYTES; FileNotFoundError where there is none."""
    with path.open("rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        # As much memory is taken as is asked for, however little there is to read; what is no plain file has no size.
        size = min(found.st_size if stat.S_ISREG(found.st_mode) else MAX_FILE_BYTES, MAX_FILE_BYTES)
        data = file.read(size + 1)
        if len(data) < size:  # it comes piecemeal
            with io.BufferedReader(file) as rest:
                data += rest.read(size + 1 - len(data))
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(path)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise CassetteFormatError(
            "the file is not UTF-8 text; restore it from version control or record it again",
            path=str(path),
            line=data.count(b"\n", 0, error.start) + 1,
        ) from None


def write(path: Path, text: str) -> None:
    """Put `text` in place of the file at once: whoever looks, also after a crash, sees the old or the new.

    Folders above it are made. An existing file keeps its mode, a new one gets what the umask allows; a
    symbolic link is followed. On any failure the file is as it was and nothing else is left behind.
    """
    data = text.encode()
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(path)
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    try:
        with temporary.open("xb") as file:
            with contextlib.suppress(FileNotFoundError):
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(target.parent)


def remove(path: Path) -> None:
    """Delete the file for good; nothing happens where there is none."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    _sync(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the folder of `path` against every other process and thread that asks the same way.

    The folder is made where it is missing. Not re-entrant. Where the system has no `flock`, nothing is held.
    """
    folder = path.resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl  # noqa: PLC0415 - absent outside POSIX
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


def _sync(folder: Path) -> None:
    """Make a rename or removal in the folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _too_large(path: Path) -> CassetteTooLargeError:
    return CassetteTooLargeError(
        f"{path}: larger than {MAX_FILE_BYTES // 1024**2} MiB, the bound of a cassette; "
        "split the test, or record less in it"
    )
