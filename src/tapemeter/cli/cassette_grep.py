"""`tapemeter cassette grep`: searches prompts and answers as they were meant, not as they are spelled in the file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tapemeter.cassette.searching import Hit, Search
from tapemeter.cli import files
from tapemeter.cli.output import complain, line, print_listing, safe_error
from tapemeter.errors import CassetteError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

_SIDES = {"prompts": ("request",), "answers": ("response",), None: ("request", "response")}
_NONE, _UNREADABLE = 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Searches every text in the requests and answers of cassettes: JSON decoded, streams folded into the text\n"
        "they make. Prints each line that holds PATTERN as FILE:INTERACTION:PATH: LINE, where PATH is the place in\n"
        "the body. PATTERN is plain text, unless --regex is given; long lines are shown around what was found.\n\n"
        "Exit code: 0 if found; 1 if not; 2 for wrong usage, or a file that cannot be read."
    )
    parser.add_argument("pattern", metavar="PATTERN", help="what to search for")
    files.add_paths(parser)
    parser.add_argument("--regex", action="store_true", help="PATTERN is a regular expression, as Python's re has them")
    parser.add_argument("-i", "--ignore-case", action="store_true", help="capital and small letters are the same")
    parser.add_argument("-l", "--files", action="store_true", help="print only the names of the files")
    parser.add_argument("--only", choices=("prompts", "answers"), help="search only what was asked, or answered")
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Search, and print what is found as it is found."""
    search = Search(arguments.pattern, regex=arguments.regex, ignore_case=arguments.ignore_case)
    paths = files.find(arguments.paths)
    unreadable: dict[str, str] = {}
    totals: Counter[str] = Counter(files=0, interactions=0, matches=0)
    found = _found(paths, search, _SIDES[arguments.only], unreadable, totals, first_only=arguments.files)
    if arguments.json:
        head = {"pattern": arguments.pattern, "regex": arguments.regex, "ignore_case": arguments.ignore_case}
        print_listing(
            head,
            "matches",
            (_fields(*each) for each in found),
            lambda: {
                "unreadable": [{"path": path, "error": error} for path, error in unreadable.items()],
                "totals": dict(totals),
            },
        )
    else:
        for path, number, hit in found:
            print(line(path) if arguments.files else f"{line(path)}:{number}:{line(hit.where)}: {line(hit.text)}")
        for problem in unreadable.values():
            complain(problem)
    return _UNREADABLE if unreadable else 0 if totals["matches"] else _NONE


def _found(
    paths: list[Path],
    search: Search,
    sides: tuple[str, ...],
    unreadable: dict[str, str],
    totals: Counter[str],
    *,
    first_only: bool,
) -> Iterator[tuple[Path, int, Hit]]:
    """Yield what is found, file by file, one interaction at a time; `totals` counts along."""
    for path in paths:
        try:
            for number, hit in _in_file(path, search, sides, totals):
                totals["matches"] += 1
                yield path, number, hit
                if first_only:
                    break
        except CassetteError as error:
            unreadable[str(path)] = safe_error(error)


def _in_file(path: Path, search: Search, sides: tuple[str, ...], totals: Counter[str]) -> Iterator[tuple[int, Hit]]:
    tape = files.read(path)
    totals["files"] += 1
    for number, _, interaction in tape.interactions():
        totals["interactions"] += 1
        for hit in search.hits(interaction, sides):
            yield number, hit


def _fields(path: Path, number: int, hit: Hit) -> dict[str, Any]:
    return {"path": str(path), "interaction": number, "where": hit.where, "line": hit.line, "text": hit.text}
