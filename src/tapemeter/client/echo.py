"""A provider that asks nobody: it says what the user said last. Offline, free, and the same every time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.client.result import Answer, Delta, TokenUsage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tapemeter.client.request import ModelRequest

_CHARS_PER_TOKEN = 4


class EchoProvider:
    """Answers with the last message of the user's."""

    name = "echo"

    def complete(self, request: ModelRequest) -> Answer:
        """Return the last message of the user's; empty where there is none."""
        texts = [_text(message.get("content")) for message in request.messages]
        said = next(
            (
                text
                for message, text in zip(reversed(request.messages), reversed(texts), strict=True)
                if message.get("role") == "user"
            ),
            "",
        )
        usage = TokenUsage(prompt=_tokens("".join(texts)), completion=_tokens(said), quality="estimated")
        return Answer(content=said, usage=usage, model_name="echo", finish_reason="stop")

    async def acomplete(self, request: ModelRequest) -> Answer:
        """Return the last message of the user's."""
        return self.complete(request)

    def stream(self, request: ModelRequest) -> Iterator[Delta | Answer]:
        """Yield it word by word, then as a whole."""
        answer = self.complete(request)
        words = answer.content.split(" ")
        for place, word in enumerate(words):
            piece = word if place == len(words) - 1 else f"{word} "
            if piece:
                yield Delta(piece)
        yield answer

    async def astream(self, request: ModelRequest) -> AsyncIterator[Delta | Answer]:
        """Yield it word by word, then as a whole."""
        for piece in self.stream(request):
            yield piece

    def keep(self) -> None:
        """Nothing is held open."""

    def close(self) -> None:
        """Nothing is held open."""

    async def aclose(self) -> None:
        """Nothing is held open."""


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list | tuple) else ()
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARS_PER_TOKEN)
