"""Compares two cassettes by meaning: which interactions are the same question, and what differs in them.

Two are a pair if their keys are equal, first in, first out; of the rest, those nearest to each other that were
sent to the same path. What replay does not look at does not count: the order of different questions, headers,
times, boundaries of chunks, the spelling of JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from tapemeter.cassette.conversation import answer, events
from tapemeter.cassette.diff import ABSENT, Difference, differences, nearest
from tapemeter.cassette.match import Matcher
from tapemeter.model import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tapemeter.cassette.model import Interaction
    from tapemeter.model import Headers, Response

_WEIGHED = 100
"""With more candidates than this, the next in order is taken for the nearest."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two interactions by their places (from 0) in the first and the second cassette, and how they differ."""

    first: int
    second: int
    request: tuple[Difference, ...]
    response: tuple[Difference, ...]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not self.request and not self.response


@dataclass(frozen=True, slots=True)
class Comparison:
    """All pairs in the order of the first cassette, and the places of what is in one cassette only."""

    pairs: tuple[Pair, ...]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]

    @property
    def is_equal(self) -> bool:
        """Whether the two mean the same."""
        return not self.only_first and not self.only_second and all(pair.is_equal for pair in self.pairs)


def compare(first: Sequence[Interaction], second: Sequence[Interaction]) -> Comparison:
    """Compare two cassettes."""
    keys = [_key(interaction.request) for interaction in second]
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for place, key in enumerate(keys):
        waiting[key].append(place)
    paired: dict[int, int] = {}
    for place, interaction in enumerate(first):
        if same := waiting.get(_key(interaction.request)):
            paired[place] = same.popleft()
    left: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place in sorted(place for places in waiting.values() for place in places):
        left[_endpoint(second[place].request)].append(place)
    for place, interaction in enumerate(first):
        candidates = left[_endpoint(interaction.request)]
        if place not in paired and candidates:
            weighed = [second[each].request for each in candidates[: _WEIGHED + 1]]
            paired[place] = candidates.pop(_nearest(interaction.request, weighed))
    return Comparison(
        tuple(_pair(place, first[place], other, second[other]) for place, other in sorted(paired.items())),
        tuple(place for place in range(len(first)) if place not in paired),
        tuple(sorted(place for places in left.values() for place in places)),
    )


def _nearest(request: Request, candidates: Sequence[Request]) -> int:
    """Return the place of the candidate that is most like the request, the first where that cannot be said."""
    if len(candidates) > _WEIGHED:
        return 0
    try:
        found = nearest(request, candidates)
    except (ValueError, RecursionError):
        return 0
    return found[0] if found else 0


def _endpoint(request: Request) -> tuple[str, str]:
    try:
        return request.method, request.path
    except ValueError:
        return request.method, request.url


def _pair(place: int, old: Interaction, other: int, new: Interaction) -> Pair:
    request: tuple[Difference, ...] = ()
    if _key(old.request) != _key(new.request):
        request = _differences(old.request, new.request, "request")
    return Pair(place, other, request, tuple(_of_responses(old.response, new.response)))


def _of_responses(old: Response, new: Response) -> Iterator[Difference]:
    for name, was, now in (("status", old.status, new.status), ("ending", old.ending, new.ending)):
        if was != now:
            yield Difference(name, str(was), str(now))
    if old.body == new.body:
        return
    folded = [_folded(response) for response in (old, new)]
    if None in folded or not (old.is_stream or new.is_stream):
        yield from _differences(_question(old.body, old.headers), _question(new.body, new.headers), "body")
    else:
        was_body, now_body = (body or b"" for body in folded)
        found = _differences(_question(was_body), _question(now_body), "body")
        yield from found or _of_events(old.body, new.body)


def _folded(response: Response) -> bytes | None:
    """Return the answer of a response as JSON, a stream folded into one; None where it is neither."""
    value = answer(response)
    try:
        return None if value is None else json.dumps(value).encode()
    except RecursionError:
        return None


def _question(body: bytes, headers: Headers = ()) -> Request:
    """Return a request with the body, since requests are what can be compared."""
    return Request("", "", headers, body)


def _of_events(old: bytes, new: bytes) -> tuple[Difference, ...]:
    """Return how the first events that differ do so, for streams that make the same answer."""
    for place, (was, now) in enumerate(zip_longest(events(old), events(new)), 1):
        if was is None or now is None:
            return (Difference(f"event {place}", _presence(was), _presence(now)),)
        if was != now and (found := _differences(_question(was.encode()), _question(now.encode()), "data")):
            return tuple(replace(each, path=f"event {place}: {each.path}", ignore=None) for each in found)
    return ()


def _presence(data: str | None) -> str:
    return ABSENT if data is None else f"{len(data)} characters"


def _differences(old: Request, new: Request, what: str) -> tuple[Difference, ...]:
    """Return what differs; where that cannot be shown, that `what` does."""
    try:
        found = differences(old, new)
    except (ValueError, RecursionError):
        found = []
    if found or _key(old) == _key(new):
        return tuple(found)
    return (Difference(what, _digest(old), _digest(new)),)


def _key(request: Request) -> str:
    """Return the key under which a file keeps the request, or a digest where none can be made of it."""
    try:
        return Matcher().stored_key(request)
    except (ValueError, RecursionError):
        return _digest(request)


def _digest(request: Request) -> str:
    whole = json.dumps([request.method, request.url]).encode() + request.body
    return f"sha256 {hashlib.sha256(whole).hexdigest()[:16]}"
