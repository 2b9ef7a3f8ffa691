"""Compares two cassettes by meaning: which interactions are the same question, and what differs in them.

Two are a pair if their keys are equal, first in, first out; of the rest, those nearest to each other that were
sent to the same path. What replay does not look at does not count: the order of different questions, headers,
times, boundaries of chunks, the spelling of JSON. Nor does what differs from call to call and means nothing: the ids
that servers give, moments and durations, signatures.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

from tapemeter.cassette.diff import nearest
from tapemeter.cli.differing import Differing, key_of, of_requests, of_responses
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tapemeter.cassette.model import Interaction
    from tapemeter.model import Request

_WEIGHED = 100
"""With more candidates than this, the next in order is taken for the nearest."""


class Pair(Value):
    """Two interactions by their places (from 0) in the first and the second cassette, and how they differ."""

    first: int
    second: int
    request: tuple[Differing, ...]
    response: tuple[Differing, ...]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not self.request and not self.response


class Comparison(Value):
    """All pairs in the order of the first cassette, and the places of what is in one cassette only."""

    pairs: tuple[Pair, ...]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]

    @property
    def is_equal(self) -> bool:
        """Whether the two mean the same."""
        return not self.only_first and not self.only_second and all(pair.is_equal for pair in self.pairs)


def compare(first: Sequence[Interaction], second: Sequence[Interaction], *, everything: bool = False) -> Comparison:
    """Compare two cassettes; with `everything`, what means nothing counts as well."""
    keys = [key_of(interaction.request) for interaction in second]
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for place, key in enumerate(keys):
        waiting[key].append(place)
    paired: dict[int, int] = {}
    for place, interaction in enumerate(first):
        if same := waiting.get(key_of(interaction.request)):
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
        tuple(
            _pair(place, first[place], other, second[other], everything=everything)
            for place, other in sorted(paired.items())
        ),
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


def _pair(place: int, old: Interaction, other: int, new: Interaction, *, everything: bool) -> Pair:
    request: tuple[Differing, ...] = ()
    if key_of(old.request) != key_of(new.request):
        request = tuple(of_requests(old.request, new.request))
    return Pair(place, other, request, tuple(of_responses(old, new, everything=everything)))
