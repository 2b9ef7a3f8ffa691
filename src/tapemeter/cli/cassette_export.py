"""`tapemeter cassette export`: writes cassettes in the forms of other tools."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter.cassette import store
from tapemeter.cassette.tapes import ours
from tapemeter.cassette.tapes.har_writer import dump_har
from tapemeter.cassette.tapes.vcr_writer import dump_vcr
from tapemeter.cli import files
from tapemeter.cli.output import as_json, complain, count, line, safe_error
from tapemeter.errors import CassetteError, TapemeterError, UsageError

if TYPE_CHECKING:
    import argparse

SUFFIXES = {"vcr": ".yaml", "vcr-json": ".json", "har": ".har"}
"""The forms that can be written, with how their files end."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Writes cassettes as other tools have them: VCR.py's YAML or JSON, or an HTTP archive (HAR 1.2), which\n"
        "browsers and viewers open. One cassette is printed, or written below the folder of --to; several are\n"
        "written. Where chunks of a stream ended is in none of these forms, how long answers took only in HAR.\n\n"
        "Exit code: 0; 1 if a cassette cannot be written in the form; 2 for wrong usage."
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="CASSETTE", help="cassette, or folder of cassettes")
    parser.add_argument("--form", choices=list(SUFFIXES), required=True, help="the form to write")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="folder below which the files are written")
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the cassettes, or print the only one."""
    paths = files.find(arguments.paths)
    if arguments.to is None:
        if arguments.json:
            raise UsageError("--json tells what was written, so it needs a folder to write to; name one with --to")
        if len(paths) != 1:
            raise UsageError(f"{len(paths)} cassettes are named, and one can be printed; name a folder with --to")
        print(_text(paths[0], arguments.form), end="")
        return 0
    written, failed = _write_all(paths, arguments)
    if arguments.json:
        print(as_json(_document(written, failed)))
    else:
        for source, made in written.items():
            print(line(f"{source} -> {made}"))
        for problem in failed.values():
            complain(line(problem))
        print(f"{count(len(written), 'cassette')} written" + (f", {len(failed):,} not" if failed else ""))
    return 1 if failed else 0


def _write_all(paths: list[Path], arguments: argparse.Namespace) -> tuple[dict[str, str], dict[str, str]]:
    """Write every cassette; return where each is now, and why others are nowhere."""
    written: dict[str, str] = {}
    failed: dict[str, str] = {}
    for path in paths:
        target = arguments.to / _relative(path, arguments.paths).with_suffix(SUFFIXES[arguments.form])
        try:
            _write(target, _text(path, arguments.form))
        except TapemeterError as error:
            failed[str(path)] = safe_error(error)
        except OSError as error:
            failed[str(path)] = f"{target}: cannot be written: {error.strerror or error}; make it writable"
        else:
            written[str(path)] = str(target)
    return written, failed


def _document(written: dict[str, str], failed: dict[str, str]) -> dict[str, object]:
    return {
        "written": [{"path": path, "to": target} for path, target in written.items()],
        "failed": [{"path": path, "error": error} for path, error in failed.items()],
        "totals": {"written": len(written), "failed": len(failed)},
    }


def _text(path: Path, form: str) -> str:
    interactions = [entry.interaction for entry in files.read(path).entries]
    if form == "har":
        return dump_har(interactions, metadata.version("pytest-tapemeter"))
    tape = map(ours.tape_interaction, interactions)
    try:
        return dump_vcr(tape, "json" if form == "vcr-json" else "yaml")
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _write(target: Path, text: str) -> None:
    """Write a file unless another is there."""
    if target.exists() and target.read_text("utf-8", "replace") != text:
        raise CassetteError(f"{target}: another file is there already; move it away, or name another folder")
    store.write(target, text)


def _relative(path: Path, given: list[Path]) -> Path:
    """Return a path from the folder by which it was named, else its name."""
    return next(
        (path.relative_to(each) for each in given if each.is_dir() and path.is_relative_to(each)), Path(path.name)
    )
