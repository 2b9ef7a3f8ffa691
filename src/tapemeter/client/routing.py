"""Where a call goes that a budget has a say in: the first rule that holds, in the order of the policy, and no other.

A rule holds for a call when its glob fits the name that was asked for, or the default group's where none was, and so
much is used of the limit it goes by: of several such limits, of which some may be for one model or alias alone, the one
of which most is used. What calls under way have set aside does not count, so that a decision goes by what was booked
before it alone. A rule sends a call where it says; whether that is cheaper is for its author to know. Without a
rule that holds, without the limit, and outside of a job, a call goes where its alias leads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tapemeter import owner as owners
from tapemeter.budget.dimensions import plain, shown
from tapemeter.cassette.mode import Mode
from tapemeter.errors import PolicyError
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from decimal import Decimal

    from tapemeter.budget.degrade import Degrade
    from tapemeter.budget.dimensions import Dimension, Scope
    from tapemeter.client.aliases import Resolution
    from tapemeter.metering.standing import Standing


class RouteView(Protocol):
    """How much of limits is used, as the calls of one job find it."""

    def fullest(self, scope: Scope, dimension: Dimension, model: str | None, *aliases: str | None) -> Standing | None:
        """Return the limit of which most is used, among those that hold for such calls; None where there is none."""


class Decision(Value):
    """The group that serves a call.

    `rule` is the one that holds, None where none does; `standing` is the limit that it goes by. `reason` is a sentence,
    None where the call goes where its alias leads anyway.
    """

    group: str
    reason: str | None = None
    rule: Degrade | None = None
    standing: Standing | None = None

    @property
    def used(self) -> int | None:
        """What is used of the limit, in the units of its dimension."""
        return None if self.standing is None else self.standing.used

    @property
    def fraction(self) -> Decimal | None:
        """Which part of the limit that is."""
        return None if self.standing is None else self.standing.fraction


def decide(resolution: Resolution, rules: Iterable[Degrade], balances: RouteView) -> Decision:
    """Return where a call goes; the same for the same rules and balances."""
    name = resolution.group if resolution.alias is None else resolution.alias
    for rule in rules:
        if not rule.covers(name):
            continue
        standing = balances.fullest(rule.scope, rule.dimension, resolution.model, resolution.alias)
        if standing is not None and standing.reaches(rule.at):
            reason = None if rule.to == resolution.group else _reason(rule, standing, name)
            return Decision(rule.to, reason, rule, standing)
    return Decision(resolution.group)


def check(rules: Iterable[Degrade], groups: Collection[str]) -> None:
    """Raise PolicyError for a rule to a group that there is not, before so much is used that it would hold."""
    for rule in rules:
        if rule.to not in groups:
            from tapemeter.schemas.explain import nearest  # noqa: PLC0415 - only where something is wrong

            raise PolicyError(
                f"degrade: there is no group {rule.to!r}{nearest(rule.to, groups)}; "
                f"the groups are {', '.join(sorted(groups))}",
                path=rule.source,
            )


def in_force(resolution: Resolution, groups: Collection[str] | None = None) -> Decision:
    """Return where a call goes by the limits of the job that it belongs to, with evidence where that is elsewhere.

    PolicyError for a rule to a group that is not among `groups`, where these are given.
    """
    owner = owners.current()
    if owner is None or owner.closed or owner.mode is Mode.OFF:
        return Decision(resolution.group)
    job, meter = owner.job, owner.house.meter
    rules = job.plan.policy.degrade
    if not rules:
        return Decision(resolution.group)
    if groups is not None:
        check(rules, groups)
    from tapemeter.metering.standing import Standings  # noqa: PLC0415 - few policies have rules

    decision = decide(resolution, rules, Standings(job, meter.gate.ledger, meter.prices.resolve))
    if decision.reason is not None and decision.rule is not None and decision.standing is not None:
        job.touched = True
        told = _event(resolution, decision.reason, decision.rule, decision.standing)
        step = job.steps[-1].name if job.steps else None
        meter.sink.write("route", {"job": job.name, "step": step, "call_id": None, **told})
    return decision


def _event(resolution: Resolution, reason: str, rule: Degrade, standing: Standing) -> dict[str, Any]:
    return {
        "alias": resolution.alias,
        "from_group": resolution.group,
        "to_group": rule.to,
        "reason": reason,
        "scope": rule.scope.value,
        "dimension": rule.dimension.value,
        "used": plain(rule.dimension, standing.used),
        "limit": plain(rule.dimension, standing.limit.value),
        "fraction": round(float(standing.fraction), 6),
        "source": rule.source,
    }


def _reason(rule: Degrade, standing: Standing, name: str) -> str:
    """Return the decision as a sentence: `planner goes to cheap: the job's cost_usd limit of $0.25 is 81 % used …`."""
    limit = standing.limit
    chosen = f" for {limit.selector}" if limit.selector else ""
    percent = f"{float(standing.fraction) * 100:.4g}"
    return (
        f"{name} goes to {rule.to}: of the {rule.scope}'s {rule.dimension} limit of "
        f"{shown(rule.dimension, limit.value)}{chosen} {shown(rule.dimension, standing.used)} is used, {percent} %, "
        f"and {rule.source} degrades it from {float(rule.at) * 100:.4g} % on"
    )
