"""Notes what the tests of a program came to. It stands as `conftest.py` beside them.

A line of JSON for each test: what it said, the libraries that its calls went through, how it ended.
"""

import json
import os
import sys
from pathlib import Path

import pytest

from tapemeter import exchange

LIBRARIES = ("httpx", "httpx2", "aiohttp", "requests", "urllib3")
"""What is looked for between the program and the adapter."""

NOTED = pytest.StashKey()


@pytest.fixture
def note(request):
    """Give the function that notes a value of this test."""
    return request.node.stash[NOTED].__setitem__


@pytest.fixture(autouse=True)
def _calls_are_seen(request, monkeypatch):
    noted = request.node.stash[NOTED] = {"test": request.node.nodeid, "through": []}
    begin = exchange.begin

    def begin_and_note(*arguments, **options):
        passed = libraries(sys._getframe(1))
        if passed not in noted["through"]:
            noted["through"].append(passed)
        return begin(*arguments, **options)

    monkeypatch.setattr(exchange, "begin", begin_and_note)


def libraries(frame):
    """Return the libraries on the stack, the program's side first."""
    found = []
    while frame is not None:
        name = frame.f_globals.get("__name__", "").partition(".")[0]
        if name in LIBRARIES and name not in found:
            found.insert(0, name)
        frame = frame.f_back
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call" or report.failed:
        noted = dict(item.stash.get(NOTED, {"test": item.nodeid}))
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = None if report.passed else str(crash.message if crash else report.longrepr)
        with Path(os.environ["NOTES"]).open("a", encoding="utf-8") as notes:
            notes.write(json.dumps({**noted, "when": call.when, "failed": reason}) + "\n")
    return report
