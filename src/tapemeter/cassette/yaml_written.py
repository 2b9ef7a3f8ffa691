"""Reads back what `yaml_writer` wrote, several times faster than a reader of all of YAML.

Only for text of which a digest says that nobody has touched it: it relies on the one fixed form, and looks no further
than that takes. Whatever it stumbles over is left to `yaml_reader`, which knows what is wrong, and where.
"""

from __future__ import annotations

import json
from typing import Any

_string = json.JSONDecoder().raw_decode
_WORDS = {"null": None, "true": True, "false": False}
_NUMBER = frozenset("-0123456789")


class NotWrittenError(ValueError):
    """The text is not in the form that the writer gives it."""


def load(text: str) -> Any:
    """Return the container that `text` was written from; NotWrittenError, or another ValueError, where it is none."""
    reader = _Reader(text.split("\n"))
    value = reader.container(0)
    if reader.at != len(reader.lines) - 1 or reader.lines[-1]:
        raise NotWrittenError
    return value


class _Reader:
    """Goes down the lines; `at` is the one to be read next."""

    __slots__ = ("at", "lines")

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    def container(self, indent: int) -> Any:
        """Return the mapping or list that begins at a column of this line."""
        return self._list(indent) if self.lines[self.at].startswith("- ", indent) else self._mapping(indent)

    def _mapping(self, indent: int) -> dict[str, Any]:
        lines, margin = self.lines, " " * indent
        values: dict[str, Any] = {}
        line = lines[self.at]
        while True:
            if line.startswith('"', indent):
                key, colon = _string(line, indent)
            else:
                colon = line.find(": ", indent)
                if colon < 0:
                    colon = len(line) - 1
                key = line[indent:colon]
            if not line.startswith(":", colon):
                raise NotWrittenError
            if colon + 1 < len(line):
                values[key] = self._scalar(line, colon + 2, indent)
            else:
                self.at += 1
                below = lines[self.at]
                is_list = below.startswith("- ", indent) and below.startswith(margin)
                values[key] = self._list(indent) if is_list else self._deeper(below, indent + 2)
            line = lines[self.at]
            if not line.startswith(margin) or line.startswith(("- ", " "), indent) or not line:
                return values

    def _deeper(self, line: str, indent: int) -> dict[str, Any]:
        if not line.startswith(" " * indent):
            raise NotWrittenError
        return self._mapping(indent)

    def _list(self, indent: int) -> list[Any]:
        lines, start = self.lines, " " * indent + "- "
        values: list[Any] = []
        inner = indent + 2
        line = lines[self.at]
        while True:
            if self._is_scalar(line, inner):
                values.append(self._scalar(line, inner, indent))
            else:
                values.append(self.container(inner))
            line = lines[self.at]
            if not line.startswith(start):
                return values

    @staticmethod
    def _is_scalar(line: str, start: int) -> bool:
        if line.startswith('"', start):
            return bool(_string(line, start)[1] == len(line))
        return not line.startswith("- ", start) and ": " not in line[start:] and not line.endswith(":")

    def _scalar(self, line: str, start: int, indent: int) -> Any:
        """Return the value that a line ends with; a block goes on in the lines after it, deeper than `indent`."""
        self.at += 1
        first = line[start : start + 1]
        if first == '"':
            value, end = _string(line, start)
            if end != len(line):
                raise NotWrittenError
            return value
        if first == "|":
            return self._block(line[start + 1 :], indent + 2)
        text = line[start:]
        if first in _NUMBER:
            return float(text) if "." in text else int(text)
        if first in "{[":
            return _empty(text)
        return _WORDS.get(text, text) if len(text) <= len("false") else text

    def _block(self, mark: str, indent: int) -> str:
        """Return a text of several lines, of which those that are empty have no indent."""
        margin = " " * indent
        lines, first = self.lines, self.at
        at = first
        while lines[at].startswith(margin) or (not lines[at] and at < len(lines) - 1):
            at += 1
        self.at = at
        text = "\n".join([line[indent:] for line in lines[first:at]])
        match mark.removeprefix("2"):
            case "-":
                return text
            case "" | "+":
                return text + "\n"
        raise NotWrittenError


def _empty(text: str) -> Any:
    if text == "{}":
        return {}
    if text == "[]":
        return []
    raise NotWrittenError
