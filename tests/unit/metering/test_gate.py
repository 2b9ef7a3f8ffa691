"""What the gate lets through and what it refuses, of what is counted, in which words, and that nothing gets past it."""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from gate_bench import Bench, quiet, told
from tapemeter.budget.dimensions import Dimension, Scope, natural, to_units
from tapemeter.budget.ledger import Reservation
from tapemeter.budget.stop import REFUSED, TRIPPED
from tapemeter.cassette.mode import Mode
from tapemeter.metering.attempt import RUN
from tapemeter.outcome import JobState, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, Mode.LIVE)
    yield bench
    bench.run.close()


# Setting aside


def test_a_call_is_set_aside_on_its_run_its_job_its_steps_and_itself(live: Bench) -> None:
    test = live.test(call={"prompt_chars": 99}, models={"m*": {"job": {"calls": 9}}})
    with test.job.step("plan", quiet), test.job.step("search", quiet):
        attempt = live.ask(test)

    assert live.reserve(attempt, prompt_chars=5) is None

    accounts = [
        RUN,
        "job:test_one",
        "job:test_one|model m*",
        "step:test_one/plan#1",
        "step:test_one/plan/search#1",
        "call:test_one#1",
    ]
    assert [live.held(name) for name in accounts] == [{"calls": (0, 1), "prompt_chars": (0, 5)}] * 6
    assert isinstance(attempt.reservation, Reservation)
    assert (test.job.calls_let_through, test.job.stop, live.stops()) == (1, None, [])


def test_what_dies_with_its_process_is_told_by_the_call_it_was(live: Bench) -> None:
    live.reserve(live.ask(live.test()))
    live.ledger.close()

    (note,) = live.ledger.lapse()
    assert json.loads(note) == {"call_id": "test_one#1", "job": "test_one", "test": "test_it.py::test_one"}


def test_what_is_released_is_set_aside_no_more(live: Bench) -> None:
    attempt = live.ask(live.test())
    live.gate.release(attempt)
    live.reserve(attempt)
    live.gate.release(attempt)
    live.gate.release(attempt)

    assert live.held(RUN) == {}


@pytest.mark.parametrize(("used", "asked", "passes"), [(6, 4, True), (6, 5, False), (10, 0, False), (0, 10, True)])
def test_a_call_passes_up_to_the_limit_and_not_where_it_is_used_up(
    live: Bench, used: int, asked: int, passes: bool
) -> None:
    test = live.test(prompt_chars=10)
    first, second = live.ask(test), live.ask(test)
    live.reserve(first, prompt_chars=used)
    live.settle(first, prompt_chars=used)

    assert (live.reserve(second, prompt_chars=asked) is None) is passes


def test_what_is_set_aside_for_others_counts(live: Bench) -> None:
    test = live.test(prompt_chars=10)
    live.reserve(live.ask(test), prompt_chars=6)

    stopped = live.reserve(live.ask(test), prompt_chars=5)

    assert stopped is not None
    assert "0 used, 6 set aside for calls under way, 5 more asked by call 2" in str(stopped)


@pytest.mark.parametrize(("dimension", "asked"), [("calls", 1), ("prompt_chars", 0)])
def test_a_limit_of_zero_refuses_the_first_call(live: Bench, dimension: str, asked: int) -> None:
    limits: dict[str, Any] = {dimension: 0}
    test = live.test(**limits)

    assert live.reserve(live.ask(test, "")) is not None
    assert told(test.job) == ("job", dimension, REFUSED, 0, asked)


# Refusing


def test_a_refusal_says_all_and_sets_nothing_aside(live: Bench) -> None:
    test = live.test(calls=1, step={"prompt_chars": 99})
    live.reserve(live.ask(test))
    with test.job.step("plan", quiet):
        attempt = live.ask(test)

    stopped = live.reserve(attempt, prompt_chars=5)

    assert stopped is not None
    assert test.job.stop is not None
    assert str(stopped) == test.job.stop.sentence
    assert (stopped.test, stopped.scope, stopped.limit) == ("test_one", "job", "calls")
    assert (stopped.used, stopped.value) == (0, 1)
    assert attempt.reservation is None
    assert live.held(RUN) == {"calls": (0, 1)}
    assert live.held("step:test_one/plan#1") == {}
    assert (test.job.outcome.state, test.job.calls_let_through) == (JobState.STOPPED_BUDGET, 1)


def test_a_stop_is_written_once_with_who_and_where(live: Bench) -> None:
    test = live.test(calls=0)
    with test.job.step("plan", quiet):
        live.reserve(live.ask(test))
    live.reserve(live.ask(test))

    (stop,) = live.stops()
    assert test.job.stop is not None
    wanted = {
        "job": "test_one",
        "step": "plan",
        "test": "test_it.py::test_one",
        "model": "m",
        "replayed": False,
        **test.job.stop.as_event(),
    }
    assert {name: stop[name] for name in wanted} == wanted
    assert live.gate.stopped == {"test_one"}


def test_once_a_job_is_stopped_all_its_calls_are_refused_with_the_same_words(live: Bench) -> None:
    test, other = live.test(call={"prompt_chars": 3}), live.test("test_two")
    first = live.reserve(live.ask(test, "too long"), prompt_chars=8)

    again = live.reserve(live.ask(test, "ok"), prompt_chars=2)

    assert again is not None
    assert str(again) == str(first)
    assert live.held(RUN) == {}
    assert test.job.calls_let_through == 0
    assert live.reserve(live.ask(other)) is None, "another job goes on"


SCOPES = [scope.value for scope in Scope]


@pytest.mark.parametrize("outermost", range(4))
def test_of_several_limits_the_outermost_is_told(live: Bench, outermost: int) -> None:
    limits: dict[str, Any] = {scope: {"prompt_chars": 3} for scope in SCOPES[outermost:]}
    test = live.test(**limits)
    with test.job.step("plan", quiet):
        live.reserve(live.ask(test), prompt_chars=5)

    assert told(test.job) == (SCOPES[outermost], "prompt_chars", REFUSED, 0, 5)


def test_a_run_that_is_out_of_budget_is_so_for_every_process(live: Bench) -> None:
    test, other = live.test(run={"calls": 1}), live.test("test_two")
    live.reserve(live.ask(test))
    assert live.run.stopped is None

    live.reserve(live.ask(test))

    assert live.run.stopped == "calls limit of 1 (from here)"
    assert other.job.stop is None, "another job is stopped at its own next call, if at all"


def test_a_stop_that_has_a_remedy_leaves_the_run_what_it_has(live: Bench) -> None:
    test = live.test(run={"cost_usd": "1"})
    attempt = live.ask(test)
    (_, limit), *_ = attempt.limits(Dimension.COST_USD)

    stopped = live.gate.stop(attempt, limit, REFUSED, used=0, asked=0, remedy="its price is unknown")

    assert str(stopped).endswith("which was refused before it was sent, since its price is unknown")
    assert test.job.outcome.stopped
    assert live.run.stopped is None


def test_threads_are_let_through_up_to_the_limit_and_the_stop_comes_after_as_many(live: Bench) -> None:
    test = live.test(calls=20)
    attempts = [live.ask(test) for _ in range(60)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            stopped = list(pool.map(live.reserve, attempts))
    finally:
        sys.setswitchinterval(before)

    assert stopped.count(None) == test.job.calls_let_through == 20
    assert live.held("job:test_one") == live.held(RUN) == {"calls": (0, 20)}
    assert test.job.stop is not None
    assert test.job.stop.after_calls == 20
    assert len(live.stops()) == 1


class Pause(float):
    """A pause that lets another thread in while it is decided on."""

    meanwhile: threading.Thread

    def __str__(self) -> str:
        self.meanwhile.start()
        self.meanwhile.join(0.1)  # it gets as far as it can
        return super().__repr__()


def test_a_call_that_was_let_through_is_counted_before_another_one_is_refused(live: Bench) -> None:
    test = live.test(calls=1, idle_stream_seconds=9)
    first, second = live.ask(test), live.ask(test)
    pause = Pause(1.0)
    pause.meanwhile = threading.Thread(target=live.reserve, args=(second,))

    assert live.gate.spend(first, {Dimension.CALLS: 1}, 1.0, pause=pause) is None
    pause.meanwhile.join()

    assert test.job.stop is not None
    assert test.job.stop.after_calls == 1


def test_a_call_that_waits_while_another_one_is_refused_is_refused_as_well(live: Bench) -> None:
    test = live.test(idle_stream_seconds=1)
    first, second = live.ask(test), live.ask(test)
    pause, found = Pause(2.0), []
    pause.meanwhile = threading.Thread(target=lambda: found.append(live.reserve(second)))

    stopped = live.gate.spend(first, {Dimension.CALLS: 1}, 1.0, pause=pause)
    pause.meanwhile.join()

    assert stopped is not None
    assert [str(each) for each in found] == [str(stopped)]
    assert (test.job.calls_let_through, live.held(RUN)) == (0, {})


# What was used


def test_a_call_that_used_more_than_it_asked_trips_only_beyond_the_limit(live: Bench) -> None:
    test = live.test(output_tokens=20)
    first, second = live.ask(test), live.ask(test)
    live.reserve(first, output_tokens=5)
    live.reserve(second, output_tokens=5)
    assert live.settle(first, output_tokens=8) is None

    assert live.settle(second, output_tokens=13) is not None

    assert told(test.job) == ("job", "output_tokens", TRIPPED, 8, 13)
    assert live.held("job:test_one") == {"calls": (2, 0), "output_tokens": (21, 0)}


def test_a_limit_that_is_just_reached_does_not_trip(live: Bench) -> None:
    test = live.test(output_tokens=20, calls=1)
    attempt = live.ask(test)
    live.reserve(attempt, output_tokens=20)

    assert live.settle(attempt, output_tokens=20) is None
    assert test.job.stop is None


def test_of_limits_that_are_passed_the_outermost_is_told(live: Bench) -> None:
    test = live.test(run={"output_tokens": 20}, call={"output_tokens": 10})
    attempt = live.ask(test)
    live.reserve(attempt, output_tokens=5)
    live.settle(attempt, output_tokens=30)

    assert told(test.job)[0] == "run"


# Stops


@pytest.mark.parametrize(
    ("dimension", "value"), [(Dimension.COST_USD, "0.25"), (Dimension.WALL_SECONDS, 9), (Dimension.INPUT_TOKENS, 9)]
)
def test_the_error_has_its_amounts_as_code_compares_them(live: Bench, dimension: Dimension, value: Any) -> None:
    test = live.test(**{dimension.value: value})
    attempt = live.ask(test)
    (_, limit), *_ = attempt.limits(dimension)
    used = to_units(dimension, 3)

    stopped = live.gate.stop(attempt, limit, REFUSED, used=used, asked=0)

    assert (stopped.limit, stopped.used, stopped.value) == (dimension.value, 3, natural(dimension, limit.value))
    assert type(stopped.used) is type(stopped.value) is type(natural(dimension, 0))


def test_a_stop_of_a_job_that_has_ended_changes_nothing(live: Bench) -> None:
    test = live.test(run={"calls": 0})
    attempt = live.ask(test)
    (_, limit), *_ = attempt.limits(Dimension.CALLS)
    live.run.orchestrator.close(test.job, Turn.PASSED)

    assert live.gate.stop(attempt, limit, REFUSED, used=0, asked=1) is not None

    assert (test.job.stop, test.job.outcome.state) == (None, JobState.COMPLETED)
    assert (live.stops(), live.run.stopped) == ([], None)
