"""`tapemeter cassette import`: makes cassettes of the recordings of other tools."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter.cassette import store
from tapemeter.cassette.tapes import ours, places, tape
from tapemeter.cassette.tapes.convert import convert, prove
from tapemeter.cassette.tapes.model import NoTapeError
from tapemeter.cli import files
from tapemeter.cli.output import as_json, complain, count, line
from tapemeter.errors import CassetteError
from tapemeter.redact import Redactor
from tapemeter.values import Value, asdict, replace

if TYPE_CHECKING:
    import argparse

    from tapemeter.cassette.tapes.model import Tape
    from tapemeter.cassette.tapes.places import Found

_PLANNED, _WRITTEN, _THERE, _OURS, _NO_TAPE, _FAILED = (
    "planned",
    "written",
    "there already",
    "a cassette already",
    "no tape",
    "failed",
)


class _Row(Value):
    """What becomes of one file; `to` is None where nothing comes of it, `alike` where nothing was checked."""

    path: str
    state: str
    form: str | None = None
    interactions: int = 0
    to: str | None = None
    kept: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    alike: bool | None = None
    problems: tuple[str, ...] = ()
    hint: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Makes cassettes of the recordings of other tools: VCR.py (YAML and JSON, of every version, gzip'd or\n"
        "not), cassetter (YAML and TOML), and HTTP archives (HAR). Says for each file what is kept and what cannot\n"
        "be. Nothing is written without --apply. Secrets are hidden as in a recording.\n\n"
        "A cassette takes the place of its tape if that ends in .yaml, else it lies beside it. With --to it lies\n"
        "below a folder, where the test finds it: <tests>/cassettes/<module>/<test>.yaml becomes\n"
        "FOLDER/<tests>/<module>/<test>.yaml, seen from the current folder.\n\n"
        "Exit code: 0; 1 if a tape cannot be converted, or a check fails; 2 for wrong usage."
    )
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help=f"tape, or folder of tapes at any depth (files ending in {', '.join(places.SUFFIXES)}, also with .gz)",
    )
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="folder below which the cassettes are written")
    parser.add_argument("--apply", action="store_true", help="write the cassettes; without it nothing is written")
    parser.add_argument(
        "--check",
        action="store_true",
        help="send every recorded request to its new cassette, and compare the answers with the tape's",
    )
    parser.add_argument(
        "--redact",
        action="append",
        default=[],
        metavar="RULE",
        help="one more rule of redaction, as in ini llm_redact: header:NAME, query:NAME, json:NAME, env:NAME or "
        "text:REGEX; repeatable",
    )
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Convert the files, or say what would come of it."""
    importer = _Importer(Redactor(arguments.redact), arguments.to, apply=arguments.apply, check=arguments.check)
    rows = [importer.row(found) for found in places.find(arguments.paths)]
    if arguments.json:
        print(as_json({"tapes": [asdict(row) for row in rows], "totals": _totals(rows)}))
    else:
        for row in rows:
            _print(row)
        print(_summary(rows, checked=arguments.check))
    return 1 if any(row.problems for row in rows) else 0


class _Importer:
    """Converts one file after the other; no two of them into the same cassette."""

    def __init__(self, redactor: Redactor, folder: Path | None, *, apply: bool, check: bool) -> None:
        self._redactor, self._folder, self._apply, self._check = redactor, folder, apply, check
        self._taken: dict[Path, Path] = {}

    def row(self, found: Found) -> _Row:
        """Return what becomes of a file."""
        name = self._redactor.text(str(found.path))
        try:
            return self._converted(found, name)
        except NoTapeError as error:
            problems = () if found.root is not None else (self._redactor.text(str(error)),)
            return _Row(name, _NO_TAPE, problems=problems)
        except CassetteError as error:
            return _Row(name, _FAILED, problems=(self._redactor.text(str(error)),))
        except OSError as error:
            problem = f"{name}: {error.strerror or error}; make it readable, and where it goes writable"
            return _Row(name, _FAILED, problems=(problem,))

    def _converted(self, found: Found, name: str) -> _Row:
        read = tape.read(found.path)
        if read.form == ours.FORM:
            return _Row(name, _OURS, read.form, len(read.interactions))
        made = convert(read, self._redactor, str(found.path))
        target = places.target(found, self._folder, Path.cwd())
        row = _Row(
            path=name,
            state=_PLANNED,
            form=read.form,
            interactions=len(read.interactions),
            to=self._redactor.text(str(target)),
            kept=made.kept,
            lost=made.lost,
            hint=self._hint(target),
        )
        if clash := self._clash(found.path, target, made.text):
            return replace(row, state=_FAILED, problems=(self._redactor.text(clash),))
        if self._check:
            problems = self._proved(read, made.text)
            row = replace(row, alike=not problems, problems=problems, state=_FAILED if problems else row.state)
            if problems:
                return row
        if _holds(target, made.text):
            return replace(row, state=_THERE)
        if self._apply:
            with store.locked(target):
                store.write(target, made.text)
            return replace(row, state=_WRITTEN)
        return row

    def _clash(self, source: Path, target: Path, text: str) -> str | None:
        """Return why a cassette must not be written; None where it may be."""
        other = self._taken.setdefault(target.absolute(), source)
        if other != source:
            return f"{source}: its cassette would be {target}, as that of {other}; rename one of the two"
        if target.exists() and not target.samefile(source) and not _holds(target, text):
            return f"{source}: there is another file at {target}; move it away, or name another folder with --to"
        return None

    def _proved(self, read: Tape, text: str) -> tuple[str, ...]:
        """Return how a cassette answers otherwise than its tape, read from a file as a test does."""
        with tempfile.TemporaryDirectory(prefix="tapemeter-") as folder:
            path = Path(folder, "cassette.yaml")
            store.write(path, text)
            return tuple(self._redactor.text(fault) for fault in prove(read, path, self._redactor))

    def _hint(self, target: Path) -> str | None:
        """Return how to have a test find a cassette whose name it does not look for."""
        if self._folder is None or places.is_looked_for(target):
            return None
        name = str(target.relative_to(self._folder).with_suffix(""))
        return f"the test looks for another name; mark it llm_cassette({self._redactor.text(name)!r})"


def _holds(path: Path, text: str) -> bool:
    try:
        return path.exists() and store.read(path) == text
    except (CassetteError, OSError):
        return False


def _print(row: _Row) -> None:
    if row.state == _NO_TAPE and not row.problems:
        return
    about = f": {row.form}, {count(row.interactions, 'interaction')}" if row.form else ""
    print(line(f"{row.path}{about}{f' ({row.state})' if row.state != _PLANNED else ''}"))
    parts = {
        "to": (row.to,) if row.to else (),
        "kept": row.kept,
        "not kept": row.lost,
        "checked": ("every request is answered alike",) if row.alike else (),
        "hint": (row.hint,) if row.hint else (),
    }
    for name, sentences in parts.items():
        if sentences:
            print(line(f"  {name:<9}{'; '.join(sentences)}"))
    for problem in row.problems:
        complain(line(problem))


def _totals(rows: list[_Row]) -> dict[str, int]:
    states = Counter(row.state for row in rows)
    return {
        "tapes": sum(row.form is not None and row.state != _OURS for row in rows),
        "interactions": sum(row.interactions for row in rows if row.state != _OURS),
        "planned": states[_PLANNED],
        "written": states[_WRITTEN],
        "there_already": states[_THERE],
        "cassettes_already": states[_OURS],
        "no_tapes": states[_NO_TAPE],
        "failed": states[_FAILED],
    }


def _summary(rows: list[_Row], *, checked: bool) -> str:
    totals = _totals(rows)
    parts = [f"{count(totals['tapes'], 'tape')}, {count(totals['interactions'], 'interaction')}"]
    told = {
        "written": totals["written"],
        "to be written": totals["planned"],
        "there already": totals["there_already"],
        "cassettes already": totals["cassettes_already"],
        "no tapes": totals["no_tapes"],
        "failed": totals["failed"],
    }
    parts.append(", ".join(f"{number:,} {what}" for what, number in told.items() if number) or "nothing to do")
    if checked:
        parts.append(f"{sum(bool(row.alike) for row in rows):,} answer alike")
    if totals["planned"]:
        parts.append("nothing was written: add --apply")
    return "; ".join(parts)
