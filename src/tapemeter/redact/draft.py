"""Replaces secrets in a text: keeps JSON valid, and every byte that is not secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator

PLACEHOLDER = "REDACTED"
MARK = PLACEHOLDER.encode()

Edit = tuple[int, int, bytes]
"""From, to, and what comes there instead."""

Find = Callable[[bytes, int, int, bool], list[Edit]]
"""Looks in a text, from, to; the last argument says whether it is JSON."""


class Draft:
    """A text under redaction, and the places at which it is cut into chunks."""

    def __init__(self, text: bytes, cuts: Iterable[int] = ()) -> None:
        self.text, self.cuts = text, list(cuts)

    def redact(self, find: Find) -> None:
        """Replace what is found, and keep JSON valid: a whole document, or lines and events that hold one."""
        for start, stop, in_json in reversed(list(_parts(self.text))):
            edits = find(self.text, start, stop, in_json)
            if edits and in_json and not _is_json(_applied(self.text, edits, start, stop)):
                edits = list(_edits_by_token(self.text, find, start, stop))
            if edits:
                self._move_cuts(edits)
                self.text = self.text[:start] + _applied(self.text, edits, start, stop) + self.text[stop:]

    def _move_cuts(self, edits: list[Edit]) -> None:
        """Keep cuts where they are in the text; one within a secret moves behind its placeholder."""
        for index, cut in enumerate(self.cuts):
            shift = 0
            for left, right, new in edits:
                if cut <= left:
                    break
                shift += len(new) - (right - left) + max(0, right - cut)
            self.cuts[index] = cut + shift


def _applied(text: bytes, edits: Iterable[Edit], start: int, stop: int) -> bytes:
    pieces = []
    for left, right, new in edits:
        pieces += [text[start:left], new]
        start = right
    return b"".join([*pieces, text[start:stop]])


_PAYLOAD = re.compile(rb"\s*(?:data:)?\s*(?=[\[{\"])")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*', re.DOTALL)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _parts(text: bytes) -> Iterator[tuple[int, int, bool]]:
    """Part a text into JSON documents and what is between them."""
    if _is_json(text):
        yield 0, len(text), True
        return
    done = at = 0
    for line in text.splitlines(keepends=True):
        payload = _PAYLOAD.match(line)
        if payload and _is_json(line[payload.end() :]):
            yield done, at + payload.end(), False
            yield at + payload.end(), at + len(line), True
            done = at + len(line)
        at += len(line)
    yield done, at, False


def _edits_by_token(text: bytes, find: Find, start: int, stop: int) -> Iterator[Edit]:
    """Redact the strings of a JSON document one by one, and make strings of numbers that hold a secret."""
    for token in _TOKEN.finditer(text, start, stop):
        left, right = token.span()
        if not token[0].startswith(b'"'):
            if find(text, left, right, False):
                yield left, right, b'"%s"' % MARK
            continue
        edits = find(text, left + 1, right - 1, True)
        if edits and not _is_json(b'"%s"' % _applied(text, edits, left + 1, right - 1)):
            edits = [(left + 1, right - 1, MARK)]
        yield from edits
