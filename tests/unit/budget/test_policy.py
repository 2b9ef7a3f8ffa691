from __future__ import annotations

from decimal import Decimal
from functools import reduce
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.budget import amounts
from tapemeter.budget.dimensions import Dimension, Scope, Unit, natural, plain, unit
from tapemeter.budget.policy import Limit, OnStop, Policy, UnknownCost, from_arguments, from_document
from tapemeter.documents import Document
from tapemeter.errors import UsageError
from tapemeter.schemas import BUDGET_POLICY, problems, schema

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = st.sampled_from([None, "gpt-*", "a"])
LIMITS = st.builds(
    Limit,
    scope=st.sampled_from(Scope),
    dimension=st.sampled_from([Dimension.CALLS, Dimension.COST_USD]),
    value=st.integers(0, 5),
    source=st.sampled_from(["a:1", "b:2"]),
    model=NAMES,
    alias=NAMES,
)
POLICIES = st.builds(
    Policy,
    name=st.sampled_from(["", "a", "b"]),
    limits=st.lists(LIMITS, max_size=6).map(tuple),
    unknown_cost=st.none() | st.sampled_from(UnknownCost),
    on_stop=st.none() | st.sampled_from(OnStop),
    warn_at=st.none() | st.sampled_from([Decimal("0.5"), Decimal("0.8"), Decimal(1)]),
    default_output_tokens=st.none() | st.integers(1, 3),
)


def value_of(dimension: Dimension) -> st.SearchStrategy[Any]:
    match unit(dimension):
        case Unit.MONEY:
            text = st.decimals(0, 999_999, places=6).map(lambda amount: f"{amount:f}")
            return st.none() | st.integers(0, 999_999) | text
        case Unit.SECONDS:
            return st.none() | st.integers(0, 10**9) | st.integers(0, 10**9).map(lambda tenths: tenths / 10)
        case _:
            return st.none() | st.integers(0, amounts.MAX_COUNT)


def scopes(*, selected: bool) -> st.SearchStrategy[Any]:
    by_scope = {
        scope.value: st.none()
        | st.fixed_dictionaries(
            {}, optional={d.value: value_of(d) for d in amounts.dimensions_of(scope, selected=selected)}
        )
        for scope in Scope
    }
    return st.none() | st.fixed_dictionaries({}, optional=by_scope)


SELECTED = st.none() | st.dictionaries(st.text(min_size=1, max_size=8), scopes(selected=True), max_size=2)
DOCUMENTS = st.fixed_dictionaries(
    {"schema": st.just(BUDGET_POLICY), "name": st.text(min_size=1, max_size=20)},
    optional={
        "limits": scopes(selected=False),
        "models": SELECTED,
        "aliases": SELECTED,
        "unknown_cost": st.none() | st.sampled_from([each.value for each in UnknownCost]),
        "on_stop": st.none() | st.sampled_from([each.value for each in OnStop]),
        "warn_at": st.none() | st.just(1) | st.floats(0.01, 1),
        "default_output_tokens": st.none() | st.integers(1, 10**6),
    },
)


def what(limit: Limit) -> tuple[Any, ...]:
    return limit.scope, limit.dimension, limit.model, limit.alias


def values(policy: Policy) -> dict[tuple[Any, ...], int]:
    found = {what(limit): limit.value for limit in policy.limits}
    assert len(found) == len(policy.limits)
    return found


def read(text: dict[str, Any]) -> Policy:
    assert problems(text, BUDGET_POLICY) == []
    return from_document(Document(text, "limits_v1.yaml"))


def as_document(policy: Policy) -> dict[str, Any]:
    written: dict[str, Any] = {"schema": BUDGET_POLICY, "name": policy.name, "limits": {}, "models": {}, "aliases": {}}
    for limit in policy.limits:
        place = written["limits"]
        if limit.model is not None:
            place = written["models"].setdefault(limit.model, {})
        if limit.alias is not None:
            place = written["aliases"].setdefault(limit.alias, {})
        place.setdefault(limit.scope.value, {})[limit.dimension.value] = plain(limit.dimension, limit.value)
    return written | {
        "unknown_cost": policy.unknown_cost,
        "on_stop": policy.on_stop,
        "warn_at": None if policy.warn_at is None else float(policy.warn_at),
        "default_output_tokens": policy.default_output_tokens,
    }


# Tightening


@given(POLICIES, POLICIES)
def test_tightening_never_loosens(one: Policy, two: Policy) -> None:
    together = one.tightened(two)
    held = values(together)
    given_limits = (*one.limits, *two.limits)
    assert set(held) == {what(limit) for limit in given_limits}
    assert all(held[what(limit)] <= limit.value for limit in given_limits)
    assert set(together.limits) <= set(given_limits)
    assert all(together.warn_at <= each.warn_at for each in (one, two) if together.warn_at and each.warn_at)
    strict = list(UnknownCost)
    for each in (one, two):
        if each.unknown_cost is not None:
            assert together.unknown_cost is not None
            assert strict.index(together.unknown_cost) <= strict.index(each.unknown_cost)


@given(POLICIES, POLICIES, POLICIES)
def test_the_order_of_tightening_does_not_count(one: Policy, two: Policy, three: Policy) -> None:
    results = [reduce(Policy.tightened, order) for order in permutations((one, two, three))]
    results.append(one.tightened(two.tightened(three)))
    assert all(values(each) == values(results[0]) for each in results)
    assert len({(each.unknown_cost, each.warn_at) for each in results}) == 1
    assert len({tuple(map(what, each.limits)) for each in results}) == 1


@given(POLICIES)
def test_a_policy_tightened_by_itself_is_itself(policy: Policy) -> None:
    once = policy.tightened(Policy(""))
    assert once.tightened(once) == once
    assert Policy("").tightened(once) == once


def test_of_equal_limits_the_outer_one_is_named_and_of_others_the_smaller() -> None:
    outer = Policy("a", (Limit(Scope.JOB, Dimension.CALLS, 3, "outer"), Limit(Scope.RUN, Dimension.CALLS, 9, "outer")))
    nearer = Policy(
        "b", (Limit(Scope.JOB, Dimension.CALLS, 3, "nearer"), Limit(Scope.RUN, Dimension.CALLS, 0, "nearer"))
    )
    together = outer.tightened(nearer)
    assert [(limit.scope, limit.value, limit.source) for limit in together.limits] == [
        (Scope.RUN, 0, "nearer"),
        (Scope.JOB, 3, "outer"),
    ]
    assert together.name == "a + b"


def test_the_nearer_one_says_how_a_stop_is_told() -> None:
    outer = Policy("a", on_stop=OnStop.RAISE, default_output_tokens=10)
    nearer = Policy("a", on_stop=OnStop.HTTP_402, default_output_tokens=20)
    together = outer.tightened(nearer)
    assert (together.on_stop, together.default_output_tokens, together.name) == (OnStop.HTTP_402, 20, "a")
    assert outer.tightened(Policy("b")).on_stop is OnStop.RAISE
    assert outer.tightened(Policy("b")).default_output_tokens == 10


def test_what_a_policy_leaves_open_has_its_default() -> None:
    effective = Policy("a").effective()
    assert effective == Policy(
        "a", unknown_cost=UnknownCost.REFUSE, on_stop=OnStop.RAISE, warn_at=None, default_output_tokens=4096
    )
    named = Policy("a", (), UnknownCost.IGNORE, OnStop.HTTP_402, Decimal("0.5"), 7)
    assert named.effective() == named


# Selectors


@pytest.mark.parametrize(
    ("limit", "model", "alias", "covers"),
    [
        ({}, None, None, True),
        ({}, "gpt-4o", "fast", True),
        ({"model": "gpt-*"}, "gpt-4o", None, True),
        ({"model": "gpt-*"}, "GPT-4o", None, False),
        ({"model": "gpt-*"}, None, None, False),
        ({"model": "*"}, None, None, True),
        ({"alias": "fast"}, "gpt-4o", "fast", True),
        ({"alias": "fast"}, "fast", None, False),
        ({"alias": "f*"}, "gpt-4o", "fast", False),
        ({"model": "gpt-*", "alias": "fast"}, "claude", "fast", False),
    ],
)
def test_a_limit_covers_the_calls_that_it_selects(
    limit: dict[str, str], model: str | None, alias: str | None, *, covers: bool
) -> None:
    assert Limit(Scope.JOB, Dimension.CALLS, 3, "a", **limit).covers(model, alias) is covers


@given(st.text(st.sampled_from("ab[]!-*?\\^"), max_size=30), st.text(max_size=30))
def test_any_glob_can_be_compared_with_any_model(glob: str, model: str) -> None:
    assert Limit(Scope.JOB, Dimension.CALLS, 3, "a", model=glob).covers(model, None) in {True, False}


def test_a_limit_has_a_name_and_says_what_it_selects() -> None:
    limit = Limit(Scope.RUN, Dimension.COST_USD, 3, "a", model="gpt-*", alias="fast")
    assert (limit.name, limit.selector) == ("run.cost_usd", "model gpt-*, alias fast")
    assert Limit(Scope.RUN, Dimension.CALLS, 3, "a").selector == ""


# Documents


def test_a_document_becomes_limits_with_their_places() -> None:
    text = {
        "schema": BUDGET_POLICY,
        "name": "all",
        "limits": {"job": {"cost_usd": "0.25", "wall_seconds": 1.5, "calls": 0, "attempts": None}, "step": None},
        "models": {"gpt-*": {"run": {"cost_usd": 2}}},
        "aliases": {"fast": {"call": {"output_tokens": 4}}},
        "unknown_cost": "assume_max",
        "on_stop": "http_402",
        "warn_at": 0.8,
        "default_output_tokens": 100,
    }
    lines = {("limits", "job", "calls"): 7, ("models", "gpt-*"): 9}
    policy = from_document(Document(text, "p.yaml", lines))
    assert policy == Policy(
        "all",
        (
            Limit(Scope.RUN, Dimension.COST_USD, 2 * 10**12, "p.yaml:9", model="gpt-*"),
            Limit(Scope.JOB, Dimension.CALLS, 0, "p.yaml:7"),
            Limit(Scope.JOB, Dimension.COST_USD, 25 * 10**10, "p.yaml"),
            Limit(Scope.JOB, Dimension.WALL_SECONDS, 1_500_000, "p.yaml"),
            Limit(Scope.CALL, Dimension.OUTPUT_TOKENS, 4, "p.yaml", alias="fast"),
        ),
        UnknownCost.ASSUME_MAX,
        OnStop.HTTP_402,
        Decimal("0.8"),
        100,
    )


@given(DOCUMENTS)
def test_every_valid_document_survives_a_round_trip(text: dict[str, Any]) -> None:
    policy = read(text)
    assert read(as_document(policy)) == policy


def scope_schemas() -> Iterator[tuple[bool, Scope, set[str]]]:
    definitions = schema(BUDGET_POLICY)["$defs"]
    for selected, name in ((False, "scopes"), (True, "scopes_of_some")):
        for scope, found in definitions[name]["properties"].items():
            yield selected, Scope(scope), set(definitions[found["$ref"].removeprefix("#/$defs/")]["properties"])


def test_the_schema_allows_in_each_scope_what_markers_allow() -> None:
    found = list(scope_schemas())
    assert {(selected, scope) for selected, scope, _ in found} == {(s, scope) for s in (False, True) for scope in Scope}
    for selected, scope, names in found:
        assert names == {d.value for d in amounts.dimensions_of(scope, selected=selected)}


@pytest.mark.parametrize(
    ("limits", "place"),
    [
        ({"job": {"cost_usd": 0.25}}, ("job", "cost_usd")),
        ({"job": {"cost_usd": 1.0}}, ("job", "cost_usd")),
        ({"job": {"cost_usd": "-1"}}, ("job", "cost_usd")),
        ({"job": {"cost_usd": "NaN"}}, ("job", "cost_usd")),
        ({"job": {"cost_usd": "1e3"}}, ("job", "cost_usd")),
        ({"job": {"cost_usd": "1\n"}}, ("job", "cost_usd")),
        ({"job": {"cost_usd": "1000000"}}, ("job", "cost_usd")),
        ({"job": {"cost_usd": "0.0000000000001"}}, ("job", "cost_usd")),
        ({"job": {"cost_usd": True}}, ("job", "cost_usd")),
        ({"job": {"calls": True}}, ("job", "calls")),
        ({"job": {"calls": -1}}, ("job", "calls")),
        ({"job": {"calls": 1.5}}, ("job", "calls")),
        ({"job": {"calls": "3"}}, ("job", "calls")),
        ({"job": {"calls": 10**15 + 1}}, ("job", "calls")),
        ({"job": {"wall_seconds": False}}, ("job", "wall_seconds")),
        ({"job": {"wall_seconds": float("nan")}}, ("job", "wall_seconds")),
        ({"job": {"wall_seconds": "1"}}, ("job", "wall_seconds")),
        ({"call": {"calls": 1}}, ("call", "calls")),
        ({"day": {"calls": 1}}, ("day",)),
    ],
)
def test_a_wrong_limit_is_found_at_its_place(limits: dict[str, Any], place: tuple[str, ...]) -> None:
    [problem] = problems({"schema": BUDGET_POLICY, "name": "a", "limits": limits}, BUDGET_POLICY)
    assert problem.path == ("limits", *place)


def test_money_as_a_yaml_number_is_told_to_be_quoted() -> None:
    document = {"schema": BUDGET_POLICY, "name": "a", "limits": {"run": {"cost_usd": 0.25}}}
    [problem] = problems(document, BUDGET_POLICY)
    assert 'in quotes ("0.25")' in problem.expected


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("warn_at", 0),
        ("warn_at", 1.01),
        ("warn_at", True),
        ("warn_at", "0.8"),
        ("unknown_cost", "allow"),
        ("on_stop", "exit"),
        ("default_output_tokens", 0),
        ("default_output_tokens", 1.0),
        ("name", ""),
        ("name", None),
        ("schema", "llm_budget_policy_v2"),
        ("models", {"": {}}),
        ("models", {"gpt": {"job": {"wall_seconds": 3}}}),
        ("aliases", {"a" * 201: {}}),
        ("limit", {}),
    ],
)
def test_a_wrong_field_is_found(field: str, wrong: Any) -> None:
    found = problems({"schema": BUDGET_POLICY, "name": "a", field: wrong}, BUDGET_POLICY)
    assert [problem.path[0] for problem in found] == [field]


# Arguments of a marker


def test_arguments_become_limits_of_the_job_and_of_the_scopes_they_name() -> None:
    policy = from_arguments(
        "here",
        calls=3,
        cost_usd=0.1,
        attempts=None,
        job={"wall_seconds": 2},
        run={"cost_usd": Decimal("1.50")},
        call={"output_tokens": 4},
        models={"gpt-*": {"job": {"cost_usd": "0.5"}}},
        aliases={"fast": {"step": {"calls": 2}, "run": None}},
        unknown_cost="ignore",
        on_stop="http_402",
        warn_at=0.5,
        default_output_tokens=9,
    )
    assert policy == Policy(
        "",
        (
            Limit(Scope.RUN, Dimension.COST_USD, 15 * 10**11, "here"),
            Limit(Scope.JOB, Dimension.CALLS, 3, "here"),
            Limit(Scope.JOB, Dimension.COST_USD, 10**11, "here"),
            Limit(Scope.JOB, Dimension.WALL_SECONDS, 2 * 10**6, "here"),
            Limit(Scope.JOB, Dimension.COST_USD, 5 * 10**11, "here", model="gpt-*"),
            Limit(Scope.STEP, Dimension.CALLS, 2, "here", alias="fast"),
            Limit(Scope.CALL, Dimension.OUTPUT_TOKENS, 4, "here"),
        ),
        UnknownCost.IGNORE,
        OnStop.HTTP_402,
        Decimal("0.5"),
        9,
    )
    assert from_arguments("here") == Policy("")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cals": 3}, "there is no argument 'cals' (did you mean \"calls\"?); write one of calls, attempts"),
        ({"where": 3}, "there is no argument 'where'"),
        ({"job": {"cals": 3}}, "there is no limit of a job 'cals' (did you mean \"calls\"?)"),
        ({"job": {3: 3}}, "there is no limit of a job '3'"),
        ({"job": 3}, "expected job as a dict, got 3 (int)"),
        ({"call": {"calls": 1}}, "there is no limit of a call 'calls'"),
        ({"models": {"gpt": {"jb": {}}}}, "there is no scope 'jb' (did you mean \"job\"?); write one of run, job"),
        ({"models": {"gpt": {"job": {"wall_seconds": 1}}}}, "there is no limit of a job 'wall_seconds'"),
        ({"models": {"gpt": {"job": {"calls": -1}}}}, "expected models.gpt.job.calls as a whole number from 0"),
        ({"models": {"": {}}}, "expected model names in models as text, got '' (str)"),
        ({"aliases": {3: {}}}, "expected alias names in aliases as text, got 3 (int)"),
        ({"aliases": "fast"}, "expected aliases as a dict, got 'fast' (str)"),
        ({"calls": True}, "expected calls as a whole number from 0 to 1,000,000,000,000,000, or None, got True (bool)"),
        ({"calls": "3"}, "got '3' (str)"),
        ({"calls": 3.0}, "got 3.0 (float)"),
        ({"calls": 10**5000}, "got a number of very many digits (int)"),
        ({"cost_usd": float("nan")}, 'expected cost_usd as US dollars, such as "0.25", from 0 to below 1,000,000'),
        ({"cost_usd": float("inf")}, "got inf (float)"),
        ({"cost_usd": Decimal("sNaN")}, "got Decimal('sNaN') (Decimal)"),
        ({"cost_usd": Decimal("1e999999")}, "expected cost_usd"),
        ({"cost_usd": -0.1}, "got -0.1 (float)"),
        ({"cost_usd": 10**6}, "got 1000000 (int)"),
        ({"cost_usd": "a lot"}, "got 'a lot' (str)"),
        ({"cost_usd": "9" * 5000}, "…"),
        ({"cost_usd": True}, "got True (bool)"),
        ({"wall_seconds": "3"}, "expected wall_seconds as seconds from 0 to 1,000,000,000, or None, got '3' (str)"),
        ({"calls": 3, "job": {"calls": 4}}, "write it once"),
        ({"unknown_cost": "allow"}, "expected unknown_cost as one of refuse, assume_max, ignore, got 'allow' (str)"),
        ({"on_stop": ["raise"]}, "expected on_stop as one of raise, http_402, got ['raise'] (list)"),
        ({"warn_at": 0}, "expected warn_at as a fraction above 0, at most 1, got 0 (int)"),
        ({"warn_at": True}, "got True (bool)"),
        ({"warn_at": "0.8"}, "got '0.8' (str)"),
        ({"default_output_tokens": 0}, "expected default_output_tokens as a whole number, 1 or more, got 0 (int)"),
        ({"default_output_tokens": True}, "got True (bool)"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_place_and_what_to_write(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_arguments("@pytest.mark.llm_budget on test_a.py::test_b", **wrong)
    message = str(caught.value)
    assert message.startswith("@pytest.mark.llm_budget on test_a.py::test_b: ")
    assert words in message
    assert len(message) < 500


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=5) | st.just([])


@given(st.sampled_from(Dimension), ANY)
def test_any_value_is_a_limit_that_is_not_looser_than_written_or_is_refused(dimension: Dimension, value: Any) -> None:
    try:
        policy = from_arguments("here", **{dimension.value: value})
    except UsageError:
        return
    if value is None:
        assert policy.limits == ()
    else:
        [limit] = policy.limits
        assert 0 <= Decimal(str(natural(dimension, limit.value))) <= Decimal(str(value))


@given(st.dictionaries(st.text(max_size=5) | st.sampled_from(["calls", "job", "models", "warn_at"]), ANY, max_size=3))
def test_any_arguments_are_a_policy_or_a_usage_error(arguments: dict[str, Any]) -> None:
    try:
        policy = from_arguments("here", **arguments)
    except UsageError:
        return
    assert all(limit.source == "here" for limit in policy.limits)
