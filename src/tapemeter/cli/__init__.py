"""The command `tapemeter`: one module for each command, imported only when that command is asked for.

exit code 0     done, and nothing found
          1     found: a problem, a difference, a file that cannot be read among those listed
          2     not done: wrong usage, or a cassette that cannot be used
        130     interrupted
        141     whoever read the output has gone
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from tapemeter.errors import TapemeterError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "cassette": (
        "read, search, compare, check, prune, import and export recorded calls",
        {
            "ls": "list cassettes: interactions, size, age, models, tokens, cost",
            "show": "show recorded calls as conversations",
            "grep": "search prompts and answers",
            "diff": "show what differs between two cassettes: prompts, tools, answers, usage",
            "verify": "check that cassettes are whole and hold no secret",
            "prune": "find, and drop, what no test plays any more",
            "migrate": "bring cassettes to the format of this version",
            "import": "make cassettes of the recordings of VCR.py, cassetter, browsers and proxies",
            "export": "write cassettes as VCR.py or HTTP archives (HAR) have them",
        },
    ),
    "policy": (
        "check files of limits and prices",
        {
            "check": "check budget policies and price files, and print the limits that hold",
        },
    ),
    "report": (
        "read, rebuild, check and join the evidence of runs",
        {
            "show": "show what a run used, what it cost and what was stopped",
            "rebuild": "make the report of a run anew from its events",
            "verify": "check that nobody has changed the evidence of a run",
            "merge": "join the runs of CI shards into one",
        },
    ),
}
"""The commands by group, each with its line of help; `cassette ls` lives in `cassette_ls.py`."""

ALONE = {
    "cost": "tell what calls cost, by test, job, run, day and more",
    "proxy": "record, replay and limit the model calls of any program",
    "ready": "check that what model calls need is there",
}
"""The commands that are in no group, each with its line of help; `ready` lives in `ready.py`."""

_NOT_DONE, _INTERRUPTED, _NOBODY_READS = 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit code; what went wrong goes to stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without some letter is no reason to fail
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return _NOBODY_READS
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


def parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of all commands; only the one that `arguments` name knows its own arguments."""
    named = [word for word in arguments if not word.startswith("-")][:2]
    top = argparse.ArgumentParser(
        prog="tapemeter",
        description="Looks after recorded language-model calls. To record and replay them: see pytest --help.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    groups = top.add_subparsers(metavar="GROUP", required=True, title="groups of commands, and commands")
    for group, (purpose, commands) in COMMANDS.items():
        inner = groups.add_parser(group, help=purpose, description=_sentence(purpose), allow_abbrev=False)
        below = inner.add_subparsers(metavar="COMMAND", required=True, title="commands")
        for name, help_line in commands.items():
            _add_command(below, name, help_line, f"{group}_{name}" if named == [group, name] else None)
    for name, help_line in ALONE.items():
        _add_command(groups, name, help_line, name if named[:1] == [name] else None)
    return top


def _add_command(commands: Any, name: str, help_line: str, module_name: str | None) -> None:
    """Add a command; with its own arguments where its module is given."""
    command = commands.add_parser(
        name,
        help=help_line,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if module_name is not None:
        module: Any = importlib.import_module(f"tapemeter.cli.{module_name}")
        module.add_arguments(command)
        command.set_defaults(run=module.run)


def _run(arguments: list[str]) -> int:
    try:
        parsed = parser(arguments).parse_args(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _NOT_DONE
    try:
        code: int = parsed.run(parsed)
    except TapemeterError as error:
        from tapemeter.cli.output import complain, safe_error  # noqa: PLC0415 - only where something went wrong

        complain(safe_error(error))
        return _NOT_DONE
    return code


def _forget_output() -> None:
    """Have the interpreter flush at its end to where it does not fail once more."""
    with contextlib.suppress(OSError, ValueError):
        target = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, target)
        os.close(nowhere)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


class _Version(argparse.Action):
    """Prints the version of the installed distribution, which only this looks up."""

    def __call__(self, *_: object, **__: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - as slow as all the rest together

        print(f"tapemeter {version('pytest-tapemeter')}")
        raise SystemExit(0)
