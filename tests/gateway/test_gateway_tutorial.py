"""What the tutorial and the how-to say, done with a real proxy: ask, record, take the gateway away, replay, check."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from proxy import DEPLOY, MASTER_KEY

from docs.pages import page

if TYPE_CHECKING:
    from proxy import Proxy

pytestmark = pytest.mark.gateway

SHOWN_ADDRESS = "http://127.0.0.1:4000"


class Reader:
    """Someone who follows the tutorial: writes its files, and runs what it says to run."""

    def __init__(self, folder: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch
        blocks = page("docs/tutorial/one-service-many-models.md").blocks
        for block in blocks:
            if block.file is not None:
                (folder / block.file).write_text(block.code, encoding="utf-8")
        [config] = [block.code for block in blocks if block.code.startswith("# llm.yaml")]
        assert SHOWN_ADDRESS in config
        (folder / "llm.yaml").write_text(config.replace(SHOWN_ADDRESS, proxy.url), encoding="utf-8")
        self.give_key(MASTER_KEY)

    def give_key(self, key: str) -> None:
        self._monkeypatch.setenv("LLM_GATEWAY_KEY", key)

    def forget_key(self) -> None:
        self._monkeypatch.delenv("LLM_GATEWAY_KEY")

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment."""
        command = [Path(sys.executable).with_name(program), *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def pytest(self, *options: str) -> str:
        """Run the tests, which must pass."""
        done = self.run("pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *options)
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def reader(tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Reader:
    return Reader(tmp_path, proxy, monkeypatch)


def test_the_tutorial_from_the_first_answer_to_the_cost(reader: Reader, proxy: Proxy) -> None:
    first = reader.run("python", "first.py")
    assert first.returncode == 0, first.stderr
    answer, facts = first.stdout.splitlines()
    assert "Name three rivers" in answer
    assert facts.split()[:2] == ["cheap", "openai/gpt-5-nano"]

    recorded = reader.pytest("--record-cassettes")
    assert "cassettes/test_summaries/test_names_who_it_is_about.yaml" in recorded

    proxy.kill()
    reader.forget_key()
    assert "4 passed" in reader.pytest("--llm-mode=replay", "--llm-fail-on=unplayed")

    shutil.copy(DEPLOY / "llm_prices.yaml", reader.folder)
    reader.pytest("--llm-mode=replay")
    cost = reader.run("tapemeter", "cost", "--by", "task")
    assert cost.returncode == 0, cost.stderr
    assert {"plan", "summary"} <= {line.split()[-1] for line in cost.stdout.splitlines()}


def test_another_group_for_an_alias_asks_for_a_new_recording(reader: Reader) -> None:
    reader.pytest("--record-cassettes", "test_summaries.py")
    config = reader.folder / "llm.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "aliases: {summarizer: main}\n", encoding="utf-8")

    missed = reader.run("pytest", "-p", "no:cacheprovider", "--llm-mode=replay", "test_summaries.py")
    assert missed.returncode == 1
    assert "CassetteMiss" in missed.stdout
    reader.pytest("--record-cassettes=all", "test_summaries.py")


def test_readiness_asks_the_proxy(reader: Reader, proxy: Proxy) -> None:
    ready = reader.run("tapemeter", "ready", "--profile", "full")
    assert ready.returncode == 0, ready.stdout

    reader.give_key("sk-another-key-that-is-not-the-one")
    locked = reader.run("tapemeter", "ready", "--profile", "llm")
    assert locked.returncode == 1
    assert "sk-another-key" not in locked.stdout + locked.stderr

    proxy.kill()
    gone = reader.run("tapemeter", "ready", "--profile", "llm")
    assert gone.returncode == 1
    assert proxy.url in gone.stdout
