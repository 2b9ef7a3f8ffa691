"""What of a cassette is written: all of it, what was played, or what was recorded anew, as its options say."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tapemeter.vcr.matchers import requests_match
from tapemeter.vcr.record_mode import RecordMode

if TYPE_CHECKING:
    from tapemeter.vcr.cassette import Cassette

Hook = Callable[..., Any]
Pair = tuple[Any, Any]


def kept(cassette: Cassette) -> tuple[list[Pair], bool]:
    """Return the interactions that belong into the file, and whether it has to be written for them.

    In mode `all`, what was recorded takes the place of what it matches, and with `drop_unused_requests` of
    everything. Else all stays; with `drop_unused_requests`, what was played and what is new.
    """
    old = cassette._old_interactions  # noqa: SLF001 - one thing in two files
    played = cassette._played_interactions  # noqa: SLF001 - as above
    if cassette.record_mode == RecordMode.ALL:
        return _recorded_anew(cassette), cassette.dirty
    if cassette.drop_unused_requests and len(played) < len(old):
        fresh = [pair for pair in cassette.data if not any(_match(cassette, pair, stored) for stored in old)]
        return played + fresh, True
    return list(cassette.data), cassette.dirty


def hooks(given: Hook | Iterable[Hook] | None) -> list[Hook]:
    """Return hooks as a list: none, one, or several."""
    if given is None:
        return []
    return list(given) if isinstance(given, Iterable) else [given]


def run(given: Iterable[Hook], request: Any, response: Any, cassette: Cassette) -> Pair | None:
    """Return an interaction as hooks leave it; None where one of them drops it.

    A hook is called with the request and the response, and with the cassette where it takes a third argument.
    """
    for hook in given:
        arguments = (request, response, cassette) if _takes_three(hook) else (request, response)
        left = hook(*arguments)
        if left is None:
            return None
        if not isinstance(left, tuple | list) or len(left) != 2:  # noqa: PLR2004 - a pair
            name = getattr(hook, "__qualname__", repr(hook))
            raise TypeError(f"{name} must return (request, response) or None, not {type(left).__name__}")
        request, response = left
    return request, response


def _recorded_anew(cassette: Cassette) -> list[Pair]:
    count = cassette._loaded_count  # noqa: SLF001 - as above
    loaded, recorded = cassette.data[:count], cassette.data[count:]
    if cassette.drop_unused_requests:
        return recorded
    return [old for old in loaded if not any(_match(cassette, new, old) for new in recorded)] + recorded


def _match(cassette: Cassette, first: Pair, second: Pair) -> bool:
    return requests_match(first[0], second[0], cassette._match_on)  # noqa: SLF001 - as above


def _takes_three(hook: Hook) -> bool:
    try:
        inspect.signature(hook).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True
