"""Which file of evidence lies where.

In a report directory:

    .gitignore                                  made with the folder: evidence is not for git
    latest                                      leads to the newest run
    runs/<run id>/llm_usage_events.jsonl        the events of the run
    runs/<run id>/llm_usage_report.json         what they come to
    runs/<run id>/llm_usage_events.gw0.jsonl    those of one process, while it runs
    runs/<run id>/artifacts/sha256-….txt        answers that are too long for a line
    trace.sqlite                                what `tapemeter cost` makes of all runs
"""

from __future__ import annotations

import contextlib
import re
import secrets
from typing import TYPE_CHECKING

from tapemeter.events import files

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = "llm_usage_events.jsonl"
REPORT = "llm_usage_report.json"
RUNS = "runs"
LATEST = "latest"

_PART = re.compile(r"llm_usage_events\.([A-Za-z0-9_.-]+)\.jsonl")
_LONGEST_LINK = 4096


def part(folder: Path, process: str) -> Path:
    """Return the file of one process; ValueError for a name that cannot be part of one."""
    path = folder / f"llm_usage_events.{process}.jsonl"
    if not _PART.fullmatch(path.name):
        raise ValueError(f"expected a process name of letters, digits and _.- , got {process!r}")
    return path


def parts(folder: Path) -> list[tuple[str, Path]]:
    """Return the processes whose files have not been merged, with these files, in order."""
    found = ((_PART.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((name[1], path) for name, path in found if name is not None)


def make(folder: Path) -> None:
    """Make the folder of a run, and what is above it; a report directory that is new is hidden from git."""
    root = report_dir(folder)
    if root is not None:
        root.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            root.mkdir()
            (root / ".gitignore").write_text("*\n", encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)


def report_dir(folder: Path) -> Path | None:
    """Return the report directory that a run's folder is in, None where it lies somewhere else."""
    return folder.parent.parent if folder.parent.name == RUNS else None


def run_folder(root: Path, run_id: str) -> Path:
    """Return the folder of a run in a report directory."""
    return root / RUNS / run_id


def latest(root: Path) -> Path | None:
    """Return the folder of the newest run in a report directory, None where there is none."""
    link = root / LATEST
    with contextlib.suppress(OSError, ValueError):
        target = link.resolve(strict=True)
        if target.is_file():
            with target.open(encoding="utf-8") as file:
                target = root / file.read(_LONGEST_LINK).strip()
        if target.is_dir():
            return target
    runs = root / RUNS
    names = sorted(path.name for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else []
    return runs / names[-1] if names else None


def point_latest(folder: Path) -> None:
    """Have `latest` lead to a run, unless it leads to a newer one.

    Where symbolic links are refused it is a file that holds the path; where somebody has put a folder there, it stays.
    """
    root = report_dir(folder)
    if root is None:
        return
    link = root / LATEST
    before = latest(root) if link.is_symlink() or link.exists() else None
    if before is not None and before.name > folder.name:
        return
    target = f"{RUNS}/{folder.name}"
    temporary = root / f"{files.TEMPORARY_PREFIX}{secrets.token_hex(8)}{files.TEMPORARY_SUFFIX}"
    with contextlib.suppress(OSError):
        try:
            temporary.symlink_to(target)
        except (OSError, NotImplementedError):
            temporary.write_text(f"{target}\n", encoding="utf-8")
        try:
            temporary.replace(link)
        except OSError:
            temporary.unlink()
