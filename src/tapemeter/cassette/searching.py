"""Searches what was asked and answered: every text in the JSON of a request, and of its answer folded into one.

A text is searched line by line. A pattern is plain text, or a regular expression of bounded length that sees a long
line in pieces of bounded length, so that a search never looks at a megabyte at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tapemeter.cassette import paths
from tapemeter.cassette.conversation import answer, question
from tapemeter.errors import UsageError
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.cassette.model import Interaction

LONGEST_PATTERN = 1000
LONGEST_PIECE, OVERLAP = 10_000, 1000
"""Characters of a line that a regular expression sees at once, and how many of them the next piece sees again."""
_SHOWN = 160
"""Characters of a line that are shown around what was found."""


class Hit(Value):
    """One line that was found: `where` is the path of its text, `line` counts from 1 within that text."""

    where: str
    line: int
    text: str


class Search:
    """What is searched for; UsageError for a pattern that is none."""

    def __init__(self, pattern: str, *, regex: bool = False, ignore_case: bool = False) -> None:
        if not pattern or len(pattern) > LONGEST_PATTERN:
            raise UsageError(f"the pattern has {len(pattern)} characters; write 1 to {LONGEST_PATTERN:,} of them")
        try:
            self._found = re.compile(
                pattern if regex else re.escape(pattern), re.IGNORECASE if ignore_case else re.NOFLAG
            )
        except (re.error, OverflowError, RecursionError) as error:
            raise UsageError(f"the pattern is no regular expression, {error}; leave --regex out, or mend it") from None
        self._is_plain = not regex

    def hits(self, interaction: Interaction, sides: tuple[str, ...] = ("request", "response")) -> Iterator[Hit]:
        """Yield the lines of an interaction that hold the pattern, in order."""
        for side in sides:
            for where, text in texts(interaction, side):
                for number, line in enumerate(text.splitlines(), 1):
                    place = self._place(line)
                    if place is not None:
                        yield Hit(where, number, _window(line, place))

    def _place(self, line: str) -> int | None:
        """Return where in a line the pattern is, None where it is not."""
        if self._is_plain or len(line) <= LONGEST_PIECE:
            found = self._found.search(line)
            return None if found is None else found.start()
        for start in range(0, len(line), LONGEST_PIECE - OVERLAP):
            found = self._found.search(line[start : start + LONGEST_PIECE])
            if found is not None:
                return start + found.start()
        return None


def texts(interaction: Interaction, side: str) -> Iterator[tuple[str, str]]:
    """Yield every text of one side, `request` or `response`, with its path; a body that is no JSON as one text."""
    message = interaction.request if side == "request" else interaction.response
    value = question(interaction.request) if side == "request" else answer(interaction.response)
    if value is not None:
        for steps, text in _leaves(value):
            place = paths.show(steps)
            yield f"{side}{'' if place.startswith('[') else '.'}{place}", text
        return
    try:
        text = message.body.decode()
    except UnicodeDecodeError:
        return
    if text:
        yield f"{side}.body", text


def _leaves(value: Any) -> Iterator[tuple[tuple[paths.Step, ...], str]]:
    """Yield the texts in a JSON value in order; a list in a list in a list needs no more of the stack."""
    waiting: list[tuple[tuple[paths.Step, ...], Any]] = [((), value)]
    while waiting:
        steps, found = waiting.pop()
        if isinstance(found, str):
            yield steps, found
        elif isinstance(found, dict):
            waiting += [((*steps, name), inner) for name, inner in reversed(found.items())]
        elif isinstance(found, list):
            waiting += [((*steps, place), inner) for place, inner in reversed(list(enumerate(found)))]


def _window(line: str, place: int) -> str:
    """Return what of a line is shown: all of it, or what surrounds the place."""
    if len(line) <= _SHOWN:
        return line
    start = max(0, min(place - _SHOWN // 4, len(line) - _SHOWN))
    cut = line[start : start + _SHOWN]
    return ("…" if start else "") + cut + ("…" if start + _SHOWN < len(line) else "")
