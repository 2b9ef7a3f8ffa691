"""What runs cost, asked of the store that is made from their evidence: the figures are those of their reports."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from spending import folder, report

from tapemeter.cli import main

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

PRICES = """
schema: llm_prices_v1
models:
  loopback-1: {input_mtok: "0.15", output_mtok: "0.600001"}
  loopback-2: {input_mtok: "1", output_mtok: "2"}
"""
CONFIG = """
schema: llm_config_v1
endpoint: {{base_url: "{url}/v1", api_key_env: LOOPBACK_KEY}}
groups:
  cheap: {{model: loopback-1}}
  main: {{model: loopback-2}}
  fallback: {{model: loopback-2}}
"""
TESTS = """
import httpx
import pytest
from talk import ask

@pytest.mark.parametrize("number", range(3))
def test_some(number):
    ask(f"usage {number * 1000} 333")

def test_breaks():
    with pytest.raises(httpx.RemoteProtocolError):
        ask("broken", stream=True)

def test_in_a_step(llm_job):
    with llm_job.step("planner"):
        ask("usage 7 11")
    ask("words 20")

@pytest.mark.llm_budget(calls=1)
@pytest.mark.expect_stopped_budget("calls")
def test_stopped():
    ask("usage 5 5")
    ask("never sent")
"""
FOR_A_TASK = """
def test_for_a_task(llm):
    llm.complete("usage 100 50", "summarizer", task="rivers")
    llm.complete("usage 10 5", "planner", task="rivers")
"""
FIGURES = (
    *("calls", "attempts", "refused", "missed", "failed", "errors", "incomplete", "input_tokens", "output_tokens"),
    *("cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
)


@pytest.fixture
def recorded(project: Project) -> Project:
    """A project whose tests were recorded."""
    project.write("llm_prices.yaml", PRICES)
    project.write("test_it.py", TESTS)
    project.run("--record-cassettes", passed=6)
    return project


class Cost:
    """`tapemeter cost … --json` in the project's folder."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> Any:
        self._capsys.readouterr()
        assert main(["cost", *arguments, "--json"]) == code
        return json.loads(self._capsys.readouterr().out)


@pytest.fixture
def cost(capsys: pytest.CaptureFixture[str]) -> Cost:
    return Cost(capsys)


def figures(told: dict[str, Any]) -> dict[str, Any]:
    """What a report and the command tell of some calls, in the words of the command."""
    money = told["cost"] if "cost" in told else {**told, "unknown": told["unpriced"]}
    names = ("spent_usd", "avoided_usd", "today_usd", "at_least", "unknown")
    return {**{name: told[name] for name in FIGURES}, **{name: money[name] for name in names}}


def by(rows: list[dict[str, Any]], *keys: str) -> dict[Any, dict[str, Any]]:
    return {tuple(row[key] for key in keys): figures(row) for row in rows}


def test_the_figures_are_those_of_the_report(recorded: Project, cost: Cost) -> None:
    told = report(recorded)
    assert figures(cost()["totals"]) == figures(told["totals"])
    assert by(cost("--by", "test")["rows"], "test") == by(told["by_test"], "test")
    assert by(cost("--by", "job")["rows"], "job") == by(told["by_job"], "job")
    assert by(cost("--by", "model")["rows"], "model") == by(told["by_model"], "model")
    in_steps = [row for row in cost("--by", "step")["rows"] if row["step"] is not None]
    assert by(in_steps, "job", "step") == by(told["by_step"], "job", "step")
    assert told["totals"]["cost"]["at_least"]
    assert told["totals"]["refused"] == 1
    assert Decimal(told["totals"]["cost"]["spent_usd"]) > 0


def test_what_was_spent_and_what_replay_avoided_add_up_over_runs(recorded: Project, cost: Cost) -> None:
    spent = report(recorded)["totals"]["cost"]["spent_usd"]
    for _ in range(2):
        recorded.run("--llm-mode=replay", passed=6)
    found = cost("--by", "run")
    assert [(row["spent_usd"], row["avoided_usd"]) for row in found["rows"]] == [
        (spent, "0"),
        ("0", spent),
        ("0", spent),
    ]
    assert Decimal(found["totals"]["avoided_usd"]) == 2 * Decimal(spent)
    assert found["rows"][-1]["run_id"] == folder(recorded).name


def test_costs_are_told_by_the_task_and_the_alias_that_a_program_names(
    project: Project, server: Loopback, cost: Cost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOPBACK_KEY", "sk-loopback-4fq94fq94fq9")
    project.write("llm.yaml", CONFIG.format(url=server.url))
    project.write("llm_prices.yaml", PRICES)
    project.write("test_it.py", FOR_A_TASK)
    project.run("--record-cassettes", passed=1)
    spent = {row["alias"]: Decimal(row["spent_usd"]) for row in cost("--by", "alias")["rows"]}
    assert set(spent) == {"summarizer", "planner"}
    [row] = cost("--by", "task")["rows"]
    assert (row["task"], row["calls"]) == ("rivers", 2)
    assert Decimal(row["spent_usd"]) == sum(spent.values()) > 0


def test_plain_sql_tells_the_same(recorded: Project, cost: Cost) -> None:
    query = "SELECT test, SUM(spent_units) FROM calls GROUP BY test"
    units = dict(cost("--sql", query)["rows"])
    told = {row["test"]: Decimal(row["cost"]["spent_usd"]) for row in report(recorded)["by_test"]}
    assert {test: Decimal(number) / 10**12 for test, number in units.items()} == told
    assert cost("--sql", "SELECT dimension, limit_units FROM stops")["rows"] == [["calls", 1]]


def test_a_run_that_was_killed_counts_up_to_there(project: Project, cost: Cost) -> None:
    project.write("llm_prices.yaml", PRICES)
    project.write("test_it.py", """
        import os
        from talk import ask

        def test_dies():
            ask("usage 10 10")
            os._exit(1)
    """)  # fmt: skip
    project.run_apart("--record-cassettes")
    found = cost("--by", "test")
    assert [(row["test"], row["calls"]) for row in found["rows"]] == [("test_it.py::test_dies", 1)]
    assert cost("--sql", "SELECT finished FROM runs")["rows"] == [[0]]


def test_runs_of_workers_and_joined_runs_count_once(recorded: Project, cost: Cost) -> None:
    recorded.run_apart("--llm-mode=replay", "-n", "2", passed=6)
    before = cost("--by", "test")
    assert before["totals"]["calls"] == 2 * report(recorded)["totals"]["calls"]
    runs = [str(path) for path in sorted((recorded.path / ".tapemeter" / "runs").iterdir())]
    command = [sys.executable, "-m", "tapemeter", "report", "merge", *runs, "--output"]
    for target in ("all", ".tapemeter"):
        subprocess.run([*command, target], cwd=recorded.path, check=True, capture_output=True)
    assert cost("--by", "test") == before
    joined = cost("--by", "test", "--report-dir", "all")
    assert joined["totals"] == before["totals"]
    told = json.loads((recorded.path / "all/latest/llm_usage_report.json").read_text())
    assert figures(joined["totals"]) == figures(told["totals"])
