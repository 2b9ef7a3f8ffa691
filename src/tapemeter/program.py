"""Runs of programs, outside of pytest: the same cassettes, budgets and evidence, around a block of code.

with tapemeter.open_run(budget_policy="policies/nightly.yaml") as run:
with run.job("nightly summary") as job:
...
print(run.report["totals"])
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapemeter import owner as owners
from tapemeter import schemas, settings
from tapemeter import session as sessions
from tapemeter.active_job import ActiveJob
from tapemeter.alarms import Receiver
from tapemeter.budget import load_policy, policy_from
from tapemeter.cassette.mode import Mode
from tapemeter.errors import UsageError
from tapemeter.outcome import Turn
from tapemeter.settings import CassetteArguments, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tapemeter.alarms import Alarm
    from tapemeter.budget.policy import Policy
    from tapemeter.owner import Owner
    from tapemeter.session import Session

_PRICES = "llm_prices.yaml"
_UNSAFE = re.compile(r"[^\w.-]+")


class ProgramRun:
    """A run of a program. `report` is there once it has ended; None where no model was called."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.report: dict[str, Any] | None = None

    @property
    def undelivered(self) -> list[str]:
        """Alarms that could not be delivered, a sentence each."""
        return self._session.findings.undelivered

    def __repr__(self) -> str:
        return f"<run {self.id} {self.mode}>"

    @property
    def id(self) -> str:
        """Its id, which names the folder of its evidence."""
        return self._session.run.place.run_id

    @property
    def folder(self) -> Path:
        """The folder of its evidence, which is made with the first call."""
        return self._session.run.place.folder

    @property
    def mode(self) -> str:
        """How calls are answered: replay, record, record-all, verify or live."""
        return (self._session.mode or Mode.LIVE).value

    @contextmanager
    def job(
        self,
        name: str,
        *,
        cassette: str | None = None,
        budget_policy: str | Path | Mapping[str, Any] | None = None,
        record_failed: bool = False,
    ) -> Iterator[ActiveJob]:
        """Have the calls of the block belong to a job with a cassette and limits of its own, besides those of the run.

        `budget_policy` is the path of a policy file, or what stands in one; `cassette` a path below their folder.
        What was recorded is kept where the block ends without an error, or with `record_failed`. At its end a Refusal
        is raised that the block swallowed, so that a job that was stopped does not look like one that was done.
        """
        run, session = self._session.run, self._session
        where = f"the job {name!r}"
        policy = None if budget_policy is None else _limits(budget_policy, session.root, name)
        owner = session.owner(
            name,
            nodeid=name,
            path=session.settings.cassette_dir / f"{cassette or 'jobs/' + _file_name(name)}.yaml",
            arguments=CassetteArguments.parse((), {"name": cassette} if cassette else {}, where),
            policy=policy,
            default_mode=Mode.LIVE,
        )
        owner.markable = owner.hooked = False
        owner.recorded_by = "run it again in the mode record"
        keep, turn = record_failed, Turn.FAILED
        owners.enter(owner)
        run.orchestrator.enter(owner.job, name)
        try:
            yield ActiveJob(owner.job, run)
            run.orchestrator.check_time(owner.job)
            _raise_swallowed(owner)
            keep, turn = True, Turn.PASSED
        finally:
            session.close(owner, keep=keep)
            run.orchestrator.close(owner.job, turn)


@contextmanager
def open_run(
    *,
    mode: str | None = None,
    root: str | Path | None = None,
    cassette_dir: str | Path = "cassettes",
    budget_policy: str | Path | None = None,
    prices: str | Path | None = None,
    report_dir: str | Path = ".tapemeter",
    allow_hosts: tuple[str, ...] = (),
    redact: tuple[str, ...] = (),
    keep_responses: bool = True,
    on_alarm: Iterable[str | Callable[[Alarm], None]] = (),
) -> Iterator[ProgramRun]:
    """Give a run of a program; model calls of its jobs are recorded, replayed, metered and stopped as in a test.

    `mode` is `replay`, `record`, `record-all`, `verify` or `live`; where it is None, LLM_MODE says, else it is live.
    Paths are relative to `root`, the current folder by default. The limits are those of `budget_policy`, else of the
    file that LLM_BUDGET_POLICY names; prices those of `prices`, else of `llm_prices.yaml` if that is there. `on_alarm`
    says who is told at once when a budget nears its limit: functions, webhooks, commands. UsageError or PolicyError at
    the start for what is wrong; at the end, EvidenceError where the evidence is not sound.
    """
    folder = Path.cwd() if root is None else Path(root).absolute()
    given = Settings(
        root=folder,
        cassette_dir=folder / cassette_dir,
        mode=_mode(mode),
        mode_source=settings.Source.COMMAND_LINE if mode or os.environ.get("LLM_MODE") else None,
        allow_hosts=allow_hosts,
        redact=redact,
        report_dir=folder / report_dir,
        budget_policy=_policy(budget_policy, folder),
        prices=_prices(prices, folder),
        keep_responses=keep_responses,
        on_alarm=tuple(told for told in on_alarm if isinstance(told, str)),
    )
    functions = [Receiver(f"function {tell!r}", tell) for tell in on_alarm if not isinstance(tell, str)]
    session = sessions.Session(given, sessions.new_run(given, receivers=lambda: functions))
    run = ProgramRun(session)
    session.start()
    try:
        yield run
    finally:
        session.end_alarms()
        session.stop()
        guard = "python" if session.mode is Mode.REPLAY else "none"
        spent = session.run.stopped
        found = session.run.finish(guard=guard, reason=None if spent is None else f"run budget: {spent}")
        if found is not None:
            from tapemeter.report import plain  # noqa: PLC0415 - only a run that made calls has one

            run.report = plain(found)


def _mode(given: str | None) -> Mode:
    if given is None:
        mode, _ = settings.read_mode(option=None, record=None, environment=os.environ.get("LLM_MODE"), ini=None)
        given = None if mode is None else mode.value
    known = {mode.value: mode for mode in Mode if mode is not Mode.OFF}
    if given is None:
        return Mode.LIVE
    if given not in known:
        raise UsageError(f"mode={given!r} is unknown; write one of {', '.join(known)}, or leave the run away for none")
    return known[given]


def _policy(given: str | Path | None, root: Path) -> Path | None:
    named = given or os.environ.get("LLM_BUDGET_POLICY")
    return None if not named else root / named


def _limits(given: str | Path | Mapping[str, Any], root: Path, job: str) -> Policy:
    if isinstance(given, str | Path):
        return load_policy(root / given, root)
    return policy_from({"schema": schemas.BUDGET_POLICY, "name": job, **given}, f"the job {job!r}")


def _prices(given: str | Path | None, root: Path) -> Path | None:
    if given is not None:
        return root / given
    path = root / _PRICES
    return path if path.is_file() else None


def _file_name(job: str) -> str:
    name = _UNSAFE.sub("-", job).strip("-.")
    if not name:
        raise UsageError(f"the job {job!r} has no letter or digit, so its cassette has no name; give cassette=…")
    return name


def _raise_swallowed(owner: Owner) -> None:
    if owner.refusals:
        raise owner.refusals[0]
