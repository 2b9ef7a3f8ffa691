"""The ledger of several processes: a SQLite file that they share while a run lasts.

Each booking is one short transaction. The file is not made to survive a crash of the machine, since the run would not
either. Whether a process lives is told by a lock that it holds on a file of its own (`liveness`), which the system
takes from it however it ends; what a dead one had set aside is given back before anybody is refused for it.

A connection must not be carried over a fork, not even to be closed by the child. So it is closed before, and each side
opens its own when it next needs one; the child is a process of its own from the start.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakSet

from tapemeter.budget.dimensions import COUNTED
from tapemeter.budget.ledger import Account, Balance, Excess, Reservation
from tapemeter.budget.liveness import Life
from tapemeter.budget.sums import Books, Sums, add, first_excess, names_of, subtract

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tapemeter.budget.dimensions import Amounts

# Sums are text, a number for each of COUNTED, since a SQLite integer ends at 64 bits. Names and notes are bytes, since
# its text has no lone surrogates, which names of files may have.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS account
    (name BLOB PRIMARY KEY, used TEXT NOT NULL, reserved TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held
    (process TEXT, number INTEGER, accounts TEXT NOT NULL, amounts TEXT NOT NULL, note BLOB NOT NULL,
     PRIMARY KEY (process, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lapsed (note BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS stopped (account BLOB PRIMARY KEY, reason BLOB NOT NULL) WITHOUT ROWID;
"""
_PATIENCE = 60.0
"""Seconds to wait for other processes: far more than any number of them take."""
_PAUSE = 0.002
_SQLITE_LOCKED = frozenset({5, 6, 15})
"""SQLITE_BUSY, SQLITE_LOCKED and SQLITE_PROTOCOL: another process is at it."""


class SqliteLedger:
    """A Ledger in a file. Safe for threads, for processes, over a fork, and for finalisers that settle.

    One that was closed opens again, as if another process did, when it is used again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._life: Life | None = None
        """By what others know that this process lives; None until it sets something aside."""
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._busy = False
        self._late: deque[tuple[Reservation, Amounts]] = deque()
        self._connection: sqlite3.Connection | None = None
        self._connect()
        _open.add(self)

    def reserve(self, amounts: Amounts, accounts: Sequence[Account], *, note: str = "") -> Reservation | Excess:
        """Set amounts aside on all accounts, or on none and say why; accounts come outermost first."""
        names = names_of(accounts)
        with self._booking() as connection:
            books = self._books(connection, names, accounts, amounts)
            if isinstance(books, Excess):
                return books
            if self._life is None:
                self._life = Life(self._path)
            for _, reserved in books.values():
                add(reserved, amounts)
            _write(connection, books)
            number = next(self._numbers)
            connection.execute(
                "INSERT INTO held VALUES (?, ?, ?, ?, ?)",
                (self._life.name, number, json.dumps(names), _written(amounts), _packed(note)),
            )
        return Reservation(f"{self._life.name}:{number}", names, dict(amounts))

    def spend(self, amounts: Amounts, accounts: Sequence[Account]) -> Mapping[str, Balance] | Excess:
        """Book what is used at once, on all accounts or on none; return the balance of each account after it."""
        with self._booking() as connection:
            books = self._books(connection, names_of(accounts), accounts, amounts)
            if isinstance(books, Excess):
                return books
            for used, _ in books.values():
                add(used, amounts)
            _write(connection, books)
        return _balances(books)

    def settle(self, reservation: Reservation, amounts: Amounts) -> Mapping[str, Balance]:
        """Replace what was set aside by what was used, once, and return the balance of each account after it."""
        with self._lock:
            if self._busy:  # as in memory: what a finaliser settles amid a booking of its thread comes right after
                self._late.append((reservation, amounts))
                return _balances(_read(self._connected(), reservation.accounts))
            with self._booking() as connection:
                return _settle(connection, reservation, amounts)

    def balance(self, account: str) -> Balance:
        """Return what is booked on an account; zeros where nothing ever was."""
        with self._lock:
            return _balances(_read(self._connected(), (account,)))[account]

    def lapse(self) -> list[str]:
        """Give back what dead processes had set aside; return the notes of these reservations."""
        with self._booking() as connection:
            self._reap(connection)
            notes = [_unpacked(note) for (note,) in connection.execute("SELECT note FROM lapsed ORDER BY rowid")]
            connection.execute("DELETE FROM lapsed")
        return notes

    def stop(self, account: str, reason: str) -> None:
        """Note, for every process, that an account is used up; the first reason stays."""
        with self._booking() as connection:
            connection.execute("INSERT OR IGNORE INTO stopped VALUES (?, ?)", (_packed(account), _packed(reason)))

    def stopped(self, account: str) -> str | None:
        """Return the reason that was noted for an account, None where it may be used on."""
        query = "SELECT reason FROM stopped WHERE account = ?"
        with self._lock:
            found = self._connected().execute(query, (_packed(account),)).fetchone()
        return None if found is None else _unpacked(found[0])

    def close(self) -> None:
        """Let go of files; what this process still had set aside lapses."""
        with self._lock:
            if self._life is not None:
                with self._booking() as connection:
                    _lapse(connection, self._life.name)
                self._life.end()
                self._life = None
            self.disconnect()

    # Files

    def disconnect(self) -> None:
        """Close the connection, until there is need of one again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def hold(self) -> None:
        """Wait for the booking that is under way, and let no other begin before `go_on`."""
        self._lock.acquire()

    def go_on(self, *, child: bool) -> None:
        """Let bookings in again; in a forked child as another process, which has nothing set aside."""
        if not child:
            self._lock.release()
            return
        self._lock = threading.RLock()
        if self._life is not None:
            self._life.leave()
            self._life = None

    def _connected(self) -> sqlite3.Connection:
        return self._connection if self._connection is not None else self._connect()

    def _connect(self) -> sqlite3.Connection:
        """Open the file. Others may be opening it, too, which SQLite may refuse instead of waiting for them."""
        import sqlite3  # noqa: PLC0415 - only runs of several processes

        deadline = time.monotonic() + _PATIENCE
        while True:
            connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute("COMMIT")
            except BaseException as error:
                connection.close()
                locked = isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF in _SQLITE_LOCKED
                if not locked or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
                continue
            self._connection = connection
            return connection

    @contextmanager
    def _booking(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone over all processes, and after it what had to wait for its end."""
        with self._lock:
            connection = self._connected()
            if self._busy:
                yield connection  # within a booking of the same thread, as when a finaliser stops an account
                return
            if connection.in_transaction:
                connection.rollback()  # an interrupt fell between the beginning of a transaction and its guard
            connection.execute("BEGIN IMMEDIATE")
            self._busy = True
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise
            finally:
                self._busy = False
            while self._late:
                with self._booking():
                    _settle(connection, *self._late.popleft())

    def _books(
        self, connection: sqlite3.Connection, names: Iterable[str], accounts: Sequence[Account], amounts: Amounts
    ) -> Books | Excess:
        """Return the books of accounts on which amounts may be booked; nobody is refused for what a dead one holds."""
        books = _read(connection, names)
        excess = first_excess(accounts, books, amounts)
        if excess is not None and self._reap(connection):
            books = _read(connection, names)
            excess = first_excess(accounts, books, amounts)
        return books if excess is None else excess

    def _reap(self, connection: sqlite3.Connection) -> bool:
        """Give back what dead processes had set aside; return whether there was any."""
        processes = [name for (name,) in connection.execute("SELECT DISTINCT process FROM held")]
        own = None if self._life is None else self._life.name
        dead = [name for name in processes if name != own and not Life.goes_on(self._path, name)]
        for process in dead:
            _lapse(connection, process)
        return bool(dead)


# Tables


def _read(connection: sqlite3.Connection, accounts: Iterable[str]) -> Books:
    query = "SELECT used, reserved FROM account WHERE name = ?"
    books: Books = {}
    for name in accounts:
        used, reserved = connection.execute(query, (_packed(name),)).fetchone() or ("", "")
        books[name] = (_sums(used), _sums(reserved))
    return books


def _write(connection: sqlite3.Connection, books: Books) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO account VALUES (?, ?, ?)",
        [(_packed(name), _written(used), _written(reserved)) for name, (used, reserved) in books.items()],
    )


def _settle(connection: sqlite3.Connection, reservation: Reservation, amounts: Amounts) -> Mapping[str, Balance]:
    process, _, number = reservation.id.rpartition(":")
    key = (process, int(number))
    found = connection.execute("SELECT amounts FROM held WHERE process = ? AND number = ?", key).fetchone()
    books = _read(connection, reservation.accounts)
    if found is not None:
        connection.execute("DELETE FROM held WHERE process = ? AND number = ?", key)
        held = _sums(found[0])
        for used, reserved in books.values():
            subtract(reserved, held)
            add(used, amounts)
        _write(connection, books)
    return _balances(books)


def _lapse(connection: sqlite3.Connection, process: str) -> None:
    """Give back what a process had set aside, and keep the notes for whoever asks for them."""
    query = "SELECT accounts, amounts, note FROM held WHERE process = ? ORDER BY number"
    for accounts, amounts, note in connection.execute(query, (process,)).fetchall():
        books = _read(connection, json.loads(accounts))
        for _, reserved in books.values():
            subtract(reserved, _sums(amounts))
        _write(connection, books)
        connection.execute("INSERT INTO lapsed VALUES (?)", (note,))
    connection.execute("DELETE FROM held WHERE process = ?", (process,))


def _balances(books: Books) -> dict[str, Balance]:
    return {name: Balance(used, reserved) for name, (used, reserved) in books.items()}


def _written(amounts: Amounts) -> str:
    return " ".join([str(amounts.get(dimension, 0)) for dimension in COUNTED])


def _sums(text: str) -> Sums:
    return dict(zip(COUNTED, map(int, text.split()), strict=False))


def _packed(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _unpacked(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


# Forks

_open: WeakSet[SqliteLedger] = WeakSet()
_held_over_fork: list[SqliteLedger] = []


def _before_fork() -> None:
    for ledger in list(_open):
        ledger.hold()
        _held_over_fork.append(ledger)
        ledger.disconnect()


def _after_fork(*, child: bool) -> None:
    while _held_over_fork:
        _held_over_fork.pop().go_on(child=child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=lambda: _after_fork(child=False),
        after_in_child=lambda: _after_fork(child=True),
    )
