"""The end of a session: a run that is out of budget, what the terminal and JUnit say, and the exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from spending import report

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

OUT_OF_BUDGET = 8

RUN = "schema: llm_budget_policy_v1\nname: run\nlimits:\n  run: {calls: 3}\n"

MANY = """
import pytest, talk

@pytest.mark.parametrize("number", range(8))
def test_one(number):
    talk.ask(f"n {number}")
"""


def test_a_run_out_of_budget_leaves_the_remaining_tests_not_run(project: Project, server: Loopback) -> None:
    project.write("policy.yaml", RUN)
    project.write("test_it.py", MANY)

    result = project.run("--llm-mode=live", "--llm-budget-policy=policy.yaml", "-rs", passed=3, failed=1, skipped=4)

    assert result.ret == OUT_OF_BUDGET
    assert len(server.requests) == 3
    result.stdout.fnmatch_lines(
        ["SKIPPED [[]4] test_it.py:*: not run: run budget: calls limit of 3 (from policy.yaml:4)"]
    )
    assert [entry["test"] for entry in report(project)["not_run"]] == [
        f"test_it.py::test_one[{n}]" for n in range(4, 8)
    ]


def test_a_run_that_was_to_be_stopped_leaves_the_rest_out_without_a_failure(project: Project) -> None:
    project.write("policy.yaml", RUN)
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.mark.expect_stopped_budget("calls", scope="run", after_calls=3)
        def test_one():
            for number in range(5):
                talk.ask(f"n {number}")

        def test_two():
            talk.ask("late")
        """,
    )

    result = project.run("--llm-mode=live", "--llm-budget-policy=policy.yaml", passed=1, skipped=1)

    assert result.ret == OUT_OF_BUDGET


def test_workers_share_the_budget_of_the_run(project: Project, server: Loopback) -> None:
    project.write("policy.yaml", RUN)
    project.write("test_it.py", MANY)

    result = project.run_apart("--llm-mode=live", "--llm-budget-policy=policy.yaml", "-n", "2")

    assert result.ret == OUT_OF_BUDGET
    assert len(server.requests) == 3
    found = report(project)
    assert found["totals"]["calls"] == 3
    assert found["run_limits"][0]["used"] == 3
    assert result.parseoutcomes()["passed"] == 3
    assert len(found["not_run"]) == result.parseoutcomes()["skipped"]


def test_a_worker_that_dies_gives_back_what_it_had_set_aside(project: Project, server: Loopback) -> None:
    project.write("policy.yaml", RUN)
    project.write(
        "test_it.py",
        """
        import os, signal
        import httpx, pytest, talk

        def test_dies():
            body = {"model": "loopback-1", "stream": True, "messages": [{"role": "user", "content": "slow"}]}
            with httpx.Client(verify=False) as client:
                with client.stream("POST", talk.URL + "/v1/chat/completions", json=body) as response:
                    pieces = response.iter_text()
                    next(pieces)
                    os.kill(os.getpid(), signal.SIGKILL)

        @pytest.mark.parametrize("number", range(3))
        def test_one(number):
            talk.ask(f"n {number}")
        """,
    )

    result = project.run_apart(
        "--llm-mode=live", "--llm-budget-policy=policy.yaml", "-n", "1", "--max-worker-restart=1"
    )

    assert result.parseoutcomes()["passed"] == 3
    found = report(project)
    assert [entry["call_id"] for entry in found["lapsed"]] == ["test_it.py::test_dies#1"]
    assert found["run_limits"][0]["used"] == 3


def test_junit_properties_tell_what_each_test_used(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import talk

        def test_one():
            talk.ask("hello")

        def test_two():
            pass
        """,
    )

    project.run("--llm-mode=live", "--junit-xml=junit.xml", passed=2)

    cases = ET.parse(project.path / "junit.xml").getroot().iter("testcase")
    found = {case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")} for case in cases}
    assert found == {
        "test_one": {
            "llm_calls": "1",
            "llm_input_tokens": "5",
            "llm_output_tokens": "7",
            "llm_cost_usd": "unknown",
            "llm_mode": "live",
        },
        "test_two": {},
    }


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("unpriced", "--llm-fail-on=unpriced: 2 times: *"),
        ("warning", "--llm-fail-on=warning: 1 time: *"),
        ("stopped", "--llm-fail-on=stopped: 1 time: *"),
    ],
)
def test_what_is_found_fails_the_session_where_that_is_wanted(project: Project, kind: str, told: str) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.mark.llm_budget(calls=1, warn_at=0.5)
        def test_near():
            talk.ask("one")

        @pytest.mark.llm_budget(calls=1)
        @pytest.mark.expect_stopped_budget
        def test_stopped():
            talk.ask("one")
            talk.ask("two")
        """,
    )

    project.run("--llm-mode=live", passed=2)
    result = project.run("--llm-mode=live", "-q", f"--llm-fail-on={kind}")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*= tapemeter =*", told])
    result.stdout.no_fnmatch_line("calls *")


def test_the_summary_is_short_and_silent_where_nothing_was_called(project: Project) -> None:
    project.write("test_it.py", "import talk\n\ndef test_one():\n    talk.ask('hello')\n")
    result = project.run("--llm-mode=live", passed=1)
    result.stdout.fnmatch_lines(
        ["*= tapemeter =*", "calls*1 call*", "tokens*5 in, 7 out*", "evidence: .tapemeter/runs/*"]
    )
    assert (project.path / ".tapemeter" / ".gitignore").read_text(encoding="utf-8").strip().endswith("*")

    result = project.run("--llm-mode=live", "-q", passed=1)
    result.stdout.no_fnmatch_line("*tapemeter*")

    project.write("test_it.py", "def test_one():\n    pass\n")
    result = project.run("--llm-mode=replay", "--llm-report-dir=elsewhere", passed=1)
    result.stdout.no_fnmatch_line("*= tapemeter =*")
    assert not (project.path / "elsewhere").exists()


def test_verbose_recording_tells_of_each_test(project: Project) -> None:
    project.write("test_it.py", "import talk\n\ndef test_one():\n    talk.ask('hello')\n")

    result = project.run("--record-cassettes", "-v", passed=1)

    result.stdout.fnmatch_lines(["*RECORDED 1 call, 12 tokens, price unknown*"])
