"""`tapemeter report show`: what a run used, what it cost, and what was stopped."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from tapemeter import report
from tapemeter.cli import files, runs
from tapemeter.cli.output import as_json, count, line
from tapemeter.events import layout
from tapemeter.report.terminal import lines

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Shows the report of a run: calls, tokens, cost, how much is left of its budget, what was stopped, and\n"
        "tests that were not run. With --json: the whole report. Of a file of events, what they come to.\n\n"
        "Exit code: 0; 2 for wrong usage, or a report that cannot be read."
    )
    runs.add_run(parser)
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the report."""
    found = _report(runs.find(arguments.which, arguments.report_dir))
    if arguments.json:
        print(as_json(found))
        return 0
    print(line(_headline(found)))
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 120
    for pieces in lines(found, width=width):
        print("".join(_piece(text, style if coloured else None) for text, style in pieces))
    return 0


def _report(path: Path) -> dict[str, Any]:
    if path.is_dir():
        return report.load(path / layout.REPORT)
    found, faults = report.folded(path)
    if faults:
        raise faults[0].as_error()
    return report.plain(found)


def _headline(found: dict[str, Any]) -> str:
    mode = f", {found['mode']}" if found["mode"] else ""
    ended = "" if found["finished"] else ", not finished"
    joined = found["evidence"].get("merged")
    of = f", of {count(len(joined), 'run')}" if joined else ""
    return f"run {found['run_id']}{mode}{of}{ended}, {count(found['evidence']['events'], 'event')}"


def _piece(text: str, style: str | None) -> str:
    return text if style is None else f"\x1b[{_CODES[style]}m{text}\x1b[0m"
