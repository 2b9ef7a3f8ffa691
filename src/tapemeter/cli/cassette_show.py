"""`tapemeter cassette show`: recorded calls as one reads a conversation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapemeter.cassette.conversation import Answered, Asked, Turn, answered, asked
from tapemeter.cassette.figures import figures
from tapemeter.cassette.mapping import to_mapping
from tapemeter.cli import files
from tapemeter.cli.output import count, indented, line, print_listing, size
from tapemeter.errors import UsageError
from tapemeter.model import Ending, Quality
from tapemeter.values import asdict

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from tapemeter.cassette.figures import Figures
    from tapemeter.cassette.format import Entry
    from tapemeter.cassette.model import Interaction
    from tapemeter.cli.files import OtherEntry, Tape
    from tapemeter.model import Response, Usage

_LONGEST_BODY, _MOST_LINES = 2000, 30
"""What is shown of a body that is no conversation: characters and lines."""
_LABEL, _TEXT = 2, 4
"""Columns at which a speaker and what is said begin."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Shows the recorded calls of a cassette as conversations: what was asked, with the tools on offer, what\n"
        "was answered, by which model, and what it used; streams of any protocol we read as the text they make.\n"
        "Other bodies are shown as they are, shortened. With --json: every field of the file, and the same as\n"
        "the text shows.\n\n"
        "Exit code: 0; 2 for wrong usage or a file that cannot be read."
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="the cassette")
    parser.add_argument("number", type=int, nargs="?", metavar="N", help="show this interaction only, from 1")
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the calls."""
    tape = files.read(files.find_one(arguments.path))
    _check(tape, arguments.number)
    chosen = (each for each in tape.interactions() if arguments.number in {None, each[0]})
    if arguments.json:
        head = {"path": str(tape.path), "form": tape.form, "edited": tape.edited}
        print_listing(head, "interactions", (_document(*each) for each in chosen))
        return 0
    notes = ([] if tape.is_ours else [f"a tape of {tape.form}"]) + (["edited by hand"] if tape.edited else [])
    print(", ".join([f"{line(tape.path)}: {count(len(tape.entries), 'interaction')}", *notes]))
    for number, _, interaction in chosen:
        print()
        _print(number, interaction)
    return 0


def _check(tape: Tape, number: int | None) -> None:
    there = len(tape.entries)
    if number is not None and not 1 <= number <= there:
        hint = f"a number from 1 to {there}" if there else "no number"
        raise UsageError(
            f"{tape.path} has {count(there, 'interaction')}, but number {number} was asked for; write {hint}"
        )


def _document(number: int, entry: Entry | OtherEntry, interaction: Interaction) -> dict[str, Any]:
    question, answer, used = asked(interaction.request), answered(interaction.response), figures(interaction)
    return {
        "number": number,
        "line": entry.line,
        **to_mapping(interaction),
        "conversation": {
            "asked": {**asdict(question), "turns": [asdict(turn) for turn in question.turns]},
            "answered": {
                "model": None if used is None else used.answered.model,
                "turns": [asdict(turn) for turn in answer.turns],
                "finish_reasons": list(_reasons(answer, used)),
                "usage": None if used is None else _usage(used.usage),
            },
        },
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {**asdict(usage), "quality": usage.quality.value}


def _reasons(answer: Answered, used: Figures | None) -> tuple[str, ...]:
    return answer.stopped or (() if used is None else used.answered.finish_reasons)


def _print(number: int, interaction: Interaction) -> None:
    request, response = interaction.request, interaction.response
    question, answer, used = asked(request), answered(response), figures(interaction)
    print(f"[{number}] {line(request.method)} {line(request.url)}")
    _print_fact("recorded", interaction.recorded)
    _print_fact("model", _model(question, used))
    _print_fact("tools", ", ".join(question.tools))
    _print_turns(question.turns, request.body, request.content_type)
    print()
    _print_answer_head(response, _reasons(answer, used))
    if used is not None and (said := ", ".join(_figures(used.usage))):
        print(f"     {said}")
    _print_turns(answer.turns, response.body, response.content_type)


def _model(question: Asked, used: Figures | None) -> str | None:
    """Return which model was asked, and which one answered, where that is another."""
    served = None if used is None else used.answered.model
    if served is None or served == question.model:
        return question.model
    return f"{question.model or '(none named)'}, answered by {served}"


def _figures(usage: Usage) -> Iterator[str]:
    """Yield what a call used, in words; nothing where it used nothing, or nobody knows."""
    if not usage.total_tokens:
        return
    yield f"{count(usage.input_tokens, 'token')} in"
    for number, word in ((usage.cache_read_tokens, "from a cache"), (usage.cache_write_tokens, "to a cache")):
        if number:
            yield f"{number:,} {word}"
    yield f"{usage.output_tokens:,} out"
    if usage.reasoning_tokens:
        yield f"{usage.reasoning_tokens:,} of reasoning"
    if usage.quality is not Quality.MEASURED:
        yield usage.quality.value


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
        print(f"     partial: {WHY_PARTIAL[response.ending]}")


WHY_PARTIAL = {
    Ending.ABANDONED: "abandoned, the program stopped reading here",
    Ending.CANCELLED: "cancelled, the program was cancelled while it waited for the next chunk",
    Ending.TIMEOUT: "timeout, the program waited no longer for the next chunk",
    Ending.BROKEN: "broken, the connection was lost here",
    Ending.CUT: "cut, a budget ran out here",
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
