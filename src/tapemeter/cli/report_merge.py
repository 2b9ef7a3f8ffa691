"""`tapemeter report merge`: the runs of several CI jobs as one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter import events, report
from tapemeter.cli import files, runs
from tapemeter.cli.output import as_json, count, line
from tapemeter.errors import UsageError
from tapemeter.events import layout

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Joins runs, such as those of the shards of a CI pipeline, into a new run: all their events in the order\n"
        "of time in a new chain, and a report of all. The same runs give the same run, to the byte. The budgets\n"
        "of the runs stay apart. Refused are runs whose chain does not hold, and those whose report tells of other\n"
        "events.\n\n"
        "Exit code: 0; 1 if an event or the report is not what its schema says; 2 for wrong usage, and for a\n"
        "chain of events that does not hold."
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="run id, folder of a run, file of events, or report directory for its newest run",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="report directory in which the new run is made"
    )
    runs.add_report_dir(parser)
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Join the runs and say where the new one is."""
    sources = [events.Source.of(_events(name, arguments.report_dir)) for name in arguments.runs]
    seen: dict[str, Path] = {}
    for source in sources:
        for run_id in sorted(source.members):
            if run_id in seen:
                raise UsageError(f"run {run_id} would count twice: it is in {seen[run_id]} and in {source.path}")
            seen[run_id] = source.path
    folder = events.join(sources, arguments.output)
    found, faults = report.rebuild(folder)
    if arguments.json:
        document = {
            "run_id": found["run_id"],
            "folder": str(folder),
            "runs": [source.run_id for source in sources],
            "events": found["evidence"]["events"],
            "problems": [str(fault) for fault in faults],
        }
        print(as_json(document))
    else:
        for fault in faults:
            print(line(fault))
        print(line(f"{folder}: {count(len(sources), 'run')}, {count(found['evidence']['events'], 'event')}"))
    return 1 if faults else 0


def _events(name: str, report_dir: Path) -> Path:
    path = runs.find(name, report_dir)
    if not path.is_dir():
        return path
    if layout.parts(path):
        raise UsageError(f"{name}: what its processes wrote is not merged; first: tapemeter report rebuild {path}")
    if (other := report.other_events(path)) is not None:
        raise other.as_error()
    return path / layout.EVENTS
