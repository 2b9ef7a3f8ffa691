"""What a ledger is: it sets amounts aside before a call leaves, and books what was used after.

Every call is booked on several accounts at once (its run, its job, its step), on all of them or on none. An
account is a name; it comes into being when it is first booked on. A limit is checked when something is to be set
aside, and is given with it, so a ledger knows no policy.

    refused     used >= limit, or used + reserved + asked > limit      for any limited dimension of any account
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tapemeter.values import Value, field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tapemeter.budget.dimensions import Amounts, Dimension


class Account(Value):
    """An account that a call is booked on, with the limits in force on it; `limits` may be empty."""

    name: str
    limits: Mapping[Dimension, int] = field(default_factory=dict)


class Reservation(Value):
    """Amounts that are set aside on some accounts until they are settled or lapse."""

    id: str
    accounts: tuple[str, ...]
    amounts: Amounts


class Excess(Value):
    """Why nothing was set aside: the first limit that would not hold, of the outermost account."""

    account: str
    dimension: Dimension
    limit: int
    used: int
    reserved: int
    asked: int


class Balance(Value):
    """What has been used on an account, and what is set aside on it; a missing dimension is zero."""

    used: Amounts
    reserved: Amounts


class Ledger(Protocol):
    """Safe for threads; a ledger over several processes is safe for them, too."""

    def reserve(self, amounts: Amounts, accounts: Sequence[Account], *, note: str = "") -> Reservation | Excess:
        """Set amounts aside on all accounts, or on none and say why; accounts come outermost first.

        `note` is kept with the reservation, for whoever finds that it lapsed.
        """

    def spend(self, amounts: Amounts, accounts: Sequence[Account]) -> Mapping[str, Balance] | Excess:
        """Book what is used at once, as if it were set aside and settled; return the balance of each account after it.

        On all accounts, or on none and say why, as `reserve` does.
        """

    def settle(self, reservation: Reservation, amounts: Amounts) -> Mapping[str, Balance]:
        """Replace what was set aside by what was used, and return the balance of each account after it.

        Only the first settling of a reservation counts; a later one, or one that comes after it lapsed, changes
        nothing.
        """

    def balance(self, account: str) -> Balance:
        """Return what is booked on an account; zeros where nothing ever was."""

    def lapse(self) -> list[str]:
        """Give back what processes that died had set aside; return the notes of these reservations."""

    def stop(self, account: str, reason: str) -> None:
        """Note, for every process, that an account is used up; the first reason stays."""

    def stopped(self, account: str) -> str | None:
        """Return the reason that was noted for an account, None where it may be used on."""

    def close(self) -> None:
        """Let go of files; what this process still had set aside lapses."""
