"""How a job stands to its limits: what is used of each, and what is set aside for calls under way.

It reads the ledger and the job's clock, and changes nothing. Evidence, the fixture `llm_job` and routing go by it.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING

from tapemeter.budget.dimensions import Dimension, Scope, to_units
from tapemeter.metering.attempt import RUN
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tapemeter.budget.ledger import Ledger
    from tapemeter.budget.policy import Limit
    from tapemeter.job import Job

_EXACT = Context(prec=40)
"""The program under test may have made its own decimals coarser."""


class Standing(Value):
    """What is used of a limit, and what is set aside of it, in the units of its dimension."""

    limit: Limit
    used: int
    reserved: int = 0

    @property
    def left(self) -> int:
        """What is left, with what is set aside taken off; never below zero."""
        return max(0, self.limit.value - self.used - self.reserved)

    @property
    def fraction(self) -> Decimal:
        """Which part of it is used, without what is set aside; 1 of a limit that allows nothing."""
        if not self.limit.value:
            return Decimal(1)
        return _EXACT.divide(Decimal(self.used), Decimal(self.limit.value))

    def reaches(self, fraction: Decimal) -> bool:
        """Return whether so much of it is used."""
        return not self.limit.value or self.used >= _EXACT.multiply(fraction, Decimal(self.limit.value))


class Standings:
    """The limits of a job, and of the run and the steps around its calls. Safe for threads.

    `resolve` returns the model that a name of a price file stands for.
    """

    def __init__(self, job: Job, ledger: Ledger, resolve: Callable[[str], str] = str) -> None:
        self._job, self._ledger, self._resolve = job, ledger, resolve

    def of(self, limit: Limit) -> Standing:
        """Return how a limit of the job's own scope stands."""
        if limit.dimension is Dimension.WALL_SECONDS:
            return timed(limit, self._job.clock.now())
        return counted(limit, self._job.account, self._ledger)

    def fullest(self, scope: Scope, dimension: Dimension, model: str | None, *aliases: str | None) -> Standing | None:
        """Return the limit of which most is used, among those on a dimension that is counted in a scope.

        Only those that hold for calls of the model, asked for by these aliases; None where there is none.
        """
        resolved = None if model is None else self._resolve(model)
        standings = [
            counted(limit, name, self._ledger)
            for limit in self._job.plan.policy.limits
            if limit.scope is scope and limit.dimension is dimension and limit.covers(resolved, model, *aliases)
            for name in self._names(scope)
        ]
        return max(standings, key=lambda standing: standing.fraction, default=None)

    def _names(self, scope: Scope) -> Iterator[str]:
        match scope:
            case Scope.RUN:
                yield RUN
            case Scope.JOB:
                yield self._job.account
            case Scope.STEP:
                yield from (step.account for step in self._job.steps)


def counted(limit: Limit, name: str, ledger: Ledger) -> Standing:
    """Return how a limit on what is counted stands, in a scope of that name in the ledger; zeros for one on time."""
    balance = ledger.balance(account(limit, name))
    return Standing(limit, balance.used.get(limit.dimension, 0), balance.reserved.get(limit.dimension, 0))


def timed(limit: Limit, seconds: float) -> Standing:
    """Return how a limit on time stands, of which so many seconds have passed."""
    return Standing(limit, to_units(limit.dimension, max(0.0, seconds)))


def account(limit: Limit, name: str) -> str:
    """Return the ledger's account of a limit, in a scope of that name."""
    return f"{name}|{limit.selector}" if limit.selector else name
