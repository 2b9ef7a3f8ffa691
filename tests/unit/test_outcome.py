"""A job goes where the table leads, whatever happens and in however many threads, and nothing else writes its state."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.outcome import TRANSITIONS, JobState, Outcome, Turn

DRAWN = """
                start     passed      failed   stopped          cancelled
PENDING         RUNNING   -           -        -                CANCELLED
RUNNING         RUNNING   COMPLETED   FAILED   STOPPED_BUDGET   CANCELLED
COMPLETED       -         -           -        -                -
FAILED          -         -           -        -                -
STOPPED_BUDGET  -         -           -        -                -
CANCELLED       -         -           -        -                -
"""
"""What follows, by state and turn; nothing changes at a dash."""

WAYS = {
    JobState.PENDING: (),
    JobState.RUNNING: (Turn.START,),
    JobState.COMPLETED: (Turn.START, Turn.PASSED),
    JobState.FAILED: (Turn.START, Turn.FAILED),
    JobState.STOPPED_BUDGET: (Turn.START, Turn.STOPPED),
    JobState.CANCELLED: (Turn.CANCELLED,),
}
"""How a job comes to be in each state."""

FINAL = set(JobState) - {JobState.PENDING, JobState.RUNNING}


def drawn() -> dict[tuple[JobState, Turn], JobState]:
    head, *rows = DRAWN.strip().splitlines()
    turns = [Turn(word) for word in head.split()]
    found = {}
    for row in rows:
        state, *cells = row.split()
        for turn, cell in zip(turns, cells, strict=True):
            found[JobState(state), turn] = JobState(state if cell == "-" else cell)
    return found


def after(*turns: Turn) -> Outcome:
    outcome = Outcome()
    for turn in turns:
        outcome.take(turn)
    return outcome


def test_the_drawing_has_every_state_and_every_turn() -> None:
    assert set(drawn()) == set(product(JobState, Turn))


@pytest.mark.parametrize("turn", Turn)
@pytest.mark.parametrize("state", JobState)
def test_a_turn_leads_where_the_drawing_says_and_tells_whether_anything_changed(state: JobState, turn: Turn) -> None:
    outcome = after(*WAYS[state])
    assert outcome.state is state
    wanted = drawn()[state, turn]

    changed = outcome.take(turn)

    assert (outcome.state, changed) == (wanted, wanted is not state)


@pytest.mark.parametrize("state", JobState)
def test_only_a_job_that_a_budget_ended_is_stopped(state: JobState) -> None:
    outcome = after(*WAYS[state])

    assert outcome.stopped is (state is JobState.STOPPED_BUDGET)
    assert repr(outcome) == f"<Outcome {state.value}>"


@given(st.lists(st.sampled_from(Turn)))
def test_a_final_state_stays_whatever_happens_later(turns: list[Turn]) -> None:
    outcome = Outcome()
    states, changes = [outcome.state], []
    for turn in turns:
        changes.append(outcome.take(turn))
        states.append(outcome.state)

    assert changes == [later is not earlier for earlier, later in pairwise(states)]
    assert all(later is earlier for earlier, later in pairwise(states) if earlier in FINAL)
    assert sum(later in FINAL and earlier not in FINAL for earlier, later in pairwise(states)) <= 1


def test_nobody_writes_a_state_past_the_table() -> None:
    outcome = after(Turn.START, Turn.STOPPED)

    with pytest.raises(AttributeError):
        outcome.state = JobState.COMPLETED  # type: ignore[misc]
    with pytest.raises(AttributeError):
        outcome.stopped = False  # type: ignore[misc]
    with pytest.raises(TypeError):
        cast("Any", TRANSITIONS)[JobState.STOPPED_BUDGET, Turn.PASSED] = JobState.COMPLETED
    assert outcome.state is JobState.STOPPED_BUDGET


class Interrupted:
    """A turn that equals `passed`, and lets another thread in while the table is looked up."""

    def __init__(self, meanwhile: threading.Thread) -> None:
        self._meanwhile = meanwhile

    def __hash__(self) -> int:
        if self._meanwhile.ident is None:
            self._meanwhile.start()
            self._meanwhile.join(0.1)  # it gets as far as it can
        return hash(Turn.PASSED)

    def __eq__(self, other: object) -> bool:
        return other is Turn.PASSED


def test_no_turn_is_taken_amid_another_one() -> None:
    outcome = after(Turn.START)
    changed: list[bool] = []
    stopping = threading.Thread(target=lambda: changed.append(outcome.take(Turn.STOPPED)))

    changed.append(outcome.take(cast("Turn", Interrupted(stopping))))
    stopping.join()

    assert outcome.state is JobState.COMPLETED
    assert changed == [True, False]


def test_of_many_threads_one_ends_a_job() -> None:
    ends = [Turn.PASSED, Turn.FAILED, Turn.STOPPED, Turn.CANCELLED] * 4
    with ThreadPoolExecutor(len(ends)) as pool:
        for _ in range(50):
            outcome, barrier = after(Turn.START), threading.Barrier(len(ends))

            def end(turn: Turn, outcome: Outcome = outcome, barrier: threading.Barrier = barrier) -> JobState | None:
                barrier.wait()
                return TRANSITIONS[JobState.RUNNING, turn] if outcome.take(turn) else None

            ended = [state for state in pool.map(end, ends) if state is not None]

            assert ended == [outcome.state]
