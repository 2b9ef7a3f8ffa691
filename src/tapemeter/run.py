"""One run: its budget, its clock, its evidence, and the report at its end.

Nothing is opened, and no folder made, before the first model call. Where several processes run tests, each has a run
of the same id; they share a ledger, write evidence of their own, and one of them finishes it for all.
"""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tapemeter.clock import RunClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Final

    from tapemeter.alarms import Alarms
    from tapemeter.budget.ledger import Ledger
    from tapemeter.budget.policy import Policy
    from tapemeter.events import EventLog
    from tapemeter.metering.gate import Gate
    from tapemeter.metering.meter import Meter
    from tapemeter.orchestrator import Orchestrator
    from tapemeter.pricing import Overrides, Prices

_LEDGER = "ledger.sqlite"
MAIN = "main"
"""The process that finishes a run."""


def new_run_id(now: datetime | None = None) -> str:
    """Return the id of a run that begins now, such as `20261121T074430.123Z-3f9c2a`; later ones sort after it."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z-{os.urandom(3).hex()}"


class Place:
    """Where a run keeps what it writes, and which of its processes this one is.

    `shared` is a folder for what its processes share while they run; None where there is one process.
    """

    def __init__(self, report_dir: Path, run_id: str, process: str = MAIN, shared: Path | None = None) -> None:
        self.report_dir: Final = report_dir
        self.run_id: Final = run_id
        self.process: Final = process
        self.shared: Final = shared

    @property
    def folder(self) -> Path:
        """The folder of the run's evidence."""
        return self.report_dir / "runs" / self.run_id


class Run:
    """A run as one process sees it. With `keeps_responses` its evidence holds the text of answers.

    `policy` has the limits that hold for every job, if there are any; `alarms` makes what tells of them, for the first
    evidence.
    """

    def __init__(
        self,
        place: Place,
        *,
        policy: Policy | None = None,
        overrides: Overrides | None = None,
        keeps_responses: bool = True,
        alarms: Callable[[Place], Alarms] | None = None,
        facts: Mapping[str, Any],
    ) -> None:
        self.place = place
        self._policy = policy
        self.clock = RunClock()
        self._overrides = overrides
        self._keeps_responses = keeps_responses
        self._new_alarms = alarms
        self.alarms: Alarms | None = None
        """What tells of budgets, once there is evidence."""
        self._facts = dict(facts)
        self._times: dict[str, int] = {}
        self._lock = threading.Lock()

    @cached_property
    def policy(self) -> Policy:
        """The limits that hold for every job."""
        from tapemeter.budget.policy import Policy  # noqa: PLC0415 - see the module's docstring

        return self._policy or Policy("default")

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger: in memory for one process, in a file for several."""
        if self.place.shared is None:
            from tapemeter.budget.memory_ledger import MemoryLedger  # noqa: PLC0415 - as above

            return MemoryLedger()
        from tapemeter.budget.sqlite_ledger import SqliteLedger  # noqa: PLC0415

        return SqliteLedger(self.place.shared / _LEDGER)

    @cached_property
    def prices(self) -> Prices:
        """The prices, those of the project's own file first."""
        from tapemeter.pricing import Prices  # noqa: PLC0415 - as above

        return Prices(self._overrides)

    @cached_property
    def evidence(self) -> Evidence:
        """The evidence of this process."""
        from tapemeter.events import EventLog  # noqa: PLC0415 - as above

        log = EventLog(self.place.folder, run_id=self.place.run_id, process=self.place.process)
        self.alarms = None if self._new_alarms is None else self._new_alarms(self.place)
        return Evidence(log, self._preamble, self.alarms)

    @cached_property
    def gate(self) -> Gate:
        """What holds calls to the limits."""
        from tapemeter.metering.gate import Gate  # noqa: PLC0415 - as above

        return Gate(ledger=self.ledger, sink=self.evidence, run=self.clock)

    @cached_property
    def meter(self) -> Meter:
        """What books every call."""
        from tapemeter.events.artifacts import Artifacts  # noqa: PLC0415 - see the module's docstring
        from tapemeter.metering.meter import Meter  # noqa: PLC0415 - as above

        artifacts = Artifacts(self.place.folder) if self._keeps_responses else None
        return Meter(gate=self.gate, prices=self.prices, sink=self.evidence, artifacts=artifacts)

    @cached_property
    def orchestrator(self) -> Orchestrator:
        """What runs the jobs."""
        from tapemeter.orchestrator import Orchestrator  # noqa: PLC0415 - as above

        shared = self.place.shared is not None
        return Orchestrator(gate=self.gate, sink=self.evidence, shared=shared)

    def job_name(self, name: str) -> str:
        """Return the name of a job that begins: a test that is run again is another job."""
        with self._lock:
            times = self._times[name] = self._times.get(name, 0) + 1
        return name if times == 1 else f"{name} (run {times})"

    def close_groups(self, failed: frozenset[str]) -> None:
        """End the jobs of several tests, if there are any; one is failed if one of its tests is among the `failed`."""
        if "orchestrator" in vars(self):
            self.orchestrator.close_groups(failed)

    @property
    def has_limits(self) -> bool:
        """Whether any limit holds for every job."""
        return self._policy is not None and bool(self._policy.limits)

    def share(self, folder: Path) -> str:
        """Have other processes take part, before any call was made; return the run's id."""
        self.place = Place(self.place.report_dir, self.place.run_id, self.place.process, folder)
        return self.place.run_id

    @property
    def stopped(self) -> str | None:
        """Why the whole run is out of budget, None while it is not."""
        shared = self.place.shared
        known = "ledger" in vars(self) or (shared is not None and (shared / _LEDGER).exists())
        if not known:
            return None
        from tapemeter.metering.attempt import RUN  # noqa: PLC0415 - as above

        return self.ledger.stopped(RUN)

    @property
    def has_evidence(self) -> bool:
        """Whether this process or another has written anything."""
        if "evidence" in vars(self) and self.evidence.written:
            return True
        return self.place.folder.is_dir() and any(self.place.folder.iterdir())

    def close(self) -> None:
        """Deliver the last alarms, and close this process's files."""
        if self.alarms is not None:
            self.alarms.close()
        if "evidence" in vars(self):
            self.evidence.close()
        if "ledger" in vars(self):
            self.ledger.close()

    def finish(
        self, *, guard: str, reason: str | None, suite: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """End the run for all its processes and return its report; None where no process made a call.

        `suite` says how much of its suite a test runner ran; None where there is no suite.
        EvidenceError where the report, or a line that it is made of, is not what its schema says.
        """
        if not self.has_evidence:
            return None
        for note in self.ledger.lapse():
            self.evidence.write("lapsed", json.loads(note))
        seconds = self.clock.replayed if self._facts.get("mode") == "replay" else self.clock.passed
        self.evidence.write(
            "end",
            {
                "limits": self.orchestrator.run_limits(self.policy, seconds),
                "wall_seconds": round(self.clock.passed, 6),
                "guard": guard,
                "reason": reason,
                "workers": sorted(path.name for path in self.place.folder.iterdir() if path.is_file()),
                **({} if suite is None else {"suite": suite}),
            },
        )
        self.close()
        from tapemeter import report  # noqa: PLC0415 - only a run that made calls has one

        return report.write(self.place.folder)

    def _preamble(self) -> dict[str, Any]:
        import platform  # noqa: PLC0415 - as what follows, only for evidence
        from importlib.metadata import version  # noqa: PLC0415

        from tapemeter.budget.dimensions import Scope, plain  # noqa: PLC0415

        policy = self.policy
        return {
            **self._facts,
            "versions": {
                "tapemeter": version("pytest-tapemeter"),
                "python": platform.python_version(),
                "genai_prices": version("genai-prices"),
                **self._facts.get("versions", {}),
            },
            "limits": [
                {
                    "scope": limit.scope.value,
                    "dimension": limit.dimension.value,
                    "limit": plain(limit.dimension, limit.value),
                    "source": limit.source,
                    **({"model": limit.model} if limit.model is not None else {}),
                    **({"alias": limit.alias} if limit.alias is not None else {}),
                }
                for limit in policy.limits
                if limit.scope is Scope.RUN
            ],
            "warn_at": None if policy.warn_at is None else str(policy.warn_at),
            "on_stop": None if policy.on_stop is None else policy.on_stop.value,
            "unknown_cost": None if policy.unknown_cost is None else policy.unknown_cost.value,
        }


class Evidence:
    """An event log whose first line says what run it is of."""

    def __init__(self, log: EventLog, preamble: Callable[[], Mapping[str, Any]], alarms: Alarms | None = None) -> None:
        self.log = log
        self.written = False
        self._preamble = preamble
        self._alarms = alarms
        self._lock = threading.RLock()

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Append an event."""
        if not self.written:
            with self._lock:
                if not self.written:
                    self.log.write("run", self._preamble())
                    self.written = True
        self.log.write(kind, fields)
        if self._alarms is not None:
            self._alarms.note(kind, fields)

    def close(self) -> None:
        """Close the file."""
        self.log.close()
