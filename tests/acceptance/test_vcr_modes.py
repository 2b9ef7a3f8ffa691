"""Suites for pytest-recording: how marked tests record, in its modes and in ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vcr_tape import GET, answers, interaction, tape, tapes

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


# How they record


def test_each_record_mode_does_what_it_says(suite: Project, server: Loopback) -> None:
    url = server.url
    suite.write("test_it.py", marked(f"get('/a', {url!r})"))
    suite.run(failed=1)
    suite.run("--record-mode=none", failed=1)
    assert server.requests == []
    suite.run("--record-mode=once", passed=1)
    suite.run("--record-mode=once", passed=1)
    suite.run("--record-mode=new_episodes", passed=1)
    assert server.requests == ["/a"]

    suite.write("test_it.py", marked(f"get('/b', {url!r})"))
    suite.run("--record-mode=once", failed=1)
    suite.run("--record-mode=new_episodes", passed=1)
    suite.run(passed=1)
    assert server.requests == ["/a", "/b"]

    suite.run("--record-mode=all", passed=1)
    assert server.requests == ["/a", "/b", "/b"]
    recorded = (suite.path / "cassettes/test_it/test_one.yaml").read_text()
    assert "/a" in recorded
    suite.run("--record-mode=rewrite", passed=1)
    recorded = (suite.path / "cassettes/test_it/test_one.yaml").read_text()
    assert "/a" not in recorded
    assert server.requests == ["/a", "/b", "/b", "/b"]


def test_a_configured_record_mode_beats_the_command_line(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})", "vcr(record_mode='none')"))
    suite.run("--record-mode=all", failed=1)
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})", "vcr(record_mode='once')"))
    suite.run("--record-mode=none", passed=1)
    assert server.requests == ["/a"]


def test_a_failing_test_keeps_what_it_recorded(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"get('/a', {server.url!r}); assert 0"))
    suite.run("--record-mode=once", failed=1)
    assert tapes(suite.path / "cassettes") == ["test_it/test_one.yaml"]


def test_a_failing_test_keeps_nothing_where_it_is_configured_so(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"get('/a', {server.url!r}); assert 0", "vcr(record_on_exception=False)"))
    suite.run("--record-mode=once", failed=1)
    assert not (suite.path / "cassettes").exists()
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})", "vcr(record_on_exception=False)"))
    suite.run("--record-mode=once", passed=1)
    assert tapes(suite.path / "cassettes") == ["test_it/test_one.yaml"]


def test_disable_recording_sends_everything(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"assert vcr is None; get('/a', {server.url!r})"))
    suite.write("cassettes/test_it/test_one.yaml", tape(interaction("A", "/a", url=server.url)))
    suite.run("--disable-recording", passed=1)
    assert server.requests == ["/a"]


# Our modes


def test_our_replay_holds_over_a_configured_record_mode(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})", "vcr(record_mode='all')"))
    suite.run("--llm-mode=replay", failed=1)
    assert server.requests == []
    suite.run("--record-mode=all", passed=1)
    suite.run("--llm-mode=replay", passed=1)
    assert server.requests == ["/a"]


def test_our_recording_holds_over_a_configured_record_mode(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})", "vcr(record_mode='none')"))
    suite.run("--record-cassettes", passed=1)
    suite.run("--record-cassettes", passed=1)
    assert server.requests == ["/a"]
    suite.write("test_it.py", marked(f"get('/b', {server.url!r})"))
    suite.run("--record-cassettes=all", passed=1)
    recorded = (suite.path / "cassettes/test_it/test_one.yaml").read_text()
    assert "/b" in recorded
    assert "/a" not in recorded


def test_our_live_mode_uses_no_cassettes(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})"))
    suite.write("cassettes/test_it/test_one.yaml", tape(interaction("A", "/a", url=server.url)))
    suite.run("--llm-mode=live", passed=1)
    suite.run("--llm-mode=off", passed=1)
    assert server.requests == ["/a", "/a"]


def test_a_mode_of_the_environment_is_what_holds_where_nothing_else_is_said(
    suite: Project, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_MODE", "record")
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})", "vcr(record_mode='none')"))
    suite.run(failed=1)
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})"))
    suite.run("--record-mode=none", failed=1)
    suite.run(passed=1)
    assert server.requests == ["/a"]


@pytest.mark.parametrize(
    "options",
    [
        ("--llm-mode=replay", "--record-mode=once"),
        ("--llm-mode=live", "--record-mode=once"),
        ("--llm-mode=off", "--record-mode=all"),
        ("--record-cassettes", "--record-mode=none"),
        ("--record-cassettes", "--record-mode=all"),
        ("--record-cassettes=all", "--record-mode=new_episodes"),
        ("--llm-mode=replay", "--disable-recording"),
    ],
)
def test_options_that_contradict_each_other_are_refused(suite: Project, options: tuple[str, ...]) -> None:
    suite.write("test_it.py", marked("pass"))
    result = suite.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: tapemeter: *"])


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (("--record-cassettes", "--record-mode=once"), 0),
        (("--record-cassettes", "--record-mode=new_episodes"), 1),
        (("--record-cassettes=all", "--record-mode=rewrite"), 1),
        (("--llm-mode=replay", "--record-mode=none"), 0),
    ],
)
def test_options_that_go_together_are_both_heeded(
    suite: Project, server: Loopback, options: tuple[str, ...], sent: int
) -> None:
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})"))
    suite.write("cassettes/test_it/test_one.yaml", answers(other="other"))
    suite.run(*options, **({"passed": 1} if sent else {"failed": 1}))
    assert len(server.requests) == sent


# Moving to our own marker


def test_the_closer_of_their_marker_and_ours_holds(suite: Project, server: Loopback) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest, talk
        pytestmark = pytest.mark.vcr

        @pytest.mark.llm_cassette
        def test_moved():
            assert talk.ask("hello") == "echo: hello #1"
        """,
    )
    suite.run("--record-cassettes", passed=1)
    assert "format" in suite.cassette()
    suite.run(passed=1)
    assert len(server.requests) == 1


def test_both_markers_at_once_are_refused(suite: Project) -> None:
    suite.write("test_it.py", marked("pass", "llm_cassette\n@pytest.mark.vcr"))
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_one has both markers, vcr and llm_cassette*"])
