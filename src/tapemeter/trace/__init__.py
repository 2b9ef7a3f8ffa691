"""The trace store: what all runs of a report directory did, as a SQLite file that plain SQL can ask.

    units     money and time as whole numbers, as SQLite can add them up exactly
    schema    tables, columns and indexes, as data
    views     the figures, the keys they are told by, and a view for each
    store     opens the file, to write it whole or to read it
    rows      from an event to a row
    load      from a folder of events to rows
    ingest    brings the file up to date with all folders
    costs     what calls cost, by test, job, run, day, …
    ask       one query of somebody's own, which can only read
    moments   from what people write (`7d`, `2026-11-01`) to a moment

The file holds nothing that the events do not tell. It can be deleted, and is then made anew with the same rows.
"""

from __future__ import annotations

from tapemeter.trace.ask import Answer, ask
from tapemeter.trace.costs import Costs, Figures, costs
from tapemeter.trace.ingest import Ingested, ingest
from tapemeter.trace.moments import moment
from tapemeter.trace.schema import FILE, VERSION
from tapemeter.trace.views import KEYS

__all__ = [
    "FILE",
    "KEYS",
    "VERSION",
    "Answer",
    "Costs",
    "Figures",
    "Ingested",
    "ask",
    "costs",
    "ingest",
    "moment",
]
