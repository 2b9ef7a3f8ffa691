"""Every limit of every scope stops the same call, and no earlier one: live, recording, and in replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from spending import PRICES, events, outcomes, pace, report, with_three_calls

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

SHARED = {
    "calls": 2,
    "attempts": 2,
    "prompt_chars": 21,
    "response_chars": 29,
    "total_chars": 60,
    "input_tokens": 28,
    "output_tokens": 20,
    "total_tokens": 50,
    "cost_usd": "20",
}
"""Limits that two small calls keep and the third does not, where they are added up."""

ALONE = {
    "prompt_chars": 7,
    "response_chars": 20,
    "total_chars": 30,
    "input_tokens": 23,
    "output_tokens": 20,
    "total_tokens": 50,
    "cost_usd": "20",
}
"""Limits that each small call keeps by itself, and the large one does not."""

BY_SCOPE = {"run": SHARED, "job": SHARED, "step": SHARED, "call": ALONE}

SENT_FIRST = ("response_chars", "total_chars")
"""What nobody knows before the answer is there."""


def limited(scope: str, dimension: str) -> str:
    return f"pytest.mark.llm_budget({scope}={{{dimension!r}: {BY_SCOPE[scope][dimension]!r}}})"


def expected(scope: str, dimension: str) -> str:
    return f"pytest.mark.expect_stopped_budget({dimension!r}, scope={scope!r}, after_calls=2)"


@pytest.fixture
def priced(project: Project) -> Project:
    return with_three_calls(project)


@pytest.mark.parametrize("scope", ["job", "step", "call"])
def test_every_dimension_stops_the_third_call_live_recording_and_in_replay(
    priced: Project, server: Loopback, scope: str
) -> None:
    params = "\n".join(
        f"    pytest.param(id={dimension!r}, marks=[{limited(scope, dimension)}, {expected(scope, dimension)}]),"
        for dimension in BY_SCOPE[scope]
    )
    priced.write(
        "test_it.py",
        f"""
import pytest, three

@pytest.mark.parametrize((), [
{params}
])
def test_one(llm_job):
    with llm_job.step("all"):
        three.ask_all()
""",
    )
    tests = len(BY_SCOPE[scope])
    sent = sum(3 if dimension in SENT_FIRST else 2 for dimension in BY_SCOPE[scope])

    for runs, mode in enumerate(("--llm-mode=live", "--record-cassettes"), 1):
        priced.run(mode, passed=tests)
        assert len(server.requests) == runs * sent
    priced.run("--llm-mode=replay", passed=tests)
    assert len(server.requests) == 2 * sent

    told = report(priced)
    assert [(stop["scope"], stop["dimension"]) for stop in told["stops"]] == [(scope, d) for d in BY_SCOPE[scope]]
    assert {job["state"] for job in told["jobs"]} == {"STOPPED_BUDGET"}
    assert told["errors"] == []


@pytest.mark.parametrize("dimension", SHARED)
def test_every_dimension_stops_the_run_at_the_third_call(priced: Project, server: Loopback, dimension: str) -> None:
    priced.write(
        "test_it.py",
        f"""
import pytest, three

@{limited("run", dimension)}
@{expected("run", dimension)}
def test_one():
    three.ask_all()
""",
    )

    priced.record_and_replay(server, calls=3 if dimension in SENT_FIRST else 2, passed=1)


EXACT = {**SHARED, "input_tokens": 14, "total_tokens": 35, "cost_usd": "20.99"}
"""In replay the recorded figures are what is asked for, so a limit that is just kept lets a call through."""


def test_replay_goes_by_what_was_recorded_twenty_times_over(priced: Project, server: Loopback) -> None:
    params = "\n".join(
        f"    pytest.param(id={dimension!r}, marks=[pytest.mark.llm_budget({dimension}={limit!r}), "
        f"{expected('job', dimension)}]),"
        for dimension, limit in EXACT.items()
    )
    priced.write(
        "test_it.py",
        f"""
import pytest, three

pytestmark = pytest.mark.llm_cassette("three")

def test_all():
    three.ask_all()

@pytest.mark.parametrize("again", range(20))
@pytest.mark.parametrize((), [
{params}
])
def test_one(again, llm_usage):
    try:
        three.ask_all()
    finally:
        assert (llm_usage.calls, llm_usage.total_tokens, llm_usage.total_chars) == (2, 24, 42)
""",
    )
    priced.run("--record-cassettes", "-k", "test_all", passed=1)

    priced.run("--llm-mode=replay", passed=1 + 20 * len(EXACT))

    assert len(server.requests) == 3
    assert len(report(priced)["stops"]) == 20 * len(EXACT)


# What is refused, and what is not


def test_zero_refuses_every_call_and_null_none(priced: Project, server: Loopback) -> None:
    dimensions = [*SHARED, "wall_seconds"]
    params = "\n".join(
        f"    pytest.param(0, id={dimension!r}, marks=[pytest.mark.llm_budget({dimension}=0), "
        f"pytest.mark.expect_stopped_budget({dimension!r}, after_calls=0)]),\n"
        f"    pytest.param(1, id='no {dimension}', marks=pytest.mark.llm_budget({dimension}=None)),"
        for dimension in dimensions
    )
    priced.write(
        "test_it.py",
        f"""
import pytest, three

@pytest.mark.parametrize("calls", [
{params}
])
def test_one(calls, llm_job, llm_usage):
    try:
        three.ask(0)
    finally:
        assert llm_usage.calls == llm_usage.attempts == calls
        assert len(llm_job.budget.limits) == 1 - calls
""",
    )
    tests = 2 * len(dimensions)

    priced.run("--llm-mode=live", passed=tests)
    priced.run("--record-cassettes", passed=tests)
    assert len(server.requests) == tests
    priced.run("--llm-mode=replay", passed=tests)
    assert len(server.requests) == tests
    assert outcomes(priced) == ["refused", "ok"] * len(dimensions)


def test_a_limit_that_is_just_reached_is_kept(priced: Project, server: Loopback) -> None:
    priced.write("test_it.py", """
import pytest, three

@pytest.mark.llm_budget(
    calls=2, attempts=2, prompt_chars=14, response_chars=28, total_chars=42, input_tokens=28, output_tokens=15,
    total_tokens=43, cost_usd="15",
)
def test_one(llm_job):
    three.ask_all(range(2))
    assert llm_job.state == "RUNNING"
    assert {name: str(left) for name, left in llm_job.budget.remaining.items()} == {
        "calls": "0", "attempts": "0", "prompt_chars": "0", "response_chars": "0", "total_chars": "0",
        "input_tokens": "18", "output_tokens": "1", "total_tokens": "19", "cost_usd": "1",
    }
""")  # fmt: skip

    priced.record_and_replay(server, calls=2, passed=1)


def test_a_limit_of_a_model_holds_for_its_calls_alone(project: Project) -> None:
    project.write("llm_prices.yaml", PRICES + "aliases: {cheap: loopback-1}\n")
    project.write(
        "test_it.py",
        """
        import pytest, talk

        def ask(model, prompt):
            talk.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": prompt}]})

        @pytest.mark.llm_budget(models={"loopback-*": {"job": {"calls": 2}}})
        @pytest.mark.expect_stopped_budget("calls", after_calls=4)
        def test_model(llm_usage):
            for number in range(2):
                ask("other", f"o {number}")
            ask("cheap", "an alias of the model")
            ask("loopback-1", "the model")
            assert llm_usage.by_model["other"].calls == 2
            ask("loopback-1", "once more")

        @pytest.mark.llm_budget(aliases={"cheap": {"job": {"calls": 1}}})
        @pytest.mark.expect_stopped_budget("calls", after_calls=2)
        def test_alias():
            ask("loopback-1", "by its name")
            ask("cheap", "by the alias")
            ask("cheap", "by the alias again")
        """,
    )

    project.run("--llm-mode=live", passed=2)


SCOPES = ["run", "job", "step", "call"]


@pytest.mark.parametrize("outermost", range(4))
def test_of_several_limits_that_do_not_hold_the_outermost_is_told(priced: Project, outermost: int) -> None:
    limits = ", ".join(f"{scope}={{'prompt_chars': 7}}" for scope in SCOPES[outermost:])
    priced.write(
        "test_it.py",
        f"""
import pytest, three

@pytest.mark.llm_budget({limits})
@pytest.mark.expect_stopped_budget("prompt_chars", scope={SCOPES[outermost]!r}, after_calls=0)
def test_one(llm_job):
    with llm_job.step("large"):
        three.ask(2)
""",
    )

    priced.run("--llm-mode=live", passed=1)


def test_of_time_and_what_is_counted_the_outermost_is_told(priced: Project) -> None:
    priced.write("test_it.py", """
import pytest, three

@pytest.mark.llm_cassette("three")
def test_all():
    three.ask_all()

@pytest.mark.llm_cassette("three")
@pytest.mark.llm_budget(wall_seconds=25, step={"calls": 2})
@pytest.mark.expect_stopped_budget("wall_seconds", scope="job", after_calls=2)
def test_time_is_outer(llm_job):
    with llm_job.step("all"):
        three.ask_all()

@pytest.mark.llm_cassette("three")
@pytest.mark.llm_budget(step={"wall_seconds": 25}, calls=2)
@pytest.mark.expect_stopped_budget("calls", scope="job", after_calls=2)
def test_time_is_inner(llm_job):
    with llm_job.step("all"):
        three.ask_all()
""")  # fmt: skip
    priced.run("--record-cassettes", "-k", "test_all", passed=1)
    pace(priced.path / "cassettes" / "three.yaml", [(0, 10), (10, 10), (20, 10)])

    priced.run("--llm-mode=replay", passed=3)


# What nearly breaks a limit, and what breaks it though it was not to


def test_a_limit_that_is_nearly_used_up_warns_once(priced: Project, server: Loopback) -> None:
    priced.write("test_it.py", """
import pytest, three

@pytest.mark.llm_budget(calls=5, output_tokens=100, warn_at=0.5)
def test_one():
    three.ask_all(range(5))
""")  # fmt: skip

    priced.record_and_replay(server, calls=5, passed=1)

    warned = [(event["dimension"], event["used"], event["limit"]) for event in events(priced, "warning")]
    assert warned == [("calls", 3, 5)]
    order = [event["event"] for event in events(priced) if event["event"] in {"call", "warning"}]
    assert order == ["call", "call", "call", "warning", "call", "call"]


def test_an_answer_that_beats_its_bound_is_an_overrun_and_trips(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
import pytest, talk, tapemeter

@pytest.mark.llm_budget(output_tokens=10)
@pytest.mark.expect_stopped_budget("output_tokens", after_calls=0)
def test_over():
    with pytest.raises(tapemeter.BudgetStopped, match="12 more asked by call 1, .* over the limit once it was"):
        talk.ask("usage 5 12", max_tokens=9)

@pytest.mark.llm_budget(output_tokens=20)
def test_within():
    talk.ask("usage 5 12", max_tokens=9)
""")  # fmt: skip

    project.run("--llm-mode=live", passed=2)

    found = [(event["dimension"], event["bound"], event["actual"]) for event in events(project, "overrun")]
    assert found == [("output_tokens", 9, 12)] * 2
    assert len(server.requests) == 2
