from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import schemas
from tapemeter.budget import load_policy, policy_from
from tapemeter.budget.degrade import Degrade
from tapemeter.budget.dimensions import COUNTED, Dimension, Scope
from tapemeter.budget.policy import Policy, from_arguments
from tapemeter.errors import PolicyError, UsageError

RULES = st.builds(
    Degrade,
    alias=st.sampled_from(["planner", "*"]),
    to=st.sampled_from(["cheap", "fallback"]),
    at=st.sampled_from([Decimal("0.5"), Decimal(1)]),
    source=st.sampled_from(["a:1", "b:2"]),
    scope=st.sampled_from([Scope.RUN, Scope.JOB, Scope.STEP]),
)
POLICIES = st.builds(lambda rules: Policy("p", degrade=tuple(rules)), st.lists(RULES, max_size=4, unique=True))


def policy(*rules: Any) -> Policy:
    return policy_from({"schema": schemas.BUDGET_POLICY, "name": "p", "degrade": list(rules)}, "here")


# Reading


def test_rules_are_read_in_the_order_of_the_file_with_their_places(tmp_path: Any) -> None:
    path = tmp_path / "limits_v1.yaml"
    path.write_text(
        "schema: llm_budget_policy_v1\n"
        "name: p\n"
        "degrade:\n"
        "  - {alias: planner, to: cheap, at: 0.8}\n"
        "  - {alias: 'e*', to: fallback, at: 1, scope: run, limit: total_tokens}\n",
        encoding="utf-8",
    )
    assert load_policy(path, tmp_path).degrade == (
        Degrade("planner", "cheap", Decimal("0.8"), "limits_v1.yaml:4", Scope.JOB, Dimension.COST_USD),
        Degrade("e*", "fallback", Decimal(1), "limits_v1.yaml:5", Scope.RUN, Dimension.TOTAL_TOKENS),
    )


@pytest.mark.parametrize("document", [{}, {"degrade": None}, {"degrade": []}])
def test_without_rules_there_are_none(document: dict[str, Any]) -> None:
    assert policy_from({"schema": schemas.BUDGET_POLICY, "name": "p", **document}, "here").degrade == ()


def test_scope_and_limit_may_be_null_for_their_defaults() -> None:
    [rule] = policy({"alias": "a", "to": "b", "at": 0.5, "scope": None, "limit": None}).degrade
    assert rule.limit == "job.cost_usd"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"to": None}, r"degrade\[0\].to: expected text"),
        ({"alias": ""}, r"degrade\[0\].alias: expected text, not empty"),
        ({"alias": "a" * 201}, r"degrade\[0\].alias"),
        ({"at": 0}, r"degrade\[0\].at: expected a fraction above 0, at most 1, found 0"),
        ({"at": 1.01}, r"degrade\[0\].at"),
        ({"at": True}, r"degrade\[0\].at"),
        ({"at": "0.8"}, r"degrade\[0\].at"),
        ({"scope": "call"}, r'degrade\[0\].scope: expected one of "run", "job", "step", null, found "call"'),
        ({"limit": "wall_seconds"}, r'degrade\[0\].limit: .* found "wall_seconds"'),
        ({"limit": "idle_stream_seconds"}, r"degrade\[0\].limit"),
        ({"group": "cheap"}, r'degrade\[0\].group: expected no other field .* found the field "group"'),
    ],
)
def test_a_rule_that_is_none_is_refused_at_its_place(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(PolicyError, match=problem):
        policy({"alias": "planner", "to": "cheap", "at": 0.8, **change})


@pytest.mark.parametrize("missing", ["alias", "to", "at"])
def test_a_rule_says_which_alias_goes_where_and_when(missing: str) -> None:
    rule = {"alias": "planner", "to": "cheap", "at": 0.8}
    del rule[missing]
    with pytest.raises(PolicyError, match=rf"degrade\[0\].{missing}: .* found nothing"):
        policy(rule)


def test_there_are_not_rules_without_end() -> None:
    rule = {"alias": "planner", "to": "cheap", "at": 0.8}
    assert len(policy(*[rule] * 100).degrade) == 100
    with pytest.raises(PolicyError, match="expected a list of at most 100 rules, or null, found a list of 101"):
        policy(*[rule] * 101)


def test_every_dimension_that_is_counted_can_be_named() -> None:
    allowed = schemas.schema(schemas.BUDGET_POLICY)["$defs"]["degrade"]["properties"]["limit"]["enum"]
    assert allowed == [*(dimension.value for dimension in COUNTED), None]


def test_a_marker_has_no_rules() -> None:
    with pytest.raises(UsageError, match="there is no argument 'degrade'"):
        from_arguments("here", degrade=[])


# Which calls


@pytest.mark.parametrize(
    ("glob", "alias", "covers"),
    [
        ("planner", "planner", True),
        ("planner", "Planner", False),
        ("plan*", "planner", True),
        ("*", "", True),
        ("[pr]*", "router", True),
        ("planner", "plan", False),
    ],
)
def test_a_rule_covers_the_aliases_that_its_glob_fits(glob: str, alias: str, *, covers: bool) -> None:
    assert Degrade(glob, "cheap", Decimal(1), "a").covers(alias) is covers


# Several policies


def test_of_two_policies_the_rules_of_both_hold_the_nearer_ones_first() -> None:
    outer, nearer = (Policy(name, degrade=(Degrade("a", "g", Decimal(1), name),)) for name in ("outer", "nearer"))
    assert [rule.source for rule in outer.tightened(nearer).degrade] == ["nearer", "outer"]
    assert [rule.source for rule in outer.tightened(Policy("none")).degrade] == ["outer"]
    assert [rule.source for rule in Policy("none").tightened(outer).degrade] == ["outer"]


@given(POLICIES, POLICIES, POLICIES)
def test_no_rule_is_lost_or_there_twice_however_often_policies_are_tightened(
    one: Policy, two: Policy, three: Policy
) -> None:
    together = one.tightened(two).tightened(three)
    assert set(together.degrade) == {*one.degrade, *two.degrade, *three.degrade}
    assert len(set(together.degrade)) == len(together.degrade)
    assert together.degrade == one.tightened(two.tightened(three)).degrade
    assert together.tightened(three).degrade == together.degrade


@given(POLICIES)
def test_the_defaults_for_what_a_policy_leaves_open_keep_its_rules(given_policy: Policy) -> None:
    assert given_policy.effective().degrade == given_policy.degrade
