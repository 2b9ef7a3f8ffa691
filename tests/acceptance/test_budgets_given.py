"""Where limits are given: option, environment, ini, fixture and marker; all hold, and the tightest is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

POLICY = """
schema: llm_budget_policy_v1
name: small
limits:
  job: {{calls: {calls}}}
"""

LOOP = """
import talk

def test_one():
    for number in range(6):
        talk.ask(f"n {number}")
"""


def test_a_policy_is_given_by_option_environment_or_ini_in_this_order(
    project: Project, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    for calls in (1, 2, 3):
        project.write(f"policies/p{calls}.yaml", POLICY.format(calls=calls))
    project.write("test_it.py", LOOP)

    def sent(*options: str) -> int:
        server.requests.clear()
        result = project.run("--llm-mode=live", *options, failed=1)
        result.stdout.fnmatch_lines([f"*the job's calls limit of {len(server.requests)} (from policies/p*.yaml:5)*"])
        return len(server.requests)

    project.ini("llm_budget_policy = policies/p3.yaml")
    assert sent() == 3
    monkeypatch.setenv("LLM_BUDGET_POLICY", "policies/p2.yaml")
    assert sent() == 2
    assert sent("--llm-budget-policy=policies/p1.yaml") == 1


@pytest.mark.parametrize(("fixture", "marker", "run"), [(1, 2, 3), (2, 1, 3), (3, 2, 1)])
def test_of_all_that_are_given_the_tightest_holds_and_is_named(
    project: Project, server: Loopback, fixture: int, marker: int, run: int
) -> None:
    project.write("policies/run.yaml", POLICY.format(calls=run))
    project.write("tests/limits.yaml", POLICY.format(calls=fixture))
    project.write(
        "tests/conftest.py",
        """
        import pytest

        @pytest.fixture
        def llm_budget_policy():
            return "tests/limits.yaml"
        """,
    )
    project.write(
        "tests/test_it.py",
        LOOP.replace("def test", f"import pytest\n\n@pytest.mark.llm_budget(calls={marker})\ndef test"),
    )
    named = {fixture: "tests/limits.yaml:5", marker: "@pytest.mark.llm_budget on *", run: "policies/run.yaml:5"}

    result = project.run("--llm-mode=live", "--llm-budget-policy=policies/run.yaml", failed=1)

    result.stdout.fnmatch_lines([f"*the job's calls limit of 1 (from {named[1]})*"])
    assert len(server.requests) == 1


def test_a_fixture_may_give_a_mapping_and_a_marker_a_file(project: Project, server: Loopback) -> None:
    project.write("two.yaml", POLICY.format(calls=2))
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.fixture(scope="module")
        def llm_budget_policy():
            return {"schema": "llm_budget_policy_v1", "name": "m", "limits": {"job": {"calls": 3}}}

        def ask():
            for number in range(6):
                talk.ask(f"n {number}")

        @pytest.mark.expect_stopped_budget("calls", after_calls=3)
        def test_mapping():
            ask()

        @pytest.mark.llm_budget("two.yaml")
        @pytest.mark.expect_stopped_budget("calls", after_calls=2)
        def test_file():
            ask()

        @pytest.mark.llm_budget(policy="two.yaml", calls=1)
        @pytest.mark.expect_stopped_budget("calls", after_calls=1)
        def test_both():
            ask()
        """,
    )

    project.record_and_replay(server, calls=6, passed=3)


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("llm_budget(cals=3)", "*llm_budget on test_it.py::test_one*cals*calls*"),
        ("llm_budget(calls=-1)", "*llm_budget on test_it.py::test_one*calls*-1*"),
        ("llm_budget(calls=True)", "*llm_budget on test_it.py::test_one*calls*True*"),
        ("llm_budget(cost_usd=float('nan'))", "*llm_budget on test_it.py::test_one*cost_usd*nan*"),
        ("llm_budget('missing.yaml')", "*missing.yaml*no such file*"),
        ("llm_budget('wrong.yaml')", '*wrong.yaml:4*limits.job.calls*expected*found "many"*'),
        ("llm_job()", "*llm_job on test_it.py::test_one takes one name*"),
        ("expect_stopped_budget('cals')", "*expect_stopped_budget*'cals'*calls*"),
        ("expect_stopped_budget(after=3)", "*expect_stopped_budget*after*after_calls*"),
        ("expect_stopped_budget(after_calls=-1)", "*expect_stopped_budget*after_calls*-1*"),
    ],
)
def test_what_cannot_be_honoured_is_told_before_any_test_runs(
    project: Project, server: Loopback, marker: str, told: str
) -> None:
    project.write("wrong.yaml", "schema: llm_budget_policy_v1\nname: w\nlimits:\n  job: {calls: many}\n")
    project.write(
        "test_it.py", f"import pytest, talk\n\n@pytest.mark.{marker}\ndef test_one():\n    talk.ask('hello')\n"
    )

    result = project.run("--llm-mode=live")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([told])
    assert server.requests == []


def test_a_policy_file_that_is_wrong_ends_the_session_with_its_line(project: Project) -> None:
    project.write("wrong.yaml", "schema: llm_budget_policy_v1\nname: w\nlimits:\n  job: {cost_usd: 0.25}\n")
    project.write("test_it.py", LOOP)

    result = project.run("--llm-mode=live", "--llm-budget-policy=wrong.yaml")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*wrong.yaml:4*limits.job.cost_usd*"])
