"""The text of answers in the evidence: whole, cut to a summary with the whole beside it, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from test_evidence_files import events_of, newest

from tapemeter import report
from tapemeter.events import Source, join, layout

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

pytestmark = pytest.mark.usefixtures("sdks")

LONG = "words 3000"
KEY = "sk-test-" + "4fq9" * 8
WORDS = " ".join(["word"] * 3000)


def call(project: Project) -> dict[str, Any]:
    [event] = [event for event in events_of(project) if event["event"] == "call"]
    return event


def ask(project: Project, prompt: str, key: str = "loopback-key") -> None:
    project.write(
        "test_it.py", f"from talk import ask_openai\n\ndef test_one():\n    ask_openai({prompt!r}, {key!r})\n"
    )


def kept(project: Project) -> tuple[dict[str, Any], Path]:
    event = call(project)
    return event, newest(project) / event["response_artifact"]


def test_a_long_answer_is_cut_and_kept_beside_alike_in_recording_and_replay(project: Project) -> None:
    ask(project, LONG)
    project.run("--record-cassettes", passed=1)
    recorded, first = kept(project)
    project.run("--llm-mode=replay", passed=1)
    replayed, second = kept(project)

    assert first.read_text() == second.read_text() == WORDS
    assert first != second
    assert recorded["response_text"] == replayed["response_text"]
    assert recorded["response_truncated"] is True
    assert len(recorded["response_text"]) < 1_200
    assert recorded["response_text"].startswith("word word")
    assert "[cut: 14,999 characters in all, see artifacts/sha256-" in recorded["response_text"]


def test_an_answer_of_at_most_8_kib_is_in_the_line(project: Project) -> None:
    ask(project, "words 1638")  # 8,189 characters
    project.run("--llm-mode=live", passed=1)
    event = call(project)
    assert len(event["response_text"]) == event["response_chars"] == 8_189
    assert (event["response_truncated"], event["response_artifact"]) == (False, None)
    assert not (newest(project) / "artifacts").exists()


def test_an_artifact_that_was_changed_or_lost_is_found_with_its_line(project: Project) -> None:
    ask(project, LONG)
    project.run("--llm-mode=live", passed=1)
    _, artifact = kept(project)
    assert report.verify(newest(project)).findings == ()

    artifact.write_text("something else")
    [finding] = report.verify(newest(project)).findings
    assert (finding.kind, finding.line) == ("artifact", 2)
    assert "is not what it was" in finding.problem

    artifact.unlink()
    [finding] = report.verify(newest(project)).findings
    assert "there is no such file" in finding.problem


def test_a_key_that_a_provider_repeats_is_in_no_artifact(project: Project) -> None:
    ask(project, "word " * 2000 + KEY, key=KEY)
    project.run("--llm-mode=live", passed=1)
    _, artifact = kept(project)
    assert artifact.read_text().startswith("echo: word word")
    written = b"".join(path.read_bytes() for path in newest(project).rglob("*") if path.is_file())
    assert KEY.encode() not in written


def test_joined_runs_keep_their_artifacts(project: Project) -> None:
    ask(project, LONG)
    project.run("--llm-mode=live", passed=1)
    event, _ = kept(project)
    joined = join([Source.of(newest(project) / layout.EVENTS)], project.path / "joined")
    report.write(joined)
    assert (joined / event["response_artifact"]).read_text() == WORDS
    assert report.verify(joined).findings == ()
