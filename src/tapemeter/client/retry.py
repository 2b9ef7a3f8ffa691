"""Tries a call again where that may help: by stamina, with backoff, and as the server asks.

A server that says `Retry-After` is heeded, if it asks for no more than the longest wait; where it asks for more, the
call fails at once, and the error says for how long. While a test replays nothing is waited for.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import perf_counter
from typing import TYPE_CHECKING

from tapemeter import owner as owners
from tapemeter.cassette.mode import Mode
from tapemeter.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import stamina
    from stamina._core import _RetryContextIterator

    from tapemeter.client.config import Retries

_WORTH_ANOTHER = frozenset({"connection", "overloaded", "rate_limit", "server_error", "timeout"})
"""Kinds of errors after which the same server may answer."""
_LONGEST_SAID = 7 * 86_400.0


class Tries:
    """The tries of one call, to be looped over with `for` or `async for`; each is a context.

    None begins after `total` seconds, where that is given.
    """

    def __init__(self, retries: Retries, total: float | None) -> None:
        self._retries, self._total = retries, total
        self.began = perf_counter()

    def __iter__(self) -> Iterator[stamina.Attempt]:
        return iter(self._context())

    def __aiter__(self) -> AsyncIterator[stamina.Attempt]:
        return aiter(self._context())

    def _context(self) -> _RetryContextIterator:
        import stamina  # noqa: PLC0415 - only programs that call models

        retries = self._retries
        return stamina.retry_context(
            on=lambda error: _wait(error, retries),
            attempts=retries.attempts,
            timeout=self._total,
            wait_initial=retries.first_wait,
            wait_max=retries.longest_wait,
            wait_jitter=retries.first_wait,
        )


def retry_after(value: str | None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, in either of its forms; None where it asks for none."""
    if value is None:
        return None
    with suppress(ValueError):
        seconds = float(value)
        return min(seconds, _LONGEST_SAID) if seconds >= 0 else None
    with suppress(ValueError, TypeError, IndexError, OverflowError):  # whatever a server writes
        moment = parsedate_to_datetime(value)
        at = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return min(max(0.0, (at - datetime.now(UTC)).total_seconds()), _LONGEST_SAID)
    return None


def _wait(error: Exception, retries: Retries) -> bool | float:
    """Return whether, or after how many seconds, to try again."""
    if not isinstance(error, ProviderError) or error.kind not in _WORTH_ANOTHER or error.partial:
        return False
    asked = error.retry_after
    if asked is not None and asked > retries.longest_wait:
        return False
    owner = owners.current()
    if owner is not None and owner.mode is Mode.REPLAY:
        return 0.0
    return True if asked is None else asked
