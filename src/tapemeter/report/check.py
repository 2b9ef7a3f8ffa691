"""Whether the evidence of a run is sound: its events hold together, and its report is what they come to."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from tapemeter import events, schemas
from tapemeter.errors import EvidenceError
from tapemeter.events import Finding, layout
from tapemeter.events.chain import tail
from tapemeter.report.store import MAX_BYTES, folded
from tapemeter.report.written import dump
from tapemeter.values import Value

if TYPE_CHECKING:
    from pathlib import Path

_CHAIN = frozenset({"edited", "removed", "order", "follows", "foreign", "broken", "torn", "schema"})
"""Kinds of findings after which events are not folded."""


class Checked(Value):
    """What was found wrong with a run, the events first; `events` is how many lines its file has."""

    path: str
    events: int
    findings: tuple[Finding, ...]


def verify(path: Path) -> Checked:
    """Check a run's folder, or a file of events alone; EvidenceError where there are no events."""
    if not path.is_dir():
        return _checked(path, None)
    whole = path / layout.EVENTS
    if whole.exists():
        return _checked(whole, path)
    if left := layout.parts(path):
        return Checked(str(path), 0, tuple(_unmerged(left)))
    raise EvidenceError("there are no events in this folder", path=str(path))


def _checked(whole: Path, folder: Path | None) -> Checked:
    findings = events.verify(whole, folder=folder)
    count, last_hash = tail(whole)
    if folder is not None:
        findings += _unmerged(layout.parts(folder))
        findings += _of_report(whole, folder / layout.REPORT, findings, count, last_hash)
    return Checked(str(whole), count, tuple(findings))


def _unmerged(parts: list[tuple[str, Path]]) -> list[Finding]:
    problem = "what process {} wrote is not merged; once it has ended: tapemeter report rebuild"
    return [Finding(str(path), None, "unmerged", problem.format(process)) for process, path in parts]


def _of_report(whole: Path, path: Path, found: list[Finding], count: int, last_hash: str | None) -> list[Finding]:
    """Return what is wrong with a report: of itself, and as the report of these events."""
    data = _read(path)
    if data is None:
        return [Finding(str(path), None, "report", "there is no report that can be read; tapemeter report rebuild")]
    findings = _against_schema(path, data)
    if (other := _other_events(whole, data, count, last_hash)) is not None:
        return [*findings, other]
    if _CHAIN.isdisjoint(finding.kind for finding in found):
        findings += _against_events(whole, path, data)
    return findings


def other_events(folder: Path) -> Finding | None:
    """Return in what the events of a run are not those its report was made of; None also where it has no report."""
    data = _read(folder / layout.REPORT)
    whole = folder / layout.EVENTS
    return None if data is None else _other_events(whole, data, *tail(whole))


def _other_events(whole: Path, data: bytes, count: int, last_hash: str | None) -> Finding | None:
    told: Any = None
    with suppress(ValueError, RecursionError):
        told = json.loads(data)
    evidence = told.get("evidence") if isinstance(told, dict) else None
    if not isinstance(evidence, dict):
        return None
    wanted = evidence.get("events")
    if isinstance(wanted, int) and wanted != count:
        said = f"the report tells of {wanted:,} events, the file has {count:,}"
        return Finding(str(whole), count or None, "cut" if wanted > count else "report", said)
    if evidence.get("last_hash") != last_hash:
        said = "the report was made of events that end in another hash"
        return Finding(str(whole), count or None, "report", said)
    return None


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except OSError:
        return None


def _against_schema(path: Path, data: bytes) -> list[Finding]:
    try:
        report = json.loads(data.decode())
    except (ValueError, RecursionError):
        return [Finding(str(path), None, "schema", "this is not JSON")]
    problems = schemas.problems(report, schemas.USAGE_REPORT)
    return [Finding(str(path), None, "schema", str(problem)) for problem in problems[:1]]


def _against_events(whole: Path, path: Path, data: bytes) -> list[Finding]:
    report, _ = folded(whole)
    pairs = zip_longest(data.split(b"\n"), dump(report).split(b"\n"))
    place = next((line for line, (one, other) in enumerate(pairs, 1) if one != other), None)
    if place is None:
        return []
    said = "the report is not what the events come to: it was edited, or made by another version; rebuild it"
    return [Finding(str(path), place, "report", said)]
