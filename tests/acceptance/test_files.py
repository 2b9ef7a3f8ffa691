"""What is on disk: broken files are errors, a kill leaves no half, secrets are nowhere, edits are heeded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project
    from loopback import Loopback

ONE = """
    import talk

    def test_one():
        assert talk.ask("hello") == "echo: hello #1"
"""
CASSETTE = "cassettes/test_it/test_one.yaml"


@pytest.fixture
def recorded(project: Project) -> Path:
    """Return the cassette of a test that asked once."""
    project.write("test_it.py", ONE)
    project.run("--record-cassettes", passed=1)
    return project.path / CASSETTE


# Broken files


def cut(text: str) -> str:
    return text[: len(text) * 2 // 3]


def without_end(text: str) -> str:
    return text[: text.rindex("\nend:") + 1]


def without_interaction(text: str) -> str:
    start = text.index("\n- key:") + 1
    return text[:start] + text[text.rindex("\nend:") + 1 :]


def badly_indented(text: str) -> str:
    return text.replace("    method:", " method:")


def tagged(text: str) -> str:
    return text.replace("method: POST", "method: !!python/name:os.system POST")


def of_another_format(text: str) -> str:
    return text.replace("tapemeter-cassette/1", "tapemeter-cassette/999")


BREAKS = [cut, without_end, without_interaction, badly_indented, tagged, of_another_format]


@pytest.mark.parametrize("breaks", BREAKS)
@pytest.mark.parametrize("option", ["--llm-mode=replay", "--record-cassettes"])
def test_a_broken_cassette_fails_the_test_and_names_file_and_line(
    project: Project, server: Loopback, recorded: Path, breaks: object, option: str
) -> None:
    assert callable(breaks)
    broken = breaks(recorded.read_text(encoding="utf-8"))
    recorded.write_text(broken, encoding="utf-8")

    result = project.run(option, failed=1)

    result.stdout.re_match_lines([rf".*{CASSETTE}:\d+: .*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert recorded.read_text(encoding="utf-8") == broken
    assert len(server.requests) == 1


@pytest.mark.parametrize("content", ["", "\n", "# nothing\n"])
def test_an_empty_file_is_a_broken_cassette(project: Project, server: Loopback, recorded: Path, content: str) -> None:
    recorded.write_text(content, encoding="utf-8")

    project.run("--llm-mode=replay", failed=1).stdout.fnmatch_lines([f"*{CASSETTE}*"])


def test_a_cassette_that_is_no_text_is_a_broken_cassette(project: Project, server: Loopback, recorded: Path) -> None:
    recorded.write_bytes(recorded.read_bytes().replace(b"echo", b"\xff\xfe"))

    project.run("--llm-mode=replay", failed=1).stdout.fnmatch_lines([f"*{CASSETTE}:*not UTF-8*"])


def test_recording_all_replaces_a_broken_cassette(project: Project, server: Loopback, recorded: Path) -> None:
    recorded.write_text(cut(recorded.read_text(encoding="utf-8")), encoding="utf-8")
    project.write("test_it.py", ONE.replace("#1", "#2"))

    project.run("--record-cassettes=all", passed=1)

    project.run("--llm-mode=replay", passed=1)


# Edits by hand


def test_an_edited_answer_is_replayed_as_edited(project: Project, server: Loopback, recorded: Path) -> None:
    text = recorded.read_text(encoding="utf-8")
    recorded.write_text(text.replace("echo: hello", "edited: hello"), encoding="utf-8")
    project.write("test_it.py", ONE.replace("echo: hello", "edited: hello"))

    project.run("--llm-mode=replay", passed=1)


def test_an_edited_prompt_answers_the_edited_question(project: Project, server: Loopback, recorded: Path) -> None:
    text = recorded.read_text(encoding="utf-8")
    recorded.write_text(text.replace("content: hello\n", "content: good-bye\n"), encoding="utf-8")
    project.run("--llm-mode=replay", failed=1)

    project.write("test_it.py", ONE.replace('"hello"', '"good-bye"'))
    project.run("--llm-mode=replay", passed=1)


def test_an_edited_cassette_can_be_added_to(project: Project, server: Loopback, recorded: Path) -> None:
    text = recorded.read_text(encoding="utf-8")
    recorded.write_text(text.replace("echo: hello", "edited: hello"), encoding="utf-8")
    project.write("test_it.py", "import talk\ndef test_one(): talk.ask('hello'), talk.ask('more')")

    project.run("--record-cassettes", passed=1)

    assert "edited: hello" in recorded.read_text(encoding="utf-8")
    assert len(server.requests) == 2
    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)


# A kill


KILLED = """
    import os, signal
    import pytest, talk

    @pytest.mark.llm_cassette("one")
    def test_one():
        for number in range(60):
            talk.ask(f"{os.environ['WORD']} {number} " + "long " * 2000)

    @pytest.fixture(autouse=True, scope="session")
    def killed_while_writing():
        place = os.environ.get("KILL_AT")
        if place is not None:
            real, count = getattr(os, place), []
            def fatal(*args, **kwargs):
                os.kill(os.getpid(), signal.SIGKILL)
            setattr(os, place, fatal)
        yield
"""


def killed_at(project: Project, place: str, word: str) -> int:
    """Record in a process of its own that kills itself at a call of the operating system; return how it ended."""
    environment = {**os.environ, "WORD": word, "KILL_AT": place}
    command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "--record-cassettes=all"]
    return subprocess.run(command, cwd=project.path, env=environment, capture_output=True, check=False).returncode


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_process_killed_while_it_writes_leaves_the_old_file_whole(
    project: Project, server: Loopback, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("WORD", "old")
    project.write("test_it.py", KILLED)
    project.run("--record-cassettes", passed=1)
    before = project.cassettes()

    assert killed_at(project, place, "new") == -signal.SIGKILL

    assert project.cassettes() == before
    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)


def test_a_process_killed_while_it_writes_the_first_time_leaves_no_cassette(project: Project, server: Loopback) -> None:
    project.write("test_it.py", KILLED)

    assert killed_at(project, "fsync", "new") == -signal.SIGKILL

    assert project.cassettes() == {}


# Secrets

KEY = "sk-proj-T3stT3stT3stT3stT3stT3stT3st"
OTHER_KEY = "planted-9f8e7d6c5b4a"


@pytest.mark.usefixtures("sdks")
@pytest.mark.parametrize("outcome", ["passed", "failed"])
def test_a_planted_key_is_nowhere_on_disk_nor_in_the_output(
    project: Project, server: Loopback, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("SERVICE_TOKEN", OTHER_KEY)
    project.write("test_it.py", """
        import os
        import talk

        def test_one():
            key, token = os.environ["OPENAI_API_KEY"], os.environ["SERVICE_TOKEN"]
            talk.ask_openai("leak", key=key)
            talk.ask_anthropic("leak", key=token)
            talk.ask_openai(f"what is {token} for?", key=key)
            talk.post(f"/v1/responses?key={token}", {"model": "m", "input": key}, headers={"x-goog-api-key": token})
            talk.post("/v1/responses", {"model": "m", "input": token}, headers={"cookie": f"session={key}"})
            EXTRA
    """.replace("EXTRA", "talk.ask(f'and {token} once more')" if outcome == "failed" else ""))  # fmt: skip
    project.run("--record-cassettes", "--junit-xml=first.xml", "-rA", passed=1)
    assert any(KEY in str(headers) for headers in server.headers)
    project.write("test_it.py", (project.path / "test_it.py").read_text(encoding="utf-8").replace("and {", "but {"))

    result = project.run("--llm-mode=replay", "--tb=short", "--junit-xml=again.xml", "-rA", **{outcome: 1})

    for secret in (KEY, OTHER_KEY):
        assert secret not in result.stdout.str()
        assert secret not in result.stderr.str()
        found = [path for path in project.path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
        assert found == []
    assert project.cassette().count("REDACTED") >= 5
