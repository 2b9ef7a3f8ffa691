"""Runs a program's tests twice through the front door: recorded, then replayed with the provider gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sdks import HERE
from wire_server import WireServer

from tapemeter.events import layout

if TYPE_CHECKING:
    from pathlib import Path

    from sdks import Sdk

    from tapemeter.model import Usage

INI = """
[pytest]
filterwarnings =
    error::pytest.PytestUnhandledThreadExceptionWarning
"""
SECONDS = 150
"""After which a run hangs."""

ENVIRONMENT = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "OPENAI_API_KEY": "loopback-key",
    "PYDANTIC_AI_NO_BANNER": "1",
}
"""What keeps SDKs from asking others than the provider."""


@dataclass(frozen=True)
class Phase:
    """One run of a program's tests."""

    status: int
    output: str
    notes: dict[str, dict[str, Any]]
    """What each test noted, by its node id below the file, such as `test_answer[chat - sync]`."""
    events: list[dict[str, Any]]

    def calls(self, test: str = "") -> list[dict[str, Any]]:
        """Return the events of calls, of the tests whose name begins so."""
        return [
            event
            for event in self.events
            if event["event"] == "call" and event["test"].partition("::")[2].startswith(test)
        ]


@dataclass(frozen=True)
class Tried:
    """What came of a program: both runs, and what the provider knows of them."""

    sdk: Sdk
    recorded: Phase
    replayed: Phase
    requests: int
    """How many reached the provider."""
    said: list[Usage]
    """What it said that each answer used, in order."""
    knocks: int
    """How many came to its door in replay."""


def tried(sdk: Sdk, folder: Path) -> Tried:
    """Record and replay a program in a folder of its own."""
    for source, name in (
        (sdk.path, "program.py"),
        (HERE / "inside" / "forms.py", "test_forms.py"),
        (HERE / "inside" / "noting.py", "conftest.py"),
    ):
        shutil.copy(source, folder / name)
    (folder / "pytest.ini").write_text(INI, encoding="utf-8")
    with WireServer() as server:
        recorded = _phase(folder, server.url, "--record-cassettes")
        server.leave()
        replayed = _phase(folder, server.url, "--llm-mode=replay", "--llm-fail-on=unplayed")
        return Tried(sdk, recorded, replayed, len(server.requests), server.said, server.knocks)


def _phase(folder: Path, url: str, *options: str) -> Phase:
    notes = folder / f"notes{len([*folder.glob('notes*')])}.jsonl"
    notes.touch()
    shutil.rmtree(folder / ".tapemeter", ignore_errors=True)
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith(("_proxy", "_api_key"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-q", *options],
        cwd=folder,
        env={**kept, **ENVIRONMENT, "WIRE_URL": url, "NOTES": str(notes), "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    lines = [json.loads(line) for line in notes.read_text("utf-8").splitlines()]
    latest = layout.latest(folder / ".tapemeter")
    events = (latest / layout.EVENTS).read_text("utf-8").splitlines() if latest else []
    return Phase(
        done.returncode,
        done.stdout + done.stderr,
        {line["test"].partition("::")[2]: line for line in lines},
        [json.loads(line) for line in events],
    )
