"""Where limits are given: option, environment, ini, fixture and marker. All hold, and the tightest is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spending import ASK, events, policy, report

if TYPE_CHECKING:
    import pytest

    from conftest import Project
    from loopback import Loopback


def stopped(calls: int) -> str:
    """Return a test that passes where its job is stopped after so many calls."""
    return (
        ASK
        + f"""
@pytest.mark.expect_stopped_budget("calls", after_calls={calls})
def test_one():
    ask(9)
"""
    )


def stop_source(project: Project) -> str:
    """Return where the limit came from that made the only stop of the latest run."""
    (stop,) = report(project)["stops"]
    assert stop["source"] == events(project, "stop")[0]["source"]
    return str(stop["source"])


# Files


def test_of_option_environment_and_ini_the_first_that_is_given_holds(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("by_option", "by_environment", "by_ini"), 1):
        policy(project, f"{{job: {{calls: {number}}}}}", name=name)

    project.ini("llm_budget_policy = by_ini.yaml")
    project.write("test_it.py", stopped(3))
    project.run("--llm-mode=live", passed=1)
    assert stop_source(project) == "by_ini.yaml:3"

    monkeypatch.setenv("LLM_BUDGET_POLICY", "by_environment.yaml")
    project.write("test_it.py", stopped(2))
    project.run("--llm-mode=live", passed=1)
    assert stop_source(project) == "by_environment.yaml:3"

    project.write("test_it.py", stopped(1))
    project.run("--llm-mode=live", "--llm-budget-policy=by_option.yaml", passed=1)
    assert stop_source(project) == "by_option.yaml:3"


def test_a_policy_file_holds_for_every_test_and_its_limits_for_each_by_itself(
    project: Project, server: Loopback
) -> None:
    policy(project, "{job: {calls: 2}, run: {calls: 5}}")
    project.write("test_it.py", ASK + """
@pytest.mark.parametrize("number", range(2))
def test_one(number):
    ask(2)

def test_two():
    ask(3)
""")  # fmt: skip

    result = project.run("--llm-mode=live", "--llm-budget-policy=small.yaml", passed=2, failed=1)

    result.stdout.fnmatch_lines(["*the run's calls limit of 5 (from small.yaml:3)*5 used, 1 more asked by call 2*"])
    assert len(server.requests) == 5


def test_an_option_is_relative_to_where_pytest_is_called_ini_to_the_root(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy(project, "{job: {calls: 1}}", name="sub/limits")
    policy(project, "{job: {calls: 2}}", name="limits")
    project.write("sub/test_it.py", stopped(1))
    monkeypatch.chdir(project.path / "sub")
    monkeypatch.syspath_prepend(project.path)
    project.run("--llm-mode=live", "--llm-budget-policy=limits.yaml", passed=1)
    assert stop_source(project) == "sub/limits.yaml:3"

    project.ini("llm_budget_policy = limits.yaml")
    project.write("sub/test_it.py", stopped(2))
    project.run("--llm-mode=live", passed=1)
    assert stop_source(project) == "limits.yaml:3"


# Fixtures


def test_an_overridden_fixture_gives_a_path_or_a_mapping_to_all_tests_below(project: Project, server: Loopback) -> None:
    policy(project, "{job: {calls: 1}}", name="policies/agents_v1")
    project.write("agents/conftest.py", """
        import pytest

        @pytest.fixture(scope="session")
        def llm_budget_policy():
            return "policies/agents_v1.yaml"
    """)  # fmt: skip
    project.write("agents/test_path.py", stopped(1))
    project.write("test_mapping.py", stopped(2) + """
@pytest.fixture(scope="module")
def llm_budget_policy():
    return {"schema": "llm_budget_policy_v1", "name": "here", "limits": {"job": {"calls": 2}}}
""")  # fmt: skip
    project.write("test_neither.py", ASK + "def test_one():\n    ask(4)\n")

    project.run("--llm-mode=live", passed=3)

    assert sorted(stop["source"] for stop in report(project)["stops"]) == [
        "llm_budget_policy of test_mapping.py::test_one",
        "policies/agents_v1.yaml:3",
    ]
    assert len(server.requests) == 7


def test_a_fixture_is_asked_before_the_test_s_other_fixtures_make_calls(project: Project) -> None:
    project.write("test_it.py", ASK + """
@pytest.fixture
def llm_budget_policy():
    return {"schema": "llm_budget_policy_v1", "name": "here", "limits": {"job": {"calls": 0}}}

@pytest.fixture(autouse=True)
def a_client_that_says_hello():
    with pytest.raises(BaseException, match="stopped by budget"):
        ask(1)

@pytest.mark.expect_stopped_budget("calls", after_calls=0)
def test_one():
    pass
""")  # fmt: skip

    project.run("--llm-mode=live", passed=1)


# Markers


def test_markers_of_test_class_and_module_hold_together(project: Project) -> None:
    project.write("test_it.py", ASK + """
pytestmark = pytest.mark.llm_budget(calls=3)

@pytest.mark.llm_budget(prompt_chars=20)
class TestIt:
    @pytest.mark.expect_stopped_budget("calls", after_calls=1)
    @pytest.mark.llm_budget(calls=1)
    def test_the_nearest_is_tightest(self):
        ask(9)

    @pytest.mark.expect_stopped_budget("prompt_chars", after_calls=2)
    @pytest.mark.llm_budget(calls=5)
    def test_the_middle_one_is_tightest(self):
        ask(9)

    @pytest.mark.expect_stopped_budget("calls", after_calls=3)
    @pytest.mark.llm_budget(calls=4)
    @pytest.mark.llm_budget(prompt_chars=999, calls=None)
    def test_the_outermost_is_tightest(self):
        for number in range(9):
            talk.ask(str(number))
""")  # fmt: skip

    project.run("--llm-mode=live", passed=3)


def test_a_marker_takes_a_file_a_mapping_and_limits_of_every_scope(project: Project, server: Loopback) -> None:
    policy(project, "{call: {prompt_chars: 10}}")
    project.write("test_it.py", ASK + """
@pytest.mark.llm_budget("small.yaml", calls=2)
@pytest.mark.expect_stopped_budget("calls", after_calls=2)
def test_file_and_limits():
    ask(9)

@pytest.mark.llm_budget(policy="small.yaml")
@pytest.mark.expect_stopped_budget("prompt_chars", scope="call", after_calls=1)
def test_file():
    ask(1)
    talk.ask("more than ten characters")

@pytest.mark.llm_budget({"schema": "llm_budget_policy_v1", "name": "here", "limits": {"job": {"calls": 1}}})
@pytest.mark.expect_stopped_budget("calls", scope="job", after_calls=1)
def test_mapping():
    ask(9)

@pytest.mark.llm_budget(job={"calls": 1})
@pytest.mark.expect_stopped_budget("calls", scope="job", after_calls=1)
def test_job():
    ask(9)

@pytest.mark.llm_budget(step={"calls": 1}, call={"prompt_chars": 10})
@pytest.mark.expect_stopped_budget("calls", scope="step", after_calls=3)
def test_step(llm_job):
    ask(2)
    with llm_job.step("one"):
        ask(9)
""")  # fmt: skip

    project.record_and_replay(server, calls=8, passed=5)

    sources = {stop["job"].rpartition("::")[2]: stop["source"] for stop in report(project)["stops"]}
    assert sources["test_file"] == "small.yaml:3"
    assert sources["test_file_and_limits"] == "@pytest.mark.llm_budget on test_it.py::test_file_and_limits"


# All together


def test_of_all_sources_the_tightest_wins_and_no_other_loosens_it(project: Project) -> None:
    policy(project, "{job: {calls: 3, prompt_chars: 1000, total_chars: 700}}", name="of_all")
    project.write("test_it.py", ASK + """
@pytest.fixture
def llm_budget_policy():
    limits = {"job": {"calls": 2, "prompt_chars": None, "response_chars": 500, "total_chars": 800}}
    return {"schema": "llm_budget_policy_v1", "name": "of the module", "limits": limits}

@pytest.mark.llm_budget(calls=9, prompt_chars=500, total_chars=900)
@pytest.mark.expect_stopped_budget("calls", after_calls=2)
def test_fixture(llm_job):
    limits = {"calls": 2, "prompt_chars": 500, "response_chars": 500, "total_chars": 700}
    assert dict(llm_job.budget.limits) == limits
    ask(9)

@pytest.mark.llm_budget(calls=1)
@pytest.mark.expect_stopped_budget("calls", after_calls=1)
def test_marker():
    ask(9)
""")  # fmt: skip

    project.run("--llm-mode=live", "--llm-budget-policy=of_all.yaml", passed=2)

    (first, _) = report(project)["jobs"]
    assert {limit["dimension"]: (limit["limit"], limit["source"]) for limit in first["limits"]} == {
        "calls": (2, "llm_budget_policy of test_it.py::test_fixture"),
        "prompt_chars": (500, "@pytest.mark.llm_budget on test_it.py::test_fixture"),
        "response_chars": (500, "llm_budget_policy of test_it.py::test_fixture"),
        "total_chars": (700, "of_all.yaml:3"),
    }


def test_the_nearest_says_how_a_stop_is_told_and_the_strictest_what_an_unknown_price_means(
    project: Project, server: Loopback
) -> None:
    policy(project, "{job: {cost_usd: '1'}}", more="unknown_cost: ignore\non_stop: http_402\n")
    project.write("test_it.py", ASK + """
@pytest.mark.expect_stopped_budget("calls")
@pytest.mark.llm_budget(calls=0)
def test_answered():
    assert talk.post("/v1/chat/completions", {"model": "m", "messages": []}).status_code == 402

@pytest.mark.expect_stopped_budget("calls")
@pytest.mark.llm_budget(calls=0, on_stop="raise")
def test_raised():
    with pytest.raises(BaseException, match="stopped by budget"):
        ask(1)

def test_ignored():
    ask(1)

@pytest.mark.expect_stopped_budget("cost_usd")
@pytest.mark.llm_budget(unknown_cost="refuse", on_stop="raise")
def test_refused():
    ask(1)
""")  # fmt: skip

    project.run("--llm-mode=live", "--llm-budget-policy=small.yaml", passed=4)

    assert len(server.requests) == 1


USES = {
    "llm_budget": "@pytest.mark.llm_budget(calls=9)\ndef test_one():",
    "llm_job": "@pytest.mark.llm_job('group')\ndef test_one():",
    "expect_stopped_budget": "@pytest.mark.expect_stopped_budget\ndef test_one():",
    "the fixture llm_job": "def test_one(llm_job):",
    "the fixture llm_usage": "def test_one(llm_usage):",
    "llm_budget_policy": "@pytest.fixture\ndef llm_budget_policy(): return None\n\ndef test_one():",
}


def test_whatever_is_about_budgets_makes_a_test_replay_where_no_mode_is_given(
    project: Project, server: Loopback
) -> None:
    for number, head in enumerate(USES.values()):
        project.write(f"test_{number}.py", f"{ASK}\n{head}\n    ask(1)\n")
    project.write("test_other.py", ASK + "def test_one():\n    ask(1)\n")

    result = project.run(passed=1, failed=len(USES))

    assert len(server.requests) == 1
    assert str(result.stdout).count("CassetteMiss: no recording answers") >= len(USES)


def test_a_policy_alone_starts_nothing(project: Project, server: Loopback) -> None:
    policy(project, "{job: {calls: 0}}")
    project.write("test_it.py", ASK + "def test_one():\n    ask(1)\n")

    project.run("--llm-budget-policy=small.yaml", passed=1)

    assert len(server.requests) == 1
    assert not (project.path / ".tapemeter").exists()
