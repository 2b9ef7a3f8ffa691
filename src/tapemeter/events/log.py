"""Writes the events of one process: each line whole, in one write, at the end of a file that is its own.

Nothing is made on disk before the first event. A fork writes on in a file of its own, so that no chain ever has two
ends; a write that fails half-way is taken back.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tapemeter.errors import EvidenceError
from tapemeter.events import files, layout
from tapemeter.events.line import GENESIS, KINDS, VERSION, clashes, seal, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_KINDS = frozenset(KINDS)
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


def _now() -> datetime:
    return datetime.now(UTC)


class EventLog:
    """The evidence of one process of a run, in the run's folder. Safe for threads and forks.

    `process` names the file, and has to be another for every process of the run. `clock` tells the time of day.
    """

    def __init__(self, folder: Path, *, run_id: str, process: str, clock: Callable[[], datetime] = _now) -> None:
        layout.part(folder, process)
        self.folder = folder
        self.run_id = run_id
        self.process = process
        self.count = 0
        """Events written so far."""
        self._clock = clock
        self._lock = threading.RLock()
        self._waiting: deque[tuple[str, Mapping[str, Any]]] = deque()
        self._writing = False
        self._handle: int | None = None
        self._closed = False
        self._prev = GENESIS
        self._at = ""
        self._size = 0
        _logs.add(self)

    @property
    def written(self) -> bool:
        """Whether anything was written."""
        return self.count > 0

    @property
    def path(self) -> Path:
        """The file that this process writes."""
        return layout.part(self.folder, self.process)

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Append an event with the fields of its kind; it is in the file when this returns.

        EvidenceError where the file cannot be written or is somebody else's; ValueError for a kind that there is
        none of, a field that is named like one that every event has, or a number that JSON has none of.
        """
        if kind not in _KINDS:
            raise ValueError(f"expected one of the kinds {', '.join(KINDS)}, got {kind!r}")
        if clashing := clashes(fields):
            raise ValueError(f"every event has {', '.join(clashing)}; {kind} cannot have another of that name")
        with self._lock:
            self._waiting.append((kind, fields))
            if self._writing:
                return  # a finaliser ran in the midst of another event; it is written right after that one
            self._writing = True
            try:
                while self._waiting:
                    self._write(*self._waiting.popleft())
            finally:
                self._writing = False

    def _write(self, kind: str, fields: Mapping[str, Any]) -> None:
        handle = self._open() if self._handle is None else self._handle
        # A clock that is set back must not have events of one process change places when files are merged.
        at = max(self._at, stamp(self._clock()))
        line, digest = seal(
            {
                "v": VERSION,
                "run_id": self.run_id,
                "process": self.process,
                "seq": self.count,
                "at": at,
                "event": kind,
                **fields,
                "prev": self._prev,
            }
        )
        self._append(handle, line)
        self._prev, self._at = digest, at
        self._size += len(line)
        self.count += 1

    def close(self) -> None:
        """Close the file for good, once it is safe on disk; nothing happens where there is none."""
        with self._lock:
            self._closed = True
            if self._handle is not None:
                os.fsync(self._handle)
                files.release(self._handle)
                self._handle = None

    def _open(self) -> int:
        if self._closed:
            raise EvidenceError("the run has ended, and its evidence with it; end threads before", path=str(self.path))
        try:
            layout.make(self.folder)
            self._handle = os.open(self.path, _FLAGS, 0o666)
        except FileExistsError:
            raise EvidenceError(
                f"the file is there already: each process of a run needs a name of its own, not {self.process!r} twice",
                path=str(self.path),
            ) from None
        except OSError as error:
            raise EvidenceError(f"cannot be made: {error.strerror or error}", path=str(self.path)) from None
        files.hold(self._handle)
        return self._handle

    def _append(self, handle: int, line: bytes) -> None:
        rest = line
        try:
            while rest:
                rest = rest[os.write(handle, rest) :]
        except OSError as error:
            os.ftruncate(handle, self._size)
            raise EvidenceError(f"cannot be written: {error.strerror or error}", path=str(self.path)) from None

    def _leave_to_parent(self) -> None:
        """In a new fork: let go of the parent's file, and begin one of our own with the next event."""
        if self._handle is not None:
            os.close(self._handle)
        self.process = f"{self.process}-{os.getpid()}"
        self.count, self._size = 0, 0
        self._handle, self._prev = None, GENESIS
        self._lock, self._writing = threading.RLock(), False
        self._waiting.clear()


_logs: weakref.WeakSet[EventLog] = weakref.WeakSet()


def _after_fork() -> None:
    for log in list(_logs):
        log._leave_to_parent()  # noqa: SLF001 - not for anybody else


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
