"""`tapemeter cassette migrate`: brings cassettes to the format of this version."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette import migrations, store
from tapemeter.cassette.migrations import Standing, Version
from tapemeter.cli import files
from tapemeter.cli.output import as_json, count, line, safe_error
from tapemeter.errors import CassetteError, CassetteFormatError
from tapemeter.values import Value

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

_WORDS = {
    Standing.OLDER: "format {number}, older: will be brought to format {today}",
    Standing.TOO_OLD: "format {number}, older than this version can read; install one that can, or record it again",
    Standing.NEWER: "format {number}, newer than this version, which reads {today}: upgrade pytest-tapemeter",
    Standing.OTHER: "no cassette of ours; if it is one of VCR.py or cassetter: tapemeter cassette import",
}
_DONE = "format {number}, brought to format {today}"
_STAYS = frozenset({Standing.TOO_OLD, Standing.NEWER})


class _Row(Value):
    """What became of one file; `problem` says why it could not be read or written."""

    path: str
    standing: Standing | None
    number: int | None
    migrated: bool = False
    problem: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        f"Tells the format of each cassette, and brings older ones to that of this version,\n"
        f"{cassette_format.FORMAT}. Says what it would do, and does it with --apply. A file that a newer version\n"
        "wrote is told, and left as it is.\n\n"
        "Exit code: 0 if all are, or were, brought up to date; 1 if one is to be migrated, cannot be, or cannot be\n"
        "read; 2 for wrong usage."
    )
    files.add_paths(parser)
    parser.add_argument("--apply", action="store_true", help="write the files; else nothing is changed")
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Go through the files."""
    rows = [_row(path, apply=arguments.apply) for path in files.find(arguments.paths)]
    standings = Counter(row.standing.value for row in rows if row.standing is not None)
    left = [row for row in rows if row.problem or _is_left(row)]
    if arguments.json:
        print(as_json(_document(rows, standings, applied=arguments.apply)))
        return 1 if left else 0
    for row in rows:
        if text := _sentence(row):
            print(f"{line(row.path)}: {line(text)}")
    current = standings[Standing.CURRENT.value]
    print(f"{count(len(rows), 'file')}: {current:,} of format {migrations.TODAY}", end="")
    if older := sum(row.standing is Standing.OLDER for row in rows):
        print(f", {older:,} {'brought to it' if arguments.apply else 'to be brought to it with --apply'}", end="")
    print()
    return 1 if left else 0


def _is_left(row: _Row) -> bool:
    return row.standing in _STAYS or (row.standing is Standing.OLDER and not row.migrated)


def _row(path: Path, *, apply: bool) -> _Row:
    try:
        found = _version(path)
        if found.standing is not Standing.OLDER or found.number is None or not apply:
            return _Row(str(path), found.standing, found.number)
        with store.locked(path):
            store.write(path, migrations.migrated(store.read(path), found.number, str(path)))
    except CassetteError as error:
        return _Row(str(path), None, None, problem=safe_error(error))
    except OSError as error:
        return _Row(str(path), None, None, problem=f"cannot be read or written: {error.strerror or error}")
    return _Row(str(path), found.standing, found.number, migrated=True)


def _version(path: Path) -> Version:
    try:
        return migrations.version(store.read(path))
    except CassetteFormatError:  # no text: compressed, as other tools have them
        return Version(Standing.OTHER)


def _sentence(row: _Row) -> str | None:
    if row.problem is not None or row.standing is None:
        return row.problem
    words = _DONE if row.migrated else _WORDS.get(row.standing)
    return None if words is None else words.format(number=row.number, today=migrations.TODAY)


def _document(rows: list[_Row], standings: Counter[str], *, applied: bool) -> dict[str, Any]:
    return {
        "format": cassette_format.FORMAT,
        "applied": applied,
        "files": [
            {
                "path": row.path,
                "standing": None if row.standing is None else row.standing.value,
                "version": row.number,
                "migrated": row.migrated,
                "problem": row.problem,
            }
            for row in rows
        ],
        "totals": {"files": len(rows), **{each.value: standings[each.value] for each in Standing}},
    }
