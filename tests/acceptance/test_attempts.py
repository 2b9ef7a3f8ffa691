"""A call over all attempts at it: what an SDK, or the program itself, tries again after a failure is no other call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from spending import events, report

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback


@pytest.mark.usefixtures("sdks")
def test_the_attempts_of_an_sdk_are_one_call_in_the_evidence(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
import pytest, talk

@pytest.mark.parametrize("ask", [talk.ask_openai, talk.ask_anthropic])
def test_one(ask, llm_usage):
    ask(f"status 503 then answer {ask.__name__}")
    ask("hello")
    assert (llm_usage.calls, llm_usage.attempts, llm_usage.output_tokens) == (2, 3, 14)

@pytest.mark.llm_budget(calls=1)
@pytest.mark.parametrize("ask", [talk.ask_openai, talk.ask_anthropic])
def test_the_last_call_may_be_tried_again(ask):
    ask(f"status 503 then answer at last {ask.__name__}")

@pytest.mark.llm_budget(call={"attempts": 1})
@pytest.mark.expect_stopped_budget("attempts", scope="call", after_calls=0)
def test_two():
    talk.ask_openai("status 500 then answer")
""")  # fmt: skip

    project.record_and_replay(server, calls=11, passed=5)

    found = [(event["call_id"].rpartition("#")[2], event["attempt"], event["outcome"])
             for event in events(project, "call")]  # fmt: skip
    assert found == [
        *[("1", 0, "error"), ("1", 1, "ok"), ("2", 0, "ok")] * 2,
        *[("1", 0, "error"), ("1", 1, "ok")] * 2,
        *[("1", 0, "error"), ("1", 1, "refused")],
    ]
    assert (report(project)["totals"]["calls"], report(project)["totals"]["attempts"]) == (7, 11)


def test_the_same_request_again_is_another_attempt_only_after_a_failure(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
import talk

BODY = {"model": "loopback-1", "messages": [{"role": "user", "content": "status 429 then answer"}]}

def test_one(llm_usage):
    assert talk.post("/v1/chat/completions", BODY).status_code == 429
    talk.ask("something in between")
    assert talk.post("/v1/chat/completions", BODY).status_code == 200
    assert (llm_usage.calls, llm_usage.attempts) == (2, 3)
    talk.post("/v1/chat/completions", BODY)
    assert (llm_usage.calls, llm_usage.attempts) == (3, 4)
    talk.post("/v1/chat/completions", {**BODY, "messages": [{"role": "user", "content": "status 400"}]})
    talk.post("/v1/chat/completions", {**BODY, "messages": [{"role": "user", "content": "status 400"}]})
    assert (llm_usage.calls, llm_usage.attempts) == (5, 6)
""")  # fmt: skip

    project.run("--llm-mode=live", passed=1)
    server.seen.clear()
    server.requests.clear()
    project.record_and_replay(server, calls=6, passed=1)


def test_a_call_without_a_response_is_tried_again_as_the_same_call(project: Project) -> None:
    project.write("test_it.py", """
import httpx, pytest, socket, talk

def test_one(llm_usage, monkeypatch):
    url = talk.URL
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(talk, "URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                talk.ask("hello")
    assert (llm_usage.calls, llm_usage.attempts, llm_usage.total_tokens) == (1, 3, 0)
    monkeypatch.setattr(talk, "URL", url)
    talk.ask("hello")
    assert llm_usage.calls == 2

@pytest.mark.llm_budget(call={"attempts": 2})
@pytest.mark.expect_stopped_budget("attempts", scope="call", after_calls=0)
def test_two(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(talk, "URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        while True:
            with pytest.raises(httpx.ConnectError):
                talk.ask("hello")
""")  # fmt: skip

    project.run("--llm-mode=live", passed=2)

    assert report(project)["totals"]["failed"] == 5
