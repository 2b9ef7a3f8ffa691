"""Reads the folder of one run into the store: its events, checked line by line, become rows."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tapemeter import schemas
from tapemeter.errors import EvidenceError
from tapemeter.events import Chain, layout
from tapemeter.events.chain import fault
from tapemeter.events.line import own_seq
from tapemeter.trace import rows, units
from tapemeter.trace.schema import EVENTS, RUNS, Table
from tapemeter.values import Mutable, field

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_BATCH = 500
"""Rows that are handed to SQLite together."""
_OF_RUNS = (RUNS.name, *(table.name for table in EVENTS.values()))


def forget(connection: sqlite3.Connection, run_id: str) -> None:
    """Take all rows of a run out."""
    for table in _OF_RUNS:
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608 - names of ours


class _Run(Mutable):
    """What the events of a run tell of it as a whole."""

    started: str = ""
    ended: str = ""
    events: int = 0
    first: Mapping[str, Any] = field(default_factory=dict)
    modes: set[str | None] = field(default_factory=set)
    end: Mapping[str, Any] | None = None


class Load:
    """The reading of one folder, in a transaction that is undone where it fails."""

    def __init__(self, connection: sqlite3.Connection, source: str) -> None:
        self._connection = connection
        self._source = source
        self._joined = False
        self._runs: dict[str, _Run | None] = {}
        """The runs that the folder tells of; None for one that is read from a better folder."""
        self._waiting: defaultdict[str, list[list[rows.Value]]] = defaultdict(list)

    def read(self, folder: Path) -> None:
        """Take in all events; EvidenceError at the first that is wrong, or that the tables cannot hold."""
        import sqlite3  # noqa: PLC0415 - it is there already

        try:
            for event in _events(folder):
                self._take(event)
            for kind in EVENTS:
                self._flush(kind)
            self._write_runs()
        except sqlite3.IntegrityError:
            raise EvidenceError(
                "two of its events have the same number, or one lacks what names it", path=str(folder)
            ) from None

    def _take(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if kind == "merged":
            self._joined = self._joined or not self._runs
            return
        run_id, process = rows.origin(event, joined=self._joined)
        if run_id not in self._runs:
            self._runs[run_id] = _Run() if self._takes_over(run_id) else None
        run = self._runs[run_id]
        if run is None:
            return
        if kind in EVENTS:
            waiting = self._waiting[kind]
            waiting.append(rows.row(event, run_id, process))
            if len(waiting) >= _BATCH:
                self._flush(kind)
        run.events += 1
        if kind == "run":
            run.first = run.first or event
            run.modes.add(event.get("mode"))
        elif kind == "end":
            run.end = event
        if kind != "torn":
            at = event["at"]
            run.started = min(run.started or at, at)
            run.ended = max(run.ended, at)

    def _takes_over(self, run_id: str) -> bool:
        """Whether this is the folder that the run is to be read from; what was read from another is taken out then."""
        query = "SELECT source, joined FROM runs WHERE run_id = ?"
        before = self._connection.execute(query, (run_id,)).fetchone()
        if before is not None:
            if _rank(run_id, before[0], joined=bool(before[1])) < _rank(run_id, self._source, joined=self._joined):
                return False
            forget(self._connection, run_id)
        return True

    def _flush(self, kind: str) -> None:
        waiting = self._waiting.pop(kind, [])
        self._connection.executemany(_insert(EVENTS[kind]), waiting)

    def _write_runs(self) -> None:
        for run_id, run in self._runs.items():
            self._connection.execute("INSERT INTO holds (source, run_id) VALUES (?, ?)", (self._source, run_id))
            if run is not None:
                self._connection.execute(_insert(RUNS), self._row(run_id, run))

    def _row(self, run_id: str, run: _Run) -> list[rows.Value]:
        end = run.end or {}
        mode = "mixed" if len(run.modes) > 1 else next(iter(run.modes), None)
        told: dict[str, Any] = {
            "run_id": run_id,
            "source": self._source,
            "joined": int(self._joined),
            "started": run.started or None,
            "ended": run.ended or None,
            "finished": int(run.end is not None),
            "mode": mode,
            "exit_reason": end.get("reason"),
            "wall_us": units.seconds(end.get("wall_seconds")),
            "guard": end.get("guard"),
            "events": run.events,
            "versions": json.dumps(run.first.get("versions") or {}, sort_keys=True),
        }
        values = (told[column.name] for column in RUNS.stored)
        return [rows.text(value) if isinstance(value, str) else value for value in values]


def _rank(run_id: str, source: str, *, joined: bool) -> tuple[bool, bool, str]:
    return source != run_id, joined, source


def _insert(table: Table) -> str:
    names = [column.name for column in table.stored]
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - ours


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a folder: those that are merged, then what processes have written since."""
    whole = folder / layout.EVENTS
    known: dict[str, int] = {}
    run_id: str | None = None
    if whole.exists():
        for event in _checked(Chain(whole)):
            process = event["process"]
            known[process] = max(known.get(process, 0), own_seq(event) + 1)
            run_id = event["run_id"]
            yield event
    for process, path in layout.parts(folder):
        chain = Chain(path, torn_is_fine=True)
        for event in _checked(chain):
            run_id = run_id or event["run_id"]
            if event["process"] != process or event["run_id"] != run_id:
                raise EvidenceError(
                    f"the line is of process {event['process']} of run {event['run_id']}, "
                    f"expected {process} of {run_id}",
                    path=str(path),
                    line=chain.count,
                )
            if own_seq(event) >= known.get(process, 0):
                yield event


def _checked(chain: Chain) -> Iterator[dict[str, Any]]:
    for event in chain:
        if not schemas.fits(event, schemas.USAGE_EVENT):
            raise EvidenceError(fault(event), path=str(chain.path), line=chain.count)
        yield event
