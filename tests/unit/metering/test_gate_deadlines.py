"""Calls are refused or cut by their time and by their text, live and in replay, at just the limit and no earlier."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gate_bench import Bench, Time, quiet, told
from tapemeter import clock
from tapemeter.budget.stop import CUT, REFUSED
from tapemeter.cassette.mode import Mode
from tapemeter.metering import gate
from tapemeter.metering.attempt import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tapemeter.metering.attempt import Attempt
    from tapemeter.owner import Owner

STREAM = (("content-type", "text/event-stream"),)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    moment = Time()
    for module in (clock, gate):
        monkeypatch.setattr(module, "perf_counter", moment)
    return moment


@pytest.fixture
def live(time: Time, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, Mode.LIVE)
    yield bench
    bench.run.close()


@pytest.fixture
def replayed(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, Mode.REPLAY)
    yield bench
    bench.run.close()


# Time, live


def test_a_call_passes_until_the_time_is_up(live: Bench, time: Time) -> None:
    test = live.test(wall_seconds=60)
    time.now += 59.5
    assert live.reserve(live.ask(test)) is None

    time.now += 0.5

    assert live.reserve(live.ask(test)) is not None
    assert told(test.job) == ("job", "wall_seconds", REFUSED, 60, 0)


def test_a_limit_of_no_time_refuses_the_first_call(live: Bench) -> None:
    test = live.test(wall_seconds=0)

    assert live.reserve(live.ask(test)) is not None
    assert told(test.job) == ("job", "wall_seconds", REFUSED, 0, 0)


def test_the_time_of_a_step_begins_with_it(live: Bench, time: Time) -> None:
    test = live.test(step={"wall_seconds": 10})
    for _ in range(3):
        with test.job.step("agent", quiet):
            time.now += 9
            assert live.reserve(live.ask(test)) is None
    with test.job.step("agent", quiet):
        time.now += 10
        assert live.reserve(live.ask(test)) is not None

    assert told(test.job) == ("step", "wall_seconds", REFUSED, 10, 0)


@pytest.mark.parametrize(
    ("limits", "seconds", "scope"),
    [
        ({"job": {"wall_seconds": 60}}, 5, "job"),
        ({"job": {"wall_seconds": 60}, "call": {"wall_seconds": 10}}, 5, "job"),
        ({"job": {"wall_seconds": 60}, "call": {"wall_seconds": 4}}, 4, "call"),
        ({"run": {"wall_seconds": 58}, "job": {"wall_seconds": 60}}, 3, "run"),
        ({"step": {"wall_seconds": 7}, "call": {"wall_seconds": 7}}, 7, "step"),
    ],
)
def test_the_deadline_is_the_first_that_comes(
    live: Bench, time: Time, limits: dict[str, Any], seconds: float, scope: str
) -> None:
    test = live.test(**limits)
    time.now += 55
    with test.job.step("plan", quiet):
        attempt = live.ask(test)
    live.reserve(attempt)

    live.gate.set_deadlines(attempt)

    assert attempt.deadline == time.now + seconds
    time.now += seconds - 0.5
    assert live.gate.expired(attempt, paused=0.0) is None
    time.now += 0.5
    assert live.gate.expired(attempt, paused=0.0) is not None
    assert told(test.job) == (scope, "wall_seconds", CUT, limits[scope]["wall_seconds"], 0)


def test_what_replay_saved_counts_for_the_run_of_one_that_sends(live: Bench, time: Time) -> None:
    test = live.test(run={"wall_seconds": 60})
    live.run.clock.add(50)
    time.now += 4
    attempt = live.ask(test)
    live.gate.set_deadlines(attempt)

    assert attempt.deadline == time.now + 6


def test_without_a_limit_on_time_nothing_expires(live: Bench, time: Time) -> None:
    attempt = live.ask(live.test(calls=9))
    live.gate.set_deadlines(attempt)
    time.now += 10**6

    assert (attempt.deadline, attempt.idle) == (None, None)
    assert live.gate.expired(attempt, paused=10**6) is None


def test_a_stream_may_pause_for_less_than_the_shortest_limit(live: Bench) -> None:
    test = live.test(idle_stream_seconds=2, call={"idle_stream_seconds": 5}, run={"idle_stream_seconds": 9})
    attempt = live.ask(test)
    live.reserve(attempt)
    live.gate.set_deadlines(attempt)
    assert attempt.idle == 2
    assert live.gate.expired(attempt, paused=1.5) is None

    assert live.gate.expired(attempt, paused=2.5) is not None

    assert told(test.job) == ("job", "idle_stream_seconds", CUT, 2.5, 0)


@pytest.mark.parametrize(
    ("limits", "scope", "dimension"),
    [
        ({"job": {"wall_seconds": 5}, "step": {"calls": 0}}, "job", "wall_seconds"),
        ({"job": {"calls": 0}, "step": {"wall_seconds": 5}}, "job", "calls"),
        ({"job": {"calls": 0, "wall_seconds": 5}}, "job", "calls"),
        ({"run": {"wall_seconds": 5}, "job": {"calls": 0, "wall_seconds": 5}}, "run", "wall_seconds"),
    ],
)
def test_of_time_and_what_is_counted_the_outer_is_told_and_of_one_scope_what_is_counted(
    live: Bench, time: Time, limits: dict[str, Any], scope: str, dimension: str
) -> None:
    test = live.test(**limits)
    with test.job.step("plan", quiet):
        time.now += 5
        live.reserve(live.ask(test))

    assert told(test.job)[:2] == (scope, dimension)
    assert live.held(RUN) == {}


# Time, in replay


def test_in_replay_a_call_is_refused_that_ended_after_the_time_was_up(replayed: Bench) -> None:
    test = replayed.test(wall_seconds=60)
    assert replayed.replay(replayed.ask(test), 0, 20) is None
    assert replayed.replay(replayed.ask(test), 30, 30) is None

    assert replayed.replay(replayed.ask(test), 60, 0) is not None

    assert told(test.job) == ("job", "wall_seconds", REFUSED, 60, 0)
    assert test.job.clock.now() == 60, "what is refused takes no time"
    assert replayed.held("job:test_one") == {"calls": (2, 0)}
    assert replayed.stops()[0]["replayed"] is True


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_parallel_calls_are_refused_by_their_recorded_end_in_whatever_order_they_come(
    replayed: Bench, order: tuple[int, ...]
) -> None:
    recorded = [(10, 20), (10, 51), (5, 30)]
    test = replayed.test(run={"wall_seconds": 60})
    found = {number: replayed.replay(replayed.ask(test), *recorded[number]) for number in order}

    assert test.job.stop is not None
    assert found[1] is not None
    assert told(test.job) == ("run", "wall_seconds", REFUSED, 10, 51)


def test_in_replay_the_time_of_a_call_is_its_own(replayed: Bench) -> None:
    test = replayed.test(call={"wall_seconds": 10})
    assert replayed.replay(replayed.ask(test), 0, 10) is None
    assert replayed.replay(replayed.ask(test), 500, 10) is None

    assert replayed.replay(replayed.ask(test), 600, 10.5) is not None
    assert told(test.job) == ("call", "wall_seconds", REFUSED, 0, 10.5)


def test_in_replay_a_stream_is_refused_that_paused_longer_than_the_limit(replayed: Bench) -> None:
    test = replayed.test(idle_stream_seconds=2)
    assert replayed.replay(replayed.ask(test), 0, 30, pause=2.0) is None

    assert replayed.replay(replayed.ask(test), 30, 30, pause=2.000001) is not None
    assert told(test.job) == ("job", "idle_stream_seconds", REFUSED, 0, 2.000001)


# Text that comes back


def piece(text: str) -> bytes:
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': text}}]})}\n\n".encode()


def answered(bench: Bench, owner: Owner, text: str = "hello") -> Attempt:
    """Return a call whose answer begins to come."""
    attempt = bench.ask(owner, text)
    assert bench.reserve(attempt, prompt_chars=len(text), total_chars=len(text)) is None
    bench.run.meter.headers(attempt, 200, STREAM)
    return attempt


def test_text_passes_up_to_the_limit_and_is_cut_beyond(live: Bench) -> None:
    test = live.test(response_chars=6)
    attempt = answered(live, test)
    assert live.gate.chunk(attempt, piece("abc")) is None
    assert live.gate.chunk(attempt, piece("äöü")) is None

    assert live.gate.chunk(attempt, piece("d")) is not None

    assert told(test.job) == ("job", "response_chars", CUT, 0, 7)
    assert test.job.stop is not None
    assert test.job.stop.after_calls == 0, "it is the call itself that does not count"


def test_all_text_counts_that_is_under_way_set_aside_or_used(live: Bench) -> None:
    test = live.test(total_chars=20)
    first = answered(live, test, "12345")
    live.settle(first, total_chars=8)
    second, third = answered(live, test, "1234"), answered(live, test, "123")
    assert live.gate.chunk(second, piece("abc")) is None
    assert live.gate.chunk(third, piece("de")) is None

    stopped = live.gate.chunk(third, piece("f"))

    assert stopped is not None
    assert "8 used, 7 set aside for calls under way, 6 more asked by call 3" in str(stopped)


def test_text_of_an_answer_that_has_ended_is_under_way_no_more(live: Bench) -> None:
    test = live.test(response_chars=6)
    first, second = answered(live, test), answered(live, test)
    live.gate.chunk(first, piece("abcd"))
    live.gate.flow(first, -first.chars)
    live.settle(first, response_chars=4)

    assert live.gate.chunk(second, piece("ef")) is None
    assert live.gate.chunk(second, piece("g")) is not None
    assert told(test.job) == ("job", "response_chars", CUT, 4, 3)


def test_of_limits_on_text_the_outermost_is_told(live: Bench) -> None:
    test = live.test(run={"response_chars": 2}, job={"total_chars": 2 + 5}, call={"response_chars": 2})
    live.gate.chunk(answered(live, test), piece("abc"))

    assert told(test.job) == ("run", "response_chars", CUT, 0, 3)
    assert live.run.stopped == "response_chars limit of 2 (from here)"


def test_text_is_only_counted_where_a_limit_asks_for_it(live: Bench) -> None:
    attempt = answered(live, live.test(calls=9))

    assert attempt.watch is None
    assert live.gate.chunk(attempt, piece("x" * 1000)) is None
    assert attempt.chars == 0


def test_calls_under_way_are_cut_with_the_words_of_the_first_stop(live: Bench) -> None:
    test = live.test(response_chars=3, calls=9)
    first, second = answered(live, test), answered(live, test)
    stopped = live.gate.chunk(first, piece("abcd"))

    later = live.gate.chunk(second, piece("e"))

    assert later is not None
    assert str(later) == str(stopped)
    assert len(live.stops()) == 1
    assert test.job.stop is not None
    assert test.job.stop.after_calls == 1
