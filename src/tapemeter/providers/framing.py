"""What a body of an answer is made of, and what takes it apart: events, JSON objects, frames, a text, or one value."""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import TYPE_CHECKING, Any, Protocol

from tapemeter.providers.sse import Events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tapemeter.providers.wire import Wire

_EVENTS = "text/event-stream"
_FRAMES = "application/vnd.amazon.eventstream"
_LINES = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/stream+json",
        "application/json-seq",
    }
)
_MEDIA = ("audio/", "image/", "video/")


class Framer(Protocol):
    """Takes one body apart, however it is cut."""

    def feed(self, data: bytes) -> Sequence[Any]:
        """Take the next bytes and return what they complete: JSON objects, as bytes or read, or pieces of text."""


def framer(media: str, start: bytes, wire: Wire) -> Framer | None:
    """Return what takes a body apart; None for one that is a single JSON value.

    `media` is its type, `start` its first byte that is not blank. The type decides, and where that leaves it open the
    first byte.
    """
    if media == _EVENTS:
        return Events()
    if media == _FRAMES or start == b"\x00":
        from tapemeter.providers.eventstream import Frames  # noqa: PLC0415 - for those who call Bedrock

        return Frames()
    if "json" in media or start in {b"{", b"["}:
        if start == b"[" or wire.streams_lines or media in _LINES:
            from tapemeter.providers.documents import Documents  # noqa: PLC0415 - for those who call Gemini or Ollama

            return Documents()
        return None
    if wire.says_text and media.startswith("text/"):
        return Text()
    return Nothing() if media.startswith(_MEDIA) else Events()


class Text:
    """Turns the bytes of a text in UTF-8 into its pieces."""

    def __init__(self) -> None:
        self._decode = getincrementaldecoder("utf-8")("replace").decode

    def feed(self, data: bytes) -> list[str]:
        """Take the next bytes and return the text that they complete."""
        text = self._decode(data)
        return [text] if text else []


class Nothing:
    """Takes what is not to be read: sound, images, films."""

    def feed(self, _: bytes) -> list[bytes]:
        """Take the next bytes and return nothing."""
        return []
