"""`tapemeter cassette ls`: what each cassette holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tapemeter.cassette.conversation import asked
from tapemeter.cli import files
from tapemeter.cli.output import as_json, count, line, size
from tapemeter.errors import CassetteError

if TYPE_CHECKING:
    import argparse

_ABSENT = "-"


@dataclass(frozen=True, slots=True)
class _Row:
    """One cassette; `newest` is None where it holds nothing."""

    path: str
    interactions: int
    size: int
    newest: str | None
    models: tuple[str, ...]
    edited: bool


@dataclass(frozen=True, slots=True)
class _Unreadable:
    path: str
    error: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Lists cassettes: how many interactions each holds, its size, when the newest was recorded,\n"
        "which models were asked, and whether it was edited by hand.\n\n"
        "Exit code: 0; 1 if a file cannot be read; 2 for wrong usage."
    )
    files.add_paths(parser)
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the list."""
    rows: list[_Row] = []
    unreadable: list[_Unreadable] = []
    for path in files.find(arguments.paths):
        try:
            rows.append(_row(files.read(path)))
        except CassetteError as error:
            unreadable.append(_Unreadable(str(path), str(error)))
    if arguments.json:
        totals = {
            "cassettes": len(rows),
            "interactions": sum(row.interactions for row in rows),
            "size": sum(row.size for row in rows),
            "unreadable": len(unreadable),
        }
        print(
            as_json({"cassettes": list(map(asdict, rows)), "unreadable": list(map(asdict, unreadable)), **totals})
            if False
            else as_json(
                {"cassettes": list(map(asdict, rows)), "unreadable": list(map(asdict, unreadable)), "totals": totals}
            )
        )
    return 1 if unreadable else 0
