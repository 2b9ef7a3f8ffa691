"""The report of a run: what its events come to, written beside them, and rebuilt from them to the byte.

fold        from events to the report
figures     sums over calls
store       writes the report and reads it
check       whether a run's evidence is sound
terminal    the report in a few lines
"""

from __future__ import annotations

from tapemeter.report.check import Checked, other_events, verify
from tapemeter.report.fold import dump, fold
from tapemeter.report.store import folded, load, rebuild, write

__all__ = ["Checked", "dump", "fold", "folded", "load", "other_events", "rebuild", "verify", "write"]
