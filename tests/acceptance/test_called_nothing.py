"""Tests that call no model cost next to nothing, and are judged as any other; a first call may come from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from spending import events, policy, report

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

NEEDED_BY_CALLS = (
    "tapemeter.alarms",
    "tapemeter.budget.policy",
    "tapemeter.cassette.cassette",
    "tapemeter.cassette.format",
    "tapemeter.cassette.match",
    "tapemeter.events",
    "tapemeter.exchange",
    "tapemeter.metering",
    "tapemeter.orchestrator",
    "tapemeter.pricing",
    "tapemeter.providers",
    "tapemeter.pytest_plugin.budgets",
    "tapemeter.redact",
    "tapemeter.report",
    "tapemeter.tape",
)


@pytest.mark.parametrize("mode", ["replay", "record", "live"])
def test_a_session_in_which_nothing_is_called_imports_nothing_that_calls_need(
    project: Project, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others import httpx, whose adapter needs all of it
    plugins = ("-p", "tapemeter.pytest_plugin", "-p", "pytest_asyncio.plugin")
    project.write("conftest.py", f"""
        import sys
        import pytest

        @pytest.fixture(scope="module")
        def place(tmp_path_factory):
            yield tmp_path_factory.mktemp("place")

        @pytest.hookimpl(trylast=True)
        def pytest_unconfigure(config):
            print("HEAVY", sorted(set({NEEDED_BY_CALLS!r}) & set(sys.modules)))
    """)  # fmt: skip
    project.write("test_it.py", """
        import asyncio, socket, threading
        import pytest

        def test_plain(place, tmp_path):
            thread = threading.Thread(target=place.exists)
            thread.start()
            thread.join()

        def test_tasks():
            asyncio.run(asyncio.sleep(0))

        def test_sockets():
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname()).close()

        @pytest.mark.skip
        def test_skipped(): pass

        @pytest.mark.xfail(strict=True)
        def test_expected(): assert False
    """)  # fmt: skip

    result = project.run_apart(*plugins, f"--llm-mode={mode}", "-s", passed=3, skipped=1, xfailed=1)

    result.stdout.fnmatch_lines(["*HEAVY [[]]"])
    assert not (project.path / ".tapemeter").exists()
    assert project.cassettes() == {}


@pytest.mark.parametrize("place", ["set-up", "tear-down", "thread", "task", "executor", "call"])
def test_the_first_call_is_the_tests_wherever_it_is_made(project: Project, server: Loopback, place: str) -> None:
    project.write("test_it.py", f"""
        import asyncio, threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest, talk

        POOL = ThreadPoolExecutor(1)
        ASK = {{
            "set-up": lambda: None,
            "tear-down": lambda: None,
            "thread": lambda: in_thread(),
            "task": lambda: asyncio.run(in_task()),
            "executor": lambda: POOL.submit(talk.ask, "hello").result(),
            "call": lambda: talk.ask("hello"),
        }}

        def in_thread():
            thread = threading.Thread(target=talk.ask, args=("hello",))
            thread.start()
            thread.join()

        async def in_task():
            await asyncio.create_task(talk.aask("hello"))

        @pytest.fixture(autouse=True)
        def around():
            if {place!r} == "set-up":
                talk.ask("hello")
            yield
            if {place!r} == "tear-down":
                talk.ask("hello")

        def test_one():
            ASK[{place!r}]()
    """)  # fmt: skip

    project.record_and_replay(server, calls=1, passed=1)

    assert [*project.cassettes()] == ["test_it/test_one.yaml"]
    assert [(job["job"], job["state"], job["tests"]) for job in events(project, "job")] == [
        ("test_it.py::test_one", "COMPLETED", ["test_it.py::test_one"])
    ]


def test_evidence_is_of_the_tests_that_call(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest, talk

        @pytest.fixture(scope="module")
        def quiet(): return 1

        def test_nothing(quiet): pass
        def test_one(quiet): talk.ask("hello")
        def test_nothing_more(llm_job, llm_usage):
            assert (llm_job.state, llm_usage.calls) == ("RUNNING", 0)
    """)  # fmt: skip

    project.record_and_replay(server, calls=1, passed=3)

    assert [job["job"] for job in events(project, "job")] == ["test_it.py::test_one"]
    assert report(project)["totals"]["calls"] == 1


def test_tests_of_a_group_are_named_in_its_job_whether_they_call_or_not(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest, talk
        pytestmark = pytest.mark.llm_job("together")

        def test_nothing(): pass
        def test_one(): talk.ask("hello")
    """)  # fmt: skip

    project.record_and_replay(server, calls=1, passed=2)

    (job,) = events(project, "job")
    assert (job["job"], job["tests"]) == ("together", ["test_it.py::test_nothing", "test_it.py::test_one"])


def test_a_first_run_that_calls_nothing_counts_as_a_run(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest, talk
        runs = []

        @pytest.mark.flaky(reruns=1)
        def test_one():
            runs.append(1)
            assert len(runs) == 2
            talk.ask("hello")
    """)  # fmt: skip

    project.run("--llm-mode=live", passed=1, rerun=1)

    assert [job["job"] for job in events(project, "job")] == ["test_it.py::test_one (run 2)"]


def test_what_a_test_that_called_nothing_left_running_is_refused_by_its_name(
    project: Project, server: Loopback
) -> None:
    project.write("test_it.py", """
        import threading
        import talk
        go, said = threading.Event(), []

        def late():
            go.wait()
            try:
                talk.ask("late")
            except BaseException as error:
                said.append(str(error))

        def test_one():
            global thread
            thread = threading.Thread(target=late)
            thread.start()

        def test_two():
            go.set()
            thread.join()
            print("GOT", *said)
    """)  # fmt: skip

    result = project.run("--llm-mode=replay", "-rP", passed=2)

    result.stdout.fnmatch_lines(["GOT *code that test_it.py::test_one started and left running*"])
    assert server.requests == []


def test_time_that_passes_without_a_call_stops_where_a_limit_of_every_job_says_so(project: Project) -> None:
    policy(project, "{job: {wall_seconds: 0.05}}")
    project.write("test_it.py", """
        import time

        def test_one():
            deadline = time.monotonic() + 0.06
            while time.monotonic() < deadline:
                pass
    """)  # fmt: skip

    result = project.run("--llm-mode=live", "--llm-budget-policy=small.yaml", failed=1)

    result.stdout.fnmatch_lines(["*the job's wall_seconds limit of 0.05 s*still running at the deadline*"])
    assert [job["state"] for job in events(project, "job")] == ["STOPPED_BUDGET"]


def test_a_stop_that_is_expected_of_a_test_that_calls_nothing_does_not_come(project: Project) -> None:
    project.write("test_it.py", """
        import pytest

        @pytest.mark.expect_stopped_budget
        def test_marked(): pass

        def test_marked_late(request):
            request.node.add_marker(pytest.mark.expect_stopped_budget)
    """)  # fmt: skip

    result = project.run("--llm-mode=replay", failed=2)

    result.stdout.fnmatch_lines(["*expected a budget to stop the job, but it was COMPLETED, 0 calls used*"])
    assert not (project.path / ".tapemeter").exists()
