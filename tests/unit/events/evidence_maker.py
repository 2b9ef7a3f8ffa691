"""Makes evidence as the product does, with a clock of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tapemeter.events import EventLog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

RUN = "20261121T080000.000Z-abcdef"
BEGIN = datetime(2026, 11, 21, 8, tzinfo=UTC)
LIMITS: list[dict[str, Any]] = [{"scope": "run", "dimension": "calls", "limit": 10, "used": 2, "source": "it.yaml"}]

RUN_EVENT: dict[str, Any] = {"versions": {"tapemeter": "1"}, "limits": []}
END_EVENT: dict[str, Any] = {"limits": LIMITS, "wall_seconds": 1.5, "guard": "python", "reason": None}


class Ticking:
    """A clock that goes on by a second each time that it is looked at."""

    def __init__(self, begin: datetime = BEGIN) -> None:
        self.now = begin

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def call(job: str = "a job", **fields: Any) -> dict[str, Any]:
    """The fields of a call that was replayed."""
    return {
        "call_id": f"{job}#1",
        "attempt": 0,
        "job": job,
        "source": "replay",
        "outcome": "ok",
        "gen_ai.request.model": "m-1",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "quality": "measured",
        "cost_usd": "0.5",
        "cost_today_usd": "0.25",
        "cost_quality": "measured",
        "duration_seconds": 0.5,
        **fields,
    }


def job(name: str = "a job", **fields: Any) -> tuple[str, dict[str, Any]]:
    """The end of a job."""
    return "job", {"job": name, "state": "COMPLETED", "tests": [], "wall_seconds": 1.0, "limits": [], **fields}


def write(
    folder: Path,
    events: Iterable[tuple[str, dict[str, Any]]],
    *,
    process: str = "main",
    run_id: str = RUN,
    clock: Ticking | None = None,
) -> Path:
    """Write the events of one process, and return its file."""
    log = EventLog(folder, run_id=run_id, process=process, clock=clock or Ticking())
    for kind, fields in events:
        log.write(kind, fields)
    log.close()
    return log.path


def whole(calls: int = 3) -> list[tuple[str, dict[str, Any]]]:
    """The events of a run of one process that came to its end."""
    made = [("call", call(call_id=f"a job#{number}")) for number in range(calls)]
    return [("run", RUN_EVENT), *made, job(), ("end", END_EVENT)]


def lines(path: Path) -> list[dict[str, Any]]:
    """The events in a file, unchecked."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]
