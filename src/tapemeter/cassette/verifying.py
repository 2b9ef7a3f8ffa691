"""Compares an answer with the recorded one: what a program could trip over, not what is said.

    status          the HTTP status, or that no answer came
    error           the kind of error, where both are errors
    content-type    the media type
    model           the model that served
    finish_reasons  why it ended
    tools           the tools that were called
    input_tokens    by more than a tenth; output_tokens by more than half; both by more than ten tokens
    answer …        a place that appeared or vanished, or whose value is of another kind

A stream is folded first. Of an answer that did not come whole only what came is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter import providers
from tapemeter.cassette.drift import Change, Drift, Found, Kind
from tapemeter.cassette.shape import shape
from tapemeter.model import Ending, Quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tapemeter.cassette.shape import Shape
    from tapemeter.model import Response
    from tapemeter.providers.meter import Answered, Asked

_ERROR = 400
_TOLERATED = {"input_tokens": 10, "output_tokens": 50}
"""By how many percent of what was recorded a figure may differ: answers vary in length, prompts do not."""
_FEW = 10
"""Tokens by which a figure may always differ."""
_NOTHING = "none"


def verify(
    recorded: Response | None, now: Response | None, *, asked: Asked | None, call: str | None = None, cassette: str = ""
) -> Drift | None:
    """Return what has drifted at a call; None where the answer is as recorded.

    `recorded` is None for a call of which there is no recording, `now` where no answer came; both are without secrets
    and content codings. `asked` is None for what is no model call; `call` and `cassette` are as in Drift.
    """
    if recorded is None:
        return Drift(Found.MISSING, (), call, cassette)
    changes = tuple(_changes(recorded, now, asked))
    return Drift(Found.ANSWERED, changes, call, cassette) if changes else None


def _changes(recorded: Response, now: Response | None, asked: Asked | None) -> Iterator[Change]:
    if now is None or now.status == 0:
        yield _change("status", recorded.status, _NOTHING)
        return
    if recorded.status != now.status:
        yield _change("status", recorded.status, now.status)
    was_error, is_error = recorded.status >= _ERROR, now.status >= _ERROR
    if was_error is not is_error:
        return  # they have nothing in common
    if recorded.content_type != now.content_type:
        yield _change("content-type", recorded.content_type or _NOTHING, now.content_type or _NOTHING)
    if asked is not None:
        was, is_ = providers.answered(asked, recorded), providers.answered(asked, now)
        whole = recorded.ending is Ending.COMPLETE is now.ending
        yield from _of_model(was, is_, is_whole=whole)
    yield from _of_shape(recorded, now, asked)


def _of_model(was: Answered, now: Answered, *, is_whole: bool) -> Iterator[Change]:
    for name, old, new in (
        ("error", was.error_type, now.error_type),
        ("model", was.model, now.model),
        ("served by", was.gateway_model, now.gateway_model),
    ):
        if old != new:
            yield _change(name, old or _NOTHING, new or _NOTHING)
    if not is_whole:
        return
    if set(was.finish_reasons) != set(now.finish_reasons):
        yield _change("finish_reasons", _listed(was.finish_reasons), _listed(now.finish_reasons))
    if was.usage.quality is Quality.MEASURED is now.usage.quality:
        for name, percent in _TOLERATED.items():
            before, after = getattr(was.usage, name), getattr(now.usage, name)
            if abs(after - before) > max(_FEW, before * percent // 100):
                yield _change(name, before, after)
    elif Quality.MEASURED in {was.usage.quality, now.usage.quality}:
        yield _change("usage", was.usage.quality, now.usage.quality)


def _of_shape(recorded: Response, now: Response, asked: Asked | None) -> Iterator[Change]:
    protocol, operation = ("", "") if asked is None else (asked.protocol, asked.operation)
    was = shape(recorded, protocol=protocol, operation=operation)
    is_ = shape(now, protocol=protocol, operation=operation)
    if was is None or is_ is None:
        if (was is None) is not (is_ is None):
            yield Change("answer")
        return
    if now.ending is recorded.ending is Ending.COMPLETE and was.tools != is_.tools:
        yield _change("tools", _listed(was.tools), _listed(is_.tools))
    yield from _of_places(was, is_, is_whole=(recorded.ending is Ending.COMPLETE, now.ending is Ending.COMPLETE))


def _of_places(was: Shape, now: Shape, *, is_whole: tuple[bool, bool]) -> Iterator[Change]:
    gone: list[str] = []
    for path in sorted({*was.kinds, *now.kinds}):
        if any(path.startswith((f"{above}.", f"{above}[")) for above in gone):
            continue  # all below it went with it
        old, new = was.kinds.get(path), now.kinds.get(path)
        if old is None:
            if is_whole[0] and was.has_seen(path):
                gone.append(path)
                yield Change(f"answer {path}", Kind.APPEARED, None, _listed(new or ()))
        elif new is None:
            if is_whole[1] and now.has_seen(path):
                gone.append(path)
                yield Change(f"answer {path}", Kind.VANISHED, _listed(old), None)
        elif new - old:  # that a kind is missing of those that several elements had says nothing
            yield _change(f"answer {path}", _listed(old), _listed(new))


def _change(path: str, recorded: object, now: object) -> Change:
    return Change(path, Kind.CHANGED, str(recorded), str(now))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(set(words))) or _NOTHING
