"""Runs jobs: begins and ends them and their steps, holds them to their deadlines, and says what became of each.

It shares nothing with the harness that checks calls (`metering.gate`) but the job itself and the ledger, so each can
be held against the other: where they disagree on whether a job was stopped, or on what it used, that is an error in
the report.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tapemeter.budget import stop as stops
from tapemeter.budget.dimensions import COUNTED, Dimension, Scope, plain, to_units
from tapemeter.budget.plan import Plan
from tapemeter.job import Job
from tapemeter.metering import standing
from tapemeter.metering.attempt import RUN
from tapemeter.outcome import Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.budget.policy import Limit, Policy
    from tapemeter.clock import JobClock
    from tapemeter.job import StepRun
    from tapemeter.metering.evidence import Sink
    from tapemeter.metering.gate import Gate


class Orchestrator:
    """The jobs of one run in one process. Safe for threads.

    `shared` is whether other processes book on the same ledger.
    """

    def __init__(self, *, gate: Gate, sink: Sink, shared: bool) -> None:
        self._gate = gate
        self._sink = sink
        self._shared = shared
        self._groups: dict[str, Job] = {}
        self._plan: Plan | None = None

    def job(self, name: str, policy: Policy, *, clock: JobClock, group: str | None = None) -> Job:
        """Return a new job, which is that of a group of tests if it names one."""
        plan = self._plan
        if plan is None or plan.policy is not policy:  # most jobs have the run's limits, and a plan remembers its slots
            plan = self._plan = Plan(policy)
        job = Job(name, plan=plan, clock=clock)
        if group is not None:
            self._groups[group] = job
        return job

    def group(self, name: str) -> Job | None:
        """Return the job of a group of tests; None for a group that has none yet."""
        return self._groups.get(name)

    def is_group(self, job: Job) -> bool:
        """Whether a job goes on after its test."""
        return self._groups.get(job.name) is job

    def enter(self, job: Job, test: str) -> None:
        """Begin a test of a job, and its time."""
        job.clock.enter()
        self.begin(job, test)

    def begin(self, job: Job, test: str) -> None:
        """Begin a test of a job, whose time runs already."""
        job.outcome.take(Turn.START)
        if test not in job.tests:
            job.tests.append(test)

    def check_time(self, job: Job) -> stops.Stop | None:
        """Return the stop of a job, after stopping it if it is still running at its deadline."""
        self._hold(job, 0.0, Scope.JOB)
        return job.stop

    def close(self, job: Job, turn: Turn) -> None:
        """End a job for good, and write what became of it."""
        job.clock.pause()
        job.outcome.take(turn)
        job.disagreement = self._disagreement(job)
        if job.touched:
            self._sink.write("job", self._event(job))

    def close_groups(self, failed: frozenset[str] = frozenset()) -> None:
        """End the jobs of several tests; one is failed if one of its tests is among the `failed`."""
        for job in list(self._groups.values()):
            self.close(job, Turn.FAILED if failed.intersection(job.tests) else Turn.PASSED)
        self._groups.clear()

    @contextmanager
    def step(self, job: Job, name: str) -> Iterator[StepRun]:
        """Have the calls of the block belong to a step of a job."""
        with job.step(name, self._end_step) as run:
            yield run

    def _end_step(self, run: StepRun, error: BaseException | None) -> None:
        job = run.job
        self._hold(job, run.began, Scope.STEP, step=run.name)
        if not job.touched:
            return
        seconds = job.clock.now() - run.began
        outcome = "stopped" if job.outcome.stopped else "completed" if error is None else "failed"
        self._sink.write(
            "step",
            {
                "job": job.name,
                "step": run.name,
                "number": run.number,
                "outcome": outcome,
                "wall_seconds": round(seconds, 6),
                "calls": run.usage.calls,
            },
        )
        for limit in job.plan.policy.limits:
            if limit.scope is Scope.STEP:
                job.step_limits.append({**self._used(limit, run.account, seconds), "step": run.name})

    def _hold(self, job: Job, began: float, scope: Scope, *, step: str | None = None) -> None:
        """Stop a job whose time is up though it makes no call."""
        for limit in job.plan.policy.limits:
            if limit.dimension is not Dimension.WALL_SECONDS or limit.scope is not scope or limit.selector:
                continue
            used = to_units(limit.dimension, max(0.0, job.clock.now() - began))
            if used > limit.value:
                stop = stops.Stop(
                    over=limit,
                    what=stops.LATE,
                    used_units=used,
                    reserved_units=0,
                    asked_units=0,
                    call="",
                    call_id=None,
                    after_calls=job.calls_let_through,
                )
                job.touched = True
                self._gate.end(job, stop, step=step, test=job.tests[-1] if job.tests else None, model=None)

    # What became of a job

    def _disagreement(self, job: Job) -> str | None:
        refused = job.name in self._gate.stopped
        if refused is not job.outcome.stopped:
            harness = "stopped it" if refused else "let every call of it through"
            return f"the harness {harness}, the orchestrator has it as {job.outcome.state}"
        booked = self._gate.ledger.balance(job.account).used
        for dimension in COUNTED:
            ledger, own = booked.get(dimension, 0), job.usage.units(dimension)
            if ledger < own or (ledger > own and not (self._shared and self.is_group(job))):
                return (
                    f"the ledger booked {plain(dimension, ledger)} {dimension} on it, its calls used "
                    f"{plain(dimension, own)}"
                )
        return None

    def _event(self, job: Job) -> dict[str, Any]:
        seconds = job.clock.now()
        return {
            "job": job.name,
            "state": job.outcome.state.value,
            "tests": job.tests,
            "expected_stop": job.expected_stop,
            "wall_seconds": round(seconds, 6),
            "limits": [
                *(
                    self._used(limit, job.account, seconds)
                    for limit in job.plan.policy.limits
                    if limit.scope is Scope.JOB and limit.dimension is not Dimension.IDLE_STREAM_SECONDS
                ),
                *job.step_limits,
            ],
            "disagreement": job.disagreement,
        }

    def run_limits(self, policy: Policy, seconds: float) -> list[dict[str, Any]]:
        """Return the limits of the run with what was used of each."""
        return [
            self._used(limit, RUN, seconds)
            for limit in policy.limits
            if limit.scope is Scope.RUN and limit.dimension is not Dimension.IDLE_STREAM_SECONDS
        ]

    def _used(self, limit: Limit, name: str, seconds: float) -> dict[str, Any]:
        dimension = limit.dimension
        timed = dimension is Dimension.WALL_SECONDS
        stands = standing.timed(limit, seconds) if timed else standing.counted(limit, name, self._gate.ledger)
        return {
            "scope": limit.scope.value,
            "dimension": dimension.value,
            "limit": plain(dimension, limit.value),
            "used": plain(dimension, stands.used),
            "source": limit.source,
            **({"model": limit.model} if limit.model is not None else {}),
            **({"alias": limit.alias} if limit.alias is not None else {}),
        }
