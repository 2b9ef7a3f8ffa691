"""Runs of programs outside of pytest: cassettes, budgets, evidence and alarms around a block of code."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from changing_model import ChangingModel, completion

import tapemeter
from tapemeter import BudgetStopped, CassetteMiss, LlmService, ProviderConfig, UnownedCall, UsageError, events, report
from tapemeter.client import Endpoint, ProviderKind, Retries
from tapemeter.events import layout

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Loopback

NAMED = {"schema": "llm_budget_policy_v1", "name": "small"}
ONE_CALL = {"limits": {"job": {"calls": 1}}}


def ask(server: Loopback, *prompts: str) -> str:
    said = ""
    for prompt in prompts:
        body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": prompt}]}
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=body).raise_for_status().json()
        said = answer["choices"][0]["message"]["content"]
    return said


def ask_carelessly(server: Loopback, *prompts: str) -> None:
    with contextlib.suppress(BaseException):
        ask(server, *prompts)


def ask_and_fail(server: Loopback) -> None:
    ask(server, "hello")
    raise ZeroDivisionError


def calls(folder: Path) -> list[dict[str, Any]]:
    return [event for event in events.read(folder / layout.EVENTS) if event["event"] == "call"]


def test_a_job_is_recorded_and_replayed_with_its_evidence(server: Loopback, tmp_path: Path) -> None:
    said = []
    for mode in ("record", "replay"):
        with tapemeter.open_run(mode=mode, root=tmp_path) as run, run.job("nightly summary") as job:
            with job.step("first"):
                said.append(ask(server, "hello"))
            assert (run.mode, job.usage.calls, job.state) == (mode, 1, "RUNNING")
        assert run.report is not None
        assert run.report["totals"]["calls"] == 1
        assert [(found["job"], found["state"]) for found in run.report["jobs"]] == [("nightly summary", "COMPLETED")]
        [call] = calls(run.folder)
        assert (call["job"], call["step"], call["test"], call["source"]) == ("nightly summary", "first", None, mode)
        assert json.loads(json.dumps(run.report)) == report.load(run.folder / layout.REPORT)
        assert report.verify(run.folder).findings == ()
    assert said[0] == said[1]
    assert len(server.requests) == 1
    assert (tmp_path / "cassettes/jobs/nightly-summary.yaml").is_file()


def test_a_run_that_verifies_tells_what_is_answered_otherwise_now(tmp_path: Path) -> None:
    with ChangingModel() as model:
        body = {"model": "model-2026-01", "messages": [{"role": "user", "content": "hello"}]}
        told = []
        for mode, answered in (("record", "model-2026-01"), ("verify", "model-2026-01"), ("verify", "model-2026-10")):
            model.answers(completion(model=answered))
            with tapemeter.open_run(mode=mode, root=tmp_path) as run, run.job("nightly"):
                answer = httpx.post(f"{model.url}/v1/chat/completions", json=body).json()
            assert answer["model"] == answered
            assert run.report is not None
            told.append([(found["job"], found["changes"]) for found in run.report["drift"]])
            assert report.verify(run.folder).findings == ()
    change = {"path": "model", "kind": "changed", "recorded": "model-2026-01", "now": "model-2026-10", "calls": 1}
    assert told == [[], [], [("nightly", [change])]]


def test_what_has_no_recording_is_refused(server: Loopback, tmp_path: Path) -> None:
    with tapemeter.open_run(mode="record", root=tmp_path) as run, run.job("one"):
        ask(server, "another")
    server.requests.clear()
    with tapemeter.open_run(mode="replay", root=tmp_path) as run, pytest.raises(CassetteMiss) as missed, run.job("one"):
        ask(server, "hello")
    assert server.requests == []
    said = str(missed.value)
    assert said.endswith("to record what is missing: run it again in the mode record")
    assert "nearest unplayed recording" in said
    assert not any(word in said for word in ("pytest", "llm_normalize_request"))  # which are not for programs
    assert run.report is not None
    assert run.report["jobs"][0]["state"] == "FAILED"


def test_a_job_has_limits_of_its_own_besides_those_of_the_run(server: Loopback, tmp_path: Path) -> None:
    policy = tmp_path / "limits.yaml"
    policy.write_text(json.dumps({**NAMED, "limits": {"run": {"calls": 2}}}))
    with tapemeter.open_run(mode="live", root=tmp_path, budget_policy="limits.yaml") as run:
        with pytest.raises(BudgetStopped, match="calls limit of 1"), run.job("one", budget_policy=ONE_CALL):
            ask(server, "a", "b")
        with pytest.raises(BudgetStopped, match=r"run.*limits\.yaml"), run.job("two"):
            ask(server, "c", "d")
    assert len(server.requests) == 2
    assert run.report is not None
    assert [found["state"] for found in run.report["jobs"]] == ["STOPPED_BUDGET", "STOPPED_BUDGET"]


def test_a_stop_that_the_block_swallowed_is_raised_at_its_end(server: Loopback, tmp_path: Path) -> None:
    with (
        tapemeter.open_run(mode="live", root=tmp_path) as run,
        pytest.raises(BudgetStopped),
        run.job("one", budget_policy=ONE_CALL),
    ):
        ask_carelessly(server, "a", "b")


def test_a_job_that_failed_keeps_no_recording_unless_told(server: Loopback, tmp_path: Path) -> None:
    cassette = tmp_path / "cassettes/shared.yaml"
    for keeps in (False, True):
        with (
            tapemeter.open_run(mode="record", root=tmp_path) as run,
            pytest.raises(ZeroDivisionError),
            run.job("one", cassette="shared", record_failed=keeps),
        ):
            ask_and_fail(server)
        assert cassette.exists() is keeps


def test_mode_and_limits_come_from_the_environment(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "limits.yaml").write_text(json.dumps({**NAMED, **ONE_CALL}))
    monkeypatch.setenv("LLM_BUDGET_POLICY", "limits.yaml")
    monkeypatch.setenv("LLM_MODE", "record")
    with tapemeter.open_run(root=tmp_path) as run, run.job("one") as job:
        assert (run.mode, dict(job.budget.limits)) == ("record", {"calls": 1})
    assert run.report is None
    assert not run.folder.exists()


def test_alarms_reach_functions(server: Loopback, tmp_path: Path) -> None:
    told: list[str] = []

    def fail(_: object) -> None:
        raise ValueError("no room")

    with (
        tapemeter.open_run(mode="live", root=tmp_path, on_alarm=[lambda alarm: told.append(alarm.kind), fail]) as run,
        pytest.raises(BudgetStopped),
        run.job("one", budget_policy=ONE_CALL),
    ):
        ask(server, "a", "b")
    assert told == ["stop"]
    assert [problem.partition(": ")[2].partition(" <")[0] for problem in run.undelivered] == ["function"]
    assert run.undelivered[0].endswith(": no room")


@pytest.mark.parametrize("mode", ["off", "rekord"])
def test_an_unknown_mode_is_refused(tmp_path: Path, mode: str) -> None:
    with pytest.raises(UsageError, match=f"'{mode}'.*replay, record"), tapemeter.open_run(mode=mode, root=tmp_path):
        raise AssertionError


def test_a_service_that_is_to_replay_calls_nobody_outside_of_a_run(server: Loopback) -> None:
    config = ProviderConfig(ProviderKind.REAL, Endpoint(f"{server.url}/v1"), retries=Retries(attempts=1), mode="replay")
    with LlmService(config) as llm, pytest.raises(UnownedCall, match="open_run"):
        llm.complete("hello")
    assert server.requests == []


def test_a_service_in_a_program_without_a_run_just_calls(server: Loopback) -> None:
    config = ProviderConfig(ProviderKind.REAL, Endpoint(f"{server.url}/v1"), retries=Retries(attempts=1))
    with LlmService(config) as llm:
        assert llm.complete("hello").content == "echo: hello #1"
