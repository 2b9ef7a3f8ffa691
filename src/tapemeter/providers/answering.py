"""What an answer used: reads a body as a whole, or while it passes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tapemeter.model import Ending, Usage, header, media_type
from tapemeter.providers.faults import fault
from tapemeter.providers.fold import WITHOUT_OUTPUT, Fold
from tapemeter.providers.meter import Answered
from tapemeter.providers.sse import Events
from tapemeter.providers.unknown import UNKNOWN
from tapemeter.providers.values import money, parse
from tapemeter.providers.whole import Whole
from tapemeter.providers.wires import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapemeter.model import Headers, Response
    from tapemeter.providers.meter import Asked, Watch
    from tapemeter.providers.values import Json
    from tapemeter.providers.wire import Wire

LONGEST_WATCHED = 16 * 1024 * 1024
"""Bytes of the longest JSON answer whose text is counted while it passes."""

_FAILED = 400
_REDIRECTED = 300
_GATEWAY_COST = "x-litellm-response-cost"
_GATEWAY_GROUP, _GATEWAY_MODEL = "x-litellm-model-group", "x-litellm-model-name"
_LONGEST_NAME = 200
_EVENT_STREAM = "text/event-stream"


def answered(asked: Asked, response: Response, *, keeps_text: bool = False) -> Answered:
    """Return what an answer used, from a whole or a partial body without content codings; it never raises.

    With `keeps_text` its text comes along.
    """
    cost = header(response.headers, _GATEWAY_COST)
    gateway_usd = None if cost is None else money(cost)
    body = response.body
    if response.status >= _FAILED:
        return Answered(Usage(), error_type=fault(response.status, _error_in(body)), gateway_usd=gateway_usd)
    if response.status >= _REDIRECTED:
        return Answered(Usage(), gateway_usd=gateway_usd)
    fold, wire = Fold(keeps_text=keeps_text), BY_NAME.get(asked.protocol, UNKNOWN)
    if _is_plain(response.content_type, body):
        _read(body, wire, fold)
    else:
        _follow(Events().feed(body), wire, fold)
    found = fold.answered(asked, is_whole=response.ending is Ending.COMPLETE, gateway_usd=gateway_usd)
    return _with_gateway(found, response.headers)


def _with_gateway(found: Answered, headers: Headers) -> Answered:
    """Return what an answer used with what a gateway says of who served it, if it says anything."""
    group, model = header(headers, _GATEWAY_GROUP), header(headers, _GATEWAY_MODEL)
    if not group and not model:
        return found
    return replace(
        found, gateway_group=(group or "")[:_LONGEST_NAME] or None, gateway_model=(model or "")[:_LONGEST_NAME] or None
    )


def watch(asked: Asked, status: int, headers: Headers) -> Watch:
    """Return a counter of the text of an answer, whose status and headers have arrived, while its body passes.

    A stream is counted event by event; a JSON body once it is there, if it is not longer than LONGEST_WATCHED.
    """
    if status >= _REDIRECTED or asked.operation in WITHOUT_OUTPUT:
        return _Deaf()
    return _Watching(BY_NAME.get(asked.protocol, UNKNOWN), media_type(headers))


class _Deaf:
    """Watches an answer that has no text."""

    def feed(self, _: bytes) -> int:
        return 0


class _Watching:
    """Watches an answer of one protocol."""

    def __init__(self, wire: Wire, media: str) -> None:
        self._wire = wire
        self._media = media
        self._fold = Fold()
        self._begun = False
        self._events: Events | None = None
        self._whole: Whole | None = None

    def feed(self, data: bytes) -> int:
        if not self._begun and not self._begin(data):
            return 0
        if self._events is not None:
            _follow(self._events.feed(data), self._wire, self._fold)
        elif self._whole is not None:
            body = self._whole.feed(data)
            if body is not None:
                self._whole = None
                _read(body, self._wire, self._fold)
        return self._fold.chars

    def _begin(self, data: bytes) -> bool:
        """Decide what the body is, at the first bytes that are not blank."""
        if not data.strip():
            return False
        self._begun = True
        if _is_plain(self._media, data):
            self._whole = Whole(LONGEST_WATCHED)
        else:
            self._events = Events()
        return True


def _is_plain(media: str, body: bytes) -> bool:
    """Whether a body is one JSON value: its type says so, or where that leaves it open, its first character."""
    if media == _EVENT_STREAM:
        return False
    return "json" in media or body.lstrip()[:1] in {b"{", b"["}


def _read(body: bytes, wire: Wire, fold: Fold) -> None:
    _take(wire.read, parse(body), fold)


def _follow(events: list[bytes], wire: Wire, fold: Fold) -> None:
    for data in events:
        if data[:1] == b"{":  # what else there is ends a stream, such as [DONE]
            _take(wire.follow, parse(data), fold)


def _take(reader: Callable[[Json, Fold], None], value: Any, fold: Fold) -> None:
    if isinstance(value, dict):
        fold.seen = True
        try:
            reader(value, fold)
        except RecursionError:  # what was read before the place that is too deep counts
            fold.is_open = True


def _error_in(body: bytes) -> Any:
    """Return the JSON value that describes an error, though it came as an event."""
    value = parse(body)
    if value is None:
        value = next((parse(data) for data in Events().feed(body)), None)
    return value
