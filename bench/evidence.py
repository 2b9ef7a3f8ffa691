"""The evidence: what an event costs, and what a report over very many takes in time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx

from bench import samples
from bench.replaying import entered, session
from bench.timing import PEAK, row
from tapemeter.events.line import fields
from tapemeter.events.log import EventLog
from tapemeter.run import new_run_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.timing import Row

_FOLD = f"""
{PEAK}
import json, sys, time
from pathlib import Path
from tapemeter import report
started = time.perf_counter()
report.write(Path(sys.argv[1]))
print(json.dumps([time.perf_counter() - started, peak()]))
"""


def sample(folder: Path) -> dict[str, Any]:
    """Return the fields of the `call` event of one replayed call."""
    with session(folder) as made:
        owner = entered(made, samples.ours(folder / "event.yaml", 1))
        with httpx.Client() as client:
            client.post(samples.URL, json=samples.question(0))
        made.close(owner, keep=False)
        path = made.run.evidence.log.path
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return fields(next(event for event in found if event["event"] == "call"))


def events(folder: Path, event: dict[str, Any], *, quick: bool) -> Iterator[Row]:
    """Measure appending `call` events like the sample, each hashed and in the file when it returns."""
    times = 1000 if quick else 5000

    def appended() -> float:
        log = EventLog(folder / new_run_id(), run_id="bench", process="main")
        started = time.perf_counter()
        for _ in range(times):
            log.write("call", event)
        spent = time.perf_counter() - started
        log.close()
        return spent / times

    yield row("append an event", "tapemeter, hashed and in the file", appended, 5, "µs")


def reports(folder: Path, event: dict[str, Any], counts: tuple[int, ...]) -> Iterator[Row]:
    """Measure the report over a run of that many events, in a process of its own, with its memory."""
    for count in counts:
        run = folder / f"run-{count}"
        log = EventLog(run, run_id=run.name, process="main")
        log.write("run", {"mode": "replay", "versions": {}, "limits": []})
        for number in range(count):
            log.write("call", {**event, "call_id": f"bench#{number}"})
        log.close()
        done = subprocess.run([sys.executable, "-c", _FOLD, str(run)], check=True, capture_output=True, text=True)
        seconds, used = json.loads(done.stdout)
        group = f"report over {count:,} events"
        yield row(group, "tapemeter, time", lambda seconds=seconds: seconds, 1, "s")
        yield row(group, "tapemeter, memory of the process", lambda used=used: used, 1, "MB")
