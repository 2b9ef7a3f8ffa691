"""The shipped examples: whoever clones the project sees the same stops, at the same calls, in every run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter import schemas

if TYPE_CHECKING:
    from conftest import Project

ROOT = Path(__file__).parents[2]
RUNS = 20

STOPPED = {
    "test_a_budget_of_calls_stops_the_fourth": ("calls", 3),
    "test_a_budget_of_characters_stops_the_third": ("prompt_chars", 2),
    "test_a_budget_of_tokens_stops_the_second": ("output_tokens", 1),
    "test_a_budget_of_money_stops_the_third": ("cost_usd", 2),
    "test_a_budget_of_time_stops_at_the_recorded_pace": ("wall_seconds", 3),
    "test_code_that_retries_whatever_happens_cannot_get_past_a_stop": ("calls", 2),
}
"""Which limit stops a test, and how many of its calls were answered by then."""


@pytest.fixture
def examples(project: Project, sdks: None) -> Project:
    """A copy of the examples with their cassettes, prices and policy."""
    for name in ("docs/examples", "cassettes", "policies"):
        shutil.copytree(ROOT / name, project.path / name)
    shutil.copy(ROOT / "llm_prices.yaml", project.path)
    return project


def stops(events: list[dict[str, Any]]) -> dict[str, tuple[str, int]]:
    """Return, for each test that was stopped, the limit and the calls that were answered before."""
    answered: dict[str, int] = {}
    found: dict[str, tuple[str, int]] = {}
    for event in events:
        if event["event"] == "call" and event["outcome"] == "ok":
            answered[event["job"]] = answered.get(event["job"], 0) + 1
        elif event["event"] == "stop":
            found[event["job"].rpartition("::")[2]] = (event["dimension"], answered.get(event["job"], 0))
    return found


def test_every_budget_stops_at_the_same_call_in_every_run(examples: Project) -> None:
    for _ in range(RUNS):
        examples.run("docs/examples/test_budget.py", "--llm-mode=replay", passed=7)

    runs = sorted((examples.path / ".tapemeter" / "runs").iterdir())
    assert len(runs) == RUNS
    for run in runs:
        lines = (run / "llm_usage_events.jsonl").read_text(encoding="utf-8").splitlines()
        events = [json.loads(line) for line in lines]
        assert stops(events) == STOPPED
        assert [problem for event in events for problem in schemas.problems(event, schemas.USAGE_EVENT)] == []
        report = json.loads((run / "llm_usage_report.json").read_text(encoding="utf-8"))
        assert schemas.problems(report, schemas.USAGE_REPORT) == []
        assert {job["state"] for job in report["jobs"]} == {"COMPLETED", "STOPPED_BUDGET"}


def test_the_demo_shows_budgets_stops_and_what_was_avoided(examples: Project) -> None:
    result = examples.run(
        "docs/examples",
        "--llm-mode=replay",
        "--llm-budget-policy=policies/llm_budget_policy_v1.yaml",
        "--llm-fail-on=unplayed,unpriced,warning",
        passed=14,
    )

    result.stdout.fnmatch_lines(
        [
            "*= tapemeter =*",
            "calls*29 calls*29 replayed*",
            "cost*avoided by replay*",
            "*[[]###*",
            "stopped, as expected*",
        ]
    )
