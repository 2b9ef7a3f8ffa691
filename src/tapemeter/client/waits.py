"""How long each part of an answer may be waited for: until the first chunk, between two, and in all."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapemeter.client.config import Timeouts


class Waits:
    """The waits of one try at a call, from when it is made. `streams`: its chunks mean something to the program.

    `total` holds from when the call `began`, other tries before this one included; by default it is the first.

    An answer that comes whole has no first chunk before it is done, so that only `idle` and `total` hold for it.
    """

    def __init__(self, timeouts: Timeouts, *, streams: bool, began: float | None = None) -> None:
        self._timeouts, self._streams = timeouts, streams
        self._made = self._heard = perf_counter()
        self._began = self._made if began is None else began
        self._chunks = 0

    @property
    def for_headers(self) -> tuple[float | None, str]:
        """How many seconds the status may be waited for, None for as long as it takes; and by which limit."""
        return self._shortest(("first_chunk", self._timeouts.first_chunk if self._streams else None))

    @property
    def for_chunk(self) -> tuple[float | None, str]:
        """How many seconds the next chunk may be waited for."""
        if self._streams and not self._chunks:
            return self.for_headers
        return self._shortest(("idle", self._timeouts.idle))

    @property
    def for_any_chunk(self) -> float | None:
        """How many seconds a client may wait that can only be told once, for the body as a whole."""
        limits = [self._timeouts.idle, *([self._timeouts.first_chunk] if self._streams else [])]
        total = self._left(self._timeouts.total, self._began)
        longest = None if None in limits else max(limit for limit in limits if limit is not None)
        return longest if total is None else total if longest is None else min(total, longest)

    def heard(self) -> str | None:
        """Note that a chunk came; return the limit that had passed by then, None where none had."""
        seconds, limit = self.for_chunk
        self._heard = perf_counter()
        self._chunks += 1
        return limit if seconds is not None and seconds <= 0 else None

    def message(self, limit: str) -> str:
        """Return what to say of a limit that has passed."""
        return f"the timeout {limit} of {getattr(self._timeouts, limit):g} s has passed"

    def _shortest(self, own: tuple[str, float | None]) -> tuple[float | None, str]:
        name, seconds = own
        since = self._made if name == "first_chunk" else self._heard
        left, total = self._left(seconds, since), self._left(self._timeouts.total, self._began)
        if left is None or (total is not None and total < left):
            return total, "total"
        return left, name

    @staticmethod
    def _left(seconds: float | None, since: float) -> float | None:
        return None if seconds is None else since + seconds - perf_counter()
