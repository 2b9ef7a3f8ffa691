"""Opens the trace store: to write it, alone and in one transaction, or to read it, without power to change it.

The file is made from events alone, so one of another version is emptied and made anew. A file that is not ours is left
as it is. There is no write-ahead log, so that the store is a single file that can be copied and read anywhere.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tapemeter.errors import EvidenceError, UsageError
from tapemeter.trace import views
from tapemeter.trace.schema import APPLICATION, VERSION

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

_PATIENCE = 60.0
"""Seconds to wait for another process that brings the same file up to date."""
_FOREIGN = "this is no trace store; name another --db, or move it away"


@contextmanager
def writing(path: Path, *, anew: bool = False) -> Iterator[sqlite3.Connection]:
    """Give a connection in a transaction that is alone over all processes; what it did holds at the end of the block.

    The schema is there by then; with `anew` it is empty. UsageError where the file is somebody else's, EvidenceError
    where it cannot be opened or written, or another process does not come to its end.
    """
    import sqlite3  # noqa: PLC0415 - only who asks the store

    with _errors(path):
        connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
        try:
            connection.execute("PRAGMA cache_spill = OFF")  # so that readers wait for nothing but the commit
            connection.execute("BEGIN IMMEDIATE")
            _prepare(connection, path, anew=anew)
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.close()


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that cannot write; UsageError or EvidenceError as above."""
    import sqlite3  # noqa: PLC0415 - as above

    with _errors(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)
        try:
            if _number(connection, "application_id") != APPLICATION:
                raise UsageError(f"{path}: {_FOREIGN}")
            yield connection
        finally:
            connection.close()


def _prepare(connection: sqlite3.Connection, path: Path, *, anew: bool) -> None:
    found = connection.execute("SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    application, version = _number(connection, "application_id"), _number(connection, "user_version")
    if found and application != APPLICATION:
        raise UsageError(f"{path}: {_FOREIGN}")
    if version > VERSION and not anew:
        raise EvidenceError(
            f"the store is of version {version}, made by a newer tapemeter; name another --db, or --rebuild this one",
            path=str(path),
        )
    if found and version == VERSION and not anew:
        return
    for kind, name in sorted(found, reverse=True):  # views before tables; the indexes of a table go with it
        if kind != "index":
            quoted = name.replace('"', '""')
            connection.execute(f'DROP {kind} IF EXISTS "{quoted}"')
    for statement in views.statements():
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    number: int = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    return number


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    import sqlite3  # noqa: PLC0415 - as above

    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None)
        if name == "SQLITE_NOTADB":
            raise UsageError(f"{path}: {_FOREIGN}") from None
        remedy = _REMEDIES.get(name or "", "delete it, and it is made anew from the events")
        raise EvidenceError(f"the trace store cannot be used: {error}; {remedy}", path=str(path)) from None


_REMEDIES = {
    "SQLITE_CANTOPEN": "name a --db in a folder that can be written",
    "SQLITE_READONLY": "name a --db that can be written",
    "SQLITE_READONLY_DIRECTORY": "name a --db in a folder that can be written",
    "SQLITE_FULL": "make room",
    "SQLITE_BUSY": "another process is at it; try again when that has ended",
}
