"""What a run leaves in its report directory: events, report, and neither prompts nor keys."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from model_loopback import ModelLoopback, Reply
from tapemeter import report, schemas
from tapemeter.events import layout

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project
    from loopback import Loopback

KEY = "sk-proj-Zz81Yx72Ww63Vv54Uu45Tt36"
PROMPT = "a question that is nobody's business"

TWO = """
from talk import ask

def test_one():
    ask("one")

def test_two():
    ask("two")
    ask("three")
"""

MANY_KINDS = """
import pytest
from talk import ask

@pytest.mark.llm_budget(calls=2)
def test_with_a_step(llm_job):
    with llm_job.step("planner"):
        ask("one")
    ask("two")

@pytest.mark.llm_budget(calls=1)
@pytest.mark.expect_stopped_budget("calls")
def test_stopped():
    ask("three")
    ask("four")

def test_spends_the_rest():
    for number in range(9):
        ask(f"more {number}")

def test_left_over():
    ask("never asked")
"""

POLICY = """
schema: llm_budget_policy_v1
name: small
limits:
  run: {calls: 4}
warn_at: 0.5
"""

DIES = """
import os
import pytest
from talk import ask

@pytest.mark.parametrize("number", range(4))
def test_some(number):
    ask(f"question {number}")

def test_dies():
    ask("last words")
    os._exit(1)
"""


def newest(project: Project) -> Path:
    """The folder of the latest run."""
    folder = layout.latest(project.path / ".tapemeter")
    assert folder is not None
    return folder


def events_of(project: Project) -> list[dict[str, Any]]:
    lines = (newest(project) / layout.EVENTS).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def report_of(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((newest(project) / layout.REPORT).read_text(encoding="utf-8"))
    return found


def problems(events: list[dict[str, Any]]) -> list[schemas.Problem]:
    return [problem for event in events for problem in schemas.problems(event, schemas.USAGE_EVENT)]


def test_a_run_leaves_its_events_and_their_report(project: Project) -> None:
    project.write("test_it.py", TWO)
    project.run("--record-cassettes", passed=2)

    root = project.path / ".tapemeter"
    [folder] = (root / layout.RUNS).iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [layout.EVENTS, layout.REPORT]
    assert newest(project) == folder.resolve()
    assert (root / ".gitignore").read_text() == "*\n"
    assert problems(events_of(project)) == []
    assert schemas.problems(report_of(project), schemas.USAGE_REPORT) == []
    assert report_of(project)["totals"]["sources"] == {"replay": 0, "record": 3, "live": 0}
    assert report.verify(folder).findings == ()


def test_what_is_not_counted_in_tokens_is_told_by_its_unit(project: Project) -> None:
    pictures = {"created": 1, "data": [{"b64_json": "aGk="}, {"b64_json": "aGk="}]}
    with ModelLoopback() as models:
        models.reply(Reply.json(pictures))
        project.write("test_it.py", f"""
            import httpx

            def test_draws():
                body = {{"model": "gpt-image-1", "prompt": "two cats", "n": 2}}
                assert len(httpx.post("{models.url}/v1/images/generations", json=body).json()["data"]) == 2
        """)  # fmt: skip
        project.run("--record-cassettes", passed=1)
    recorded = [event["units"] for event in events_of(project) if event["event"] == "call"]
    project.run("--llm-mode=replay", passed=1)
    replayed = [event["units"] for event in events_of(project) if event["event"] == "call"]
    assert recorded == replayed == [{"images": 2}]
    assert problems(events_of(project)) == []


def test_a_run_without_a_call_leaves_nothing(project: Project) -> None:
    project.write("test_it.py", "def test_one():\n    pass\n")
    result = project.run("--llm-mode=replay", passed=1)
    assert not (project.path / ".tapemeter").exists()
    result.stdout.no_fnmatch_line("*= tapemeter =*")


def test_the_report_directory_can_be_another(project: Project) -> None:
    project.write("test_it.py", TWO)
    project.run("--record-cassettes", "--llm-report-dir=build/llm", passed=2)
    assert not (project.path / ".tapemeter").exists()
    assert layout.latest(project.path / "build" / "llm") is not None


def test_a_replay_comes_to_the_same_totals_each_time(project: Project, server: Loopback) -> None:
    project.write("test_it.py", TWO)
    project.run("--record-cassettes", passed=2)
    told = []
    for _ in range(2):
        project.run("--llm-mode=replay", passed=2)
        found = report_of(project)
        assert found["finished"]
        told.append({name: found[name] for name in ("totals", "by_job", "by_test", "by_model", "by_provider", "jobs")})
    assert told[0] == told[1]
    assert told[0]["totals"]["sources"]["replay"] == len(server.requests) == 3
    assert len(list((project.path / ".tapemeter" / layout.RUNS).iterdir())) == 3


def test_a_deleted_report_is_rebuilt_to_the_byte(project: Project) -> None:
    project.write("test_it.py", TWO)
    project.run("--record-cassettes", passed=2)
    path = newest(project) / layout.REPORT
    written = path.read_bytes()
    path.unlink()
    report.rebuild(newest(project))
    assert path.read_bytes() == written


def test_the_events_of_every_kind_are_as_their_schema_says(project: Project) -> None:
    project.write("test_it.py", MANY_KINDS)
    project.write("small_v1.yaml", POLICY)
    result = project.run("--record-cassettes", "--llm-budget-policy=small_v1.yaml")
    found = events_of(project)
    assert problems(found) == []
    assert {"run", "call", "step", "job", "stop", "warning", "not_run", "end"} <= {event["event"] for event in found}
    assert {event["outcome"] for event in found if event["event"] == "call"} == {"ok", "refused"}
    told = report_of(project)
    assert schemas.problems(told, schemas.USAGE_REPORT) == []
    assert [entry["test"] for entry in told["not_run"]] == ["test_it.py::test_left_over"]
    assert result.ret == 8


def test_neither_prompts_nor_keys_are_in_it_and_answers_only_if_wanted(project: Project, sdks: None) -> None:
    project.write(
        "test_it.py", f"from talk import ask_openai\n\ndef test_one():\n    ask_openai({PROMPT!r}, {KEY!r})\n"
    )
    project.run("--record-cassettes", "-o", "llm_keep_responses=false", passed=1)
    assert report_of(project)["totals"]["calls"] == 1
    written = b"".join(path.read_bytes() for path in newest(project).iterdir())
    assert KEY.encode() not in written
    assert PROMPT.encode() not in written
    assert b"echo:" not in written

    project.run("--llm-mode=replay", passed=1)
    [call] = [event for event in events_of(project) if event["event"] == "call"]
    assert call["response_text"].startswith(f"echo: {PROMPT}")  # the server repeats it
    assert len(call["response_text"]) == call["response_chars"]
    assert "prompt" not in {key for key, value in call.items() if value == PROMPT}


def test_a_key_that_a_provider_repeats_is_not_in_it(project: Project, sdks: None) -> None:
    test = f"from talk import ask_openai\n\ndef test_one():\n    ask_openai('leak', {KEY!r})\n"
    project.write("test_it.py", test)
    project.run("--record-cassettes", passed=1)
    assert KEY.encode() not in b"".join(path.read_bytes() for path in newest(project).iterdir())


# Several processes


def test_workers_write_one_chain_with_the_events_of_all(project: Project) -> None:
    project.write("test_it.py", DIES.replace("os._exit(1)", "pass"))
    project.run_apart("--record-cassettes", "-n", "2", passed=5)
    found = events_of(project)
    assert {event["process"] for event in found if event["event"] == "call"} == {"gw0", "gw1"}
    assert sorted(path.name for path in newest(project).iterdir()) == [layout.EVENTS, layout.REPORT]
    assert report_of(project)["totals"]["calls"] == 5
    assert report.verify(newest(project)).findings == ()
    assert problems(found) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a worker that dies is another thing there")
def test_a_worker_that_dies_still_has_its_calls_in_the_report(project: Project) -> None:
    project.write("test_it.py", DIES)
    result = project.run_apart("--record-cassettes", "-n", "2", "--max-worker-restart=0")
    assert result.ret != 0
    told = report_of(project)
    assert "test_it.py::test_dies" in [entry["test"] for entry in told["by_test"]]
    assert told["totals"]["calls"] >= 1
    assert any("nothing tells what became of this job" in error for error in told["errors"])
    assert problems(events_of(project)) == []
    assert {found.kind for found in report.verify(newest(project)).findings} <= {"cut"}


def test_a_run_that_was_killed_is_made_whole_by_a_rebuild(project: Project) -> None:
    project.write("test_it.py", DIES)
    project.run_apart("--record-cassettes")
    root = project.path / ".tapemeter"
    [folder] = (root / layout.RUNS).iterdir()
    [(process, path)] = layout.parts(folder)
    path.write_bytes(path.read_bytes()[:-5])

    told, faults = report.rebuild(folder)

    assert faults == []
    assert (process, told["finished"]) == ("main", False)
    assert told["totals"]["calls"] == 4
    assert [torn["process"] for torn in told["evidence"]["torn"]] == ["main"]
    assert newest(project) == folder.resolve()
    assert problems(events_of(project)) == []
