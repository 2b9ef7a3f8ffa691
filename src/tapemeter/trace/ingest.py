"""Brings the trace store up to date with the events in a report directory.

Each folder below `runs/` is read whole, its lines checked as for a report, when its files are others than last time;
also while its run goes on, and after a crash, where a last line that is torn does not count. A folder that is wrong is
noted and leaves no rows. One that is gone takes its rows with it. So the store is always what it would be if it were
made anew: it depends on what the folders hold now, and on nothing else.

A run may be told of twice: in its own folder, and in that of a joined run. It is read from one of them: the folder
with its own name, else another of the run alone, else a joined one, and among equals the first by name.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tapemeter.errors import EvidenceError
from tapemeter.events import Finding, files, layout
from tapemeter.trace import store
from tapemeter.trace.load import Load, forget
from tapemeter.trace.rows import text
from tapemeter.trace.schema import FILE
from tapemeter.values import Value

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_SETTLED = 2 * 10**9
"""Nanoseconds after which a change of a file shows in its times, on any file system."""
_UNSETTLED = ""
"""The fingerprint of what changed so lately that a further change might not show."""


class Ingested(Value):
    """What the store has now: how many runs, which folders were read this time, and what is wrong with any."""

    path: Path
    runs: int
    read: tuple[str, ...]
    findings: tuple[Finding, ...]


def ingest(
    report_dir: Path,
    path: Path | None = None,
    *,
    rebuild: bool = False,
    clock: Callable[[], int] = time.time_ns,
) -> Ingested:
    """Bring a store up to date, by default the one in the report directory; with `rebuild`, make it anew.

    All of it is one transaction, so two processes may do it at once. Runs that are wrong are left out and told in
    `findings`. UsageError where the file is no trace store, EvidenceError where it cannot be written. `clock` tells
    nanoseconds since 1970.
    """
    path = report_dir / FILE if path is None else path
    with store.writing(path, anew=rebuild) as connection:
        read = _update(connection, report_dir, clock)
        (runs,) = connection.execute("SELECT COUNT(*) FROM runs").fetchone()
        query = "SELECT path, line, problem FROM sources WHERE problem IS NOT NULL ORDER BY source"
        told = [Finding(where, line, "skipped", problem) for where, line, problem in connection.execute(query)]
    return Ingested(path, runs, tuple(read), (*told, *_unnamed(report_dir)))


def _update(connection: sqlite3.Connection, report_dir: Path, clock: Callable[[], int]) -> list[str]:
    folders = _folders(report_dir)
    known: dict[str, str] = dict(connection.execute("SELECT source, fingerprint FROM sources"))
    now = {source: _fingerprint(folder, clock()) for source, folder in folders.items()}
    stale = {source for source, mark in known.items() if now.get(source) != mark or mark == _UNSETTLED}
    _add_those_that_tell_of_the_same(connection, stale)
    for source in stale:
        _forget(connection, source)
    read = sorted(
        source for source, mark in now.items() if mark is not None and (source in stale or source not in known)
    )
    for source in read:
        _read(connection, source, folders[source], clock)
    return read


def _add_those_that_tell_of_the_same(connection: sqlite3.Connection, stale: set[str]) -> None:
    """Have folders be read again that tell of a run which is about to lose the folder it was read from."""
    providers: Mapping[str, str] = dict(connection.execute("SELECT run_id, source FROM runs"))
    holders = connection.execute("SELECT source, run_id FROM holds").fetchall()
    while True:
        more = {source for source, run_id in holders if providers.get(run_id) in stale}
        if more <= stale:
            return
        stale |= more


def _forget(connection: sqlite3.Connection, source: str) -> None:
    for (run_id,) in connection.execute("SELECT run_id FROM runs WHERE source = ?", (source,)).fetchall():
        forget(connection, run_id)
    connection.execute("DELETE FROM holds WHERE source = ?", (source,))
    connection.execute("DELETE FROM sources WHERE source = ?", (source,))


def _read(connection: sqlite3.Connection, source: str, folder: Path, clock: Callable[[], int]) -> None:
    """Read a folder, whole or not at all, and note what is wrong with it."""
    mark: str | None = None
    wrong: EvidenceError | None = None
    try:
        # Whoever merges the files of the run holds the folder as well, so they do not change places meanwhile.
        with files.locked(folder), _all_or_nothing(connection):
            mark = _fingerprint(folder, clock())
            Load(connection, source).read(folder)
    except EvidenceError as error:
        wrong = error
    except FileNotFoundError:
        return  # it went away just now
    except OSError as error:
        wrong = EvidenceError(f"cannot be read: {error.strerror or error}", path=str(folder))
    if wrong is None and mark is None:
        return  # its files went away just now
    row: tuple[str | int | None, ...] = (source, mark, None, None, None)
    if wrong is not None:
        row = (source, mark or _UNSETTLED, text(wrong.path or str(folder)), wrong.line, text(wrong.problem))
    connection.execute("INSERT INTO sources (source, fingerprint, path, line, problem) VALUES (?, ?, ?, ?, ?)", row)


@contextmanager
def _all_or_nothing(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("SAVEPOINT folder")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK TO folder")
        raise
    finally:
        connection.execute("RELEASE folder")


# Folders


def _folders(report_dir: Path) -> dict[str, Path]:
    return {path.name: path for path in _entries(report_dir) if path.name.isprintable()}


def _unnamed(report_dir: Path) -> list[Finding]:
    """Return the folders that cannot be called by a name that is text."""
    problem = "the folder's name is no printable text; rename it"
    return [
        Finding(ascii(str(path)), None, "skipped", problem)
        for path in _entries(report_dir)
        if not path.name.isprintable()
    ]


def _entries(report_dir: Path) -> list[Path]:
    runs = report_dir / layout.RUNS
    try:
        return sorted(path for path in runs.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EvidenceError(f"cannot be listed: {error.strerror or error}", path=str(runs)) from None


def _fingerprint(folder: Path, now: int) -> str | None:
    """Return what changes when a file of events in a folder does; None where there are none."""
    told = []
    newest = 0
    try:
        for path in [folder / layout.EVENTS, *(path for _, path in layout.parts(folder))]:
            if path.exists():
                stat = path.stat()
                newest = max(newest, stat.st_mtime_ns, stat.st_ctime_ns)
                told.append(f"{path.name}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}")
    except FileNotFoundError:
        return None if not folder.exists() else _UNSETTLED
    except OSError:
        return _UNSETTLED
    if not told:
        return None
    return _UNSETTLED if now - newest < _SETTLED else hashlib.sha256("\n".join(told).encode()).hexdigest()
