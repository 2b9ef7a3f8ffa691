"""Limits on time and on text that comes back: calls are cut live, and stop at the same call, at once, in replay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

STREAMED = """
import asyncio
import httpx, pytest, talk

BODY = {"model": "loopback-1", "stream": True}

def read(prompt):
    pieces = []
    with httpx.Client(verify=False) as client:
        body = {**BODY, "messages": [{"role": "user", "content": prompt}]}
        with client.stream("POST", talk.URL + "/v1/chat/completions", json=body, timeout=30) as response:
            for piece in response.iter_text():
                pieces.append(piece)
    return pieces

def aread(prompt):
    async def main():
        async with httpx.AsyncClient(verify=False) as client:
            body = {**BODY, "messages": [{"role": "user", "content": prompt}]}
            async with client.stream("POST", talk.URL + "/v1/chat/completions", json=body, timeout=30) as response:
                return [piece async for piece in response.aiter_text()]
    return asyncio.run(main())
"""


@pytest.mark.parametrize("read", ["read", "aread"])
@pytest.mark.parametrize(
    ("prompt", "limit"),
    [
        ("slow", "wall_seconds=0.8"),
        ("slow", "call={'wall_seconds': 0.8}"),
        ("slow", "idle_stream_seconds=0.3"),
        ("hang", "wall_seconds=0.8"),
        ("words 40", "response_chars=60"),
        ("words 40", "total_chars=60"),
    ],
)
def test_a_stream_is_cut_at_its_limit(project: Project, server: Loopback, read: str, prompt: str, limit: str) -> None:
    dimension = re.findall(r"[a-z_]+", limit)[-1]
    project.write("streamed.py", STREAMED)
    project.write(
        "test_it.py",
        f"""
        import pytest, streamed

        @pytest.mark.llm_budget({limit})
        @pytest.mark.expect_stopped_budget("{dimension}", after_calls=1)
        def test_one():
            streamed.{read}("words 2")
            streamed.{read}("{prompt}")
        """,
    )

    project.record_and_replay(server, calls=2, passed=1)

    assert project.cassette().count("ending: cut") == 1


def test_what_was_cut_cannot_be_replayed_past_its_end(project: Project, server: Loopback) -> None:
    project.write("streamed.py", STREAMED)
    test = """
        import pytest, streamed, tapemeter

        @pytest.mark.llm_budget({limit})
        @pytest.mark.{expected}
        def test_one():
            {what}
        """
    for prompt, limit, more in (("words 40", "response_chars=60", 600), ("hang", "wall_seconds=0.2", 60)):
        read = f'streamed.read("{prompt}")'
        project.write("test_it.py", test.format(limit=limit, expected="expect_stopped_budget", what=read))
        project.run("--record-cassettes=all", passed=1)
        project.write(
            "test_it.py",
            test.format(
                limit=limit.partition("=")[0] + f"={more}",
                expected="xfail(raises=tapemeter.PartialRecording, strict=True)",
                what=read,
            ),
        )
        project.run("--llm-mode=replay", xfailed=1)


def test_code_that_waits_between_calls_is_stopped_at_its_next(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import time
        import pytest, talk, tapemeter

        @pytest.mark.llm_budget(wall_seconds=0.2)
        @pytest.mark.expect_stopped_budget("wall_seconds", after_calls=1)
        def test_one(llm_cassette):
            talk.ask("first")
            deadline = time.monotonic() + 0.3
            while llm_cassette.mode == "record" and time.monotonic() < deadline:
                pass
            with pytest.raises(tapemeter.BudgetStopped):
                talk.ask("second")
        """,
    )

    project.record_and_replay(server, calls=1, passed=1)


def test_a_test_that_outlasts_its_time_without_a_call_is_stopped_at_its_end(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import time
        import pytest, talk

        @pytest.mark.llm_budget(wall_seconds=0.5)
        def test_one():
            deadline = time.monotonic() + 0.7
            talk.ask("first")
            while time.monotonic() < deadline:
                pass
        """,
    )

    result = project.run("--llm-mode=live", failed=1)

    result.stdout.fnmatch_lines(["*the job's wall_seconds limit of 0.5 s*still running at the deadline*"])


def test_parallel_calls_take_the_time_of_the_longest(project: Project, server: Loopback) -> None:
    project.write("streamed.py", STREAMED)
    project.write(
        "test_it.py",
        """
        import threading
        import pytest, streamed, talk

        @pytest.mark.llm_budget(wall_seconds=20)
        def test_one(llm_job):
            threads = [threading.Thread(target=streamed.read, args=("slow",)) for _ in range(3)]
            for thread in threads:
                thread.start()
            talk.post_release()
            for thread in threads:
                thread.join()
            assert llm_job.budget.remaining["wall_seconds"] > 10
        """,
    )
    with (project.path / "talk.py").open("a", encoding="utf-8") as file:
        file.write('\n\ndef post_release():\n    httpx.get(URL + "/release")\n')

    project.run("--record-cassettes", passed=1)
    # In replay there is nobody to release, so the recorded streams play at once.
    project.write(
        "talk.py", (project.path / "talk.py").read_text(encoding="utf-8") + "\n\npost_release = lambda: None\n"
    )
    project.run("--llm-mode=replay", passed=1)
