"""A policy made ready for the calls of a job: which accounts a call is booked on, and which limits each has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.budget.dimensions import COUNTED, Dimension, Scope
from tapemeter.budget.policy import DEFAULT_OUTPUT_TOKENS, Limit, OnStop, Policy, UnknownCost
from tapemeter.values import Value, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Slot(Value):
    """A scope, for every call or those of one model or alias, with the limits that hold there.

    `counted` are kept in a ledger, which is told the `most` of each; `timed` are read from a clock; `limits` are both,
    in the order in which they are reported.
    """

    scope: Scope
    selector: str = ""
    counted: Mapping[Dimension, Limit] = field(default_factory=dict)
    timed: Mapping[Dimension, Limit] = field(default_factory=dict)
    most: Mapping[Dimension, int] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()

    def account(self, name: str) -> str:
        """Return the ledger's account of this slot, for a scope of that name."""
        return f"{name}|{self.selector}" if self.selector else name


class Plan:
    """A policy for the calls of one job; what the policy leaves open has its default."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.unknown_cost = policy.unknown_cost or UnknownCost.REFUSE
        self.on_stop = policy.on_stop or OnStop.RAISE
        self.warn_at = policy.warn_at
        self.default_output_tokens = (
            DEFAULT_OUTPUT_TOKENS if policy.default_output_tokens is None else policy.default_output_tokens
        )
        self._slots: dict[tuple[str | None, ...], tuple[Slot, ...]] = {}

    def slots(self, model: str | None, *aliases: str | None) -> tuple[Slot, ...]:
        """Return where a call of the model, asked for by these aliases, is booked: outermost first.

        A run, a job and a step are always booked on, so that they know their totals; a call only where it has limits.
        """
        found = self._slots.get((model, *aliases))
        if found is None:
            found = self._slots[model, *aliases] = tuple(self._find(model, aliases))
        return found

    def _find(self, model: str | None, aliases: tuple[str | None, ...]) -> Iterator[Slot]:
        for scope in Scope:
            here = [limit for limit in self.policy.limits if limit.scope is scope and limit.covers(model, *aliases)]
            plain = _slot(scope, "", (limit for limit in here if limit.selector == ""))
            if scope is not Scope.CALL or plain.counted or plain.timed:
                yield plain
            for selector in dict.fromkeys(limit.selector for limit in here if limit.selector):
                yield _slot(scope, selector, (limit for limit in here if limit.selector == selector))


def _slot(scope: Scope, selector: str, limits: Iterable[Limit]) -> Slot:
    by_dimension = {limit.dimension: limit for limit in limits}
    counted: dict[Dimension, Limit] = {
        dimension: by_dimension[dimension] for dimension in COUNTED if dimension in by_dimension
    }
    return Slot(
        scope,
        selector,
        counted,
        {dimension: limit for dimension, limit in by_dimension.items() if dimension not in COUNTED},
        {dimension: limit.value for dimension, limit in counted.items()},
        tuple(by_dimension[dimension] for dimension in Dimension if dimension in by_dimension),
    )
