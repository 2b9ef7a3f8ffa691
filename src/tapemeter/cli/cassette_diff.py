"""`tapemeter cassette diff`: what differs between two cassettes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter.cli import files
from tapemeter.cli.compare import compare
from tapemeter.cli.output import as_json, count, line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tapemeter.cassette.model import Interaction
    from tapemeter.cli.compare import Comparison, Pair
    from tapemeter.cli.differing import Differing

_LISTED = 12
"""Differences of one request or response that are shown as text."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Compares two cassettes by meaning. Equal questions are a pair, else the most similar ones sent to the same\n"
        "path; shown is where their prompts, tools, settings, answers and usage differ. The order of different\n"
        "questions, headers, times, chunk boundaries, the spelling of JSON and the ids that servers give do not\n"
        "count.\n\n"
        "Exit code: 0 if equal; 1 if different; 2 for wrong usage or a file that cannot be read."
    )
    parser.add_argument("a", type=Path, metavar="A", help="a cassette")
    parser.add_argument("b", type=Path, metavar="B", help="the cassette to compare it with")
    parser.add_argument("--all", action="store_true", help="show and count ids, moments and events, too")
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the differences."""
    found_a, found_b = files.find_one(arguments.a), files.find_one(arguments.b)
    a, b = _interactions(found_a), _interactions(found_b)
    comparison = compare(a, b, everything=arguments.all)
    if arguments.json:
        print(as_json(_document(comparison, a, b)))
    else:
        print(f"A  {line(arguments.a)} ({count(len(a), 'interaction')})")
        print(f"B  {line(arguments.b)} ({count(len(b), 'interaction')})")
        _print(comparison, a, b)
    return 0 if comparison.is_equal else 1


def _interactions(path: Path) -> list[Interaction]:
    return [interaction for _, _, interaction in files.read(path).interactions()]


def _document(comparison: Comparison, a: Sequence[Interaction], b: Sequence[Interaction]) -> dict[str, object]:
    return {
        "equal": comparison.is_equal,
        "pairs": [
            {
                "a": pair.first + 1,
                "b": pair.second + 1,
                "equal": pair.is_equal,
                "request": [_fields(each) for each in pair.request],
                "response": [_fields(each) for each in pair.response],
            }
            for pair in comparison.pairs
        ],
        "only_in_a": [_named(place, a) for place in comparison.only_first],
        "only_in_b": [_named(place, b) for place in comparison.only_second],
    }


def _fields(differing: Differing) -> dict[str, str]:
    difference = differing.difference
    return {"part": differing.part, "path": difference.path, "a": difference.old, "b": difference.new}


def _named(place: int, interactions: Sequence[Interaction]) -> dict[str, object]:
    request = interactions[place].request
    return {"number": place + 1, "method": request.method, "url": request.url}


def _print(comparison: Comparison, a: Sequence[Interaction], b: Sequence[Interaction]) -> None:
    differing = [pair for pair in comparison.pairs if not pair.is_equal]
    for pair in differing:
        _print_pair(pair, a[pair.first])
    for name, places, interactions in (("A", comparison.only_first, a), ("B", comparison.only_second, b)):
        for place in places:
            print(f"\nonly in {name}: [{place + 1}] {_request_line(interactions[place])}")
    print(
        f"\n{len(comparison.pairs) - len(differing)} equal, {len(differing)} different, "
        f"{len(comparison.only_first)} only in A, {len(comparison.only_second)} only in B"
    )


def _print_pair(pair: Pair, interaction: Interaction) -> None:
    print(f"\nA [{pair.first + 1}], B [{pair.second + 1}]  {_request_line(interaction)}")
    for side, found in (("request", pair.request), ("response", pair.response)):
        if not found:
            continue
        print(f"  {side}")
        for differing in found[:_LISTED]:
            difference = differing.difference
            print(f"    {differing.part}: {line(difference.path)}")
            print(f"      A  {line(difference.old)}")
            print(f"      B  {line(difference.new)}")
        if len(found) > _LISTED:
            print(f"    and {len(found) - _LISTED} more (--json lists all)")


def _request_line(interaction: Interaction) -> str:
    return line(f"{interaction.request.method} {interaction.request.url}")
