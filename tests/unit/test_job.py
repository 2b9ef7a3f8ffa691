"""What a job knows: which call a request belongs to, which steps it is in, what holds for it, and what ended it."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import job as jobs
from tapemeter.budget import stop as stops
from tapemeter.budget.dimensions import Dimension, Scope
from tapemeter.budget.plan import Plan
from tapemeter.budget.policy import Limit, Policy, from_arguments
from tapemeter.clock import JobClock, RunClock
from tapemeter.intent import CallRecord, Intent
from tapemeter.job import Job, StepRun
from tapemeter.outcome import JobState, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE, OTHER = b"one request", b"another request"


def new_job(policy: Policy | None = None, name: str = "test_it.py::test_one") -> Job:
    return Job(name, plan=Plan(policy or Policy("")), clock=JobClock(RunClock(), replays=True))


def running(policy: Policy | None = None) -> Job:
    job = new_job(policy)
    job.outcome.take(Turn.START)
    return job


def stop(calls: int) -> stops.Stop:
    return stops.Stop(
        over=Limit(Scope.JOB, Dimension.CALLS, calls, "here"),
        what=stops.REFUSED,
        used_units=calls,
        reserved_units=0,
        asked_units=1,
        call="call",
        call_id=None,
        after_calls=calls,
    )


@pytest.fixture
def job() -> Job:
    return new_job()


@contextmanager
def hectic() -> Iterator[ThreadPoolExecutor]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            yield pool
    finally:
        sys.setswitchinterval(before)


# Calls and attempts


def test_each_request_is_a_call_of_its_own_with_a_number_and_a_moment(job: Job) -> None:
    first, attempt = job.call(ONE, again=False)
    job.clock.play(7)
    second, _ = job.call(ONE, again=False)

    assert attempt == 0
    assert (first.id, first.number, first.began) == ("test_it.py::test_one#1", 1, 0)
    assert (second.id, second.number, second.began) == ("test_it.py::test_one#2", 2, 7)


def test_the_same_request_after_a_failure_is_another_attempt_at_the_call(job: Job) -> None:
    first, _ = job.call(ONE, again=False)
    job.retryable(ONE, first)
    job.clock.play(7)

    assert job.call(ONE, again=False) == (first, 1)
    job.retryable(ONE, first)
    assert job.call(ONE, again=False) == (first, 2)
    assert (first.attempts, first.began) == (3, 0)


def test_a_failure_is_made_good_once(job: Job) -> None:
    first, _ = job.call(ONE, again=False)
    job.retryable(ONE, first)
    job.call(ONE, again=False)

    assert job.call(ONE, again=False)[0].number == 2


def test_another_request_after_a_failure_is_another_call(job: Job) -> None:
    first, _ = job.call(ONE, again=False)
    job.retryable(ONE, first)

    assert job.call(OTHER, again=False)[0].number == 2
    assert job.call(ONE, again=False) == (first, 1)


def test_of_the_same_requests_that_failed_the_first_is_tried_again_first(job: Job) -> None:
    first, second = (job.call(ONE, again=False)[0] for _ in range(2))
    job.retryable(ONE, second)
    job.retryable(ONE, first)

    assert job.call(ONE, again=False) == (second, 1)
    assert job.call(ONE, again=False) == (first, 1)


def test_a_client_that_says_that_it_sends_again_is_believed(job: Job) -> None:
    unseen, attempt = job.call(ONE, again=True)
    assert (unseen.number, attempt) == (1, 1)

    job.retryable(ONE, unseen)

    assert job.call(ONE, again=True) == (unseen, 2)


def test_what_a_program_means_as_one_call_is_one_whatever_it_sends_for_it(job: Job) -> None:
    intent = Intent(alias="fast")
    record, attempt = job.call(ONE, again=False, intent=intent)
    assert (intent.record, attempt) == (record, 0)

    assert job.call(OTHER, again=False, intent=intent) == (record, 1)
    assert job.call(ONE, again=True, intent=intent) == (record, 2)
    assert job.call(ONE, again=False, intent=Intent())[0].number == 2


def test_what_a_program_means_as_a_new_call_is_no_retry_of_another_one(job: Job) -> None:
    failed, _ = job.call(ONE, again=False)
    job.retryable(ONE, failed)

    assert job.call(ONE, again=False, intent=Intent())[0] is not failed
    assert job.call(ONE, again=False) == (failed, 1)


@given(st.lists(st.tuples(st.sampled_from([ONE, OTHER]), st.booleans())))
def test_there_are_as_many_calls_as_requests_that_follow_on_no_failure(requests: list[tuple[bytes, bool]]) -> None:
    job = new_job()
    failed = {ONE: 0, OTHER: 0}
    calls, attempts = 0, set()
    for digest, fails in requests:
        record, attempt = job.call(digest, again=False)
        assert (attempt == 0) is (failed[digest] == 0)
        calls += attempt == 0
        failed[digest] += fails - (attempt > 0)
        attempts.add((record.id, attempt))
        if fails:
            job.retryable(digest, record)

    assert len(attempts) == len(requests)
    assert len({call for call, _ in attempts}) == calls


class Name(str):
    """A name that lets another thread in while it is written, once."""

    __slots__ = ("meanwhile",)

    meanwhile: threading.Thread

    def __format__(self, spec: str) -> str:
        if self.meanwhile.ident is None:
            self.meanwhile.start()
            self.meanwhile.join(0.1)  # it gets as far as it can
        return str(self)


def test_no_call_gets_the_number_of_another_thread_s() -> None:
    job = new_job(name=(name := Name("test_one")))
    records = []
    name.meanwhile = threading.Thread(target=lambda: records.append(job.call(OTHER, again=False)[0]))

    records.append(job.call(ONE, again=False)[0])
    name.meanwhile.join()

    assert [(record.id, record.number) for record in records] == [("test_one#1", 1), ("test_one#2", 2)]


def test_each_failure_is_made_good_by_one_thread() -> None:
    job = new_job()
    records = [job.call(ONE, again=False)[0] for _ in range(100)]
    for record in records:
        job.retryable(ONE, record)
    with hectic() as pool:
        again = list(pool.map(lambda _: job.call(ONE, again=False), range(150)))

    assert sorted(record.number for record, attempt in again if attempt) == list(range(1, 101))
    assert sorted(record.number for record, attempt in again if not attempt) == list(range(101, 151))


# What was let through


def test_a_call_is_let_through_once_however_often_it_is_tried(job: Job) -> None:
    first, second = CallRecord("a", 1, 0.0), CallRecord("b", 2, 0.0)
    for record in (first, first, second):
        job.let_through(record)

    assert job.calls_let_through == 2


def test_a_call_that_is_held_back_was_not_let_through_until_it_is_again(job: Job) -> None:
    record = CallRecord("a", 1, 0.0)
    job.let_through(record)
    job.hold_back(record)
    job.hold_back(record)
    assert (job.calls_let_through, record.let_through) == (0, False)

    job.let_through(record)

    assert (job.calls_let_through, record.let_through) == (1, True)


# Steps


def names(job: Job) -> list[str]:
    return [step.name for step in job.steps]


def quiet(run: StepRun, error: BaseException | None) -> None:
    """Listen to no end of a step."""


def test_steps_within_steps_have_the_path_to_them_as_their_name(job: Job) -> None:
    with job.step("plan", quiet):
        with job.step("search", quiet) as inner:
            assert names(job) == ["plan", "plan/search"]
            assert job.steps[-1] is inner
        assert names(job) == ["plan"]
    assert names(job) == []


def test_a_step_that_is_entered_again_is_another_run_with_an_account_and_a_beginning_of_its_own(job: Job) -> None:
    found = []
    for _ in range(2):
        with job.step("agent", quiet) as run:
            job.clock.play(job.clock.now() + 4)
            found.append((run.number, run.began, run.account))
    with job.step("other", quiet), job.step("agent", quiet) as elsewhere:
        pass

    assert found == [(1, 0, "step:test_it.py::test_one/agent#1"), (2, 4, "step:test_it.py::test_one/agent#2")]
    assert (elsewhere.name, elsewhere.number) == ("other/agent", 1)


def test_the_end_of_a_step_is_told_with_the_error_that_ended_it(job: Job) -> None:
    ends: list[tuple[str, BaseException | None]] = []

    def done(run: StepRun, error: BaseException | None) -> None:
        ends.append((run.name, error))

    failure = SystemExit()
    with job.step("fine", done):
        assert ends == []
    with pytest.raises(SystemExit), job.step("outer", done), job.step("inner", done):
        raise failure

    assert ends == [("fine", None), ("outer/inner", failure), ("outer", failure)]
    assert job.steps == ()


def test_a_step_belongs_to_its_own_job_alone(job: Job) -> None:
    other = new_job(name="fixture:module.summary")
    with job.step("plan", quiet) as mine, other.step("sum up", quiet) as its:
        assert (job.steps, other.steps) == ((mine,), (its,))
        assert its.name == "sum up"
        assert jobs.current_steps() == (mine, its)


def test_tasks_are_in_the_steps_of_whoever_started_them(job: Job) -> None:
    async def task(name: str) -> list[str]:
        with job.step(name, quiet):
            await asyncio.sleep(0)
            return names(job)

    async def main() -> list[list[str]]:
        with job.step("both", quiet):
            return list(await asyncio.gather(task("left"), task("right")))

    assert asyncio.run(main()) == [["both", "both/left"], ["both", "both/right"]]


def test_steps_can_be_carried_into_another_thread(job: Job) -> None:
    def elsewhere(steps: tuple[StepRun, ...]) -> tuple[list[str], list[str], list[str]]:
        own = names(job)
        before = jobs.bind_steps(steps)
        carried = names(job)
        jobs.bind_steps(before)
        return own, carried, names(job)

    with job.step("plan", quiet), ThreadPoolExecutor(1) as pool:
        found = pool.submit(elsewhere, jobs.current_steps()).result()

    assert found == ([], ["plan"], [])


# Limits


def test_a_further_policy_tightens_and_never_loosens() -> None:
    job = new_job(from_arguments("outer", calls=3, prompt_chars=50, unknown_cost="refuse"))
    before = job.plan

    job.tighten(from_arguments("nearer", calls=9, prompt_chars=20, attempts=5, unknown_cost="ignore"))

    held = {limit.dimension.value: (limit.value, limit.source) for limit in job.plan.policy.limits}
    assert held == {"calls": (3, "outer"), "attempts": (5, "nearer"), "prompt_chars": (20, "nearer")}
    assert job.plan.unknown_cost == "refuse"
    assert [limit.value for limit in before.policy.limits] == [3, 50], "calls under way keep their plan"


# The end


def test_the_first_stop_ends_a_job_and_stays() -> None:
    job = running()
    first, second = stop(1), stop(2)

    assert job.end(first)
    assert not job.end(second)
    assert job.stop is first
    assert job.outcome.state is JobState.STOPPED_BUDGET


@pytest.mark.parametrize("turns", [(), (Turn.START, Turn.PASSED), (Turn.START, Turn.FAILED), (Turn.CANCELLED,)])
def test_a_job_that_is_not_running_cannot_be_stopped(job: Job, turns: tuple[Turn, ...]) -> None:
    for turn in turns:
        job.outcome.take(turn)
    before = job.outcome.state

    assert not job.end(stop(1))
    assert (job.stop, job.outcome.state) == (None, before)


def test_of_many_threads_one_stops_a_job() -> None:
    with hectic() as pool:
        for _ in range(50):
            job, found = running(), [stop(number) for number in range(8)]
            ended = list(pool.map(job.end, found))

            assert ended.count(True) == 1
            assert job.stop is found[ended.index(True)]


def test_a_job_is_told_by_its_name_and_its_state() -> None:
    job = running()

    assert job.account == "job:test_it.py::test_one"
    assert repr(job) == "<Job test_it.py::test_one RUNNING>"
