"""Times small things: repeats them in rounds and keeps the median and the spread of the rounds."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Row:
    """One line of the table: a median over rounds, in `unit`, with the fastest and slowest round."""

    group: str
    what: str
    who: str
    median: float
    low: float
    high: float
    unit: str


def rounds(work: Callable[[], float], count: int) -> tuple[float, float, float]:
    """Return median, least and most of what `work` measures, in its own unit."""
    found = [work() for _ in range(count)]
    return statistics.median(found), min(found), max(found)


def per_call(call: Callable[[], object], times: int) -> Callable[[], float]:
    """Return work that calls `times` over and gives the seconds of one call."""

    def work() -> float:
        started = time.perf_counter()
        for _ in range(times):
            call()
        return (time.perf_counter() - started) / times

    return work
