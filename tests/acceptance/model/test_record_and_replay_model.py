"""A suite recorded from a real model replays without it: same outcomes, same bytes, nothing sent.

The suite is under `suite/`; it is an ordinary one, with real clients, and nothing of the plugin in it but budgets. So
that its files are never collected here, they become `test_<name>.py` only where they run, and `clients.py`
becomes `conftest.py`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from model_server import API_KEY, ModelServer, why_unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.model

SUITE = Path(__file__).with_name("suite")
WRONG_KEY = "not-the-key"
"""What the suite sends where it wants to be refused."""


class Suite:
    """The suite in a folder of its own, run as often as wanted."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        self._pytester = pytester
        self._monkeypatch = monkeypatch
        self._runs = 0
        self.cassettes = pytester.path / "cassettes"
        for source in SUITE.glob("*.py"):
            name = "conftest.py" if source.stem == "clients" else f"test_{source.name}"
            shutil.copy(source, pytester.path / name)
        monkeypatch.setenv("MODEL_URL", url)
        monkeypatch.setenv("MODEL_KEY", API_KEY)

    def run(self, *options: str) -> dict[str, Any]:
        """Run every test, which must pass, and return what each received from the model."""
        self._runs += 1
        seen = self._pytester.path / f"seen-{self._runs}.jsonl"
        self._monkeypatch.setenv("SEEN", str(seen))
        result = self._pytester.runpytest_subprocess("-W", "error", "-p", "no:asyncio", *options)
        lines = [json.loads(line) for line in seen.read_text(encoding="utf-8").splitlines()]
        assert result.parseoutcomes() == {"passed": len(lines)}
        return {line["test"]: line["seen"] for line in lines}

    def cassette_bytes(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.cassettes.rglob("*") if path.is_file()}


@pytest.fixture
def model() -> Iterator[ModelServer]:
    if reason := why_unavailable():
        pytest.skip(reason)
    with ModelServer() as server:
        yield server


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, model: ModelServer) -> Suite:
    return Suite(pytester, monkeypatch, model.base_url)


def test_replay_sends_nothing_and_gives_what_was_recorded(suite: Suite, model: ModelServer) -> None:
    idle = model.counters()
    recorded = suite.run("--record-cassettes")
    busy = model.counters()
    assert busy["tokens_predicted_total"] > idle["tokens_predicted_total"]

    replayed = suite.run("--llm-mode=replay", "--llm-fail-on=unplayed")
    assert model.counters() == busy
    assert replayed == recorded

    model.stop()
    assert suite.run("--llm-mode=replay", "--llm-fail-on=unplayed") == recorded


def test_recording_again_sends_only_what_is_missing(suite: Suite, model: ModelServer) -> None:
    recorded = suite.run("--record-cassettes")
    cassettes = suite.cassette_bytes()
    busy = model.counters()

    assert suite.run("--record-cassettes") == recorded
    assert model.counters() == busy
    assert suite.cassette_bytes() == cassettes

    (removed,) = (path for path in cassettes if "test_gather" in path.name)
    removed.unlink()
    suite.run("--record-cassettes")
    assert model.counters() != busy
    written = suite.cassette_bytes()
    assert {path for path in cassettes if written[path] != cassettes[path]} == {removed}


def test_no_key_is_in_any_cassette(suite: Suite) -> None:
    suite.run("--record-cassettes")

    cassettes = suite.cassette_bytes()
    assert cassettes
    for key in (API_KEY, WRONG_KEY):
        assert [path for path, content in cassettes.items() if key.encode() in content] == []
