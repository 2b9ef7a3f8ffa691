"""Events to test evidence with: one of every kind, and runs of them on disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tapemeter.events import EventLog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

RUN_ID = "20261121T074430.123Z-3f9c2a"
TEST = "tests/test_agent.py::test_plans"
SHA = "0123456789abcdef" * 4

LIMIT = {"scope": "run", "dimension": "cost_usd", "limit": "5", "source": "policies/default.yaml:5"}
CALL: dict[str, Any] = {
    "call_id": f"{TEST}#1",
    "attempt": 0,
    "job": TEST,
    "step": "planner/search",
    "test": TEST,
    "cassette": "cassettes/tests/test_agent/test_plans.yaml",
    "interaction": "0123456789abcdef0123456789abcdef",
    "source": "replay",
    "outcome": "ok",
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.request.max_tokens": None,
    "gen_ai.response.model": "gpt-5-mini-2026-08-07",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 300,
    "gen_ai.usage.output_tokens": 100,
    "gen_ai.usage.cache_read.input_tokens": 20,
    "gen_ai.usage.cache_write.input_tokens": 10,
    "gen_ai.usage.reasoning.output_tokens": 50,
    "gen_ai.response.time_to_first_chunk": 0.25,
    "server.address": "api.openai.com",
    "error.type": None,
    "http.response.status_code": 200,
    "quality": "measured",
    "prompt_chars": 1200,
    "response_chars": 400,
    "tool_calls": 0,
    "units": {"images": 2, "seconds": 1.5},
    "request_digest": f"sha256:{SHA}",
    "response_digest": f"sha256:{SHA}",
    "duration_seconds": 1.5,
    "alias": None,
    "cost_usd": "0.000275",
    "cost_today_usd": "0.0003",
    "cost_quality": "measured",
    "cost_source": "genai-prices",
    "cost_version": "0.2.3",
    "cost_unavailable": False,
    "gateway_cost_usd": None,
    "task": "plan a trip",
    "provider": "real",
    "model_name": "gpt-5-mini-2026-08-07",
    "group": "fallback",
    "is_fallback": True,
    "fallback_reason": "rate_limit (HTTP 429) at main",
    "response_text": "First Lisbon, then",
    "response_truncated": True,
    "response_artifact": f"artifacts/sha256-{SHA}.txt",
    "bound": {"calls": 1, "cost_usd": "0.000275"},
}
STOP: dict[str, Any] = {
    "job": TEST,
    "step": None,
    "test": TEST,
    "call_id": f"{TEST}#4",
    "scope": "job",
    "dimension": "calls",
    "limit": 3,
    "used": 3,
    "reserved": 0,
    "asked": 1,
    "source": "policies/default.yaml:4",
    "model": "gpt-5-mini",
    "replayed": True,
    "what": "refused before it was sent",
    "sentence": "stopped by budget: the job's calls limit of 3 does not hold",
}
SAMPLES: dict[str, dict[str, Any]] = {
    "run": {
        "versions": {"tapemeter": "0.1.0", "python": "3.11.2", "pytest": "9.0.1"},
        "mode": "replay",
        "limits": [LIMIT],
        "warn_at": "0.8",
        "on_stop": "raise",
        "unknown_cost": "refuse",
    },
    "call": CALL,
    "step": {
        "job": TEST,
        "step": "planner/search",
        "number": 1,
        "outcome": "completed",
        "wall_seconds": 1.5,
        "calls": 1,
    },
    "stop": STOP,
    "warning": {
        "job": TEST,
        "scope": "run",
        "dimension": "wall_seconds",
        "limit": 10.0,
        "used": 8.5,
        "replayed": True,
        "fraction": 0.8,
        "source": "policies/default.yaml:6",
    },
    "route": {
        "job": TEST,
        "step": "planner/search",
        "call_id": None,
        "alias": "planner",
        "from_group": "main",
        "to_group": "cheap",
        "reason": "planner goes to cheap: of the job's cost_usd limit of $0.25 $0.21 is used, 84 %",
        "scope": "job",
        "dimension": "cost_usd",
        "limit": "0.25",
        "used": "0.21",
        "fraction": 0.84,
        "source": "policies/default.yaml:14",
    },
    "overrun": {
        "job": TEST,
        "call_id": f"{TEST}#1",
        "scope": "job",
        "dimension": "output_tokens",
        "bound": 90,
        "actual": 100,
    },
    "not_run": {"test": "tests/test_agent.py::test_later", "reason": "not run: run budget: cost_usd limit of $5.00"},
    "lapsed": {
        "call_id": "tests/test_b.py::test_c#2",
        "job": "tests/test_b.py::test_c",
        "test": "tests/test_b.py::test_c",
        "dead_process": "gw1",
    },
    "drift": {
        "job": TEST,
        "test": TEST,
        "cassette": "cassettes/tests/test_agent/test_plans.yaml",
        "found": "answered_otherwise",
        "calls": 1,
        "call_ids": [f"{TEST}#1"],
        "changes": [{"path": "model", "kind": "changed", "recorded": "gpt-5-mini", "now": "gpt-5", "calls": 1}],
        "more_changes": 0,
    },
    "stale": {
        "job": TEST,
        "test": TEST,
        "cassette": "cassettes/tests/test_agent/test_plans.yaml",
        "recordings": 1,
        "oldest": "2026-01-02T03:04:05Z",
        "before": "2026-08-23T07:44:30Z",
    },
    "torn": {"bytes": 17},
    "merged": {"runs": [{"run_id": RUN_ID, "events": 4, "last_hash": SHA, "runs": 1}]},
    "job": {
        "job": TEST,
        "state": "COMPLETED",
        "tests": [TEST],
        "expected_stop": False,
        "wall_seconds": 2.5,
        "limits": [{"scope": "job", "dimension": "calls", "limit": 3, "used": 1, "source": "policies/default.yaml:4"}],
        "disagreement": None,
    },
    "end": {
        "limits": [{**LIMIT, "used": "3.1"}],
        "wall_seconds": 2.75,
        "guard": "python",
        "reason": None,
        "workers": ["llm_usage_events.main.jsonl"],
        "suite": {"whole": False, "reasons": ["it was of tests/a"], "left_out": ["cassettes/b.yaml"], "skipped": 1},
    },
}

Told = tuple[str, dict[str, Any]]

WHOLE: list[Told] = [(kind, SAMPLES[kind]) for kind in ("run", "call", "step", "job", "end")]
"""A small run of one process, from its beginning to its end."""


class Clock:
    """Goes a second with every look at it."""

    def __init__(self, start: int = 0, step: int = 1) -> None:
        self._next = datetime(2026, 11, 21, 7, 44, 30, tzinfo=UTC) + timedelta(seconds=start)
        self._step = timedelta(seconds=step)

    def __call__(self) -> datetime:
        now, self._next = self._next, self._next + self._step
        return now


def call(**changes: Any) -> Told:
    """A call; names of fields with a dot are written with two underscores."""
    return "call", {**CALL, **{name.replace("__", "."): value for name, value in changes.items()}}


def write_part(
    folder: Path,
    told: Iterable[Told] = WHOLE,
    *,
    process: str = "main",
    run_id: str = RUN_ID,
    clock: Clock | None = None,
) -> Path:
    """Write the events of one process as the product does, and return the file."""
    log = EventLog(folder, run_id=run_id, process=process, clock=clock or Clock())
    for kind, fields in told:
        log.write(kind, fields)
    log.close()
    return log.path


def run_folder(root: Path, run_id: str = RUN_ID) -> Path:
    """The folder of a run in a report directory."""
    return root / "runs" / run_id


def edit(path: Path, number: int, *lines: bytes) -> None:
    """Put other lines in the place of a line, which is counted from 1; none removes it."""
    old = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*old[: number - 1], *lines, *old[number:]]))
