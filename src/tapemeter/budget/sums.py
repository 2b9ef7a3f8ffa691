"""The arithmetic that every ledger shares: sums of amounts, and whether a limit would hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.budget.dimensions import COUNTED, Dimension
from tapemeter.budget.ledger import Account, Excess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tapemeter.budget.dimensions import Amounts

Sums = dict[Dimension, int]
Books = dict[str, tuple[Sums, Sums]]
"""What has been used on accounts, and what is set aside on them."""


def add(sums: Sums, amounts: Amounts) -> None:
    """Add amounts to sums."""
    for dimension, amount in amounts.items():
        sums[dimension] = sums.get(dimension, 0) + amount


def subtract(sums: Sums, amounts: Amounts) -> None:
    """Take amounts from sums."""
    for dimension, amount in amounts.items():
        sums[dimension] = sums.get(dimension, 0) - amount


def names_of(accounts: Sequence[Account]) -> tuple[str, ...]:
    """Return the names of accounts in their order, each once: a call is booked on an account once."""
    return tuple(dict.fromkeys(account.name for account in accounts))


def first_excess(accounts: Sequence[Account], books: Mapping[str, tuple[Sums, Sums]], asked: Amounts) -> Excess | None:
    """Return the first limit that would not hold, by account and then by dimension; None where all do."""
    for account in accounts:
        limits = account.limits
        if not limits:
            continue
        used, reserved = books[account.name]
        for dimension in COUNTED:
            limit = limits.get(dimension)
            if limit is None:
                continue
            spent, held, more = used.get(dimension, 0), reserved.get(dimension, 0), asked.get(dimension, 0)
            if dimension is Dimension.CALLS and limit and not more:
                continue  # another attempt at a call that was let through
            if spent >= limit or spent + held + more > limit:
                return Excess(account.name, dimension, limit, spent, held, more)
    return None
