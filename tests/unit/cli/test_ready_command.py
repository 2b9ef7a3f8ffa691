from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tapemeter.cli import ALONE, main

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Loopback


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LLM_")]:
        monkeypatch.delenv(name)


def test_core_is_what_is_checked_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ready"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3] == "config      ok       provider real, no config file"
    assert lines[6] == "gateway     skipped  not in the profile core"
    assert lines[-1] == "core: ready"


def test_a_failed_check_is_exit_code_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_PROVIDER", "gatway")
    assert main(["ready", "--profile", "core"]) == 1
    out, err = capsys.readouterr()
    assert 'config      failed   LLM_PROVIDER: expected one of real, gateway, echo, found "gatway"' in out
    assert out.endswith("core: not ready\n")
    assert err == ""


def test_the_server_is_asked_and_json_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, server: Loopback
) -> None:
    monkeypatch.setenv("LLM_BASE_URL", server.url)
    monkeypatch.setenv("LLM_MODEL", "loopback-1")
    assert main(["ready", "--profile", "llm", "--timeout", "30", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["profile"], document["ok"]) == ("llm", True)
    assert document["checks"][5]["detail"] == f"{server.url} answers"
    assert server.requests == ["/v1/models"]


def test_config_file_and_report_directory_are_taken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("schema: llm_config_v1\nprovider: echo\n")
    (tmp_path / "file").touch()
    assert main(["ready", "--config", "own.yaml", "--report-dir", "file"]) == 1
    out = capsys.readouterr().out
    assert "provider echo, own.yaml" in out
    assert "file cannot be written to" in out


def test_what_a_file_says_has_no_power_over_the_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "llm.yaml").write_text('schema: llm_config_v1\nprovider: "\\e[31m\\u202e"\n')
    assert main(["ready"]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--profile", "fully"], "fully"),
        (["--timeout", "0"], "'0' is no number of seconds above 0, at most 600"),
        (["--timeout", "nan"], "'nan'"),
        (["--timeout", "soon"], "'soon'"),
        (["--format", "yaml"], "yaml"),
        (["extra"], "extra"),
    ],
)
def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["ready", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_commands_without_a_group_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert [name for name, purpose in ALONE.items() if name not in out or purpose not in out] == []


@pytest.mark.parametrize("name", ALONE)
def test_each_of_them_explains_itself(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main([name, "--help"]) == 0
    assert "Exit code: 0" in capsys.readouterr().out
