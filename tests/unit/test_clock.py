"""Time as limits see it: live what passes, in replay what was recorded, and the same in whatever order calls come."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import clock
from tapemeter.clock import JobClock, RunClock

SECONDS = st.integers(0, 1000)
"""Whole seconds, whose sums are exact."""
CALLS = st.lists(st.tuples(SECONDS, SECONDS), max_size=8)
"""When recorded calls were issued, and how long they took."""


class Time:
    """The system's clock, at a moment of the test's choice."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    moment = Time()
    monkeypatch.setattr(clock, "perf_counter", moment)
    return moment


def replaying(run: RunClock | None = None) -> JobClock:
    return JobClock(run or RunClock(), replays=True)


def live(run: RunClock | None = None) -> JobClock:
    return JobClock(run or RunClock(), replays=False)


def play(job: JobClock, issued: float | None, total: float) -> None:
    """Replay a call as the meter does."""
    job.play(job.span(issued, total)[1])


# The run's


def test_a_run_that_sends_takes_what_passes_and_what_replay_saved(time: Time) -> None:
    run = RunClock()
    run.add(5)
    time.now += 3

    assert (run.replayed, run.passed) == (5, 8)
    assert run.now(replays=False) == 8


def test_a_run_that_replays_takes_what_was_recorded(time: Time) -> None:
    run = RunClock()
    run.add(5)
    time.now += 3
    run.add(2)

    assert run.now(replays=True) == run.replayed == 7


# A job's


def test_live_a_job_takes_the_time_that_passes_since_it_began(time: Time) -> None:
    run = RunClock()
    time.now += 7
    job = live(run)
    time.now += 2

    assert (job.now(), run.passed) == (2, 9)


def test_in_replay_no_time_passes_by_itself(time: Time) -> None:
    job = replaying()
    time.now += 100

    assert job.now() == 0
    assert job.run.now(replays=True) == 0


def test_a_pause_takes_no_time_however_often_it_is_said(time: Time) -> None:
    job = live()
    time.now += 2
    job.pause()
    time.now += 10
    job.pause()
    time.now += 20
    assert job.now() == 2

    job.resume()
    time.now += 3
    job.resume()
    time.now += 1

    assert job.now() == 6


def test_what_is_replayed_amid_a_pause_counts(time: Time) -> None:
    job = live()
    time.now += 2
    job.pause()
    play(job, None, 5)
    time.now += 50

    assert job.now() == 7
    job.resume()
    assert job.now() == 7


def test_the_turn_of_a_test_begins_at_zero_and_lets_time_pass_again(time: Time) -> None:
    job = live()
    time.now += 4
    job.pause()
    time.now += 40
    job.enter()
    assert (job.now(), job.since_entered()) == (4, 0)

    time.now += 3

    assert (job.now(), job.since_entered()) == (7, 3)


def test_in_replay_the_recordings_of_the_next_test_follow_on_those_of_the_one_before() -> None:
    job = replaying()
    job.enter()
    play(job, 1, 9)
    job.pause()
    job.enter()
    assert (job.now(), job.since_entered()) == (10, 0)

    assert job.span(2, 3) == (12, 15)
    play(job, 2, 3)

    assert (job.now(), job.since_entered()) == (15, 5)


# Where a recorded call stands


def test_to_ask_where_a_call_stands_has_no_time_pass(time: Time) -> None:
    for job in (replaying(), live()):
        assert job.span(None, 30) == (0, 30)
        assert job.span(10, 30) == (10, 40)
        assert (job.now(), job.run.replayed) == (0, 0)


def test_in_replay_a_call_stands_where_it_was_issued_and_one_of_unknown_issue_at_the_end() -> None:
    job = replaying()
    play(job, 20, 10)

    assert job.span(5, 1) == (5, 6)
    assert job.span(40, 1) == (40, 41)
    assert job.span(None, 1) == (30, 31)


def test_where_others_are_sent_a_call_stands_now_at_the_earliest_and_no_earlier_than_it_did(time: Time) -> None:
    job = live()
    time.now += 10

    assert job.span(5, 1) == (10, 11)
    assert job.span(40, 1) == (40, 41)
    assert job.span(None, 1) == (10, 11)


def test_live_the_time_goes_to_the_end_of_a_replayed_call_and_on_from_there(time: Time) -> None:
    job = live()
    time.now += 1
    play(job, None, 5)
    assert (job.now(), job.run.replayed, job.run.passed) == (6, 5, 6)

    time.now += 2

    assert (job.now(), job.run.passed) == (8, 8)


def test_a_call_that_ends_before_now_takes_no_time() -> None:
    job = replaying()
    job.play(8)
    job.play(3)

    assert (job.now(), job.run.replayed) == (8, 8)


@given(CALLS, st.data())
def test_parallel_calls_take_the_same_time_in_whatever_order_they_are_replayed(
    calls: list[tuple[int, int]], data: Any
) -> None:
    first, second = replaying(), replaying()
    shuffled = data.draw(st.permutations(calls))
    for issued, total in calls:
        play(first, issued, total)
    spans = []
    for issued, total in shuffled:
        spans.append(second.span(issued, total))
        play(second, issued, total)

    assert first.now() == second.now() == max((issued + total for issued, total in calls), default=0)
    assert first.run.replayed == second.run.replayed == first.now()
    assert spans == [(issued, issued + total) for issued, total in shuffled]


@given(CALLS)
def test_time_never_goes_back(calls: list[tuple[int, int]]) -> None:
    job, before = replaying(), 0.0
    for issued, total in calls:
        play(job, issued, total)
        assert job.now() >= before
        before = job.now()


@given(st.lists(CALLS, min_size=1, max_size=4))
def test_the_run_takes_what_its_jobs_take(jobs: list[list[tuple[int, int]]]) -> None:
    run = RunClock()
    clocks = [replaying(run) for _ in jobs]
    for job, calls in zip(clocks, jobs, strict=True):
        for issued, total in calls:
            play(job, issued, total)

    assert run.replayed == sum(job.now() for job in clocks)


class End(float):
    """The end of a call that lets another thread in while it is subtracted from."""

    meanwhile: threading.Thread

    def __sub__(self, other: float) -> float:
        self.meanwhile.start()
        self.meanwhile.join(0.1)  # it gets as far as it can
        return super().__sub__(other)


def test_time_that_several_threads_have_pass_is_counted_once() -> None:
    job, end = replaying(), End(10.0)
    end.meanwhile = threading.Thread(target=job.play, args=(8.0,))

    job.play(end)
    end.meanwhile.join()

    assert (job.now(), job.run.replayed) == (10, 10)
