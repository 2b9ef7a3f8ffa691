"""The report of a run: what its events come to, written beside them, and rebuilt from them to the byte.

fold        from events to the report
figures     sums over calls
rows        its long lists, kept small
written     the report as text
store       writes the report and reads it
check       whether a run's evidence is sound
terminal    the report in a few lines
"""

from __future__ import annotations

from tapemeter.report.check import Checked, other_events, verify
from tapemeter.report.fold import fold
from tapemeter.report.rows import plain
from tapemeter.report.store import folded, load, rebuild, write
from tapemeter.report.written import dump

__all__ = ["Checked", "dump", "fold", "folded", "load", "other_events", "plain", "rebuild", "verify", "write"]
