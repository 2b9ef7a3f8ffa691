"""One query of somebody's own: a single SELECT that can read the store, and nothing else.

The file is opened for reading. On top of that SQLite asks, for all that a query would do, whether it may; it may read
tables, and call functions. What it may use is bounded: steps of SQLite's machine, the size of a value, and rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.errors import UsageError
from tapemeter.trace import store
from tapemeter.values import Value

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

STEPS = 200_000_000
"""Steps of SQLite's machine, far more than a look at a million rows takes."""
LONGEST_VALUE = 4 * 1024 * 1024
LONGEST_QUERY = 100_000
_BETWEEN_CHECKS = 10_000
_REFUSED_FUNCTIONS = frozenset({"load_extension"})

Cell = str | int | float | bytes | None


class Answer(Value):
    """What a query gave: the names of its columns, and its first rows; `more` where it has others."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    more: bool


def ask(path: Path, query: str, *, limit: int = 1000, steps: int = STEPS) -> Answer:
    """Return what one SELECT over the store gives, at most `limit` rows of it.

    UsageError for what is no such query, and for one that takes too long; it says what SQLite says.
    """
    import sqlite3  # noqa: PLC0415 - only who asks the store

    with store.reading(path) as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, LONGEST_QUERY)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.set_authorizer(_reads)
        counter = _Counter(steps)
        connection.set_progress_handler(counter, _BETWEEN_CHECKS)
        try:
            return _answer(connection, query, limit)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            if counter.over:
                raise UsageError(f"the query takes more than {steps:,} steps; ask for less") from None
            raise UsageError(f"the query cannot be answered: {error}") from None


def _answer(connection: sqlite3.Connection, query: str, limit: int) -> Answer:
    cursor = connection.execute(query)
    if cursor.description is None:
        raise UsageError("the query asks for nothing; expected one SELECT")
    rows = cursor.fetchmany(limit + 1)
    columns = tuple(name for name, *_ in cursor.description)
    return Answer(columns, tuple(rows[:limit]), len(rows) > limit)


class _Counter:
    """Has SQLite stop after so many steps."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    @property
    def over(self) -> bool:
        return self._left < 0

    def __call__(self) -> bool:
        self._left -= _BETWEEN_CHECKS
        return self.over


def _reads(action: int, _: str | None, name: str | None, *__: str | None) -> int:
    """Say whether a query may do something; for a function, `name` is the one that it calls."""
    import sqlite3  # noqa: PLC0415 - it is there already

    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if name in _REFUSED_FUNCTIONS else sqlite3.SQLITE_OK
    allowed = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
    return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY
