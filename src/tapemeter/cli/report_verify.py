"""`tapemeter report verify`: whether the evidence of a run is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter import report
from tapemeter.cli import files, runs
from tapemeter.cli.output import as_json, count, line
from tapemeter.values import asdict

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Checks the evidence of a run: that no line of its events was edited, removed, exchanged, put in or cut\n"
        "off; that events and report are what their schemas say; and that the report is what the events come to.\n"
        "Names the first bad line, and others where they can be told. Of a file of events, only the events.\n\n"
        "Exit code: 0; 1 if there is a problem; 2 for wrong usage."
    )
    runs.add_run(parser)
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the run and print what was found."""
    checked = report.verify(runs.find(arguments.which, arguments.report_dir))
    if arguments.json:
        problems = [asdict(finding) for finding in checked.findings]
        print(as_json({"path": checked.path, "events": checked.events, "problems": problems}))
    else:
        for finding in checked.findings:
            print(line(finding))
        found = count(len(checked.findings), "problem")
        print(line(f"{checked.path}: {count(checked.events, 'event')}, {found}"))
    return 1 if checked.findings else 0
