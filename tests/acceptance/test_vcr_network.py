"""Suites for pytest-recording: the network that is blocked, and arguments of markers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vcr_tape import GET

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback


@pytest.fixture
def suite(project: Project) -> Project:
    """A project whose tests import `get` from `asking`."""
    project.write("asking.py", GET)
    project.ini("addopts = --tb=line")
    return project


def marked(body: str, marker: str = "vcr") -> str:
    return f"import pytest\nfrom asking import get\n\n@pytest.mark.{marker}\ndef test_one(vcr):\n    {body}\n"


# The network


def test_a_blocked_network_is_refused_as_pytest_recording_says_it(suite: Project, server: Loopback) -> None:
    suite.write(
        "test_it.py",
        f"""
        import socket, pytest
        from asking import get

        @pytest.mark.block_network
        def test_one():
            with socket.socket() as sock, pytest.raises(RuntimeError, match="^Network is disabled for host '127"):
                sock.connect(("127.0.0.1", {server.port}))

        def test_two():
            get("/b", {server.url!r})
        """,
    )
    suite.run(passed=2)
    suite.run_apart("--block-network", passed=1, failed=1)  # by itself, since the client leaves its socket open
    assert server.requests == ["/b"]


def test_hosts_that_match_are_allowed(suite: Project, server: Loopback) -> None:
    test = f"def test_one():\n    get('/a', {server.url!r})"
    head = "import pytest\nfrom asking import get\n"
    mark = "@pytest.mark.block_network(allowed_hosts=['127.0.*'])\n"
    config = "@pytest.fixture\ndef vcr_config():\n    return {'allowed_hosts': ['127']}\n"
    for text, options in (
        (head + mark + test, ()),
        (head + "@pytest.mark.block_network\n" + test, ("--allowed-hosts=192[.]0, 127[.]0[.]0[.]1".replace(" ", ""),)),
        (head + test, ("--block-network", "--allowed-hosts=.*")),
        (head + config + "@pytest.mark.block_network\n" + test, ()),
        (head + "@pytest.mark.allowed_hosts(['127'])\n@pytest.mark.block_network\n" + test, ()),
        (head + "@pytest.fixture\ndef allowed_hosts():\n    return ['127']\n@pytest.mark.block_network\n" + test, ()),
    ):
        suite.write("test_it.py", text)
        suite.run(*options, passed=1)
    assert len(server.requests) == 6
    suite.write("test_it.py", head + mark.replace("127", "10") + test)
    suite.run_apart("--allowed-hosts=127", failed=1)


def test_a_blocked_network_is_open_to_record_and_to_nothing_else(suite: Project, server: Loopback) -> None:
    body = f"""
        import pytest
        from asking import get

        @pytest.mark.vcr(ignore_hosts=["localhost"])
        @pytest.mark.block_network
        def test_one():
            get("/a", {server.url!r})
        """
    suite.write("test_it.py", body)
    suite.run(failed=1)
    suite.run("--record-mode=once", passed=1)
    suite.write("test_it.py", body + f"    get('/b', {server.url.replace('127.0.0.1', 'localhost')!r})\n")
    suite.run_apart(failed=1).stdout.fnmatch_lines(["*RuntimeError: Network is disabled for host*"])
    assert server.requests == ["/a"]


@pytest.mark.parametrize(
    "marker", ["block_network('x')", "block_network(hosts=[])", "vcr(1)", "default_cassette", "default_cassette(1)"]
)
def test_a_marker_with_wrong_arguments_is_refused_at_start(suite: Project, marker: str) -> None:
    suite.write("test_it.py", marked("pass", f"{marker}\n@pytest.mark.vcr"))
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: tapemeter: @pytest.mark.{marker.partition('(')[0]} on test_it.py::test_one*"])
