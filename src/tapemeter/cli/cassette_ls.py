"""`tapemeter cassette ls`: what each cassette holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tapemeter.cassette.conversation import asked
from tapemeter.cli import files
from tapemeter.cli.output import as_json, complain, count, line, safe_error, size
from tapemeter.errors import CassetteError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

_ABSENT = "-"
_WIDEST = 60
"""Characters of the column of models."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One cassette; `newest` is None where it holds nothing."""

    path: str
    interactions: int
    size: int
    newest: str | None
    models: tuple[str, ...]
    edited: bool


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
    unreadable: dict[str, str] = {}
    for path in files.find(arguments.paths):
        try:
            rows.append(_row(path))
        except CassetteError as error:
            unreadable[str(path)] = safe_error(error)
    if arguments.json:
        print(as_json(_document(rows, unreadable)))
    else:
        _print_table(rows)
        for problem in unreadable.values():
            complain(problem)
    return 1 if unreadable else 0


def _row(path: Path) -> _Row:
    tape = files.read(path)
    interactions = [entry.interaction for entry in tape.entries]
    models = {asked(interaction.request).model for interaction in interactions}
    return _Row(
        path=str(path),
        interactions=len(interactions),
        size=tape.size,
        newest=max((interaction.recorded for interaction in interactions), default=None),
        models=tuple(sorted(filter(None, models))),
        edited=tape.edited,
    )


def _document(rows: list[_Row], unreadable: dict[str, str]) -> dict[str, object]:
    return {
        "cassettes": [asdict(row) for row in rows],
        "unreadable": [{"path": path, "error": error} for path, error in unreadable.items()],
        "totals": {
            "cassettes": len(rows),
            "interactions": sum(row.interactions for row in rows),
            "size": sum(row.size for row in rows),
        },
    }


def _print_table(rows: list[_Row]) -> None:
    if rows:
        table = [("calls", "size", "newest", "models", "cassette"), *map(_cells, rows)]
        widths = [max(len(cells[column]) for cells in table) for column in range(4)]
        for calls, amount, newest, models, path in table:
            print(f"{calls:>{widths[0]}}  {amount:>{widths[1]}}  {newest:<{widths[2]}}  {models:<{widths[3]}}  {path}")
    interactions = count(sum(row.interactions for row in rows), "interaction")
    print(f"{count(len(rows), 'cassette')}, {interactions}, {size(sum(row.size for row in rows))}")


def _cells(row: _Row) -> tuple[str, str, str, str, str]:
    return (
        f"{row.interactions:,}",
        size(row.size),
        row.newest or _ABSENT,
        _shortened(line(", ".join(row.models))) or _ABSENT,
        line(row.path) + (" (edited)" if row.edited else ""),
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
