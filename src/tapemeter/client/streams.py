"""An answer that streams, as a program reads it: piece by piece, and its result once it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.client.result import Delta
from tapemeter.intent import meaning

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from types import TracebackType
    from typing import Self

    from tapemeter.client.fallback import Routed
    from tapemeter.client.result import ModelCallResult
    from tapemeter.intent import Intent

    Finish = Callable[[Routed], ModelCallResult]


class _Stream:
    """What both kinds of streams know."""

    def __init__(self, intent: Intent, finish: Finish) -> None:
        self._intent, self._finish = intent, finish
        self._pieces: list[str] = []
        self.result: ModelCallResult | None = None
        """The whole, once the last piece was read; None before."""

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._pieces)

    def _take(self, piece: Delta | Routed) -> str | None:
        """Return the text of a piece; None for the last, which is the whole."""
        if isinstance(piece, Delta):
            self._pieces.append(piece.text)
            return piece.text
        self.result = self._finish(piece)
        return None


class ModelStream(_Stream):
    """Texts, one after another, for code that waits. Closing it early closes the connection."""

    def __init__(self, pieces: Generator[Delta | Routed], intent: Intent, finish: Finish) -> None:
        super().__init__(intent, finish)
        self._source = pieces

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        # The intent holds while the stream works, not while the program looks at a piece of it.
        while True:
            with meaning(self._intent):
                text = self._take(next(self._source))
            if text is not None:
                return text

    def whole(self) -> ModelCallResult:
        """Read what is left, and return the result."""
        for _ in self:
            pass
        if self.result is None:
            raise RuntimeError("the stream was closed before it was whole; read it to its end")
        return self.result

    def close(self) -> None:
        """Let go of what is left of it."""
        with meaning(self._intent):
            self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncModelStream(_Stream):
    """Texts, one after another, for code that awaits. Closing it early closes the connection."""

    def __init__(self, pieces: AsyncGenerator[Delta | Routed], intent: Intent, finish: Finish) -> None:
        super().__init__(intent, finish)
        self._source = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            with meaning(self._intent):
                text = self._take(await anext(self._source))
            if text is not None:
                return text

    async def whole(self) -> ModelCallResult:
        """Read what is left, and return the result."""
        async for _ in self:
            pass
        if self.result is None:
            raise RuntimeError("the stream was closed before it was whole; read it to its end")
        return self.result

    async def aclose(self) -> None:
        """Let go of what is left of it."""
        with meaning(self._intent):
            await self._source.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
