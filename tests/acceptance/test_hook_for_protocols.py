"""A project teaches tapemeter the protocol of a server of its own, by the hook `llm_providers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_evidence_files import events_of

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

CONFTEST = """
from tapemeter.providers import Wire

def ask(body, prompt):
    prompt.say(body.get("question"))
    return body.get("at_most")

def read(value, fold):
    fold.identify({"model": "oracle-1"})
    fold.say(str(value.get("raw")))
    fold.end(0, "stop")

def llm_providers():
    return [Wire(name="oracle", family="oracle", operation="chat", ask=ask, read=read, follow=read, path="/oracle$")]
"""
ONE = """
import httpx

def test_one(llm_usage):
    answer = httpx.post({url!r} + "/oracle", json={{"question": "why?", "at_most": 7}})
    print("GOT", answer.status_code)
    assert llm_usage.calls == 1
"""


@pytest.fixture(autouse=True)
def _oracle(project: Project, server: Loopback) -> None:
    project.write("test_it.py", ONE.format(url=server.url))


def test_its_calls_are_recorded_replayed_and_counted(project: Project, server: Loopback) -> None:
    project.write("conftest.py", CONFTEST)
    assert project.record_and_replay(server, calls=1, passed=1) == ["200"]
    [call] = [event for event in events_of(project) if event["event"] == "call"]
    assert (call["gen_ai.provider.name"], call["gen_ai.request.max_tokens"], call["prompt_chars"]) == ("oracle", 7, 4)


def test_it_ends_with_the_session(project: Project, server: Loopback) -> None:
    project.write("conftest.py", CONFTEST)
    project.run("--llm-mode=live", passed=1)
    project.write("conftest.py", "")
    project.run("--llm-mode=live", failed=1)  # nobody knows that this is a model call


def test_one_that_is_wrong_ends_the_session_at_start(project: Project) -> None:
    project.write("conftest.py", CONFTEST.replace('name="oracle"', 'name="Not A Name"'))
    result = project.run("--llm-mode=live")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*Not A Name*"])
