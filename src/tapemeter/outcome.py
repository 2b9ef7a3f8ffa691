"""What became of a job: its states, and every way from one to another.

    PENDING ──start──> RUNNING ──passed──> COMPLETED
                          │────failed────> FAILED
                          │────stopped───> STOPPED_BUDGET
                          └────cancelled─> CANCELLED

A state on the right is final: whatever happens later, it stays. So a test that swallowed its stop and went on to
its end has a job that is STOPPED_BUDGET all the same. Nothing else writes a job's state.
"""

from __future__ import annotations

import threading
from enum import StrEnum
from types import MappingProxyType


class JobState(StrEnum):
    """Where a job is in its life."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPED_BUDGET = "STOPPED_BUDGET"
    CANCELLED = "CANCELLED"


class Turn(StrEnum):
    """What can happen to a job."""

    START = "start"
    PASSED = "passed"
    FAILED = "failed"
    STOPPED = "stopped"
    CANCELLED = "cancelled"


TRANSITIONS = MappingProxyType(
    {
        (JobState.PENDING, Turn.START): JobState.RUNNING,
        (JobState.PENDING, Turn.CANCELLED): JobState.CANCELLED,
        (JobState.RUNNING, Turn.START): JobState.RUNNING,
        (JobState.RUNNING, Turn.PASSED): JobState.COMPLETED,
        (JobState.RUNNING, Turn.FAILED): JobState.FAILED,
        (JobState.RUNNING, Turn.STOPPED): JobState.STOPPED_BUDGET,
        (JobState.RUNNING, Turn.CANCELLED): JobState.CANCELLED,
    }
)
"""The state that follows; a pair that is missing changes nothing."""


class Outcome:
    """The state of one job, and its one writer. Safe for threads."""

    def __init__(self) -> None:
        self._state = JobState.PENDING
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<Outcome {self._state}>"

    @property
    def state(self) -> JobState:
        """Where the job is now."""
        return self._state

    @property
    def stopped(self) -> bool:
        """Whether a budget ended the job."""
        return self._state is JobState.STOPPED_BUDGET

    def take(self, turn: Turn) -> bool:
        """Go where the table leads; return whether that changed the state."""
        with self._lock:
            before = self._state
            self._state = TRANSITIONS.get((before, turn), before)
            return self._state is not before
