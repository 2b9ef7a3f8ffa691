"""A provider that answers as it is told to, for tests of what is built over providers."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tapemeter.client.result import Answer, Delta, TokenUsage
from tapemeter.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tapemeter.client.request import ModelRequest

Step = Any
"""A text or an Answer, which is the answer; an exception, which is raised; a list of texts, which is a stream, and may
end in an exception, in an Answer, or in ENDS; or a function that is called with the request and returns one of these,
or for those who await, something to await."""


class ScriptedProvider:
    """Takes one step of its script for each call; `asked` are the requests. The last step repeats if `forever`."""

    def __init__(self, *script: Step, name: str = "real", forever: bool = False) -> None:
        self._name = name
        self._script = list(script)
        self._forever = forever
        self._lock = threading.Lock()
        self.asked: list[ModelRequest] = []
        self.open_streams = 0
        self.closed = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def models(self) -> list[str]:
        return [request.model for request in self.asked]

    def complete(self, request: ModelRequest) -> Answer:
        return _whole(self._pieces(self._step(request), request))

    async def acomplete(self, request: ModelRequest) -> Answer:
        return _whole(self._pieces(await self._awaited(request), request))

    def stream(self, request: ModelRequest) -> Iterator[Delta | Answer]:
        pieces = self._pieces(self._step(request), request)
        self.open_streams += 1
        try:
            for piece in pieces:
                yield _given(piece)
        finally:
            self.open_streams -= 1

    async def astream(self, request: ModelRequest) -> AsyncIterator[Delta | Answer]:
        pieces = self._pieces(await self._awaited(request), request)
        self.open_streams += 1
        try:
            for piece in pieces:
                await asyncio.sleep(0)
                yield _given(piece)
        finally:
            await asyncio.sleep(0)
            self.open_streams -= 1

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True

    def _step(self, request: ModelRequest) -> Step:
        with self._lock:
            self.asked.append(request)
            assert self._script, f"{self._name} was asked for {request.model} once more than its script has steps"
            step = self._script[0] if self._forever and len(self._script) == 1 else self._script.pop(0)
        return step(request) if callable(step) else step

    async def _awaited(self, request: ModelRequest) -> Step:
        await asyncio.sleep(0)
        step = self._step(request)
        return await step if inspect.isawaitable(step) else step

    def _pieces(self, step: Step, request: ModelRequest) -> list[Delta | Answer | BaseException]:
        match step:
            case BaseException() | Answer():
                return [step]
            case str():
                return [*([Delta(step)] if step else []), answer(step, request.model)]
        assert isinstance(step, Sequence)
        pieces: list[Delta | Answer | BaseException] = [Delta(each) if isinstance(each, str) else each for each in step]
        if not pieces or isinstance(pieces[-1], Delta):
            pieces.append(answer("".join(piece.text for piece in pieces if isinstance(piece, Delta)), request.model))
        return [piece for piece in pieces if piece is not ENDS]


ENDS: Any = object()
"""At the end of a list: the stream is over, without an Answer."""


def answer(content: str = "hello", model: str | None = "gpt-4o-mini", **changes: Any) -> Answer:
    given = {"wire": "openai", "server_url": "https://api.openai.com/v1/chat/completions", "finish_reason": "stop"}
    return Answer(content, changes.pop("usage", TokenUsage(10, 5)), model, **{**given, **changes})


def failure(kind: str, status: int | None = None, **changes: Any) -> ProviderError:
    return ProviderError(
        changes.pop("message", f"the model said {kind}"), kind=kind, provider="real", status=status, **changes
    )


def _given(piece: Delta | Answer | BaseException) -> Delta | Answer:
    if isinstance(piece, BaseException):
        raise piece
    return piece


def _whole(pieces: list[Delta | Answer | BaseException]) -> Answer:
    last = _given(pieces[-1])
    assert isinstance(last, Answer)
    return last
