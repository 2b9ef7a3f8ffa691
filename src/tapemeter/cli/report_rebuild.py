"""`tapemeter report rebuild`: the report of a run, made anew from its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter import report
from tapemeter.cli import files, runs
from tapemeter.cli.output import as_json, count, line
from tapemeter.events import layout

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Makes the report of a run anew from its events. What the processes of a run left behind that did not\n"
        "come to its end is merged first; a last line that is not whole is left out, and told.\n\n"
        "Exit code: 0; 1 if an event or the report is not what its schema says; 2 for wrong usage, for a chain of\n"
        "events that does not hold, and while a process still writes."
    )
    runs.add_run(parser)
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Merge, fold and write, and say what came of it."""
    folder = runs.folder(arguments.which, arguments.report_dir)
    merged = [process for process, _ in layout.parts(folder)]
    found, faults = report.rebuild(folder)
    path = folder / layout.REPORT
    torn = found["evidence"]["torn"]
    if arguments.json:
        document = {
            "run_id": found["run_id"],
            "report": str(path),
            "events": found["evidence"]["events"],
            "finished": found["finished"],
            "merged": merged,
            "torn": torn,
            "problems": [str(fault) for fault in faults],
        }
        print(as_json(document))
        return 1 if faults else 0
    if merged:
        print(line(f"merged what {', '.join(merged)} wrote"))
    for each in torn:
        print(line(f"torn: {count(each['bytes'], 'byte')} of a last line of {each['process']} left out"))
    if not found["finished"]:
        print("the run did not come to its end")
    for fault in faults:
        print(line(fault))
    print(line(f"{path}: {count(found['evidence']['events'], 'event')}"))
    return 1 if faults else 0
