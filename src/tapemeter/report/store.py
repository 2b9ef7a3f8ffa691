"""Writes the report of a run beside its events, and reads it."""

from __future__ import annotations

import json
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from tapemeter import events, schemas
from tapemeter.errors import EvidenceError
from tapemeter.events import files, layout
from tapemeter.events.chain import fault
from tapemeter.report.fold import summed
from tapemeter.report.rows import Rows, plain
from tapemeter.report.written import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tapemeter.events import Chain, Finding

MAX_BYTES = 256 * 1024 * 1024
"""The largest report that is read."""


def write(folder: Path) -> dict[str, Any]:
    """Merge what the processes of a run wrote, fold it, write the report, and return it, with long lists as `Rows`.

    `latest` leads to the run afterwards, unless there is a newer one. EvidenceError where a chain does not hold; and
    where an event or the report is not what its schema says, though the report is written then, if it can be.
    """
    report, faults = rebuild(folder)
    if faults:
        raise faults[0].as_error()
    return report


def rebuild(folder: Path) -> tuple[dict[str, Any], list[Finding]]:
    """Do what `write` does, and return the report with what is not as a schema says it."""
    path = events.finish(folder)
    report, faults = _summed(path)
    check = _Check(report)
    with files.locked(folder), files.replacing(folder / layout.REPORT) as file:
        file.writelines(pieces(check.watched))
    layout.point_latest(folder)
    return report, [*faults, *check.faults(path)]


def folded(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    """Return the report that a file of events comes to, with what in both is not as a schema says it.

    The long lists of the report are `Rows`: `plain` makes what JSON has of it. EvidenceError where the chain does not
    hold, or an event cannot be added up.
    """
    report, faults = _summed(path)
    check = _Check(report)
    for rows in check.watched.values():
        if isinstance(rows, Rows):
            deque(rows, maxlen=0)
    return report, [*faults, *check.faults(path)]


def _summed(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    faults: list[Finding] = []
    try:
        return summed(_checked(events.Chain(path), faults)), faults
    except EvidenceError as error:
        if faults and not error.path:
            raise faults[0].as_error() from None
        raise error if error.path else EvidenceError(error.problem, path=str(path), line=error.line) from None


class _Check:
    """Holds a report against its schema: each entry of its long lists when it is made, and the rest at the end."""

    def __init__(self, report: dict[str, Any]) -> None:
        self._report = report
        self._misfits: list[str] = []  # which the rows note by themselves: else they would hold this, and this them
        self.watched = {
            name: value.watched(partial(_note, self._misfits, name)) if isinstance(value, Rows) else value
            for name, value in report.items()
        }
        """The report of which every entry has to be made once."""

    def faults(self, path: Path) -> list[Finding]:
        """Return what is not as the schema says, of a report beside these events."""
        rest = {name: [] if isinstance(value, Rows) else value for name, value in self._report.items()}
        if not self._misfits and schemas.fits(rest, schemas.USAGE_REPORT):
            return []
        target = str(path.with_name(layout.REPORT))
        problems = schemas.problems(plain(self._report), schemas.USAGE_REPORT)
        return [events.Finding(target, None, "schema", str(problem)) for problem in problems]


def _note(misfits: list[str], name: str, row: dict[str, Any]) -> None:
    if not misfits and not schemas.entry_check(schemas.USAGE_REPORT, name)(row):
        misfits.append(name)


def load(path: Path) -> dict[str, Any]:
    """Return the report in a file; EvidenceError where there is none, or what is there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise EvidenceError("there is no report; make it with tapemeter report rebuild", path=str(path)) from None
    except OSError as error:
        raise EvidenceError(f"cannot be read: {error.strerror or error}", path=str(path)) from None
    if len(data) > MAX_BYTES:
        raise EvidenceError(f"the report is larger than {MAX_BYTES // 1024**2} MiB", path=str(path))
    remedy = "make it anew with tapemeter report rebuild"
    try:
        report: dict[str, Any] = json.loads(data.decode())
    except (ValueError, RecursionError):
        raise EvidenceError(f"this is not JSON; {remedy}", path=str(path)) from None
    if not schemas.fits(report, schemas.USAGE_REPORT):
        first, *_ = schemas.problems(report, schemas.USAGE_REPORT)
        raise EvidenceError(f"{first}; {remedy}", path=str(path))
    return report


def _checked(chain: Chain, faults: list[Finding]) -> Iterator[Any]:
    """Yield the events of a file; the first that is not as its schema says is noted in `faults`."""
    for event in chain.quick():
        if not faults and isinstance(event, dict) and not schemas.fits(event, schemas.USAGE_EVENT):
            faults.append(events.Finding(str(chain.path), chain.count, "schema", fault(event)))
        yield event
