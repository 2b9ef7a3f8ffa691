from __future__ import annotations

import json
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import budget, schemas
from tapemeter import owner as owners
from tapemeter.active_job import ActiveJob
from tapemeter.budget.degrade import Degrade
from tapemeter.budget.dimensions import Dimension, Scope, natural, to_units
from tapemeter.budget.ledger import Account, Reservation
from tapemeter.budget.policy import Limit, Policy
from tapemeter.cassette.mode import Mode
from tapemeter.client import routing
from tapemeter.client.aliases import Resolution
from tapemeter.client.routing import Decision
from tapemeter.errors import PolicyError
from tapemeter.metering.attempt import RUN
from tapemeter.metering.standing import Standing, Standings
from tapemeter.outcome import Turn
from tapemeter.owner import State
from tapemeter.session import Session, new_run
from tapemeter.settings import CassetteArguments, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tapemeter.job import Job

PLANNER = Resolution("planner", "main", "model-main", None, known=True)
AT_80 = Degrade("planner", "cheap", Decimal("0.8"), "p.yaml:9")


class Used:
    """Balances that are as they are told to be: units used of a limit of 100, by scope and dimension."""

    def __init__(self, **used: int) -> None:
        self._used = used
        self.asked: list[tuple[Any, ...]] = []

    def fullest(self, scope: Scope, dimension: Dimension, model: str | None, *aliases: str | None) -> Standing | None:
        self.asked.append((scope, dimension, model, *aliases))
        used = self._used.get(f"{scope}_{dimension}")
        return None if used is None else Standing(Limit(scope, dimension, 100, "p.yaml:4"), used)


# Deciding


@pytest.mark.parametrize(("used", "group"), [(0, "main"), (79, "main"), (80, "cheap"), (100, "cheap"), (130, "cheap")])
def test_from_its_fraction_on_a_rule_sends_calls_to_its_group(used: int, group: str) -> None:
    balances = Used(job_cost_usd=used)
    decision = routing.decide(PLANNER, [AT_80], balances)
    assert decision.group == group
    assert balances.asked == [(Scope.JOB, Dimension.COST_USD, "model-main", "planner")]
    if group == "main":
        assert decision == Decision("main")
    else:
        assert (decision.rule, decision.used, decision.fraction) == (AT_80, used, Decimal(used) / 100)


def test_a_decision_says_in_a_sentence_why() -> None:
    rule = Degrade("plan*", "cheap", Decimal("0.8"), "p.yaml:9", Scope.RUN, Dimension.CALLS)
    assert routing.decide(PLANNER, [rule], Used(run_calls=84)).reason == (
        "planner goes to cheap: of the run's calls limit of 100 84 is used, 84 %, and p.yaml:9 degrades it from 80 % on"
    )


def test_the_first_rule_that_holds_counts_in_the_order_of_the_policy() -> None:
    at_95 = Degrade("planner", "fallback", Decimal("0.95"), "p.yaml:8")
    assert routing.decide(PLANNER, [at_95, AT_80], Used(job_cost_usd=96)).group == "fallback"
    assert routing.decide(PLANNER, [at_95, AT_80], Used(job_cost_usd=90)).group == "cheap"
    assert routing.decide(PLANNER, [AT_80, at_95], Used(job_cost_usd=96)).group == "cheap"


def test_a_rule_for_other_aliases_is_not_even_looked_at() -> None:
    balances = Used(job_cost_usd=100)
    assert routing.decide(Resolution("router", "cheap", "m", None, known=True), [AT_80], balances) == Decision("cheap")
    assert balances.asked == []


def test_without_the_limit_that_it_goes_by_a_rule_never_holds() -> None:
    assert routing.decide(PLANNER, [AT_80], Used(run_cost_usd=100)) == Decision("main")


def test_a_call_that_asks_for_nothing_goes_by_the_name_of_the_default_group() -> None:
    rule = Degrade("main", "cheap", Decimal("0.8"), "p.yaml:9")
    plain = Resolution(None, "main", "model-main", None, known=True)
    decision = routing.decide(plain, [AT_80, rule], Used(job_cost_usd=90))
    assert decision.group == "cheap"
    assert decision.reason is not None
    assert decision.reason.startswith("main goes to cheap: ")


def test_a_rule_to_the_group_that_serves_anyway_holds_and_changes_nothing() -> None:
    stays = Degrade("planner", "main", Decimal("0.5"), "p.yaml:8")
    decision = routing.decide(PLANNER, [stays, AT_80], Used(job_cost_usd=90))
    assert (decision.group, decision.reason, decision.rule) == ("main", None, stays)


RULES = st.lists(
    st.builds(
        Degrade,
        alias=st.sampled_from(["planner", "p*", "router", "*"]),
        to=st.sampled_from(["main", "cheap", "fallback"]),
        at=st.decimals("0.01", 1, places=2),
        source=st.just("p.yaml:9"),
        scope=st.sampled_from([Scope.RUN, Scope.JOB]),
        dimension=st.sampled_from([Dimension.CALLS, Dimension.COST_USD]),
    ),
    max_size=6,
)


@given(
    RULES,
    st.dictionaries(st.sampled_from(["run_calls", "job_calls", "run_cost_usd", "job_cost_usd"]), st.integers(0, 120)),
)
def test_a_decision_is_that_of_the_first_rule_that_holds_and_the_same_every_time(
    rules: list[Degrade], used: dict[str, int]
) -> None:
    holding = [
        rule
        for rule in rules
        if rule.alias != "router" and used.get(f"{rule.scope}_{rule.dimension}", -1) >= rule.at * 100
    ]
    decision = routing.decide(PLANNER, rules, Used(**used))
    assert decision.rule is (holding[0] if holding else None)
    assert decision.group == (holding[0].to if holding else "main")
    assert (decision.reason is None) is (decision.group == "main")
    assert routing.decide(PLANNER, rules, Used(**used)) == decision


def test_a_rule_to_a_group_that_there_is_not_is_named_before_it_holds() -> None:
    routing.check([AT_80], {"cheap", "main"})
    with pytest.raises(
        PolicyError, match=r'p.yaml:9: degrade: there is no group \'cheap\' \(did you mean "chea"\?\); the'
    ):
        routing.check([AT_80], {"chea", "main"})


# Standing


def test_a_standing_knows_its_fraction_to_the_last_unit() -> None:
    limit = Limit(Scope.JOB, Dimension.COST_USD, 10**18 - 1, "p")
    assert not Standing(limit, 8 * 10**17 - 1).reaches(Decimal("0.8"))
    assert Standing(limit, 8 * 10**17).reaches(Decimal("0.8"))
    assert Standing(limit, 10, 5).left == 10**18 - 16
    assert Standing(limit, 10**18).left == 0


def test_a_limit_that_allows_nothing_is_used_up_from_the_beginning() -> None:
    nothing = Standing(Limit(Scope.JOB, Dimension.CALLS, 0, "p"), 0)
    assert (nothing.fraction, nothing.reaches(Decimal(1)), nothing.left) == (1, True, 0)


# In a job


class Place:
    """A session of one test, whose use of its limits is booked by hand."""

    def __init__(self, folder: Path, policy: dict[str, Any], mode: Mode = Mode.LIVE) -> None:
        given = Settings(root=folder, cassette_dir=folder, mode=mode)
        self.session = Session(given, new_run(given))
        self.run = self.session.run
        self.owner = self.session.owner(
            "test_it",
            nodeid="test_it.py::test_it",
            path=folder / "it.yaml",
            arguments=CassetteArguments(),
            policy=budget.policy_from({"schema": schemas.BUDGET_POLICY, "name": "p", **policy}, "p.yaml"),
        )

    @property
    def job(self) -> Job:
        return self.owner.job

    def set_aside(self, name: str, **amounts: Any) -> Reservation:
        units = {Dimension(kind): to_units(Dimension(kind), Decimal(amount)) for kind, amount in amounts.items()}
        held = self.run.ledger.reserve(units, [Account(name)])
        assert isinstance(held, Reservation)
        return held

    def use(self, name: str, **amounts: Any) -> None:
        held = self.set_aside(name, **amounts)
        self.run.ledger.settle(held, held.amounts)

    def told(self) -> list[dict[str, Any]]:
        path = self.run.evidence.log.path
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == "route"]


@contextmanager
def running(place: Place) -> Iterator[Place]:
    owners.enter(place.owner)
    place.run.orchestrator.enter(place.job, place.owner.nodeid)
    try:
        yield place
    finally:
        owners.leave(place.owner, State.CLOSED)
        place.run.close()


LIMITS = {"job": {"cost_usd": "0.25", "calls": 10, "wall_seconds": 60}, "run": {"calls": 100}, "step": {"calls": 4}}
DEGRADE = [{"alias": "planner", "to": "cheap", "at": 0.8}]


def test_a_job_near_its_limit_degrades_with_evidence(tmp_path: Path) -> None:
    with running(Place(tmp_path, {"limits": LIMITS, "degrade": DEGRADE})) as place:
        place.use(place.job.account, cost_usd="0.19")
        assert routing.in_force(PLANNER, {"cheap"}) == Decision("main")
        assert (place.told(), place.job.touched) == ([], False)
        place.use(place.job.account, cost_usd="0.02")
        decision = routing.in_force(PLANNER, {"cheap"})
        assert (decision.group, decision.fraction) == ("cheap", Decimal("0.84"))
        [event] = place.told()
    assert schemas.problems(event, schemas.USAGE_EVENT) == []
    told = {name: event[name] for name in schemas.schema(schemas.USAGE_EVENT)["$defs"]["route"]["properties"]}
    assert told == {
        "job": "test_it",
        "step": None,
        "call_id": None,
        "alias": "planner",
        "from_group": "main",
        "to_group": "cheap",
        "reason": decision.reason,
        "scope": "job",
        "dimension": "cost_usd",
        "limit": "0.25",
        "used": "0.21",
        "fraction": 0.84,
        "source": "p.yaml",
    }
    assert place.job.touched


def test_what_calls_under_way_have_set_aside_does_not_count(tmp_path: Path) -> None:
    with running(Place(tmp_path, {"limits": LIMITS, "degrade": DEGRADE})) as place:
        place.set_aside(place.job.account, cost_usd="0.25")
        assert routing.in_force(PLANNER).group == "main"


def test_a_limit_of_the_run_counts_for_every_job_of_it(tmp_path: Path) -> None:
    rules = [{"alias": "*", "to": "fallback", "at": 0.5, "scope": "run", "limit": "calls"}]
    with running(Place(tmp_path, {"limits": LIMITS, "degrade": rules})) as place:
        place.use(RUN, calls=50)
        assert routing.in_force(PLANNER).group == "fallback"


def test_of_steps_in_one_another_the_one_that_used_most_counts(tmp_path: Path) -> None:
    rules = [{"alias": "planner", "to": "cheap", "at": 0.75, "scope": "step", "limit": "calls"}]
    with running(Place(tmp_path, {"limits": LIMITS, "degrade": rules})) as place:
        orchestrator, job = place.run.orchestrator, place.job
        assert routing.in_force(PLANNER).group == "main"
        with orchestrator.step(job, "outer") as outer:
            place.use(outer.account, calls=3)
            with orchestrator.step(job, "inner") as inner:
                place.use(inner.account, calls=1)
                assert routing.in_force(PLANNER).group == "cheap"
            assert [event["step"] for event in place.told()] == ["outer/inner"]
        with orchestrator.step(job, "outer"):
            assert routing.in_force(PLANNER).group == "main"


@pytest.mark.parametrize(
    ("selected", "holds"),
    [
        ({"aliases": {"planner": {"job": {"calls": 5}}}}, True),
        ({"aliases": {"router": {"job": {"calls": 5}}}}, False),
        ({"models": {"model-*": {"job": {"calls": 5}}}}, True),
        ({"models": {"other-*": {"job": {"calls": 5}}}}, False),
    ],
)
def test_a_limit_for_some_calls_counts_for_these_alone(
    tmp_path: Path, selected: dict[str, Any], *, holds: bool
) -> None:
    rules = [{"alias": "planner", "to": "cheap", "at": 0.8, "limit": "calls"}]
    with running(Place(tmp_path, {"limits": LIMITS, **selected, "degrade": rules})) as place:
        [limit] = [limit for limit in place.job.plan.policy.limits if limit.selector]
        place.use(f"{place.job.account}|{limit.selector}", calls=4)
        assert routing.in_force(PLANNER).group == ("cheap" if holds else "main")


def test_a_model_is_known_by_the_name_that_the_price_file_gives_it(tmp_path: Path) -> None:
    rules = [{"alias": "planner", "to": "cheap", "at": 0.8, "limit": "calls"}]
    limits = {"models": {"smollm2": {"job": {"calls": 5}}}}
    with running(Place(tmp_path, {**limits, "degrade": rules})) as place:
        place.use(f"{place.job.account}|model smollm2", calls=4)
        view = Standings(place.job, place.run.ledger, {"model-main": "smollm2"}.__getitem__)
        assert routing.decide(PLANNER, place.job.plan.policy.degrade, view).group == "cheap"
        assert view.fullest(Scope.CALL, Dimension.CALLS, None) is None


def test_without_rules_without_a_job_and_after_it_a_call_goes_where_its_alias_leads(tmp_path: Path) -> None:
    assert routing.in_force(PLANNER) == Decision("main")
    with running(Place(tmp_path, {"limits": LIMITS})) as place:
        place.use(place.job.account, cost_usd="0.25")
        assert routing.in_force(PLANNER) == Decision("main")
    left_over = Place(tmp_path, {"limits": LIMITS, "degrade": DEGRADE})
    with running(left_over) as place:
        place.use(place.job.account, cost_usd="0.25")
    before = owners.bind(left_over.owner)
    try:
        assert routing.in_force(PLANNER) == Decision("main")
    finally:
        owners.bind(before)


def test_in_mode_off_no_rule_holds(tmp_path: Path) -> None:
    zero = {"limits": {"job": {"cost_usd": 0}}, "degrade": DEGRADE}
    with running(Place(tmp_path, zero, Mode.OFF)):
        assert routing.in_force(PLANNER) == Decision("main")
    with running(Place(tmp_path, zero, Mode.REPLAY)):
        assert routing.in_force(PLANNER).group == "cheap"


def test_a_rule_to_a_group_that_there_is_not_is_an_error_of_the_first_call(tmp_path: Path) -> None:
    with (
        running(Place(tmp_path, {"limits": LIMITS, "degrade": DEGRADE})),
        pytest.raises(PolicyError, match=r"^p.yaml: degrade: there is no group 'cheap'; the groups are main"),
    ):
        routing.in_force(PLANNER, {"main"})


def test_what_llm_job_says_is_left_is_what_its_standing_says(tmp_path: Path) -> None:
    with running(Place(tmp_path, {"limits": LIMITS})) as place:
        place.use(place.job.account, calls=3, cost_usd="0.05")
        place.set_aside(place.job.account, calls=1)
        left = ActiveJob(place.job, place.run).budget.remaining
        view = Standings(place.job, place.run.ledger)
        for limit in place.job.plan.policy.limits:
            if limit.scope is Scope.JOB and limit.dimension is not Dimension.WALL_SECONDS:
                assert left[limit.dimension.value] == natural(limit.dimension, view.of(limit).left)
        assert (left["calls"], left["cost_usd"]) == (6, Decimal("0.20"))
        assert 0 < left["wall_seconds"] <= 60


def test_the_evidence_of_a_steps_limit_for_some_calls_tells_what_these_used(tmp_path: Path) -> None:
    selected = {"aliases": {"planner": {"step": {"calls": 5}}}, "limits": {"step": {"calls": 9}}}
    with running(Place(tmp_path, selected)) as place:
        place.job.touched = True
        with place.run.orchestrator.step(place.job, "plan") as step:
            place.use(step.account, calls=3)
            place.use(f"{step.account}|alias planner", calls=2)
        place.run.orchestrator.close(place.job, Turn.PASSED)
        path = place.run.evidence.log.path
        [event] = [event for event in map(json.loads, path.read_bytes().splitlines()) if event["event"] == "job"]
    assert {limit.get("alias"): limit["used"] for limit in event["limits"]} == {None: 3, "planner": 2}


def test_a_policy_keeps_its_rules_in_a_job_of_several_tests(tmp_path: Path) -> None:
    with running(Place(tmp_path, {"limits": LIMITS, "degrade": DEGRADE})) as place:
        rules = place.job.plan.policy.degrade
        place.job.tighten(Policy("another"))
        place.job.tighten(place.job.plan.policy)
        assert place.job.plan.policy.degrade == rules != ()
