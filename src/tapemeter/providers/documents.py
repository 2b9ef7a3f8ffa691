"""Takes JSON objects apart that come one after another, or as the elements of a list, however their bytes are cut.

Ollama streams one object a line, Gemini the elements of one list. What stands between the objects is not looked at. An
object beyond LONGEST is left out, so that memory stays bounded whatever comes.
"""

from __future__ import annotations

import re

LONGEST = 16 * 1024 * 1024
"""Bytes of the longest object that is looked at."""

_OUTSIDE = re.compile(rb'[{}\[\]"]')
_INSIDE = re.compile(rb'["\\]')
_QUOTE, _BRACE, _BRACKET = b'"{['
_OPENING = frozenset(b"{[")


class Documents:
    """Turns bytes into JSON objects: those at the top, and those that are elements of a list at the top."""

    __slots__ = ("_base", "_depth", "_escaped", "_held", "_in_string", "_inside", "_skips")

    def __init__(self) -> None:
        self._base = 0  # how deep the objects are that count: 1 in a list
        self._depth = 0
        self._inside = False  # of an object that counts
        self._in_string = False
        self._escaped = False
        self._skips = False
        self._held = bytearray()  # what came of an object whose end has not come

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return each object that they complete."""
        found: list[bytes] = []
        start = place = 0
        while place < len(data):
            if self._in_string:
                place = self._leave_string(data, place)
                continue
            hit = _OUTSIDE.search(data, place)
            if hit is None:
                break
            place, mark = hit.end(), data[hit.start()]
            if mark == _QUOTE:
                self._in_string = True
            elif mark in _OPENING:
                if self._opens(mark):
                    start = hit.start()
            elif self._closes():
                self._hold(data[start:place])
                if not self._skips:
                    found.append(bytes(self._held))
                self._held.clear()
                self._skips = False
        if self._inside:
            self._hold(data[start:])
        return found

    def _leave_string(self, data: bytes, place: int) -> int:
        """Return where a string ends, or the end of the data."""
        while place < len(data):
            if self._escaped:
                self._escaped = False
                place += 1
                continue
            hit = _INSIDE.search(data, place)
            if hit is None:
                break
            place = hit.end()
            if data[hit.start()] == _QUOTE:
                self._in_string = False
                return place
            self._escaped = True
        return len(data)

    def _opens(self, mark: int) -> bool:
        """Take an opening bracket; whether an object that counts begins with it."""
        begins = not self._inside and mark == _BRACE and self._depth == self._base
        if not self._depth:
            self._base = int(mark == _BRACKET)
            begins = mark == _BRACE
        self._inside = self._inside or begins
        self._depth += 1
        return begins

    def _closes(self) -> bool:
        """Take a closing bracket; whether an object that counts ends with it."""
        self._depth = max(0, self._depth - 1)
        ends = self._inside and self._depth == self._base
        self._inside = self._inside and not ends
        return ends

    def _hold(self, data: bytes) -> None:
        if self._skips or len(self._held) + len(data) > LONGEST:
            self._skips = True
            self._held.clear()
        else:
            self._held += data
