"""Alarms reach a real receiver: a webhook on loopback, a command, a hook; and none of them can hurt the tests."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Project
    from loopback import Loopback

TWO = """
import pytest
from talk import ask

@pytest.mark.llm_budget(calls=4)
def test_one():
    for number in range(4):
        ask(number)
"""
TALK = """
import httpx

def ask(number):
    body = {{"model": "loopback-1", "messages": [{{"role": "user", "content": f"say {{number}}"}}]}}
    httpx.post("{url}/v1/chat/completions", json=body).raise_for_status()
"""
MANY = """
import pytest
from talk import ask

@pytest.mark.parametrize("number", range(8))
def test_one(number):
    ask(number)
"""
HOOK = """
def llm_on_alarm(alarm):
    with open("told.txt", "a") as file:
        print(alarm.kind, alarm.scope, alarm.dimension, file=file)
"""
POLICY = """
schema: llm_budget_policy_v1
name: alarming
limits:
  run: {calls: 8}
warn_at: 0.75
"""


class Receiver:
    """A webhook that keeps what it gets; `status` is what it answers."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/of-mine"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(autouse=True)
def _suite(project: Project, server: Loopback) -> None:
    project.write("talk.py", TALK.format(url=server.url))
    project.write("test_it.py", TWO)
    project.write("limits.yaml", POLICY)


def alarmed(project: Project, line: str, *options: str, **outcomes: int) -> Any:
    """Run the suite with a receiver of alarms."""
    return project.run("--llm-budget-policy=limits.yaml", "-o", f"llm_on_alarm={line}", *options, **outcomes)


def test_a_webhook_gets_each_alarm_once(project: Project, receiver: Receiver) -> None:
    result = alarmed(project, receiver.url, "--record-cassettes", passed=1)
    [alarm] = receiver.got
    assert (alarm["kind"], alarm["scope"], alarm["dimension"], alarm["limit"], alarm["used"]) == (
        "warning", "job", "calls", 4, 3,
    )  # fmt: skip
    assert alarm["job"] == "test_it.py::test_one"
    assert alarm["run_id"]
    assert "calls 3 of 4" in alarm["sentence"]
    result.stdout.no_fnmatch_line("*not delivered*")


def test_replay_raises_none(project: Project, receiver: Receiver) -> None:
    alarmed(project, receiver.url, "--record-cassettes", passed=1)
    receiver.got.clear()
    alarmed(project, receiver.url, "--llm-mode=replay", passed=1)
    assert receiver.got == []


def test_a_stop_is_an_alarm_also_where_the_network_is_blocked(project: Project, receiver: Receiver) -> None:
    project.write(
        "test_it.py", TWO.replace("calls=4", "calls=2").replace("def test_one()", "def test_one(block_network)")
    )
    alarmed(project, receiver.url, "--llm-mode=live", failed=1)
    assert [alarm["kind"] for alarm in receiver.got] == ["warning", "stop"]
    assert receiver.got[1]["sentence"].startswith("stopped by budget")


def test_an_address_from_the_environment_is_not_shown(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALARM_HOOK", receiver.url)
    receiver.status = 503
    result = alarmed(project, "env:ALARM_HOOK", "--llm-mode=live", passed=1)
    assert len(receiver.got) == 1
    result.stdout.fnmatch_lines(["alarm for job.calls not delivered: webhook at 127.0.0.1: it answered HTTP 503"])
    assert "of-mine" not in result.stdout.str()


def test_a_receiver_that_is_not_there_fails_no_test(project: Project, receiver: Receiver) -> None:
    receiver.server.server_close()
    result = alarmed(project, receiver.url, "--llm-mode=live", passed=1)
    result.stdout.fnmatch_lines(["alarm for job.calls not delivered: webhook at 127.0.0.1: it cannot be reached: *"])
    assert result.ret == pytest.ExitCode.OK


def test_a_command_gets_the_alarm_at_its_standard_input(project: Project) -> None:
    project.write("keep.py", "import sys\nopen(sys.argv[1], 'w').write(sys.stdin.read())\n")
    alarmed(project, f"{sys.executable} keep.py 'alarm file.json'", "--llm-mode=live", passed=1)
    assert json.loads((project.path / "alarm file.json").read_text())["used"] == 3


def test_a_command_that_fails_is_told(project: Project) -> None:
    project.write("fail.py", "import sys\nsys.exit('no room')\n")
    result = alarmed(project, f"{sys.executable} fail.py", "--llm-mode=live", passed=1)
    result.stdout.fnmatch_lines([f"*not delivered: command {sys.executable}: it ended with exit code 1: no room"])


def test_a_hook_gets_the_alarm(project: Project) -> None:
    project.write("conftest.py", HOOK)
    project.run("--llm-budget-policy=limits.yaml", "--llm-mode=live", passed=1)
    assert (project.path / "told.txt").read_text() == "warning job calls\n"


def test_what_concerns_the_run_is_told_once_by_all_workers(project: Project, receiver: Receiver) -> None:
    many = (
        "import pytest\nfrom talk import ask\n\n@pytest.mark.parametrize('n', range(8))\ndef test_one(n):\n    ask(n)\n"
    )
    project.write("test_it.py", many)
    line = f"llm_on_alarm={receiver.url}"
    project.run_apart("--llm-budget-policy=limits.yaml", "-o", line, "--llm-mode=live", "-n", "2", passed=8)
    assert [(alarm["scope"], alarm["dimension"]) for alarm in receiver.got] == [("run", "calls")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ftp://somewhere/x", "expected a URL with http or https and a host"),
        ("env:NOT_SET_ANYWHERE", "names the environment variable NOT_SET_ANYWHERE, which is not set"),
        ("command 'without end", "is no command that can be read"),
    ],
)
def test_a_receiver_that_cannot_be_one_is_an_error_at_start(project: Project, line: str, words: str) -> None:
    result = alarmed(project, line, "--llm-mode=live")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}*"])
