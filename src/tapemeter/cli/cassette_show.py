"""`tapemeter cassette show`: recorded calls as one reads a conversation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter.cassette.conversation import Turn, answered, asked
from tapemeter.cassette.mapping import to_mapping
from tapemeter.cli import files
from tapemeter.cli.output import as_json, count, indented, line, size
from tapemeter.errors import UsageError
from tapemeter.model import Ending

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from tapemeter.cassette.format import Entry
    from tapemeter.cassette.model import Interaction
    from tapemeter.cli.files import Tape
    from tapemeter.model import Response

_LONGEST_BODY, _MOST_LINES = 2000, 30
"""What is shown of a body that is no conversation: characters and lines."""
_LABEL, _TEXT = 2, 4
"""Columns at which a speaker and what is said begin."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Shows the recorded calls of a cassette as conversations: what was asked, with the tools on offer, and\n"
        "what was answered; streams of OpenAI and Anthropic as the text they make. Other bodies are shown as\n"
        "they are, shortened. With --json: every field of the file.\n\n"
        "Exit code: 0; 2 for wrong usage or a file that cannot be read."
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="the cassette")
    parser.add_argument("number", type=int, nargs="?", metavar="N", help="show this interaction only, from 1")
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the calls."""
    tape = files.read(files.find_one(arguments.path))
    entries = _chosen(tape, arguments.number)
    if arguments.json:
        print(
            as_json(
                {
                    "path": str(tape.path),
                    "edited": tape.edited,
                    "interactions": [
                        {"number": number, "line": entry.line, **to_mapping(entry.interaction)}
                        for number, entry in entries
                    ],
                }
            )
        )
        return 0
    edited = ", edited by hand" if tape.edited else ""
    print(f"{line(tape.path)}: {count(len(tape.entries), 'interaction')}{edited}")
    for number, entry in entries:
        print()
        _print(number, entry.interaction)
    return 0


def _chosen(tape: Tape, number: int | None) -> list[tuple[int, Entry]]:
    numbered = list(enumerate(tape.entries, 1))
    if number is None:
        return numbered
    if not 1 <= number <= len(numbered):
        there = f"a number from 1 to {len(numbered)}" if numbered else "no number"
        raise UsageError(
            f"{tape.path} has {count(len(numbered), 'interaction')}, but number {number} was asked for; write {there}"
        )
    return [numbered[number - 1]]


def _print(number: int, interaction: Interaction) -> None:
    request, response = interaction.request, interaction.response
    question, answer = asked(request), answered(response)
    print(f"[{number}] {line(request.method)} {line(request.url)}")
    _print_fact("recorded", interaction.recorded)
    _print_fact("model", question.model)
    _print_fact("tools", ", ".join(question.tools))
    _print_turns(question.turns, request.body, request.content_type)
    print()
    _print_answer_head(response, answer.stopped)
    _print_turns(answer.turns, response.body, response.content_type)


def _print_fact(name: str, value: str | None) -> None:
    if value:
        print(f"{'':{_LABEL}}{name:<9} {line(value)}")


def _print_answer_head(response: Response, stopped: Iterable[str]) -> None:
    pieces = [f"first byte {response.first_byte:.3f} s", f"total {response.total:.3f} s"]
    if response.is_stream:
        pieces.append(count(len(response.chunks), "chunk"))
    pieces += stopped
    print(f"  -> {response.status} ({line(', '.join(pieces))})")
    if response.ending is not Ending.COMPLETE:
        print(f"     partial: {_WHY_PARTIAL[response.ending]}")


_WHY_PARTIAL = {
    Ending.ABANDONED: "abandoned, the program stopped reading here",
    Ending.CANCELLED: "cancelled, the program was cancelled while it waited for the next chunk",
    Ending.TIMEOUT: "timeout, the program waited no longer for the next chunk",
    Ending.BROKEN: "broken, the connection was lost here",
}


def _print_turns(turns: Iterable[Turn], body: bytes, content_type: str) -> None:
    said = list(turns)
    for turn in said or [Turn("body", _shortened(body, content_type))]:
        print()
        print(f"{'':{_LABEL}}{line(turn.role)}:")
        print(indented(turn.text, _TEXT))


def _shortened(body: bytes, content_type: str) -> str:
    if not body:
        return "(empty)"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"({size(len(body))} of {content_type or 'something that is no text'})"
    lines = text.splitlines()
    cut = "\n".join(lines[:_MOST_LINES])[:_LONGEST_BODY]
    whole = len(lines) <= _MOST_LINES and len(text.rstrip()) <= _LONGEST_BODY
    return cut if whole else f"{cut}\n… ({size(len(body))} in all)"
