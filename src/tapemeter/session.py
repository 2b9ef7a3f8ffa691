"""The composition root: wires settings, redaction, interception, the network guard, the owners of calls, the run."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter import intercept
from tapemeter import owner as owners
from tapemeter.cassette.mode import Mode
from tapemeter.clock import JobClock
from tapemeter.findings import Findings
from tapemeter.intercept import guard
from tapemeter.owner import Owner, State
from tapemeter.run import MAIN, Place, Run, new_run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tapemeter.alarms import Alarms, Receiver
    from tapemeter.budget.policy import Policy
    from tapemeter.cassette.cassette import Cassette
    from tapemeter.cassette.match import Matcher
    from tapemeter.cassette.mode import OnStale, Strict
    from tapemeter.cassette.recorded import Recorded
    from tapemeter.errors import NetworkBlockedError
    from tapemeter.isolation.children import Folder
    from tapemeter.job import Job
    from tapemeter.metering.meter import Meter
    from tapemeter.model import Request
    from tapemeter.network import AllowList
    from tapemeter.redact import Redactor
    from tapemeter.settings import CassetteArguments, Settings

    Normalize = Callable[[Request], Request]


class Session:
    """One run: what its owners share, from `start` to `stop`.

    `run` is its budget and evidence. `redact` gives more rules, when they are first needed.
    """

    def __init__(self, settings: Settings, run: Run, redact: Callable[[], Iterable[str]] = tuple) -> None:
        self.settings = settings
        self.run = run
        self.findings = Findings()
        self._more_rules = redact
        self._undo: list[Callable[[], None]] = []
        self._children: Folder | None = None
        self._process = os.getpid()

    @property
    def mode(self) -> Mode | None:
        """The mode that holds for every test; None where only marked tests are concerned."""
        return self.settings.mode

    @property
    def is_live(self) -> bool:
        """Whether live was asked for, so that no cassette is read or written."""
        return self.mode is Mode.LIVE and self.settings.mode_source is not None

    @property
    def replay_speed(self) -> float | None:
        """How much faster than recorded answers are replayed; None for at once."""
        return self.settings.replay_speed

    @property
    def strict(self) -> Strict:
        """What is done about recordings that answer other requests than they were recorded for."""
        return self.settings.strict

    @property
    def on_stale(self) -> OnStale:
        """What is done about recordings that are older than they may be."""
        return self.settings.on_stale

    @property
    def root(self) -> Path:
        """The folder that paths in messages are relative to."""
        return self.settings.root

    @property
    def meter(self) -> Meter:
        """What books every model call."""
        return self.run.meter

    @cached_property
    def redactor(self) -> Redactor:
        """What hides secrets; asked for when every conftest has had its say."""
        from tapemeter.redact import Redactor  # noqa: PLC0415 - not before there is a call

        return Redactor(self._rules)

    @cached_property
    def _rules(self) -> tuple[str, ...]:
        """The rules for it besides those that are built in."""
        return (*self.settings.redact, *self._more_rules())

    @cached_property
    def _allowed(self) -> AllowList:
        """What the settings let every test reach."""
        from tapemeter.network import AllowList  # noqa: PLC0415 - not before something wants to be reached

        return AllowList.default().plus(self.settings.allow_hosts)

    @cached_property
    def _recorded(self) -> Recorded:
        """What the run has recorded."""
        from tapemeter.cassette.recorded import Recorded  # noqa: PLC0415 - only a session that records

        return Recorded(self.run.place.shared)

    def start(self, *, runs_code: bool = True) -> None:
        """Intercept client libraries and put the network guard up; InterceptionError where calls would be missed.

        `runs_code` is false where other processes run the tests, each with a session of its own.
        """
        self._undo.append(intercept.install())
        guard.install()
        self._undo.append(guard.push(self._judge, names=self._names, on_refusal=self._note_blocked))
        owners.open_house(self)
        self._undo.append(lambda: owners.close_house(self))
        if self.settings.guard == "process" and runs_code:
            self._guard_children()

    def note_unowned(self, what: str) -> None:
        """Note a model call that went out unrecorded, since it belongs to no running test."""
        self.findings.unowned.append(what)

    @property
    def network_guard(self) -> str:
        """The network guard in force, as the evidence names it."""
        if self.settings.guard == "namespace":  # whatever the mode, since all of the process is in it
            return self.settings.guard
        return self.settings.guard if self.mode is Mode.REPLAY else "none"

    def gather(self) -> None:
        """Take in what was refused in child processes so far."""
        if self._children is not None:
            self.findings.blocked += self._children.refusals()

    def end_alarms(self) -> None:
        """Wait for the last alarms to be delivered, but not for long."""
        if self.run.alarms is not None:
            self.findings.undelivered += self.run.alarms.close()

    @property
    def is_open(self) -> bool:
        """Whether it has started, and not stopped since."""
        return bool(self._undo)

    def stop(self) -> None:
        """Undo all that `start` did."""
        while self._undo:
            self._undo.pop()()

    def owner(
        self,
        label: str,
        *,
        nodeid: str,
        path: Path | Callable[[], Path],
        arguments: CassetteArguments,
        job: Job | str | None = None,
        group: bool = False,
        policy: Policy | None = None,
        allowed: AllowList | None = None,
        default_mode: Mode | None = None,
        normalizer: Callable[[], Normalize | None] = lambda: None,
    ) -> Owner:
        """Return a new owner with its cassette at `path`; nothing is read, and neither job nor cassette made yet.

        `allowed` is what a marker lets it reach; it holds together with what the settings allow. `job` is what its
        calls are booked on: one that there is, or the name of one, by default the label; that of a `group` of tests
        is shared by all who name it. The limits of `policy` hold besides those of the run's. `normalizer` finds what
        requests are normalised with.
        """
        if self._rules:
            _ = self.redactor  # a wrong rule is told here, not by the first call
        mode = self.settings.mode_for(arguments.mode or default_mode)
        replays = mode is Mode.REPLAY
        known = self._known_job(job, policy, replays=replays, group=group)
        name = self.run.job_name(str(job or label)) if known is None else known.name
        clock = JobClock(self.run.clock, replays=replays) if known is None else known.clock
        made = Owner(
            label,
            house=self,
            mode=mode,
            clock=clock,
            job=known,
            make_job=lambda: self._new_job(name, policy, clock, nodeid),
            make_cassette=lambda path: self._cassette(path, mode, arguments, normalizer()),
            find_path=path if callable(path) else lambda: path,
            find_allowed=lambda: self._together(allowed),
            guarded=replays or (allowed is not None and mode is not Mode.OFF),
            nodeid=nodeid,
        )
        max_age = self.settings.max_age_for(arguments.max_age)
        if max_age is not None:
            from tapemeter.cassette import age  # noqa: PLC0415 - only where recordings may be too old

            made.stale_before = age.cutoff(max_age, self.run.clock.today)
        return made

    def _known_job(self, job: Job | str | None, policy: Policy | None, *, replays: bool, group: bool) -> Job | None:
        """Return the job that there is for an owner, limited further by the policy; None where it gets its own."""
        if job is None or (isinstance(job, str) and not group):
            return None
        if not isinstance(job, str):
            if policy is not None:
                job.tighten(policy)
            return job
        orchestrator = self.run.orchestrator
        known = orchestrator.group(job)
        if known is None:
            clock = JobClock(self.run.clock, replays=replays)
            return orchestrator.job(self.run.job_name(job), self._limits(policy), clock=clock, group=job)
        known.tighten(self._limits(policy))
        return known

    def _new_job(self, name: str, policy: Policy | None, clock: JobClock, test: str) -> Job:
        orchestrator = self.run.orchestrator
        job = orchestrator.job(name, self._limits(policy), clock=clock)
        orchestrator.begin(job, test)
        return job

    def _limits(self, policy: Policy | None) -> Policy:
        return self.run.policy if policy is None else self.run.policy.tightened(policy)

    def _cassette(self, path: Path, mode: Mode, arguments: CassetteArguments, normalize: Normalize | None) -> Cassette:
        from tapemeter.cassette.cassette import Cassette  # noqa: PLC0415 - not before there is a call

        matcher = self._matcher
        if arguments.match_on or arguments.ignore or normalize is not None:
            parts, ignore, secrets = arguments.match_on or matcher.parts, arguments.ignore or (), matcher.secrets
            matcher = type(matcher)(parts=parts, ignore=ignore, secrets=secrets, normalize=normalize)
        return Cassette(path, matcher, mode=mode, repeat=bool(arguments.repeat))

    @cached_property
    def _matcher(self) -> Matcher:
        """What compares the requests of a test that says nothing of it."""
        from tapemeter.cassette.match import Matcher  # noqa: PLC0415 - as above

        return Matcher(secrets=self.redactor.query_parameters)

    def commit(self, owner: Owner) -> bool:
        """Write what an owner recorded to its cassette; return whether the file changed."""
        if not owner.mode.records or (owner.mode.plays and not owner.has_cassette):
            return False
        changed = owner.cassette.commit(self._recorded)
        if changed:
            self.findings.written.append(owner.cassette_name)
        return changed

    def close(self, owner: Owner, *, keep: bool) -> None:
        """End an owner; what it recorded is written if `keep`. Later calls of its code are left-overs."""
        for end in list(owner.pending.values()):
            end()
        self._tell(owner)
        try:
            if keep:
                self.commit(owner)
        finally:
            owners.leave(owner, State.CLOSED)

    def _tell(self, owner: Owner) -> None:
        """Write what an owner found of its recordings as evidence: that they have drifted, or are too old."""
        if not owner.has_drifted and not owner.stale:
            return
        from tapemeter.cassette import drift  # noqa: PLC0415 - only where there is something to tell

        owner.job.touched = True  # also where none of these was a model call
        who = {
            "job": owner.job.name,
            "test": owner.nodeid if owner.markable else None,
            "cassette": owner.cassette_name,
        }
        for found in drift.events(owner.drift):
            self.run.evidence.write("drift", {**who, **found})
        if owner.stale:
            old = {"recordings": len(owner.stale), "oldest": min(owner.stale), "before": owner.stale_before}
            self.run.evidence.write("stale", {**who, **old})

    def _together(self, marker: AllowList | None) -> AllowList:
        if marker is None:
            return self._allowed
        return marker.intersect(self._allowed) if self.settings.allow_hosts else marker

    def _judge(self, kind: guard.Kind, host: str, port: int | None, /) -> None:
        owner = owners.current()
        allowed = self._in_force(owner)
        if allowed is None or (allowed.allows_socket(host) if kind == "unix" else allowed.allows(host, port)):
            return
        raise guard.blocked(kind, host, port, owner.label if owner is not None else None, allowed)

    def _in_force(self, owner: Owner | None) -> AllowList | None:
        if owner is None:
            return self._allowed if self.mode is Mode.REPLAY else None
        return owner.allowed if owner.guarded else None

    def _names(self) -> Iterable[str]:
        allowed = self._in_force(owners.current())
        return allowed.names() if allowed is not None else ()

    def _guard_children(self) -> None:
        """Have the guard hold in child processes, and for native clients and programs that are known."""
        from tapemeter.intercept.imports import ImportWatch  # noqa: PLC0415 - as what follows, only for this guard
        from tapemeter.isolation import processes  # noqa: PLC0415
        from tapemeter.isolation.children import Folder  # noqa: PLC0415
        from tapemeter.isolation.judge import Judge, Standing  # noqa: PLC0415

        folder = self._children = Folder()
        self._undo.append(folder.remove)

        def standing() -> Standing:
            owner = owners.current()
            allowed = None if guard.is_passing() else self._in_force(owner)
            return Standing(allowed, None if owner is None else owner.label)

        def entry() -> str | None:
            allowed = standing().allowed
            return None if allowed is None else folder.entry(allowed)

        judge = Judge(standing, guard.ask, self._note_blocked)
        self._undo.append(processes.install(judge, ImportWatch, folder=str(folder.path), entry=entry).undo)

    def _note_blocked(self, error: NetworkBlockedError) -> None:
        if self._children is not None and os.getpid() != self._process:  # a fork, whose findings nobody collects
            self._children.note(error)
            return
        where = error.host if error.port is None else f"{error.host}:{error.port}"
        self.findings.blocked.append((error.test or "no test", where))
        owner = owners.current()
        if owner is not None and owner.blocked_as is not None:
            raise owner.blocked_as(error)


def new_run(
    settings: Settings,
    *,
    shared: Mapping[str, str] | None = None,
    process: str = MAIN,
    receivers: Callable[[], Iterable[Receiver]] = tuple,
) -> Run:
    """Return the run that settings describe; PolicyError where its policy or its price file cannot be read.

    `shared` is what the processes of one run have in common: the `folder` and the `run_id`. `receivers` gives those of
    alarms besides the settings' own, when there is an alarm. UsageError where one of the settings' cannot be used.
    """
    policy = None
    if settings.budget_policy is not None:
        from tapemeter import budget  # noqa: PLC0415 - only where a project has limits

        policy = budget.load_policy(settings.budget_policy, settings.root)
    place = Place(
        settings.root / settings.report_dir,
        shared["run_id"] if shared is not None else new_run_id(),
        process,
        Path(shared["folder"]) if shared is not None else None,
    )
    mode = None if settings.mode is None else settings.mode.value
    overrides = None
    if settings.prices is not None:
        from tapemeter import pricing  # noqa: PLC0415 - only where a project has prices of its own

        overrides = pricing.load_overrides(settings.prices)
    told: list[Receiver] = []
    if settings.on_alarm:
        from tapemeter.alarms import receiver  # noqa: PLC0415 - only where somebody is to be told

        told += map(receiver, settings.on_alarm)

    def alarms(place: Place) -> Alarms:
        from tapemeter.alarms import Alarms  # noqa: PLC0415 - with the first evidence

        return Alarms(told, run_id=place.run_id, shared=place.shared, more=receivers, passing=guard.passing)

    return Run(
        place,
        policy=policy,
        overrides=overrides,
        keeps_responses=settings.keep_responses,
        alarms=alarms,
        facts={"mode": mode},
    )
