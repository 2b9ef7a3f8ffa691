"""What a session of replayed calls imports: what the program uses, and of other packages what values are made of."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

ASK = """
import json, urllib.request
from talk import URL

def test_one():
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    asked = urllib.request.Request(URL + "/v1/chat/completions", json.dumps(body).encode())
    assert json.load(urllib.request.urlopen(asked))["choices"]
"""
AT_THE_END = """
import atexit, os, sys
from pathlib import Path

@atexit.register
def note():
    name = f"imported{os.environ.get('PYTEST_XDIST_WORKER', '')}.txt"
    Path(__file__).with_name(name).write_text("\\n".join(sys.modules))
"""
VALUES = ("msgspec", "typing_extensions")  # the former imports the latter where it is there
TALK = 'URL = "{url}"\n'


@pytest.fixture
def suite(project: Project, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    project.write("pytest.ini", "[pytest]\n")
    project.write("conftest.py", AT_THE_END)
    project.write("talk.py", TALK.format(url=server.url))
    project.write("test_it.py", ASK)
    return project


def imported(suite: Project, *options: str) -> set[str]:
    suite.run_apart(*options, passed=1)
    return set((suite.path / "imported.txt").read_text().split("\n"))


def test_a_session_with_a_replayed_call_imports_no_package_but_what_values_are_made_of(suite: Project) -> None:
    suite.run_apart("-p", "tapemeter.pytest_plugin", "--record-cassettes", passed=1)
    bare = imported(suite)
    ours = imported(suite, "-p", "tapemeter.pytest_plugin", "--llm-mode=replay")
    more = {name.partition(".")[0] for name in ours - bare}
    assert more - sys.stdlib_module_names <= {"tapemeter", *VALUES}
    assert {"tapemeter.exchange", "tapemeter.pricing.genai", "tapemeter.report"} <= ours
    assert {"asyncio", "sqlite3", "sysconfig", "xml"}.isdisjoint(more)
    assert {"tapemeter.cassette.yaml_writer", "tapemeter.yaml_reader"}.isdisjoint(ours)


def test_who_hands_out_tests_to_workers_imports_nothing_that_meters_calls(suite: Project) -> None:
    suite.run_apart("-p", "tapemeter.pytest_plugin", "--record-cassettes", passed=1)
    handing_out = imported(suite, "-p", "tapemeter.pytest_plugin", "-p", "xdist", "--llm-mode=replay", "-n", "1")
    working = set((suite.path / "importedgw0.txt").read_text().split("\n"))
    metering = {"tapemeter.exchange", "tapemeter.metering.meter", "tapemeter.providers.answering", "tapemeter.pricing"}
    assert metering <= working
    assert metering.isdisjoint(handing_out)
    assert "tapemeter.report" in handing_out
