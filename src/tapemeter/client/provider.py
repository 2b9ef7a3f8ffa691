"""The contract of everything that answers a `ModelRequest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tapemeter.client.request import ModelRequest
    from tapemeter.client.result import Answer, Delta


class ModelProvider(Protocol):
    """Answers requests, at once or as a stream, for code that waits and for code that awaits. Safe for threads.

    Every method raises ProviderError where there is no answer. A stream gives Deltas, and the whole Answer last; it
    is a generator, and closing it early closes the connection. A stream that breaks after its first Delta raises
    ProviderError whose `partial` is the text so far.
    """

    @property
    def name(self) -> str:
        """What results call it: `real`, `gateway` or `echo`."""

    def complete(self, request: ModelRequest) -> Answer:
        """Return the answer."""

    async def acomplete(self, request: ModelRequest) -> Answer:
        """Return the answer."""

    def stream(self, request: ModelRequest) -> Iterator[Delta | Answer]:
        """Yield the answer piece by piece, then as a whole."""

    def astream(self, request: ModelRequest) -> AsyncIterator[Delta | Answer]:
        """Yield the answer piece by piece, then as a whole."""

    def keep(self) -> None:
        """Keep connections of this thread's async code open, until `aclose`."""

    def close(self) -> None:
        """Let go of connections."""

    async def aclose(self) -> None:
        """Let go of connections, from async code."""
