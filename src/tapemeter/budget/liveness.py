"""Whether a process still lives, told without a race: it holds a lock on a file of its own until it ends.

The system takes the lock from a process that ends, however it ends, and no other can have its name: the number of a
process comes again, a name here does not. Where the system has no such locks, the number has to do.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Life:
    """The life of one process, or of one part of it, as others see it beside the file at `path`."""

    def __init__(self, path: Path) -> None:
        import secrets  # noqa: PLC0415 - only runs of several processes

        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._file = _file(path, self.name)
        # Nobody looks for a name before its owner has booked under it, so nobody sees the file without its lock.
        self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _lock(self._descriptor)

    def end(self) -> None:
        """End it before the process does."""
        os.close(self._descriptor)
        with suppress(OSError):
            os.unlink(self._file)  # noqa: PTH108 - the path is text

    def leave(self) -> None:
        """Let go of it in a forked child, which would keep the lock of its parent."""
        os.close(self._descriptor)

    @staticmethod
    def goes_on(path: Path, name: str) -> bool:
        """Return whether the process of that name lives."""
        file = _file(path, name)
        try:
            descriptor = os.open(file, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            locked = _lock(descriptor)
        finally:
            os.close(descriptor)
        lives = _runs(int(name.partition("-")[0])) if locked is None else not locked
        if not lives:
            with suppress(OSError):
                os.unlink(file)  # noqa: PTH108
        return lives


def _lock(descriptor: int) -> bool | None:
    """Return whether nobody else holds the lock, and take it then; None where there are no such locks."""
    try:
        import fcntl  # noqa: PLC0415 - absent outside POSIX
    except ImportError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _runs(pid: int) -> bool:
    """Return whether a process of that number runs."""
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415

        query, still_active = 0x1000, 259
        handle = ctypes.windll.kernel32.OpenProcess(query, False, pid)
        code = ctypes.c_ulong()
        found = bool(handle) and bool(ctypes.windll.kernel32.GetExitCodeProcess(handle, ctypes.byref(code)))
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return found and code.value == still_active
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _file(path: Path, name: str) -> str:
    return f"{path}.{name}.alive"
