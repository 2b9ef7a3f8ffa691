"""Times small things: repeats them in rounds and keeps the median and the spread of the rounds."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCALES = {"s": 1.0, "ms": 1e3, "µs": 1e6, "MB": 1e-6}


@dataclass(frozen=True)
class Row:
    """One line of the table: a median over rounds, in `unit`, with the fastest and slowest round."""

    group: str
    who: str
    median: float
    low: float
    high: float
    unit: str


def row(group: str, who: str, work: Callable[[], float], count: int, unit: str) -> Row:
    """Return a row of `count` rounds of `work`, which measures in seconds or bytes."""
    return _row(group, who, rounds(work, count), unit)


def in_turns(group: str, works: Mapping[str, Callable[[], float]], count: int, unit: str) -> list[Row]:
    """Return a row for each of the works, measured in turns: what else the machine does falls on all of them alike."""
    found: dict[str, list[float]] = {who: [] for who in works}
    for _ in range(count):
        for who, work in works.items():
            found[who].append(work())
    return [_row(group, who, (statistics.median(each), min(each), max(each)), unit) for who, each in found.items()]


def _row(group: str, who: str, measured: tuple[float, float, float], unit: str) -> Row:
    median, low, high = (value * SCALES[unit] for value in measured)
    return Row(group, who, median, low, high, unit)


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


PEAK = """
import re
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
"""
"""Code by which a process of Linux tells how much memory it has had at most; `getrusage` tells its parent's, too."""
