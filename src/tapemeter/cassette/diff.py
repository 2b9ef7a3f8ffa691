"""What differs between a request and the recording nearest to it, as paths with old and new value."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tapemeter.cassette import paths
from tapemeter.cassette.match import readable_body
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tapemeter.model import Request

ABSENT = "(absent)"
_SHOWN = 60
"""Characters of a value that a message shows around the difference."""
_COMPARED = 500
"""Recordings that are weighed in the search for the nearest; the rest of a long tape is not."""

_Leaf = tuple[str, str]


class Difference(Value):
    """One place where two requests differ; `old` is the recording's value, `new` what was asked.

    `ignore` is the path that would leave the place out of the key; None where no path can.
    """

    path: str
    old: str
    new: str
    ignore: str | None = None


def nearest(asked: Request, recorded: Iterable[Request]) -> tuple[int, list[Difference]] | None:
    """Return the place of the recording most like the request, and how the two differ; None without recordings."""
    wanted = set(_leaves(asked))
    best: tuple[float, int, Request] | None = None
    for place, request in enumerate(recorded):
        if place >= _COMPARED:
            break
        found = set(_leaves(request))
        likeness = len(wanted & found) / max(1, len(wanted | found))
        if best is None or likeness > best[0]:
            best = (likeness, place, request)
    if best is None:
        return None
    return best[1], differences(best[2], asked)


def differences(old: Request, new: Request) -> list[Difference]:
    """Return where two requests differ, the line before the body."""
    return [*_line_differences(old, new), *_body_differences(old, new)]


def _line_differences(old: Request, new: Request) -> Iterator[Difference]:
    before, after = urlsplit(old.url), urlsplit(new.url)
    for name, was, now in (
        ("method", old.method, new.method),
        ("scheme", before.scheme, after.scheme),
        ("host", old.host, new.host),
        ("port", str(old.port), str(new.port)),
        ("path", old.path, new.path),
    ):
        if was != now:
            yield Difference(name, was, now)
    was_query, now_query = parse_qsl(before.query, True), parse_qsl(after.query, True)
    for name in sorted({name for name, _ in (*was_query, *now_query)}):
        was_values = [value for field, value in was_query if field == name]
        now_values = [value for field, value in now_query if field == name]
        if was_values != now_values:
            yield Difference(f"query {name}", ", ".join(was_values or [ABSENT]), ", ".join(now_values or [ABSENT]))


def _body_differences(old: Request, new: Request) -> Iterator[Difference]:
    (old_kind, was), (new_kind, now) = readable_body(old), readable_body(new)
    if old_kind != new_kind or old_kind not in {"json", "form"}:
        if old_kind != new_kind or was != now:
            yield Difference("body", *_shorten(_describe(old_kind, was), _describe(new_kind, now)))
        return
    from deepdiff import DeepDiff  # noqa: PLC0415 - only a miss pays for it

    found = DeepDiff(was, now, view="tree", threshold_to_diff_deeper=0)
    for group in found.values():
        for change in group:
            steps: list[paths.Step] = change.path(output_format="list")
            old_text, new_text = _text(change.t1), _text(change.t2)
            # An element more or less stays one when it is ignored, so that only the whole list can be.
            of_list = ABSENT in {old_text, new_text} and isinstance(steps[-1], int)
            ignored = steps[:-1] if of_list else steps
            yield Difference(
                paths.show(steps),
                *_shorten(old_text, new_text),
                ignore=paths.generalised(ignored) if ignored else None,
            )


def _describe(kind: str, value: Any) -> str:
    if kind == "bytes":
        return f"{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()[:12]}" if value else ABSENT
    return f"{kind}, {_text(value)}"


def _text(value: Any) -> str:
    from deepdiff.helper import notpresent  # noqa: PLC0415 - see above

    if value is notpresent:
        return ABSENT
    return json.dumps(value, ensure_ascii=False)


def _shorten(old: str, new: str) -> tuple[str, str]:
    """Return both texts cut to what surrounds their first difference."""
    same = next((place for place, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, same - _SHOWN // 3)
    return _window(old, start), _window(new, start)


def _window(text: str, start: int) -> str:
    if len(text) <= _SHOWN:
        return text
    cut = text[start : start + _SHOWN]
    return ("…" if start else "") + cut + ("…" if start + _SHOWN < len(text) else "")


def _leaves(request: Request) -> Iterator[_Leaf]:
    """Yield the values of a request with their places, as a measure of likeness."""
    for name, value in (("method", request.method), ("host", request.host), ("path", request.path)):
        yield name, value
    kind, value = readable_body(request)
    yield from _flat(kind, value)


def _flat(place: str, value: Any) -> Iterator[_Leaf]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(f"{place}.{name}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(f"{place}[{index}]", item)
    else:
        yield place, repr(value)
