"""Drift: a recording that is no longer what is asked, or what is answered.

    asked otherwise      replay answered another request than the recording was made for, since matching is loose
    answered otherwise   mode verify got another answer than the recording has
    not recorded         mode verify found no recording of what was asked

An owner gathers what it finds, and at its end tells it as evidence: by path and kind, never what was said. How often,
and at which calls, is told; of many paths only the first.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from tapemeter.cassette.match import Matcher
from tapemeter.values import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tapemeter.cassette.diff import Difference
    from tapemeter.model import Request, Response

MOST_CHANGES = 20
"""Changes that the evidence of a test lists for each thing found."""
_MOST_CALLS = 10
_LONGEST_PATH, _LONGEST_VALUE = 200, 80
_LARGEST = 256 * 1024
"""Bytes of a request up to which it is searched for what differs; of a larger one only that it does is told."""
_POSITION = re.compile(r"\[\d+\]")
_SHOWN = 8


class Found(StrEnum):
    """What was found."""

    ASKED = "asked_otherwise"
    ANSWERED = "answered_otherwise"
    MISSING = "not_recorded"


_ORDER = tuple(Found)


class Kind(StrEnum):
    """What became of a place."""

    CHANGED = "changed"
    APPEARED = "appeared"
    VANISHED = "vanished"


class Change(Value):
    """One place that is not as recorded; `recorded` and `now` are None where nothing may be shown of it."""

    path: str
    kind: Kind = Kind.CHANGED
    recorded: str | None = None
    now: str | None = None


class Drift(Value):
    """What was found at one call; `call` is its id, None where it is no model call.

    `cassette` is the path as users know it, empty for that of the owner. `shown` are the same changes of a request with
    the values, for the developer who runs the test.
    """

    found: Found
    changes: tuple[Change, ...]
    call: str | None = None
    cassette: str = ""
    shown: tuple[Difference, ...] = ()


class Drifts:
    """What an owner has found so far. Safe for threads."""

    def __init__(self) -> None:
        self._found: list[Drift] = []
        self._recorded: dict[str, Response | None] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Drift]:
        return iter(tuple(self._found))

    def __len__(self) -> int:
        return len(self._found)

    def add(self, drift: Drift) -> None:
        """Keep what was found at a call."""
        with self._lock:
            self._found.append(drift)

    def attempted(self, call: str, recorded: Response | None) -> Response | None:
        """Note an attempt at a call, and return the recorded answer to compare with: that of an earlier one, if any.

        What was found at an earlier attempt is forgotten, since its program never saw that answer.
        """
        with self._lock:
            if call in self._recorded:
                self._found = [drift for drift in self._found if drift.call != call]
            self._recorded[call] = recorded = recorded or self._recorded.get(call)
            return recorded


class _Redactor(Protocol):
    def request(self, request: Request) -> Request: ...

    def text(self, text: str) -> str: ...


class _House(Protocol):
    @property
    def redactor(self) -> _Redactor: ...


class _Owner(Protocol):
    @property
    def house(self) -> _House: ...

    @property
    def drift(self) -> Drifts: ...


def note(owner: _Owner, asked: Request, recorded: Request, *, cassette: str = "") -> None:
    """Note where a request is not the one that the recording which answers it was made for; nothing if it is the same.

    Both may still have secrets. `cassette` is the path of the file, where that is not the owner's own.
    """
    redactor = owner.house.redactor
    was, now = redactor.request(recorded), redactor.request(asked)
    matcher = Matcher()
    if was == now or matcher.key(was) == matcher.key(now):
        return
    found = tuple(_differences(was, now, matcher.secrets))
    if found:
        changes = tuple(_change(difference, redactor) for difference in found)
        owner.drift.add(Drift(Found.ASKED, changes, None, cassette, found[:_SHOWN]))


def _differences(was: Request, now: Request, secrets: frozenset[str]) -> Iterator[Difference]:
    from tapemeter.cassette.diff import Difference, differences  # noqa: PLC0415 - brings deepdiff along

    too_large = max(len(was.body), len(now.body)) > _LARGEST
    if too_large and was.body != now.body:
        yield Difference("body", f"{len(was.body)} bytes", f"{len(now.body)} bytes")
    if too_large:
        was, now = was.with_body(b""), now.with_body(b"")
    for difference in differences(was, now):
        if difference.path.removeprefix("query ").lower() not in secrets:
            yield difference


def _change(difference: Difference, redactor: _Redactor) -> Change:
    from tapemeter.cassette.diff import ABSENT  # noqa: PLC0415

    kind = Kind.CHANGED
    if ABSENT in {difference.old, difference.new}:
        kind = Kind.APPEARED if difference.old == ABSENT else Kind.VANISHED
    return Change(redactor.text(difference.path), kind)


def events(found: Iterable[Drift]) -> Iterator[dict[str, Any]]:
    """Yield what was found as fields of `drift` events, one for each thing found; of many paths only the first."""
    groups: dict[tuple[Found, str], list[Drift]] = {}
    for drift in found:
        groups.setdefault((drift.found, drift.cassette), []).append(drift)
    for (kind, cassette), of_kind in sorted(groups.items(), key=lambda group: (_ORDER.index(group[0][0]), group[0][1])):
        places = Counter(place for drift in of_kind for place in dict.fromkeys(map(_plain, drift.changes)))
        listed = list(places.items())
        yield {
            **({"cassette": cassette} if cassette else {}),
            "found": kind.value,
            "calls": len(of_kind),
            "call_ids": [drift.call for drift in of_kind if drift.call is not None][:_MOST_CALLS],
            "changes": [
                {
                    "path": change.path,
                    "kind": change.kind.value,
                    "recorded": change.recorded,
                    "now": change.now,
                    "calls": times,
                }
                for change, times in listed[:MOST_CHANGES]
            ],
            "more_changes": max(0, len(listed) - MOST_CHANGES),
        }


def _plain(change: Change) -> Change:
    """Return a change as it is told of several calls: without positions, and cut where it is long."""
    return replace(
        change,
        path=_cut(_POSITION.sub("[*]", change.path), _LONGEST_PATH),
        recorded=None if change.recorded is None else _cut(change.recorded, _LONGEST_VALUE),
        now=None if change.now is None else _cut(change.now, _LONGEST_VALUE),
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def message(found: Iterable[Drift], cassette: str) -> str | None:
    """Return why a test fails whose recordings answered other requests; None where they did not."""
    asked = [drift for drift in found if drift.found is Found.ASKED]
    if not asked:
        return None
    first, times = asked[0], len(asked)
    calls = "1 call was" if times == 1 else f"{times} calls were"
    which = "which differs at" if times == 1 else "the first of which differs at"
    lines = [f"{first.cassette or cassette}: {calls} answered by a recording of another request, {which}"]
    for difference in first.shown:
        lines += [
            f"    {difference.path}",
            f"      recorded  {difference.old}",
            f"      asked     {difference.new}",
        ]
    if len(first.changes) > len(first.shown):
        lines.append(f"    and {len(first.changes) - len(first.shown)} more")
    lines.append("  record the test again, or have the code ask what it asked; --llm-strict=report only lists it")
    return "\n".join(lines)
