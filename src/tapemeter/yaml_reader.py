"""Reads untrusted YAML as JSON-like values, straight from the parser's events.

No constructor of the YAML library ever runs: a tag, anchor or alias is refused, and a plain scalar means what
JSON would have it mean, else it is a string (`yes` and `2024-01-01` are strings).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 64
"""Containers in one another."""
MAX_DIGITS = 1000
"""Characters of the longest number; Python's own conversion is quadratic."""

Place = tuple[str | int, ...]
"""Where a value is: the keys and indexes that lead to it."""

_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
# What no YAML text may contain; few files make a pattern of it, which takes milliseconds.
_FORBIDDEN = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


class YamlError(ValueError):
    """The text is not YAML, or more than plain data. `line` is None where the fault has no place."""

    def __init__(self, problem: str, line: int | None) -> None:
        super().__init__(problem)
        self.problem, self.line = problem, line


def load(text: str, *, first_line: int = 1, lines: dict[Place, int] | None = None) -> Any:
    """Return the one document in `text`, or None where it is empty.

    `first_line` is the line of the file on which `text` begins. `lines`, where given, is filled with the line
    on which each value (in a mapping: its key) begins. Whatever is not plain data is a YamlError with
    its line.
    """
    import yaml  # noqa: PLC0415 - only a file that is really parsed pays for it

    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    found: dict[Place, int] = {} if lines is None else lines
    try:
        return _Reader(yaml.parse(text, Loader=loader), first_line, found).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else first_line + mark.line
        raise YamlError(f"this is not YAML: {error.problem or error.context}", line) from None
    except (yaml.YAMLError, UnicodeEncodeError):
        bad = re.search(_FORBIDDEN, text)
        if bad is None:
            raise YamlError("this is not YAML", first_line) from None
        raise YamlError(
            f"the character U+{ord(bad[0]):04X} must not stand in YAML",
            first_line + text.count("\n", 0, bad.start()),
        ) from None


class _Reader:
    """Builds values from events, each refused as soon as it is seen."""

    def __init__(self, events: Iterator[Any], first_line: int, lines: dict[Place, int]) -> None:
        self._events = events
        self._first_line = first_line
        self._lines = lines

    def document(self) -> Any:
        """Return the only document of the stream."""
        next(self._events)  # the stream starts
        if type(next(self._events)).__name__ == "StreamEndEvent":
            return None
        value = self._value(next(self._events), (), 0)
        next(self._events)  # the document ends
        after = next(self._events)
        if type(after).__name__ != "StreamEndEvent":
            self._refuse(after, "a second document begins; a file holds one")
        return value

    def _value(self, event: Any, place: Place, depth: int) -> Any:
        self._lines.setdefault(place, self._line(event))
        kind = self._kind(event)
        if kind == "ScalarEvent":
            return event.value if event.style else self._plain(event)
        if depth >= MAX_DEPTH:
            self._refuse(event, f"more than {MAX_DEPTH} containers in one another")
        if kind == "MappingStartEvent":
            return self._mapping(place, depth + 1)
        return self._sequence(place, depth + 1)

    def _mapping(self, place: Place, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            key = self._key(event)
            if key in values:
                self._refuse(event, f"the key {key!r} is there twice")
            inner = (*place, key)
            self._lines[inner] = self._line(event)
            values[key] = self._value(next(self._events), inner, depth)
        return values

    def _key(self, event: Any) -> str:
        if self._kind(event) != "ScalarEvent":
            self._refuse(event, "a key must be a string, not a mapping or list")
        key = event.value if event.style else self._plain(event)
        if not isinstance(key, str):
            self._refuse(event, f'a key must be a string; put it in quotes: "{event.value}"')
        return key

    def _sequence(self, place: Place, depth: int) -> list[Any]:
        values: list[Any] = []
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            values.append(self._value(event, (*place, len(values)), depth))
        return values

    def _plain(self, event: Any) -> Any:
        text: str = event.value
        if text in _WORDS:
            return _WORDS[text]
        if not _FLOAT.fullmatch(text):
            return text
        if len(text) > MAX_DIGITS:
            self._refuse(event, f"a number of more than {MAX_DIGITS} digits")
        if _INT.fullmatch(text):
            return int(text)
        number = float(text)
        if not math.isfinite(number):
            self._refuse(event, f"the number {text} is too large")
        return number

    def _kind(self, event: Any) -> str:
        """Return the name of the event's class; whatever could make it more than plain data is refused."""
        kind = type(event).__name__
        if kind == "AliasEvent" or event.anchor is not None:
            self._refuse(event, "anchors (&) and aliases (*) are not allowed; write the value out")
        if event.tag is not None:
            self._refuse(event, f"the tag {event.tag} is not allowed; only plain data is")
        return kind

    def _line(self, event: Any) -> int:
        return self._first_line + int(event.start_mark.line)

    def _refuse(self, event: Any, problem: str) -> NoReturn:
        raise YamlError(problem, self._line(event))
