"""The end of a session: the run's report, and the exit status that it calls for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.errors import EvidenceError
from tapemeter.pytest_plugin import orphans
from tapemeter.values import Mutable, field

if TYPE_CHECKING:
    from tapemeter.findings import Findings
    from tapemeter.pytest_plugin.whole import Suite
    from tapemeter.session import Session

OUT_OF_BUDGET = 8
"""The exit status of a session that the run's budget ended."""

_JUDGED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)


class Ending(Mutable):
    """How a session ended. `report` is None where no call was made."""

    findings: Findings | None
    report: dict[str, Any] | None
    folder: str
    exit_status: int
    problems: list[str] = field(default_factory=list)
    """What is wrong with the session as a whole, a sentence each."""
    notes: list[str] = field(default_factory=list)
    """What was to be judged and could not be, a sentence each."""

    @property
    def says_anything(self) -> bool:
        """Whether there is anything to tell."""
        found = self.findings
        told = found is not None and bool(
            found.written or found.blocked or found.unowned or found.undelivered or any(found.shared.values())
        )
        return told or self.report is not None or bool(self.problems or self.notes)


def end(session: Session, findings: Findings | None, exit_status: int, *, suite: Suite) -> Ending:
    """End the run of a session and judge it. `suite` is how much of its suite it ran."""
    run = session.run
    spent = run.stopped
    problems: list[str] = []
    report: dict[str, Any] | None = None
    try:
        reason = None if spent is None else f"run budget: {spent}"
        report = run.finish(guard=session.network_guard, reason=reason, suite=suite.as_json())
    except EvidenceError as error:
        problems.append(f"the evidence of this run is not sound: {error}")
    folder = run.place.folder
    shown = str(folder.relative_to(session.root)) if folder.is_relative_to(session.root) else str(folder)
    ended = Ending(findings, report, shown, exit_status, problems)
    if report is not None:
        problems += _found(report, session.settings.fail_on)
    found, ended.notes = orphans.judge(session, findings, suite)
    problems += found
    failed = bool(problems) or (findings is not None and any(findings.shared.values()))
    if spent is not None and exit_status in _JUDGED:
        ended.exit_status = OUT_OF_BUDGET
    elif failed and exit_status == pytest.ExitCode.OK:
        ended.exit_status = pytest.ExitCode.TESTS_FAILED
    return ended


def _found(report: dict[str, Any], fail_on: frozenset[str]) -> list[str]:
    """Return what the report says that fails the session."""
    found = [f"the report has an error: {error}" for error in report["errors"]]
    unpriced = report["totals"]["cost"]["unknown"]
    warnings = list(report["warnings"])
    if warnings:
        # What is to be stopped comes near its limit before.
        expected = {job["job"] for job in report["jobs"] if job["expected_stop"]}
        warnings = [warning for warning in warnings if warning["job"] not in expected]
    kinds = {
        "warning": (len(warnings), "a budget came near its limit"),
        "unpriced": (unpriced, "calls have no known price; give their models one in the price file"),
        "stopped": (len(report["stops"]), "jobs were stopped by a budget"),
        "drift": (len(report["drift"]), "recordings are not what is asked or answered now"),
        "stale": (len(report["stale"]), "recordings that answered are too old; record them again"),
    }
    found += [
        f"--llm-fail-on={kind}: {count} time{'s' if count > 1 else ''}: {what}"
        for kind, (count, what) in kinds.items()
        if kind in fail_on and count
    ]
    return found
