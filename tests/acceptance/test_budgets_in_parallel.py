"""Parallel calls never pass a limit together, and are stopped alike in every replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from spending import pace, report, with_three_calls

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback


@pytest.fixture
def priced(project: Project) -> Project:
    return with_three_calls(project)


PARALLEL = """
import asyncio, sys
from concurrent.futures import ThreadPoolExecutor
import pytest, tapemeter, three
from three import aask, ask

pytestmark = pytest.mark.llm_cassette("nine")

@pytest.fixture(autouse=True)
def hectic():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)

def attempt(number):
    try:
        return ask(number)
    except tapemeter.BudgetStopped:
        return None

async def aattempt(number):
    try:
        return await aask(number)
    except tapemeter.BudgetStopped:
        return None

def threads():
    with ThreadPoolExecutor(9) as pool:
        return list(pool.map(attempt, range(9)))

def tasks():
    async def main():
        return await asyncio.gather(*map(aattempt, range(9)))
    return asyncio.run(main())

def test_all():
    for number in range(9):
        ask(number)
"""


@pytest.mark.parametrize("how", ["threads", "tasks"])
def test_parallel_calls_are_let_through_up_to_the_limit_twenty_times_over(
    priced: Project, server: Loopback, how: str
) -> None:
    priced.write(
        "test_it.py",
        PARALLEL
        + f"""
@pytest.mark.parametrize("again", range(20))
@pytest.mark.parametrize((), [
    pytest.param(id="calls", marks=pytest.mark.llm_budget(calls=4)),
    pytest.param(id="money", marks=pytest.mark.llm_budget(cost_usd="28")),
])
@pytest.mark.expect_stopped_budget
def test_one(again, llm_usage):
    answered = [number for number in {how}() if number is not None]
    assert len(answered) == llm_usage.calls == 4
""",
    )
    priced.run("--record-cassettes", "-k", "test_all", passed=1)

    priced.run("--llm-mode=replay", passed=41)

    assert len(server.requests) == 9
    assert report(priced)["errors"] == []


@pytest.mark.parametrize("how", ["threads", "tasks"])
def test_a_stop_amid_parallel_calls_comes_after_as_many_calls_each_time(priced: Project, how: str) -> None:
    priced.write(
        "test_it.py",
        PARALLEL
        + f"""
@pytest.mark.parametrize("again", range(20))
@pytest.mark.llm_budget(calls=4)
@pytest.mark.expect_stopped_budget("calls", scope="job", after_calls=4)
def test_one(again):
    {how}()
""",
    )
    priced.run("--record-cassettes", "-k", "test_all", passed=1)

    priced.run("--llm-mode=replay", passed=21)


def test_time_stops_parallel_calls_at_their_recorded_end_twenty_times_over(priced: Project) -> None:
    priced.write(
        "test_it.py",
        PARALLEL
        + """
@pytest.mark.parametrize("again", range(20))
@pytest.mark.llm_budget(wall_seconds=60)
@pytest.mark.expect_stopped_budget("wall_seconds", scope="job")
def test_stopped(again, llm_job):
    threads()
    assert (llm_job.stop.used, llm_job.stop.asked) == (10, 51)
    assert llm_job.stop.call.startswith("call ")

@pytest.mark.parametrize("again", range(20))
@pytest.mark.llm_budget(wall_seconds=61)
def test_kept(again, llm_job, llm_usage):
    threads()
    assert llm_usage.calls == 9
    assert llm_job.budget.remaining["wall_seconds"] == 0
""",
    )
    priced.run("--record-cassettes", "-k", "test_all", passed=1)
    pace(priced.path / "cassettes" / "nine.yaml", [(10, 20), (10, 51), *[(number, 30) for number in range(7)]])

    priced.run("--llm-mode=replay", passed=41)


def test_parallel_calls_that_are_sent_never_pass_a_limit_together(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        from concurrent.futures import ThreadPoolExecutor
        import pytest, talk, tapemeter

        def attempt(number):
            try:
                return talk.ask(f"n {number}")
            except tapemeter.BudgetStopped:
                return None

        @pytest.mark.llm_budget(calls=5)
        @pytest.mark.expect_stopped_budget("calls")
        def test_one(llm_usage):
            with ThreadPoolExecutor(12) as pool:
                answers = list(pool.map(attempt, range(24)))
            assert len([answer for answer in answers if answer]) == llm_usage.calls == 5
        """,
    )

    project.run("--llm-mode=live", passed=1)

    assert len(server.requests) == 5
