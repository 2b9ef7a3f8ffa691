from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tapemeter.client.circuit import TRANSITIONS, CircuitBreaker, CircuitState, Permit, Signal
from tapemeter.client.config import Circuit


class Seconds:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Tried:
    """A circuit with its clock."""

    def __init__(self, failures: int = 3, cool_down: float = 30.0) -> None:
        self.clock = Seconds()
        self.breaker = CircuitBreaker("main", Circuit(failures, cool_down), self.clock)

    def permit(self) -> Permit:
        permit = self.breaker.acquire()
        assert permit is not None
        return permit

    def opened(self) -> Tried:
        while self.breaker.state is CircuitState.CLOSED:
            self.permit().failed()
        return self


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    tried = Tried(failures=3)
    tried.permit().failed()
    tried.permit().failed()
    tried.permit().succeeded()
    tried.permit().failed()
    tried.permit().failed()
    assert tried.breaker.state is CircuitState.CLOSED
    tried.permit().failed()
    assert tried.breaker.state is CircuitState.OPEN
    assert tried.breaker.acquire() is None


def test_it_says_how_long_it_is_until_a_call_is_let_through() -> None:
    tried = Tried(cool_down=30)
    assert tried.breaker.seconds_to_probe == 0
    tried.opened()
    tried.clock.now += 18
    assert tried.breaker.seconds_to_probe == 12
    tried.clock.now += 20
    assert tried.breaker.seconds_to_probe == 0
    tried.permit()
    assert tried.breaker.seconds_to_probe is None


def test_after_the_cool_down_one_call_is_a_probe_and_no_other_goes_through_meanwhile() -> None:
    tried = Tried(cool_down=30).opened()
    tried.clock.now += 29.999
    assert tried.breaker.acquire() is None
    tried.clock.now += 0.001
    probe = tried.permit()
    assert tried.breaker.state is CircuitState.HALF_OPEN
    assert tried.breaker.acquire() is None
    probe.succeeded()
    assert tried.breaker.state is CircuitState.CLOSED
    tried.permit()
    tried.permit()


def test_a_probe_that_fails_begins_the_cool_down_anew() -> None:
    tried = Tried(cool_down=30).opened()
    tried.clock.now += 30
    probe = tried.permit()
    tried.clock.now += 5
    probe.failed()
    assert (tried.breaker.state, tried.breaker.seconds_to_probe) == (CircuitState.OPEN, 30)


def test_a_probe_that_is_lost_is_given_back_to_the_next_call() -> None:
    tried = Tried().opened()
    tried.clock.now += 30
    tried.permit().lost()
    assert tried.breaker.state is CircuitState.OPEN
    tried.permit().succeeded()
    assert tried.breaker.state is CircuitState.CLOSED


def test_a_call_that_is_lost_while_it_is_closed_changes_nothing() -> None:
    tried = Tried(failures=2)
    tried.permit().failed()
    tried.permit().lost()
    tried.permit().failed()
    assert tried.breaker.state is CircuitState.OPEN


def test_after_it_closed_it_counts_failures_from_the_beginning() -> None:
    tried = Tried(failures=2).opened()
    tried.clock.now += 30
    tried.permit().succeeded()
    tried.permit().failed()
    assert tried.breaker.state is CircuitState.CLOSED


def test_a_call_says_once_how_it_ended() -> None:
    tried = Tried(failures=2)
    permit = tried.permit()
    permit.failed()
    permit.failed()
    assert tried.breaker.state is CircuitState.CLOSED


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "lost"])
def test_a_call_from_before_it_opened_says_nothing_of_it_now(outcome: str) -> None:
    tried = Tried()
    late = tried.permit()
    tried.opened()
    tried.clock.now += 10
    getattr(late, outcome)()
    assert (tried.breaker.state, tried.breaker.seconds_to_probe) == (CircuitState.OPEN, 20)
    tried.clock.now += 20
    also_late = tried.permit()
    also_late.succeeded()
    getattr(late, outcome)()
    assert tried.breaker.state is CircuitState.CLOSED


def test_it_shows_its_name_and_state() -> None:
    assert repr(Tried().opened().breaker) == "<circuit main open>"


def test_every_transition_leads_out_of_a_state() -> None:
    assert {after for (before, _), after in TRANSITIONS.items() if before is CircuitState.HALF_OPEN} == {
        CircuitState.CLOSED,
        CircuitState.OPEN,
    }
    assert all(before is not after for (before, _), after in TRANSITIONS.items())


def test_of_many_threads_that_come_after_the_cool_down_one_is_the_probe() -> None:
    for _ in range(20):
        tried = Tried().opened()
        tried.clock.now += 30
        begin = threading.Barrier(8)
        permits: list[Permit | None] = []

        def ask(tried: Tried = tried, begin: threading.Barrier = begin, permits: list[Any] = permits) -> None:
            begin.wait()
            permits.append(tried.breaker.acquire())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(permits) == 8
        assert sum(permit is not None for permit in permits) == 1


class Model(RuleBasedStateMachine):
    """The circuit beside the plainest one that could be: it keeps whole histories and counts them anew each time."""

    @initialize(failures=st.integers(1, 4), cool_down=st.sampled_from([0.0, 1.0, 30.0]))
    def begin(self, failures: int, cool_down: float) -> None:
        self.tried = Tried(failures, cool_down)
        self.failures, self.cool_down = failures, cool_down
        self.under_way: list[tuple[Permit, int]] = []
        self.row = 0
        self.opened_at: float | None = None
        self.retry_at = 0.0
        self.probing = False
        self.turn = 0

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 29.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.tried.clock.now += seconds

    @rule()
    def ask(self) -> None:
        permit = self.tried.breaker.acquire()
        if self.probing:
            assert permit is None
        elif self.opened_at is not None:
            assert (permit is not None) is (self.tried.clock.now >= self.retry_at)
            if permit is not None:
                self.probing, self.opened_at = True, None
                self.turn += 1
        else:
            assert permit is not None
        if permit is not None:
            self.under_way.append((permit, self.turn))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), signal=st.sampled_from([Signal.SUCCESS, Signal.FAILURE, Signal.LOST]))
    def end(self, data: st.DataObject, signal: Signal) -> None:
        permit, turn = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        {Signal.SUCCESS: permit.succeeded, Signal.FAILURE: permit.failed, Signal.LOST: permit.lost}[signal]()
        if turn != self.turn:
            return
        if signal is Signal.FAILURE and (self.probing or self.row + 1 == self.failures):
            self._open(self.tried.clock.now + self.cool_down)
        elif self.probing:
            if signal is Signal.LOST:
                self._open(self.retry_at)
            else:
                self.probing, self.row = False, 0
                self.turn += 1
        elif signal is not Signal.LOST:
            self.row = 0 if signal is Signal.SUCCESS else self.row + 1

    def _open(self, retry_at: float) -> None:
        self.probing, self.row = False, 0
        self.opened_at, self.retry_at = self.tried.clock.now, retry_at
        self.turn += 1

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "tried"):
            return
        expected = (
            CircuitState.HALF_OPEN
            if self.probing
            else CircuitState.OPEN
            if self.opened_at is not None
            else CircuitState.CLOSED
        )
        assert self.tried.breaker.state is expected
        assert sum(turn == self.turn for _, turn in self.under_way) <= 1 or expected is CircuitState.CLOSED


TestAgainstTheModel = Model.TestCase
TestAgainstTheModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
