"""Report directories to fill a trace store from, and what is in a store."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from evidence_samples import SAMPLES, Clock, Told, call, run_folder, write_part
from tapemeter import events, trace
from tapemeter.trace import store
from tapemeter.trace.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ONE, TWO, THREE = (f"20261121T0{hour}0000.000Z-{hour * 3:06x}" for hour in (7, 8, 9))
RUN, END = ("run", SAMPLES["run"]), ("end", SAMPLES["end"])


def later() -> int:
    """A clock by which all files have not been changed for long."""
    return time.time_ns() + 10**12


def whole_run(root: Path, run_id: str, calls: Sequence[Told] | None = None, *, start: int = 0) -> Path:
    """Write a run that came to its end, merged, and return its folder."""
    folder = run_folder(root, run_id)
    told = [call(call_id="a#1")] if calls is None else calls
    write_part(folder, [RUN, *told, END], run_id=run_id, clock=Clock(start))
    events.finish(folder)
    return folder


def ingest(root: Path, **options: Any) -> trace.Ingested:
    """Bring the store of a report directory up to date, when its files have not been changed for long."""
    return trace.ingest(root, clock=later, **options)


def rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of a store, by table, without what tells of the files that they come from."""
    with store.reading(path) as connection:
        found = {}
        for table in TABLES:
            names = [column.name for column in table.columns if column.name != "fingerprint"]
            query = f"SELECT {', '.join(names)} FROM {table.name} ORDER BY {', '.join(table.key)}"
            found[table.name] = [dict(zip(names, row, strict=True)) for row in connection.execute(query)]
    return found


def rebuilt(root: Path, path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a store that is made anew, in a file that is gone again."""
    ingest(root, path=path)
    found = rows(path)
    path.unlink()
    return found


def other_file(path: Path) -> Path:
    """Write a SQLite file that somebody else needs."""
    import sqlite3  # noqa: PLC0415 - as a user would

    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (name TEXT)")
        connection.commit()
    return path
