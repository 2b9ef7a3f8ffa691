"""The ledger of one process: sums in memory, under one lock."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tapemeter.budget.ledger import Account, Balance, Excess, Reservation
from tapemeter.budget.sums import Sums, add, first_excess, names_of, subtract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tapemeter.budget.dimensions import Amounts


def _nothing() -> tuple[Sums, Sums]:
    return {}, {}


class MemoryLedger:
    """A Ledger that ends with its process. Safe for threads, and for finalisers that settle."""

    def __init__(self) -> None:
        self._books: defaultdict[str, tuple[Sums, Sums]] = defaultdict(_nothing)
        self._held: dict[str, tuple[Reservation, str]] = {}
        self._lapsed: list[str] = []
        self._stopped: dict[str, str] = {}
        self._ids = itertools.count(1)
        self._lock = threading.RLock()
        self._busy = False
        self._late: deque[tuple[Reservation, Amounts]] = deque()

    def reserve(self, amounts: Amounts, accounts: Sequence[Account], *, note: str = "") -> Reservation | Excess:
        """Set amounts aside on all accounts, or on none and say why; accounts come outermost first."""
        with self._booking():
            excess = first_excess(accounts, self._books, amounts)
            if excess is not None:
                return excess
            reservation = Reservation(str(next(self._ids)), names_of(accounts), dict(amounts))
            for name in reservation.accounts:
                add(self._books[name][1], amounts)
            self._held[reservation.id] = (reservation, note)
            return reservation

    def spend(self, amounts: Amounts, accounts: Sequence[Account]) -> Mapping[str, Balance] | Excess:
        """Book what is used at once, on all accounts or on none; return the balance of each account after it."""
        with self._booking():
            excess = first_excess(accounts, self._books, amounts)
            if excess is not None:
                return excess
            names = names_of(accounts)
            for name in names:
                add(self._books[name][0], amounts)
            return {name: self._balance(name) for name in names}

    def settle(self, reservation: Reservation, amounts: Amounts) -> Mapping[str, Balance]:
        """Replace what was set aside by what was used, once, and return the balance of each account after it."""
        with self._lock:
            if self._busy:
                # The garbage collector ended an abandoned stream amid another booking of this thread. Its settling
                # can neither wait for the lock, nor change sums that are just being changed: it is done right after.
                self._late.append((reservation, amounts))
            else:
                with self._booking():
                    self._settle(reservation, amounts)
            return {name: self._balance(name) for name in reservation.accounts}

    def balance(self, account: str) -> Balance:
        """Return what is booked on an account; zeros where nothing ever was."""
        with self._lock:
            return self._balance(account)

    def lapse(self) -> list[str]:
        """Return the notes of what had been set aside when the ledger was closed; no other process can die here."""
        with self._lock:
            notes, self._lapsed = self._lapsed, []
            return notes

    def stop(self, account: str, reason: str) -> None:
        """Note that an account is used up; the first reason stays."""
        with self._lock:
            self._stopped.setdefault(account, reason)

    def stopped(self, account: str) -> str | None:
        """Return the reason that was noted for an account, None where it may be used on."""
        return self._stopped.get(account)

    def close(self) -> None:
        """Let what is still set aside lapse."""
        with self._booking():
            for reservation, note in self._held.values():
                self._give_back(reservation)
                self._lapsed.append(note)
            self._held.clear()

    @contextmanager
    def _booking(self) -> Iterator[None]:
        """Let one booking at a time in, and do after it what had to wait for its end."""
        with self._lock:
            within, self._busy = self._busy, True
            try:
                yield
            finally:
                self._busy = within
            while self._late and not within:
                with self._booking():
                    self._settle(*self._late.popleft())

    def _settle(self, reservation: Reservation, amounts: Amounts) -> None:
        held = self._held.pop(reservation.id, None)
        if held is not None:
            self._give_back(held[0])
            for name in held[0].accounts:
                add(self._books[name][0], amounts)

    def _give_back(self, reservation: Reservation) -> None:
        for name in reservation.accounts:
            subtract(self._books[name][1], reservation.amounts)

    def _balance(self, account: str) -> Balance:
        used, reserved = self._books.get(account) or _nothing()
        return Balance(dict(used), dict(reserved))
