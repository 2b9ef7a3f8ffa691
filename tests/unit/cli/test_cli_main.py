from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tapemeter.cli import COMMANDS, main, parser

if TYPE_CHECKING:
    from conftest import Command, Tapes

HEAVY = ("yaml", "deepdiff", "pytest", "httpx", "jsonschema", "tapemeter.cassette.format", "tapemeter.redact")


def script() -> list[str]:
    return [str(Path(sysconfig.get_path("scripts")) / "tapemeter")]


def run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("program", [[sys.executable, "-m", "tapemeter"], script()], ids=["module", "script"])
def test_runs_as_a_module_and_as_a_script(tapes: Tapes, program: list[str]) -> None:
    tapes.write("cassettes/a.yaml", tapes.ask("Größe"))
    ran = run(*program, "cassette", "ls", cwd=tapes.root)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "cassettes/a.yaml" in ran.stdout
    missing = run(*program, "cassette", "verify", "nowhere", cwd=tapes.root)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.startswith("tapemeter: nowhere: no such file or folder")


def test_help_and_version_import_nothing_heavy() -> None:
    for argument in ("--help", "cassette", "--version"):
        code = (
            "import sys; from tapemeter.cli import main; main(sys.argv[1:]); "
            f"print([name for name in {HEAVY!r} if name in sys.modules])"
        )
        ran = run(sys.executable, "-c", code, argument)
        assert ran.stdout.splitlines()[-1] == "[]"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tapemeter 0.")


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "cassette" in capsys.readouterr().out
    assert main(["cassette", "--help"]) == 0
    out = capsys.readouterr().out
    assert [name for name in COMMANDS["cassette"][1] if name not in out] == []


@pytest.mark.parametrize("name", COMMANDS["cassette"][1])
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["cassette", name, "--help"]) == 0
    out = capsys.readouterr().out
    assert "--json" in out
    assert "Exit code: 0" in out
    assert parser(["cassette", name]).prog == "tapemeter"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "GROUP"),
        (["cassette"], "COMMAND"),
        (["cassette", "burn"], "burn"),
        (["cassete"], "cassete"),
        (["cassette", "show"], "PATH"),
        (["cassette", "show", "a.yaml", "two"], "N"),
        (["cassette", "diff", "a.yaml"], "B"),
        (["cassette", "ls", "--jso"], "--jso"),
        (["cassette", "verify", "--redact"], "--redact"),
    ],
)
def test_wrong_usage_names_what_is_wrong(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: tapemeter")
    assert said in err.splitlines()[-1]


def test_a_separator_before_the_command_does_no_harm(capsys: pytest.CaptureFixture[str], tapes: Tapes) -> None:
    (tapes.root / "cassettes").mkdir()
    for arguments in (["--", "cassette", "ls"], ["cassette", "--", "ls"], ["cassette", "ls", "--"]):
        assert main(arguments) in {0, 2}
        assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error(tapes: Tapes) -> None:
    tapes.write("a.yaml", *(tapes.ask(f"{number} " + "word " * 2000) for number in range(50)))
    command = [sys.executable, "-m", "tapemeter", "cassette", "show", "a.yaml"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tapes.root) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


def test_a_terminal_without_the_letters_gets_escapes(tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("Größe 😀"))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ran = run(*script(), "cassette", "show", "a.yaml", cwd=tapes.root, env=environment)
    assert ran.returncode == 0
    assert "Gr\\xf6\\xdfe \\U0001f600" in ran.stdout


def test_a_pipe_can_be_read_like_a_file(tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one"))
    command = f"{script()[0]} cassette diff <(cat a.yaml) a.yaml"
    ran = run("bash", "-c", command, cwd=tapes.root)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_what_is_no_text_is_an_error_with_its_line(cassette: Command, tapes: Tapes) -> None:
    (tapes.root / "a.yaml").write_bytes(b"format: x\n\xff")
    ran = cassette("show", "a.yaml")
    assert ran.code == 2
    assert "a.yaml:2: the file is not UTF-8 text" in ran.err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_an_error(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one")).chmod(0)
    assert "cannot be read: Permission denied" in cassette("show", "a.yaml").err
