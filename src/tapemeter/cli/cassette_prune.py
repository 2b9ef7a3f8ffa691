"""`tapemeter cassette prune`: finds what no test plays any more, by the evidence of a whole run, and drops it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette import pruning, store
from tapemeter.cassette.match import Matcher
from tapemeter.cassette.pruning import What
from tapemeter.cli import files, runs
from tapemeter.cli.output import as_json, complain, count, line, safe_error, size
from tapemeter.errors import CassetteError, UsageError
from tapemeter.events import layout
from tapemeter.values import Value, replace

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from tapemeter.cassette.format import Entry
    from tapemeter.cassette.model import Interaction
    from tapemeter.cassette.pruning import Played, Verdict
    from tapemeter.cli.files import OtherEntry, Tape

_NUMBERS = 12
"""Numbers of interactions that are printed for one cassette."""
_AGAIN = "run pytest once more, all of it, with --llm-mode=replay"


class _Row(Value):
    """One cassette, and what was found of it; `problem` says why nothing could be done about it."""

    path: Path
    form: str
    verdict: Verdict
    interactions: int
    size: int
    problem: str | None = None
    done: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Finds, by the evidence of a run of all tests, cassettes that no test used (orphans) and interactions that\n"
        "answered nobody. Says what it would drop, and drops it with --apply. Not judged is what the evidence does\n"
        "not tell of: recordings newer than the run, cassettes of tests that were skipped or ran live, and what is\n"
        "no model call. A run that was a selection, or in which tests failed, is refused.\n\n"
        "Exit code: 0 if there is nothing to drop, or it was dropped; 1 if there is, or a file cannot be read;\n"
        "2 for wrong usage, or a run that does not tell enough."
    )
    files.add_paths(parser)
    parser.add_argument(
        "--run", dest="which", metavar="RUN", help="run id, folder of a run, or file of events (default: the newest)"
    )
    runs.add_report_dir(parser)
    parser.add_argument(
        "--root", type=Path, default=Path(), metavar="DIR", help="root of the tests, as pytest shows it (default: .)"
    )
    parser.add_argument(
        "--partial-run",
        action="store_true",
        help="judge by a run that was not of all tests; what it left out is taken for unused",
    )
    parser.add_argument("--apply", action="store_true", help="drop what was found; else nothing is changed")
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Judge the cassettes, and drop what nobody needs if that is asked for."""
    paths = files.find(arguments.paths)
    played = _evidence(arguments)
    names = {path: pruning.name_of(path, arguments.root) for path in paths}
    if paths and not played.named.intersection(names.values()):
        raise UsageError(
            f"run {played.run_id} used none of the {count(len(paths), 'cassette')} found; "
            "is this the folder in which pytest ran? Name the root of the tests with --root"
        )
    rows: list[_Row] = []
    unreadable: dict[str, str] = {}
    for path in paths:
        try:
            rows.append(_row(path, names[path], played, apply=arguments.apply))
        except (CassetteError, OSError) as error:
            unreadable[str(path)] = safe_error(error) if isinstance(error, CassetteError) else f"{path}: {error}"
    if arguments.json:
        print(as_json(_document(rows, unreadable, played, applied=arguments.apply)))
    else:
        _print(rows, played, applied=arguments.apply)
        for problem in unreadable.values():
            complain(problem)
    left = [row for row in rows if row.verdict.what is not What.KEEP and not row.done]
    return 1 if unreadable or left else 0


def _evidence(arguments: argparse.Namespace) -> Played:
    """Return what the run tells; UsageError where that is not enough to judge by."""
    found = runs.find(arguments.which, arguments.report_dir)
    path = found / layout.EVENTS if found.is_dir() else found
    if not path.is_file():
        raise UsageError(f"{found}: the run did not come to its end; {_AGAIN}")
    played = pruning.evidence(path)
    if played.is_old:
        raise UsageError(
            f"run {played.run_id} is of a version of tapemeter that did not note what was played; {_AGAIN}"
        )
    if not any(played.counts.values()):
        raise UsageError(f"run {played.run_id} played no recording, so it says nothing of them; {_AGAIN}")
    if not played.is_whole and not arguments.partial_run:
        raise UsageError(
            f"run {played.run_id} was not one of all tests: {'; '.join(played.doubts)}. What it left out would be "
            f"taken for unused; {_AGAIN}, or say --partial-run if that is what you want"
        )
    return played


def _row(path: Path, name: str, played: Played, *, apply: bool) -> _Row:
    tape = files.read(path)
    verdict = pruning.judge(_entries(tape), name, played, is_ours=tape.is_ours)
    row = _Row(path, tape.form, verdict, len(tape.entries), tape.size)
    if verdict.what is What.KEEP or not apply:
        return row
    return _dropped(row, tape)


def _entries(tape: Tape) -> Iterator[Entry | OtherEntry]:
    """Yield the entries of a tape; what one of them has parsed is forgotten once it was judged."""
    for entry in tape.entries:
        yield entry
        files.forget(entry)


def _dropped(row: _Row, tape: Tape) -> _Row:
    """Drop what was found, unless somebody has changed the file in the meantime."""
    with store.locked(row.path):
        now = files.read(row.path)
        if [_key(entry) for entry in now.entries] != [_key(entry) for entry in tape.entries]:
            return replace(row, problem="it was changed in the meantime, so it is left alone")
        dropped = set(row.verdict.drop)
        kept = [entry for number, entry in enumerate(now.entries, 1) if number not in dropped]
        if row.verdict.what is What.ORPHAN or not kept:
            store.remove(row.path)
        else:
            store.write(row.path, cassette_format.dump(_keyed(kept)))
    return replace(row, done=True)


def _key(entry: Entry | OtherEntry) -> tuple[str | None, str]:
    return entry.key, entry.text


def _keyed(entries: Sequence[Entry | OtherEntry]) -> list[Interaction | Entry]:
    """Return entries fit to be written: those of an edited file get their keys anew."""
    matcher = Matcher()
    fit: list[Interaction | Entry] = []
    for entry in entries:
        if isinstance(entry, files.OtherEntry) or entry.key is None:
            fit.append(replace(entry.interaction, key=matcher.stored_key(entry.interaction.request)))
        else:
            fit.append(entry)
    return fit


def _document(rows: list[_Row], unreadable: dict[str, str], played: Played, *, applied: bool) -> dict[str, Any]:
    return {
        "run": played.run_id,
        "began": played.began,
        "whole": played.is_whole,
        "doubts": played.doubts,
        "applied": applied,
        "cassettes": [
            {
                "path": str(row.path),
                "form": row.form,
                "what": row.verdict.what.value,
                "drop": list(row.verdict.drop),
                "why": row.verdict.why or None,
                "interactions": row.interactions,
                "size": row.size,
                "done": row.done,
                "problem": row.problem,
            }
            for row in rows
            if row.verdict.what is not What.KEEP or row.verdict.why
        ],
        "unreadable": [{"path": path, "error": error} for path, error in unreadable.items()],
        "totals": {"cassettes": len(rows), **_totals(rows)},
    }


def _totals(rows: list[_Row]) -> dict[str, int]:
    kinds = Counter(row.verdict.what for row in rows)
    dropped = sum(
        row.interactions if row.verdict.what is What.ORPHAN else len(row.verdict.drop)
        for row in rows
        if row.verdict.what is not What.KEEP
    )
    freed = sum(row.size for row in rows if row.verdict.what is What.ORPHAN)
    return {
        "orphans": kinds[What.ORPHAN],
        "with_unplayed": kinds[What.UNPLAYED],
        "drop": dropped,
        "orphan_bytes": freed,
    }


def _print(rows: list[_Row], played: Played, *, applied: bool) -> None:
    print(f"by run {line(played.run_id)}, begun {line(played.began)}")
    for doubt in played.doubts:
        print(f"not of all tests: {line(doubt)}")
    for row in rows:
        if text := _sentence(row):
            print(line(text))
    totals = _totals(rows)
    partly = count(totals["with_unplayed"], "cassette")
    found = (
        f"{count(totals['orphans'], 'orphan')}, {partly} with unplayed interactions, "
        f"{count(totals['drop'], 'interaction')} in all"
    )
    if not totals["drop"] and not totals["orphans"]:
        print(f"{count(len(rows), 'cassette')}: nothing to drop")
    elif applied:
        print(f"{found}: dropped")
    else:
        print(f"{found}: nothing was changed; drop them with --apply")


def _sentence(row: _Row) -> str | None:
    verdict = row.verdict
    what = f"{row.path}: {row.problem}" if row.problem else str(row.path)
    match verdict.what:
        case What.ORPHAN:
            return f"orphan    {what} ({count(row.interactions, 'interaction')}, {size(row.size)})"
        case What.UNPLAYED:
            return f"unplayed  {what}: {_numbers(verdict.drop)} of {row.interactions:,}"
        case _:
            return f"kept      {row.path}: {verdict.why}" if verdict.why else None


def _numbers(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_NUMBERS]))
    return f"{shown} and {len(numbers) - _NUMBERS} more" if len(numbers) > _NUMBERS else shown
