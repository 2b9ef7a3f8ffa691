"""Finds where a JSON body ends while it passes, so that it is read once, when it is there."""

from __future__ import annotations


class Whole:
    """Collects a JSON object or list up to its last bracket; beyond `longest` bytes it gives up.

    Brackets are counted outside of strings only, a chunk at a time, so the work grows with the body and no faster.
    """

    __slots__ = ("_begun", "_body", "_depth", "_escape", "_in_string", "_longest")

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._body: bytearray | None = bytearray()
        self._depth = 0
        self._begun = False
        self._in_string = False
        self._escape = b""

    def feed(self, data: bytes) -> bytes | None:
        """Take the next bytes and return the whole body, as soon as it is there."""
        if self._body is None:
            return None
        if len(self._body) + len(data) > self._longest:
            self._body = None
            return None
        self._body += data
        outside = self._outside_strings(data)
        opened = outside.count(b"{") + outside.count(b"[")
        self._begun = self._begun or opened > 0
        self._depth += opened - outside.count(b"}") - outside.count(b"]")
        return bytes(self._body) if self._begun and self._depth <= 0 and not self._in_string else None

    def _outside_strings(self, data: bytes) -> bytes:
        # Pairs of backslashes go first, so that a single one before a quote can only escape it.
        text = (self._escape + data).replace(b"\\\\", b"")
        self._escape = b"\\" if text.endswith(b"\\") else b""
        if self._escape:
            text = text[:-1]
        pieces = text.replace(b'\\"', b"").split(b'"')
        outside = b"".join(pieces[self._in_string :: 2])
        if len(pieces) % 2 == 0:
            self._in_string = not self._in_string
        return outside
