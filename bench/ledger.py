"""Booking a call: what setting amounts aside and settling them takes together, alone and with eight processes at it."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from bench.timing import row
from tapemeter.budget.dimensions import Dimension
from tapemeter.budget.ledger import Account, Reservation
from tapemeter.budget.memory_ledger import MemoryLedger
from tapemeter.budget.sqlite_ledger import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Barrier

    from bench.timing import Row
    from tapemeter.budget.ledger import Ledger

_PROCESSES = 8
_AMOUNTS = {
    Dimension.CALLS: 1,
    Dimension.ATTEMPTS: 1,
    Dimension.PROMPT_CHARS: 500,
    Dimension.TOTAL_CHARS: 900,
    Dimension.INPUT_TOKENS: 500,
    Dimension.OUTPUT_TOKENS: 4096,
    Dimension.TOTAL_TOKENS: 4596,
    Dimension.COST_USD: 10**9,
}
_NUMBERS = count()


def bookings(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure reserve and settle on the accounts of a run, a job and a step; the run and the job have limits."""
    times = 500 if quick else 2000

    def in_memory() -> float:
        return statistics.median(_booked(MemoryLedger(), "bench", times))

    def in_a_file() -> float:
        return _alone(folder / f"ledger-{next(_NUMBERS)}.sqlite", times)

    def by_many() -> float:
        return _together(folder / f"ledger-{next(_NUMBERS)}.sqlite", times)

    for group, who, work in (
        ("reserve and settle", "tapemeter, in memory", in_memory),
        ("reserve and settle", "tapemeter, in SQLite", in_a_file),
        ("reserve and settle", f"tapemeter, in SQLite, {_PROCESSES} processes at once", by_many),
    ):
        yield row(group, who, work, 3, "µs")


def _booked(ledger: Ledger, name: str, times: int) -> list[float]:
    accounts = [
        Account("run", {Dimension.CALLS: 10**9, Dimension.COST_USD: 10**18}),
        Account(f"job {name}", {Dimension.CALLS: 10**9, Dimension.TOTAL_CHARS: 10**15}),
        Account(f"step {name}"),
    ]
    found = []
    for _ in range(times):
        started = time.perf_counter()
        held = ledger.reserve(_AMOUNTS, accounts, note=name)
        assert isinstance(held, Reservation), held
        ledger.settle(held, _AMOUNTS)
        found.append(time.perf_counter() - started)
    return found


def _alone(path: Path, times: int) -> float:
    ledger = SqliteLedger(path)
    try:
        return statistics.median(_booked(ledger, "bench", times))
    finally:
        ledger.close()


def _together(path: Path, times: int) -> float:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(_PROCESSES)
    with context.Pool(_PROCESSES, _enter, (start,)) as pool:
        work = [(str(path), f"{number}", times) for number in range(_PROCESSES)]
        found = pool.starmap(_one_of_many, work, chunksize=1)
    return statistics.median(time for times in found for time in times)


def _enter(start: Barrier) -> None:
    global _start  # noqa: PLW0603 - what a pool hands to its processes
    _start = start


def _one_of_many(path: str, name: str, times: int) -> list[float]:
    ledger = SqliteLedger(Path(path))
    try:
        _start.wait()  # so that each process takes one piece of the work, and all begin at once
        return _booked(ledger, name, times)
    finally:
        ledger.close()


_start: Barrier
