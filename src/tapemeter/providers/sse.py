"""Takes server-sent events apart, however their bytes are cut into pieces.

Only the `data` of an event is of interest: all protocols name the kind of an event in it, too. Lines end with LF, CRLF
or CR. An event without its empty line at the end has not happened, as the specification says. A line or an event
beyond LONGEST is left out, so that memory stays bounded whatever comes.
"""

from __future__ import annotations

LONGEST = 16 * 1024 * 1024
"""Bytes of the longest line, and of the longest event, that is looked at."""

_BOM = b"\xef\xbb\xbf"


class Events:
    """Turns the bytes of an event stream into the data of its events."""

    __slots__ = ("_after_cr", "_data", "_is_first", "_line", "_size", "_skips")

    def __init__(self) -> None:
        self._line = bytearray()  # what came of a line whose end has not come
        self._data: list[bytes] = []  # of the event whose end has not come
        self._size = 0
        self._skips = False
        self._after_cr = False
        self._is_first = True

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the data of each event that they complete."""
        if self._after_cr and data:
            data = data.removeprefix(b"\n")  # the CR before it has ended the line
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = data.split(b"\n")
        events: list[bytes] = []
        if lines:
            if self._line:
                lines[0] = bytes(self._line) + lines[0]
                self._line.clear()
            if self._is_first:
                lines[0] = lines[0].removeprefix(_BOM)
                self._is_first = False
            for line in lines:
                self._take(line, events)
        self._line += rest
        if len(self._line) > LONGEST:
            # Its first bytes are enough to see that it is a field, and too long.
            del self._line[LONGEST + 1 :]
        return events

    def _take(self, line: bytes, events: list[bytes]) -> None:
        if not line:
            if self._data and not self._skips:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data.clear()
            self._size = 0
            self._skips = False
            return
        if not line.startswith(b"data") or line[4:5] not in {b":", b""}:
            return
        self._size += len(line)
        if self._size > LONGEST:
            self._skips = True
            self._data.clear()
        if not self._skips:
            self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
