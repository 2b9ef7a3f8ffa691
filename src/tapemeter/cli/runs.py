"""From what a command line says of a run to its folder, or its file of events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter.errors import UsageError
from tapemeter.events import layout

if TYPE_CHECKING:
    import argparse

DEFAULT = Path(".tapemeter")
"""Where reports lie by default."""

_HELP = "run id, folder of a run, or file of events (default: the newest run)"


def add_run(parser: argparse.ArgumentParser) -> None:
    """Let a command take a run."""
    parser.add_argument("which", nargs="?", metavar="RUN", help=_HELP)
    add_report_dir(parser)


def add_report_dir(parser: argparse.ArgumentParser) -> None:
    """Let a command take the report directory."""
    parser.add_argument(
        "--report-dir",
        type=Path,
        default=DEFAULT,
        metavar="DIR",
        help=f"report directory, in which run ids are looked for (default: {DEFAULT})",
    )


def find(name: str | None, report_dir: Path) -> Path:
    """Return the folder of a run, or a file of events; UsageError where there is no such run.

    A report directory stands for its newest run.
    """
    if name is None:
        return _newest(report_dir)
    path = Path(name)
    if path.is_file():
        return path.parent if path.name == layout.REPORT else path
    if path.is_dir() and _is_run(path):
        return path
    if path.is_dir() and (path / layout.RUNS).is_dir():
        return _newest(path)
    if path.name == name and (folder := layout.run_folder(report_dir, name)).is_dir():
        return folder
    what = "a folder without evidence" if path.is_dir() else "no such run"
    ids = report_dir / layout.RUNS
    raise UsageError(f"{name}: {what}; name a run id (those in {ids}), the folder of a run, or a file of events")


def folder(name: str | None, report_dir: Path) -> Path:
    """Return the folder of a run; UsageError where there is no such run, or only a file."""
    path = find(name, report_dir)
    if path.is_dir():
        return path
    if path.name == layout.EVENTS:
        return path.parent
    raise UsageError(f"{name}: expected a run, found a single file; name the folder of the run")


def _newest(report_dir: Path) -> Path:
    path = layout.latest(report_dir)
    if path is None:
        raise UsageError(
            f"there is no run in {report_dir}; run pytest with tests that call models, or name another --report-dir"
        )
    return path


def _is_run(path: Path) -> bool:
    return (path / layout.EVENTS).exists() or (path / layout.REPORT).exists() or bool(layout.parts(path))
