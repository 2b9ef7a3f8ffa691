"""Finds the recorded interactions that answer a request, in recorded order, without comparing it with each of them.

What VCR.py's own matchers compare by equality makes a key; only the others are asked, and only of what has the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.vcr import matchers
from tapemeter.vcr.matchers import Body, evaluate
from tapemeter.vcr.util import read_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tapemeter.vcr.matchers import Matcher

_KEYS: dict[Any, Callable[[Any], Any]] = {
    matchers.method: lambda request: request.method,
    matchers.uri: matchers.canonical_uri,
    matchers.scheme: lambda request: request.scheme,
    matchers.host: lambda request: request.host,
    matchers.port: lambda request: request.port,
    matchers.path: matchers.canonical_path,
    matchers.query: lambda request: tuple(request.query),
    matchers.raw_body: lambda request: _hashable(read_body(request)),
}
"""What each of these matchers compares; two requests match where it is equal."""


class Lookup:
    """The places of recorded requests by what is compared of them; `data` may grow.

    A recorded request that its program changes later is found by what it was when it was first looked for.
    """

    def __init__(self, match_on: Sequence[Matcher]) -> None:
        self.match_on = tuple(match_on)
        self._keyed = [_KEYS[matcher] for matcher in self.match_on if matcher in _KEYS]
        self._compares_bodies = matchers.body in self.match_on
        self._asked = [matcher for matcher in self.match_on if matcher not in _KEYS and matcher is not matchers.body]
        self._places: dict[Any, list[int]] = {}
        self._bodies: list[Body] = []
        self._seen: list[Any] = []

    def matching(self, request: Any, data: Sequence[tuple[Any, Any]]) -> Iterator[int]:
        """Yield the places of all recorded requests that match one, in order."""
        self._take_in(data)
        body = Body(request) if self._compares_bodies else None
        for place in tuple(self._places.get(self._key(request), ())):
            if body is not None and not body.says_the_same(self._bodies[place]):
                continue
            if all(evaluate(matcher, request, data[place][0])[0] for matcher in self._asked):
                yield place

    def _take_in(self, data: Sequence[tuple[Any, Any]]) -> None:
        known = len(self._seen)
        if known > len(data) or (known and data[known - 1][0] is not self._seen[-1]):  # somebody put others there
            self._places, self._bodies, self._seen = {}, [], []
        for place in range(len(self._seen), len(data)):
            request = data[place][0]
            self._seen.append(request)
            self._places.setdefault(self._key(request), []).append(place)
            if self._compares_bodies:
                self._bodies.append(Body(request))

    def _key(self, request: Any) -> Any:
        return tuple(part(request) for part in self._keyed)


def _hashable(body: Any) -> Any:
    return repr(body) if isinstance(body, dict | list) else bytes(body or b"")
