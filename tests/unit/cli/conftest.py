"""A folder to work in, cassettes to look at, and the command run in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.match import Matcher
from tapemeter.cassette.model import Interaction
from tapemeter.cli import main
from tapemeter.model import Chunk, Request, Response
from tapemeter.values import replace

if TYPE_CHECKING:
    from pathlib import Path

JSON = (("content-type", "application/json"),)
STREAM = (("content-type", "text/event-stream"),)


VCR = """\
interactions:
- request:
    body: '{"model": "gpt-4o", "messages": [{"role": "user", "content": "Say ahoy, sk-proj-Zz81Yx72Ww63Vv54Uu45Tt36"}]}'
    headers:
      authorization: [Bearer sk-proj-Zz81Yx72Ww63Vv54Uu45Tt36]
      content-type: [application/json]
    method: POST
    uri: https://api.openai.com/v1/chat/completions
  response:
    body: {string: '{"model": "gpt-4o-2024-08-06", "choices": [{"message": {"content": "Ahoy."}}]}'}
    headers:
      content-type: [application/json]
    status: {code: 200, message: OK}
version: 1
"""
"""A tape of VCR.py with a key in it."""


class Tapes:
    """Makes interactions, and cassettes of them below the current folder."""

    vcr = VCR

    def __init__(self, root: Path) -> None:
        self.root = root

    def call(
        self,
        body: Any,
        answer: Any = b"",
        *,
        path: str = "/v1/chat/completions",
        status: int = 200,
        headers: tuple[tuple[str, str], ...] = JSON,
        recorded: str = "2026-11-21T04:00:00Z",
    ) -> Interaction:
        """A call with a body and an answer: JSON values, or bytes as they are."""
        request = Request("POST", f"https://api.example.test{path}", headers, _bytes(body))
        response = Response(status, JSON, (Chunk(0.5, _bytes(answer)),), first_byte=0.25, total=0.5)
        return self.keyed(Interaction(request, response, recorded, ""))

    def ask(self, prompt: str, answer: str = "Hello.", *, model: str = "m-1", **fields: Any) -> Interaction:
        """An OpenAI chat completion."""
        said = {"model": model, "messages": [{"role": "user", "content": prompt}]}
        choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
        return self.call(said, {"object": "chat.completion", "choices": [choice]}, **fields)

    def stream(self, interaction: Interaction, *events: Any, **fields: Any) -> Interaction:
        """The same call, answered by a stream with one chunk for each event."""
        chunks = tuple(Chunk(0.1 * place, _event(event)) for place, event in enumerate(events))
        return replace(interaction, response=Response(200, STREAM, chunks, first_byte=0.1, total=1.0, **fields))

    def keyed(self, interaction: Interaction) -> Interaction:
        """The same interaction with the key of its request."""
        return replace(interaction, key=Matcher().stored_key(interaction.request))

    def write(self, name: str, *interactions: Interaction) -> Path:
        """Write a cassette as the product does."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cassette_format.dump(interactions).encode())
        return path

    def edit(self, path: Path, old: str, new: str) -> None:
        """Change a file by hand."""
        text = path.read_bytes().decode()
        assert old in text
        path.write_bytes(text.replace(old, new).encode())


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Command:
    """`tapemeter cassette …` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Ran:
        self._capsys.readouterr()
        code = main(["cassette", *map(str, arguments)])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        return Ran(code, out, err)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _event(event: Any) -> bytes:
    if isinstance(event, bytes):
        return event
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


@pytest.fixture
def tapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tapes:
    monkeypatch.chdir(tmp_path)
    return Tapes(tmp_path)


@pytest.fixture
def cassette(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)
