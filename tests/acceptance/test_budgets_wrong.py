"""A wrong policy, price or marker is told before the first test, a wrong fixture by its test; nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from spending import ASK, policy

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

WRONG_FILES = {
    "that is not there": (None, "*small.yaml*"),
    "with an unknown dimension": ("{job: {call: 1}}", "*small.yaml:3: *limits.job*call*"),
    "with a float for money": ("{job: {cost_usd: 0.25}}", "*small.yaml:3: *limits.job.cost_usd*"),
    "with calls of a call": ("{call: {calls: 1}}", "*small.yaml:3: *limits.call*calls*"),
    "that is no YAML": ("{job: {calls: 1}", "*small.yaml:*"),
}


@pytest.mark.parametrize("how", ["option", "ini", "environment", "marker"])
def test_a_wrong_policy_file_ends_the_run_before_the_first_test(
    project: Project, server: Loopback, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    project.write("test_it.py", ASK + "def test_first():\n    ask(1)\n")
    options = ["--llm-mode=live"]
    match how:
        case "option":
            options.append("--llm-budget-policy=small.yaml")
        case "ini":
            project.ini("llm_budget_policy = small.yaml")
        case "environment":
            monkeypatch.setenv("LLM_BUDGET_POLICY", "small.yaml")
        case "marker":
            project.write("test_late.py", "import pytest\n\n@pytest.mark.llm_budget('small.yaml')\ndef test(): ...\n")
    for limits, words in WRONG_FILES.values():
        if limits is not None:
            policy(project, limits)

        result = project.run(*options)

        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: tapemeter: {words}"])
    assert server.requests == []


def test_a_wrong_price_file_ends_the_run_before_the_first_test(project: Project, server: Loopback) -> None:
    project.write("llm_prices.yaml", "schema: llm_prices_v1\nmodels: {loopback-1: {output_mtok: cheap}}\n")
    project.write("test_it.py", ASK + "def test_one():\n    ask(1)\n")

    result = project.run("--llm-mode=live")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: tapemeter: llm_prices.yaml:2: *"])
    assert server.requests == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("'missing.yaml'", "*missing.yaml*"),
        ("3", "*llm_budget_policy of test_it.py::test_one: expected the path of a policy file, or a mapping*got 3*"),
        ("{'name': 'x'}", "*llm_budget_policy of test_it.py::test_one*schema*"),
        ("{'schema': 'llm_budget_policy_v1', 'name': 'x', 'limits': {'job': {'calls': -1}}}", "*calls*-1*"),
    ],
)
def test_a_fixture_that_gives_something_wrong_fails_its_test(
    project: Project, server: Loopback, value: str, words: str
) -> None:
    project.write("test_it.py", ASK + f"""
@pytest.fixture
def llm_budget_policy():
    return {value}

def test_one():
    ask(1)
""")  # fmt: skip

    result = project.run("--llm-mode=live", errors=1)

    result.stdout.fnmatch_lines([words])
    assert server.requests == []


WRONG_BUDGETS = {
    "calls=-1": "*expected calls as a whole number from 0*got -1 (int)*",
    "calls=True": "*expected calls as a whole number*got True (bool)*",
    "calls=1.5": "*expected calls as a whole number*got 1.5 (float)*",
    "calls='3'": "*expected calls as a whole number*got '3' (str)*",
    "cost_usd='a lot'": "*expected cost_usd as US dollars*got 'a lot' (str)*",
    "cost_usd=float('nan')": "*expected cost_usd as US dollars*got nan (float)*",
    "call_s=3": "*there is no argument 'call_s'*calls*",
    "job={'coins': 3}": "*there is no limit of a job 'coins'*",
    "call={'calls': 3}": "*there is no limit of a call 'calls'*",
    "job=3": "*expected job as a dict, got 3 (int)*",
    "calls=1, job={'calls': 2}": "*given by its name and in job=; write it once*",
    "on_stop='http_404'": "*expected on_stop as one of raise, http_402*",
    "unknown_cost='free'": "*expected unknown_cost as one of refuse, assume_max, ignore*",
    "warn_at=80": "*expected warn_at as a fraction*",
    "'a.yaml', 'b.yaml'": "*takes one policy*",
    "'a.yaml', policy='b.yaml'": "*takes one policy*",
    "3": "*expected the path of a policy file*got 3*",
}


def test_a_wrong_budget_ends_the_run_before_the_first_test(project: Project, server: Loopback) -> None:
    for arguments, words in WRONG_BUDGETS.items():
        project.write(
            "test_it.py",
            ASK
            + f"def test_first():\n    ask(1)\n\n@pytest.mark.llm_budget({arguments})\ndef test_late():\n    ask(1)\n",
        )
        result = project.run("--llm-mode=live")
        assert result.ret == pytest.ExitCode.USAGE_ERROR, arguments
        result.stderr.fnmatch_lines([f"ERROR: tapemeter: @pytest.mark.llm_budget on test_it.py::test_late{words}"])
    assert server.requests == []


WRONG_OTHERS = {
    "expect_stopped_budget('call')": "*limit is 'call'; write one of calls, *",
    "expect_stopped_budget(scope='test')": "*scope is 'test'; write one of run, job, step, call*",
    "expect_stopped_budget(after_calls='2')": "*expected after_calls as a whole number, got '2'*",
    "expect_stopped_budget(after_calls=True)": "*expected after_calls as a whole number, got True*",
    "expect_stopped_budget(after_calls=-1)": "*expected after_calls as a whole number, got -1*",
    "expect_stopped_budget(after=2)": "*has no argument after; it takes limit, scope, after_calls*",
    "expect_stopped_budget(1, 2, 3, 4)": "*takes limit, scope and after_calls, got*",
    "expect_stopped_budget('calls', limit='calls')": "*limit*twice*",
    "llm_job": "*takes one name; write llm_job('checkout')*",
    "llm_job('')": "*takes one name*",
    "llm_job('a', 'b')": "*takes one name*",
    "llm_job(title='a')": "*takes one name*",
}


def test_a_wrong_expectation_or_group_ends_the_run_before_the_first_test(project: Project, server: Loopback) -> None:
    for marker, words in WRONG_OTHERS.items():
        project.write("test_it.py", ASK + f"""
def test_first():
    ask(1)

@pytest.mark.{marker}
def test_one():
    ask(1)
""")  # fmt: skip
        result = project.run("--llm-mode=live")
        assert result.ret == pytest.ExitCode.USAGE_ERROR, marker
        result.stderr.fnmatch_lines([f"ERROR: tapemeter: @pytest.mark.* on test_it.py::test_one{words}"])
    assert server.requests == []
