"""What a budget is over: a test, its steps, several tests, a fixture of wider scope; and what tests see of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from spending import events, report

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback


def test_a_test_sees_what_it_used_by_model_and_by_step(project: Project, server: Loopback) -> None:
    project.write(
        "llm_prices.yaml", 'schema: llm_prices_v1\nmodels: {loopback-1: {input_mtok: "0", output_mtok: "1"}}\n'
    )
    project.write(
        "test_it.py",
        """
        import asyncio, threading
        from decimal import Decimal
        import pytest, talk

        @pytest.mark.llm_budget(calls=9, cost_usd="0.5")
        def test_one(llm_job, llm_usage):
            assert (llm_job.state, llm_usage.calls, llm_usage.cost_usd) == ("RUNNING", 0, 0)
            with llm_job.step("planner"):
                talk.ask("plan")
                with llm_job.step("search"):
                    asyncio.run(talk.aask("look"))
                    thread = threading.Thread(target=talk.ask, args=("look again",))
                    thread.start()
                    thread.join()
            talk.ask("outside")

            assert llm_usage.calls == llm_usage.attempts == 4
            assert (llm_usage.input_tokens, llm_usage.output_tokens, llm_usage.total_tokens) == (20, 28, 48)
            assert llm_usage.total_chars == llm_usage.prompt_chars + llm_usage.response_chars > 0
            assert llm_usage.cost_usd == Decimal("0.000028")
            assert llm_usage.by_model["loopback-1"].calls == 4
            assert llm_usage.by_model["another"].calls == 0
            assert llm_usage.by_step["planner"].calls == 1
            assert llm_usage.by_step["planner/search"].calls == 2
            assert llm_job.budget.limits["calls"] == 9
            assert llm_job.budget.remaining == {"calls": 5, "cost_usd": Decimal("0.499972")}
        """,
    )

    project.record_and_replay(server, calls=4, passed=1)

    assert {(one["step"], one["calls"]) for one in report(project)["by_step"]} == {
        ("planner", 1),
        ("planner/search", 2),
    }


def test_a_limit_of_a_step_holds_for_each_run_of_it_and_for_the_steps_within(
    project: Project, server: Loopback
) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.mark.llm_budget(step={"calls": 2})
        @pytest.mark.expect_stopped_budget("calls", scope="step", after_calls=7)
        def test_one(llm_job):
            for turn in range(2):
                with llm_job.step("agent"):
                    talk.ask("first")
                    talk.ask("second")
            talk.ask("outside of any step there is no limit")
            with llm_job.step("agent"):
                talk.ask("first")
                with llm_job.step("tool"):
                    talk.ask("second")
                    talk.ask("third")
        """,
    )

    project.record_and_replay(server, calls=7, passed=1)


def test_tests_of_one_name_share_a_job_and_its_budget(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.mark.llm_job("shop")
        @pytest.mark.llm_budget(calls=3)
        class TestShop:
            def test_first(self, llm_job):
                talk.ask("one")
                talk.ask("two")
                assert llm_job.name == "shop"

            @pytest.mark.expect_stopped_budget("calls", after_calls=3)
            def test_second(self, llm_usage):
                assert llm_usage.calls == 2
                talk.ask("three")
                talk.ask("four")

            def test_third_makes_no_call(self, llm_job):
                assert llm_job.state == "STOPPED_BUDGET"

            def test_fourth(self):
                talk.ask("five")

        def test_other():
            talk.ask("not of the shop")
        """,
    )

    project.record_and_replay(server, calls=4, passed=4, failed=1)

    (shop,) = (job for job in report(project)["jobs"] if job["job"] == "shop")
    assert (shop["state"], len(shop["tests"])) == ("STOPPED_BUDGET", 4)


def test_a_fixture_of_wider_scope_has_a_job_of_its_own(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.fixture(scope="module")
        def summary():
            return talk.ask("sum up"), talk.ask("sum up again")

        @pytest.mark.llm_budget(calls=1)
        def test_one(summary, llm_usage):
            talk.ask("mine")
            assert llm_usage.calls == 1
        """,
    )

    project.record_and_replay(server, calls=3, passed=1)

    found = {one["job"]: one["calls"] for one in report(project)["by_job"]}
    assert found == {"fixture:module.summary": 2, "test_it.py::test_one": 1}
    assert report(project)["totals"]["calls"] == 3


def test_a_test_that_is_run_again_begins_with_a_whole_budget(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
import pytest, talk

runs = []

@pytest.mark.flaky(reruns=1)
@pytest.mark.llm_budget(calls=2)
def test_one(llm_job):
    runs.append(1)
    for number in range(3 if len(runs) == 1 else 2):
        talk.ask(f"question {number}")
    assert (llm_job.name, llm_job.state) == ("test_it.py::test_one (run 2)", "RUNNING")
""")  # fmt: skip

    project.run("--llm-mode=live", passed=1, rerun=1)

    assert [(job["job"], job["state"]) for job in report(project)["jobs"]] == [
        ("test_it.py::test_one", "STOPPED_BUDGET"),
        ("test_it.py::test_one (run 2)", "COMPLETED"),
    ]
    assert len(events(project, "stop")) == 1
    assert len(server.requests) == 4


@pytest.mark.parametrize("mode", ["live", "off"])
def test_the_fixtures_are_there_in_every_mode(project: Project, mode: str) -> None:
    project.write(
        "test_it.py",
        """
        def test_one(llm_job, llm_usage):
            with llm_job.step("nothing"):
                assert llm_usage.calls == 0
            assert llm_job.stop is None
        """,
    )

    project.run(f"--llm-mode={mode}", passed=1)
    assert not (project.path / ".tapemeter").exists()
