"""DSPy in a child process: told the proxy by nothing but its environment, as any program is."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tries import ENVIRONMENT

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Loopback

pytestmark = [
    pytest.mark.clients,
    pytest.mark.xdist_group("dspy"),
    pytest.mark.skipif(os.environ.get("TAPEMETER_CLIENTS") != "clients-openai2", reason="tox run -e clients-openai2"),
]

AGENT = """
import dspy

lm = dspy.LM("openai/gpt-4.1-mini", cache=False)
print(lm("hello")[0])
try:
    lm("one too many")
except Exception as error:
    print(type(error).__name__)
"""

TEST = """
import subprocess
import sys

import pytest


@pytest.mark.llm_budget(calls=1)
@pytest.mark.expect_stopped_budget("calls", after_calls=1)
def test_agent(llm_proxy):
    done = subprocess.run([sys.executable, "agent.py"], env=llm_proxy.environ(), capture_output=True, text=True)
    print("SAID", done.stdout.split("\\n"))
"""


def test_a_child_process_is_recorded_and_replayed(server: Loopback, tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(AGENT, encoding="utf-8")
    (tmp_path / "test_agent.py").write_text(TEST, encoding="utf-8")
    environment = os.environ | ENVIRONMENT | {"OPENAI_BASE_URL": f"{server.url}/v1", "HOME": str(tmp_path)}
    said = []
    for options in (["--record-cassettes"], ["--llm-mode=replay", "--llm-fail-on=unplayed"]):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rP", *options],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said += [line for line in done.stdout.splitlines() if line.startswith("SAID")]
        assert len(server.requests) == 1
    assert said[0] == said[1]
    assert "echo: hello #1" in said[0]
    assert "Error" in said[0]
