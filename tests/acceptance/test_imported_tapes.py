"""A suite leaves VCR.py: its tapes are imported by the command, and its tests replay them with nothing else changed."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tapemeter.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

URL = "https://api.openai.com/v1/chat/completions"

TESTS = """
    import httpx
    import pytest

    URL = "https://api.openai.com/v1/chat/completions"

    def ask(prompt, **options):
        body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": prompt}], **options}
        with httpx.Client(headers={"authorization": "Bearer of-the-day"}) as client:
            return client.post(URL, json=body)

    def said(response):
        return response.raise_for_status().json()["choices"][0]["message"]["content"]

    def test_one():
        assert said(ask("hello")) == "first"
        assert said(ask("hello")) == "second"

    class TestMany:
        @pytest.mark.parametrize("word", ["a", "b-c"])
        def test_each(self, word):
            assert said(ask(word)) == word * 2

    def test_stream():
        response = ask("count", stream=True)
        assert response.headers["content-type"] == "text/event-stream"
        assert [line for line in response.iter_lines() if line] == ["data: 1", "data: 2", "data: [DONE]"]

    def test_error():
        assert ask("too much").status_code == 429
"""


def interaction(prompt: str, answer: bytes, *, status: int = 200, **fields: Any) -> dict[str, Any]:
    """An interaction as VCR.py keeps one of httpx."""
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": prompt}], **fields.pop("options", {})}
    return {
        "request": {
            "method": "POST",
            "uri": URL,
            "body": json.dumps(body, separators=(",", ":")),
            "headers": {"authorization": ["Bearer of-yesterday-0123456789"], "content-type": ["application/json"]},
        },
        "response": {
            "status": {"code": status, "message": "OK"},
            "headers": {"content-type": ["application/json"], **fields.pop("headers", {})},
            "body": {"string": answer},
        },
    }


def said(content: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return json.dumps({"object": "chat.completion", "model": "gpt-5-mini", "choices": [choice]}).encode()


def tape(*interactions: dict[str, Any]) -> bytes:
    return yaml.safe_dump({"interactions": list(interactions), "version": 1}).encode()


@pytest.fixture
def suite(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose tapes lie as pytest-recording leaves them."""
    project.write("tests/test_chat.py", TESTS)
    folder = project.path / "tests/cassettes/test_chat"
    folder.mkdir(parents=True)
    packed = {"content-encoding": ["gzip"]}
    files = {
        "test_one.yaml": tape(
            interaction("hello", said("first")), interaction("hello", gzip.compress(said("second")), headers=packed)
        ),
        "TestMany.test_each[a].yaml.gz": gzip.compress(tape(interaction("a", said("aa")))),
        "TestMany.test_each[b-c].yaml": tape(interaction("b-c", said("b-cb-c"))),
        "test_stream.yaml": tape(
            interaction(
                "count",
                b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n",
                headers={"content-type": ["text/event-stream"]},
                options={"stream": True},
            )
        ),
        "test_error.json": json.dumps(
            {"interactions": [interaction("too much", b"", status=429) | {"recorded": None}], "version": 1},
            default=bytes.decode,
        ).encode(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    monkeypatch.chdir(project.path)
    return project.path


def test_imported_tapes_answer_the_tests_they_were_recorded_for(suite: Path, project: Project) -> None:
    project.run("--llm-mode=replay", failed=5)

    assert main(["cassette", "import", "tests", "--to", "cassettes", "--check", "--apply"]) == 0

    project.run("--llm-mode=replay", passed=5)
    assert not any("of-yesterday" in path.read_text() for path in (suite / "cassettes").rglob("*.yaml"))


def test_an_imported_tape_is_as_strict_as_a_recording(suite: Path, project: Project) -> None:
    main(["cassette", "import", str(suite / "tests"), "--to", "cassettes", "--apply"])
    project.write("tests/test_chat.py", TESTS.replace('ask("hello")) == "second"', 'ask("hallo")) == "second"'))

    result = project.run("--llm-mode=replay", passed=4, failed=1)

    result.stdout.fnmatch_lines(["*messages*content*"])


def test_what_was_imported_can_be_exported_and_imported_again(suite: Path, project: Project) -> None:
    main(["cassette", "import", "tests", "--to", "cassettes", "--apply"])

    assert main(["cassette", "export", "cassettes", "--form", "har", "--to", "archives"]) == 0
    for path in (suite / "cassettes").rglob("*.yaml"):
        path.unlink()
    assert main(["cassette", "import", "archives", "--to", "cassettes", "--check", "--apply"]) == 0

    project.run("--llm-mode=replay", passed=5)
