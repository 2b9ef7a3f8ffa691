"""The markers of budgets, and how their arguments become typed values."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from tapemeter import budget
from tapemeter.budget.dimensions import Dimension, Scope, shown, text_of, to_units
from tapemeter.budget.policy import Policy, from_arguments
from tapemeter.errors import BudgetStopped, UsageError
from tapemeter.pytest_plugin.markers import BUDGET, EXPECT_STOPPED, JOB, where
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from tapemeter.budget.stop import Stop
    from tapemeter.job import Job
    from tapemeter.owner import Owner


def policy_of(item: pytest.Item) -> Policy | None:
    """Return the limits of all `llm_budget` markers of a test, together; None without one."""
    # The outer ones come first, since the nearer has the last word where it is not the tightest that counts.
    found = [_marked(item, marker) for marker in reversed(list(item.iter_markers(BUDGET)))]
    return reduce(Policy.tightened, found) if found else None


def policy_given(value: Any, root: Path, where: str) -> Policy | None:
    """Return the policy that a fixture or a marker names: a path, a mapping as in a file, or None."""
    if value is None:
        return None
    if isinstance(value, dict):
        return budget.policy_from(value, where)
    try:
        path = root / value
    except TypeError:
        raise UsageError(
            f"{where}: expected the path of a policy file, or a mapping as in such a file, got {value!r}"
        ) from None
    return budget.load_policy(path, root)


def job_of(item: pytest.Item) -> str | None:
    """Return the name that the closest `llm_job` marker gives; None without one, UsageError for a wrong one."""
    marker = item.get_closest_marker(JOB)
    if marker is None:
        return None
    given = [*marker.args, *marker.kwargs.values()]
    if len(given) != 1 or marker.kwargs.keys() - {"name"} or not isinstance(given[0], str) or not given[0].strip():
        raise UsageError(f"{where(item, JOB)} takes one name; write llm_job('checkout')")
    return given[0]


class Expectation(Value):
    """What `expect_stopped_budget` says of the stop; None where it leaves that open."""

    limit: str | None = None
    scope: str | None = None
    after_calls: int | None = None

    def __str__(self) -> str:
        said = [f"limit {self.limit}"] if self.limit is not None else []
        said += [f"scope {self.scope}"] if self.scope is not None else []
        said += [f"after {self.after_calls} calls"] if self.after_calls is not None else []
        return f" ({', '.join(said)})" if said else ""

    def unmet(self, job: Job) -> str | None:
        """Return what happened instead; None where the job was stopped as described."""
        stop = job.stop
        wanted = f"expected a budget to stop the job{self}"
        if stop is None:
            # While its test has not ended, a job that will complete is still running.
            state = "COMPLETED" if job.outcome.state == "RUNNING" else job.outcome.state.value
            return f"{wanted}, but it was {state}, {_used(job)}"
        found = f"it was stopped by the {stop.scope}'s {stop.limit} limit after {stop.after_calls} calls"
        as_described = (
            self.limit in {None, stop.limit}
            and self.scope in {None, stop.scope}
            and self.after_calls in {None, stop.after_calls}
        )
        return None if as_described else f"{wanted}, but {found}: {stop.sentence}"


def expectation_of(item: pytest.Item) -> Expectation | None:
    """Return what the closest `expect_stopped_budget` says; None without one, UsageError for a wrong one."""
    marker = item.get_closest_marker(EXPECT_STOPPED)
    if marker is None:
        return None
    place = where(item, EXPECT_STOPPED)
    names = ("limit", "scope", "after_calls")
    if len(marker.args) > len(names):
        raise UsageError(f"{place} takes limit, scope and after_calls, got {marker.args!r}")
    given = {**dict(zip(names, marker.args, strict=False)), **marker.kwargs}
    twice = sorted(set(names[: len(marker.args)]).intersection(marker.kwargs))
    if twice:
        raise UsageError(f"{place} has {', '.join(twice)} twice, by place and by keyword")
    unknown = sorted(given.keys() - set(names))
    if unknown:
        raise UsageError(f"{place} has no argument {', '.join(unknown)}; it takes {', '.join(names)}")
    _check_word(given.get("limit"), [dimension.value for dimension in Dimension], f"{place}: limit")
    _check_word(given.get("scope"), [scope.value for scope in Scope], f"{place}: scope")
    calls = given.get("after_calls")
    if calls is not None and (not isinstance(calls, int) or isinstance(calls, bool) or calls < 0):
        raise UsageError(f"{place}: expected after_calls as a whole number, got {calls!r}")
    return Expectation(**given)


def stopped(owner: Owner, stop: Stop) -> BudgetStopped:
    """Return the error for a stop that no call ran into."""
    return BudgetStopped(
        stop.sentence, test=owner.label, scope=stop.scope, limit=stop.limit, used=stop.used, value=stop.value
    )


def properties(owner: Owner, guard: str) -> list[tuple[str, object]]:
    """Return what a JUnit report is to say of a test; nothing for one that made no call.

    `guard` is the network guard of the session; the one that every session has is not worth a word.
    """
    usage = owner.usage
    if not usage.attempts and owner.job.stop is None:
        return []
    return [
        ("llm_calls", usage.calls),
        ("llm_input_tokens", usage.input_tokens),
        ("llm_output_tokens", usage.output_tokens),
        ("llm_cost_usd", text_of(usage.cost_usd) if not usage.unpriced else "unknown"),
        ("llm_mode", owner.mode.value),
        *([("llm_network_guard", guard)] if owner.guarded and guard != "python" else []),
        *([("llm_stopped", owner.job.stop.sentence)] if owner.job.stop is not None else []),
    ]


def check(item: pytest.Item) -> None:
    """Raise UsageError or PolicyError for the first marker of ours whose arguments are wrong."""
    policy_of(item)
    job_of(item)
    expectation_of(item)


def _marked(item: pytest.Item, marker: pytest.Mark) -> Policy:
    place = where(item, BUDGET)
    limits: Mapping[str, Any] = {name: value for name, value in marker.kwargs.items() if name != "policy"}
    if len(marker.args) > 1 or (marker.args and "policy" in marker.kwargs):
        raise UsageError(f"{place} takes one policy, got {marker.args!r}; limits go by keyword")
    given = marker.args[0] if marker.args else marker.kwargs.get("policy")
    own = from_arguments(place, **limits)
    policy = policy_given(given, item.config.rootpath, place)
    return own if policy is None else policy.tightened(own)


def _check_word(word: Any, known: list[str], place: str) -> None:
    if word is not None and word not in known:
        raise UsageError(f"{place} is {word!r}; write one of {', '.join(known)}")


def _used(job: Job) -> str:
    held = [
        f"{shown(limit.dimension, _amount(job, limit.dimension))} of {shown(limit.dimension, limit.value)} "
        f"{limit.dimension} used"
        for limit in job.plan.policy.limits
        if limit.scope is Scope.JOB and limit.dimension is not Dimension.IDLE_STREAM_SECONDS
    ]
    return ", ".join(held) if held else f"{job.usage.calls} calls used, and no limit of the job is set"


def _amount(job: Job, dimension: Dimension) -> int:
    if dimension is Dimension.WALL_SECONDS:
        return to_units(dimension, max(0.0, job.clock.now()))
    return job.usage.units(dimension)
