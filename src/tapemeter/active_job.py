"""A job as its test or program sees it: the `llm_job` fixture, and what `open_run().job()` gives."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tapemeter.budget.dimensions import Dimension, Scope, natural

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from tapemeter.budget.policy import Limit
    from tapemeter.budget.stop import Stop
    from tapemeter.budget.tally import Tally
    from tapemeter.job import Job, StepRun
    from tapemeter.run import Run


class ActiveJob:
    """What a test can ask of its job."""

    def __init__(self, job: Job, run: Run) -> None:
        self._job, self._run = job, run

    @classmethod
    def of_nothing(cls, name: str) -> ActiveJob:
        """Return the job of a test with which nothing is done, as in mode off: it counts nothing."""
        from pathlib import Path  # noqa: PLC0415 - mode off is rare

        from tapemeter.budget.policy import Policy  # noqa: PLC0415
        from tapemeter.clock import JobClock  # noqa: PLC0415
        from tapemeter.run import Place, Run  # noqa: PLC0415

        run = Run(Place(Path(), "none"), policy=Policy("none"), facts={})
        return cls(run.orchestrator.job(name, run.policy, clock=JobClock(run.clock, replays=False)), run)

    def __repr__(self) -> str:
        return f"<llm_job {self.name} {self.state}>"

    @property
    def name(self) -> str:
        """The test's node id, or the name that a llm_job marker gives."""
        return self._job.name

    @property
    def state(self) -> str:
        """PENDING, RUNNING, COMPLETED, FAILED, STOPPED_BUDGET or CANCELLED."""
        return self._job.outcome.state.value

    @property
    def stop(self) -> Stop | None:
        """Why a budget stopped the job: limit, scope, used, value, asked, call, after_calls; None where none did."""
        return self._job.stop

    @property
    def usage(self) -> Tally:
        """What the job used so far."""
        return self._job.usage

    @property
    def budget(self) -> JobBudget:
        """The job's own limits, and what is left of them."""
        return JobBudget(self._job, self._run)

    def step(self, name: str) -> AbstractContextManager[StepRun]:
        """Have the calls of a block belong to a step; steps in one another are joined by `/`."""
        return self._run.orchestrator.step(self._job, name)


class JobBudget:
    """The limits of a job's scope that hold for every call of it."""

    def __init__(self, job: Job, run: Run) -> None:
        self._job, self._run = job, run

    def __repr__(self) -> str:
        return f"<budget {dict(self.remaining)}>"

    @property
    def limits(self) -> Mapping[str, Any]:
        """The limits by dimension: Decimal for money, float for seconds, int for all else."""
        return MappingProxyType({limit.dimension.value: _natural(limit, limit.value) for limit in self._limits()})

    @property
    def remaining(self) -> Mapping[str, Any]:
        """What is left of each, with what is set aside for calls under way taken off; never below zero."""
        return MappingProxyType({limit.dimension.value: self._left(limit) for limit in self._limits()})

    def _limits(self) -> list[Limit]:
        return [
            limit
            for limit in self._job.plan.policy.limits
            if limit.scope is Scope.JOB and not limit.selector and limit.dimension is not Dimension.IDLE_STREAM_SECONDS
        ]

    def _left(self, limit: Limit) -> Any:
        from tapemeter.metering.standing import Standings  # noqa: PLC0415 - few tests ask what is left

        return _natural(limit, Standings(self._job, self._run.ledger).of(limit).left)


def _natural(limit: Limit, units: int) -> Any:
    return natural(limit.dimension, units)
