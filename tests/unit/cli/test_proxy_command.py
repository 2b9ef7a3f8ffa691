"""`tapemeter proxy` as a user runs it, with a real program behind it and a real server before it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Loopback

PROGRAM = """
import json, os, sys, urllib.error, urllib.request
for prompt in sys.argv[2:]:
    body = json.dumps({"model": "gpt-5-mini", "messages": [{"role": "user", "content": prompt}]}).encode()
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, {"content-type": "application/json"})) as answer:
            print(json.load(answer)["choices"][0]["message"]["content"])
    except urllib.error.HTTPError as error:
        print(error.code)
sys.exit(int(sys.argv[1]))
"""
LIMITS = '{"schema": "llm_budget_policy_v1", "name": "small", "limits": {"job": {"calls": 1}}}'


def proxy(folder: Path, server: Loopback, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "tapemeter", "proxy", "--upstream", f"openai={server.url}", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def program(code: int, *prompts: str) -> list[str]:
    return ["--", sys.executable, "program.py", str(code), *prompts]


def test_a_program_is_recorded_and_replayed_with_its_own_exit_code(tmp_path: Path, server: Loopback) -> None:
    for mode in ("record", "replay"):
        ran = proxy(tmp_path, server, "--mode", mode, *program(3, "hello"))
        assert (ran.returncode, ran.stdout) == (3, "echo: hello #1\n"), ran.stderr
        assert "evidence: " in ran.stderr
    assert len(server.requests) == 1
    assert (tmp_path / "cassettes/jobs/proxy.yaml").is_file()


def test_a_refused_call_fails_it(tmp_path: Path, server: Loopback) -> None:
    (tmp_path / "limits.json").write_text(LIMITS)
    ran = proxy(tmp_path, server, "--mode", "live", "--budget-policy", "limits.json", *program(0, "one", "two"))
    assert (ran.returncode, ran.stdout) == (1, "echo: one #1\n402\n")
    assert "stopped by budget: the job's calls limit of 1" in ran.stderr
    assert proxy(tmp_path, server, "--mode", "replay", *program(0, "never recorded")).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--upstream", "openai"], "write NAME=URL"),
        (["--upstream", "openai=nowhere://x"], "write one with http or https"),
        (["--mode", "rekord"], "mode='rekord' is unknown"),
        (["--", "there-is-no-such-program"], "there is no program 'there-is-no-such-program'"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, server: Loopback, arguments: list[str], words: str) -> None:
    ran = proxy(tmp_path, server, *arguments)
    assert ran.returncode == 2
    assert words in ran.stderr


def test_without_a_program_it_prints_variables_and_runs_until_it_is_told_to_stop(
    tmp_path: Path, server: Loopback
) -> None:
    command = [sys.executable, "-m", "tapemeter", "proxy", "--mode", "live", "--upstream", f"openai={server.url}"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        line = next(line for line in running.stdout if line.startswith("export OPENAI_BASE_URL="))
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
        url = line.strip().partition("=")[2] + "/chat/completions"
        with urllib.request.urlopen(urllib.request.Request(url, body, {"content-type": "application/json"})) as answer:
            assert answer.status == 200
        running.send_signal(signal.SIGTERM)
        _, told = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "1 call (1 live)" in told
