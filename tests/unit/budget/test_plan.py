"""A policy as the calls of a job meet it: where each is booked, and which limits hold there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.budget.dimensions import COUNTED, Dimension, Scope
from tapemeter.budget.plan import Plan, Slot
from tapemeter.budget.policy import Limit, OnStop, Policy, UnknownCost, from_arguments

MODELS = ["gpt-4o", "gpt-4o-mini", "llama"]
ALIASES = ["fast", "house"]
LIMITS = st.lists(
    st.builds(
        Limit,
        scope=st.sampled_from(Scope),
        dimension=st.sampled_from(Dimension),
        value=st.integers(0, 9),
        source=st.just("here"),
        model=st.none() | st.sampled_from([*MODELS, "gpt-*", "*"]),
        alias=st.none() | st.sampled_from(ALIASES),
    ),
    unique_by=lambda limit: limit.what,
    max_size=12,
)


def names(slots: tuple[Slot, ...]) -> list[tuple[str, str]]:
    return [(slot.scope.value, slot.selector) for slot in slots]


def test_what_a_policy_leaves_open_has_its_default() -> None:
    plan = Plan(Policy(""))

    assert (plan.unknown_cost, plan.on_stop) == (UnknownCost.REFUSE, OnStop.RAISE)
    assert (plan.warn_at, plan.default_output_tokens) == (None, 4096)


def test_what_a_policy_says_holds() -> None:
    plan = Plan(from_arguments("here", unknown_cost="ignore", on_stop="http_402", warn_at=0.5, default_output_tokens=7))

    assert (plan.unknown_cost, plan.on_stop) == (UnknownCost.IGNORE, OnStop.HTTP_402)
    assert (str(plan.warn_at), plan.default_output_tokens) == ("0.5", 7)


def test_without_limits_a_call_is_booked_on_its_run_its_job_and_its_steps() -> None:
    slots = Plan(Policy("")).slots("gpt-4o")

    assert names(slots) == [("run", ""), ("job", ""), ("step", "")]
    assert all(not list(slot.limits) for slot in slots)


@pytest.mark.parametrize("limit", [{"prompt_chars": 5}, {"wall_seconds": 5}])
def test_a_call_is_booked_on_itself_only_where_it_has_limits(limit: dict[str, int]) -> None:
    assert names(Plan(from_arguments("here", call=limit)).slots("gpt-4o"))[-1] == ("call", "")


def test_limits_for_some_calls_have_a_slot_of_their_own_after_that_for_all() -> None:
    plan = Plan(
        from_arguments(
            "here",
            calls=9,
            models={"gpt-*": {"job": {"calls": 3}}, "llama": {"job": {"calls": 2}}},
            aliases={"fast": {"job": {"calls": 1}, "call": {"prompt_chars": 5}}},
        )
    )

    assert names(plan.slots("gpt-4o")) == [("run", ""), ("job", ""), ("job", "model gpt-*"), ("step", "")]
    assert names(plan.slots("claude")) == [("run", ""), ("job", ""), ("step", "")]
    assert names(plan.slots(None)) == [("run", ""), ("job", ""), ("step", "")]
    assert names(plan.slots("llama", "llama", "fast")) == [
        ("run", ""),
        ("job", ""),
        ("job", "alias fast"),
        ("job", "model llama"),
        ("step", ""),
        ("call", "alias fast"),
    ]


def test_an_account_is_the_scope_s_name_with_what_it_is_for() -> None:
    assert Slot(Scope.JOB).account("job:a") == "job:a"
    assert Slot(Scope.JOB, "model gpt-*").account("job:a") == "job:a|model gpt-*"


def test_time_is_kept_apart_from_what_is_counted_and_all_is_told_in_one_order() -> None:
    (_, slot, _) = Plan(
        from_arguments("here", idle_stream_seconds=1, wall_seconds=60, cost_usd="1", calls=2, output_tokens=5)
    ).slots(None)

    assert list(slot.counted) == [Dimension.CALLS, Dimension.OUTPUT_TOKENS, Dimension.COST_USD]
    assert set(slot.timed) == {Dimension.WALL_SECONDS, Dimension.IDLE_STREAM_SECONDS}
    assert [limit.dimension.value for limit in slot.limits] == [
        "calls",
        "output_tokens",
        "cost_usd",
        "wall_seconds",
        "idle_stream_seconds",
    ]


def test_a_limit_of_zero_is_a_limit() -> None:
    (_, slot, _) = Plan(from_arguments("here", calls=0)).slots(None)

    assert [limit.value for limit in slot.limits] == [0]


@given(LIMITS, st.none() | st.sampled_from(MODELS), st.lists(st.none() | st.sampled_from(ALIASES), max_size=2))
def test_each_limit_that_covers_a_call_is_in_one_slot_and_no_other_is_in_any(
    limits: list[Limit], model: str | None, aliases: list[str | None]
) -> None:
    plan = Plan(Policy("", tuple(limits)))
    slots = plan.slots(model, *aliases)
    held = [limit for slot in slots for limit in slot.limits]

    assert sorted(held, key=repr) == sorted((each for each in limits if each.covers(model, *aliases)), key=repr)
    for slot in slots:
        assert {(limit.scope, limit.selector) for limit in slot.limits} <= {(slot.scope, slot.selector)}
        assert all(limit.dimension is dimension for dimension, limit in [*slot.counted.items(), *slot.timed.items()])
        assert set(slot.counted) <= set(COUNTED)
        assert not set(slot.timed) & set(COUNTED)
    order = [list(Scope).index(slot.scope) for slot in slots]
    assert order == sorted(order), "outermost first"
    assert len(set(names(slots))) == len(slots)
    assert plan.slots(model, *aliases) == slots
