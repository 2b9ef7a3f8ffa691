"""A job: what a job budget holds. One test by default, or the tests of a group, or a fixture of wider scope.

It knows its state, its plan of limits, its clock, and what it used. Steps are named parts of it; which steps a call
belongs to follows the code into tasks, and into threads through `intercept.threads`.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from tapemeter.budget.tally import Tally
from tapemeter.intent import CallRecord
from tapemeter.outcome import Outcome, Turn
from tapemeter.values import Mutable, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tapemeter.budget.plan import Plan
    from tapemeter.budget.policy import Policy
    from tapemeter.budget.stop import Stop
    from tapemeter.clock import JobClock
    from tapemeter.intent import Intent

_steps: ContextVar[tuple[StepRun, ...]] = ContextVar("tapemeter_steps", default=())


class StepRun(Mutable):
    """One run of a step; a step that is entered again is another run, with limits of its own."""

    job: Job
    name: str
    """The path of steps that lead to it, joined by `/`."""
    number: int
    began: float
    usage: Tally = field(default_factory=Tally)

    @property
    def account(self) -> str:
        """Its name in the ledger."""
        return f"step:{self.job.name}/{self.name}#{self.number}"


class Job:
    """One job in this process. Safe for threads."""

    def __init__(self, name: str, *, plan: Plan, clock: JobClock) -> None:
        self.name = name
        self.plan = plan
        self.clock = clock
        self.outcome = Outcome()
        self.usage = Tally()
        self.stop: Stop | None = None
        self.tests: list[str] = []
        """The node ids of its tests, in the order in which they ran."""
        self.expected_stop = False
        """Whether a test of it expects that a budget stops it."""
        self.disagreement: str | None = None
        self.calls_let_through = 0
        """Calls that were sent or played, or are about to be."""
        self.gate = threading.RLock()
        """Held while it is decided on a call."""
        self.touched = False
        """Whether it ever made a call; a job that did not leaves no evidence."""
        self.step_limits: list[dict[str, Any]] = []
        """What each run of a step used of its limits, as evidence."""
        self._calls = 0
        self._step_runs: dict[str, int] = {}
        self._retryable: dict[bytes, list[CallRecord]] = {}
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<Job {self.name} {self.outcome.state}>"

    @property
    def account(self) -> str:
        """Its name in the ledger."""
        return f"job:{self.name}"

    @property
    def steps(self) -> tuple[StepRun, ...]:
        """The steps of this job that the running code is in, outermost first."""
        return tuple(step for step in _steps.get() if step.job is self)

    def tighten(self, policy: Policy) -> None:
        """Have the limits of a further policy hold as well."""
        from tapemeter.budget.plan import Plan  # noqa: PLC0415 - only jobs of several tests, and overridden fixtures

        self.plan = Plan(self.plan.policy.tightened(policy))

    def end(self, stop: Stop) -> bool:
        """Stop the job; return whether this stop is the one that did."""
        with self._lock:
            if not self.outcome.take(Turn.STOPPED):
                return False
            self.stop = stop
            return True

    @contextmanager
    def step(self, name: str, done: Callable[[StepRun, BaseException | None], None]) -> Iterator[StepRun]:
        """Have calls of the block belong to a step; `done` is told at its end, with the error that ended it."""
        path = "/".join((*(step.name for step in self.steps[-1:]), name))
        with self._lock:
            number = self._step_runs[path] = self._step_runs.get(path, 0) + 1
        run = StepRun(self, path, number, self.clock.now())
        token = _steps.set((*_steps.get(), run))
        try:
            yield run
        except BaseException as error:
            done(run, error)
            raise
        else:
            done(run, None)
        finally:
            _steps.reset(token)

    def call(self, digest: bytes, *, again: bool, intent: Intent | None = None) -> tuple[CallRecord, int]:
        """Return the call that a request belongs to, and which attempt at it this is, from 0.

        It is another attempt where the program says by its `intent` that it is; else where the same request just
        failed in a way that is retried, or where the client says that it sends it `again`.
        """
        with self._lock:
            if intent is not None:
                record = intent.record = intent.record or self._new_call()
            elif failed := self._retryable.get(digest):
                record = failed.pop(0)
            else:
                record = self._new_call()
                record.attempts += again
            attempt = record.attempts
            record.attempts += 1
            return record, attempt

    def _new_call(self) -> CallRecord:
        self._calls += 1
        return CallRecord(f"{self.name}#{self._calls}", self._calls, self.clock.now())

    def let_through(self, record: CallRecord) -> None:
        """Count a call that no limit refuses; further attempts at it count no more."""
        with self._lock:
            self.calls_let_through += not record.let_through
            record.let_through = True

    def hold_back(self, record: CallRecord) -> None:
        """Count a call no longer that no limit refused, but that has no recording."""
        with self._lock:
            self.calls_let_through -= record.let_through
            record.let_through = False

    def retryable(self, digest: bytes, record: CallRecord) -> None:
        """Note that an attempt failed in a way that clients retry."""
        with self._lock:
            self._retryable.setdefault(digest, []).append(record)


def current_steps() -> tuple[StepRun, ...]:
    """Return the steps that the running code is in, of whatever job."""
    return _steps.get()


def bind_steps(steps: tuple[StepRun, ...]) -> tuple[StepRun, ...]:
    """Have the running code be in these steps; return those it was in."""
    before = _steps.get()
    _steps.set(steps)
    return before
