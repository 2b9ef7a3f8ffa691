"""What an answer used: reads a body as a whole, or while it passes.

Both ways use the same framing and the same readers, so they agree wherever a body is cut.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tapemeter.model import Ending, Usage, header, media_type
from tapemeter.providers.faults import fault
from tapemeter.providers.fold import Fold
from tapemeter.providers.framing import framer
from tapemeter.providers.meter import Answered
from tapemeter.providers.sse import Events
from tapemeter.providers.values import money, parse
from tapemeter.providers.whole import Whole
from tapemeter.providers.wire import Tokens, UnreadError
from tapemeter.providers.wires import named
from tapemeter.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tapemeter.model import Headers, Response
    from tapemeter.providers.framing import Framer
    from tapemeter.providers.meter import Asked, Watch
    from tapemeter.providers.values import Json
    from tapemeter.providers.wire import Wire

LONGEST_WATCHED = 16 * 1024 * 1024
"""Bytes of the longest JSON answer whose text is counted while it passes."""

_SILENT = frozenset({Tokens.INPUT, Tokens.FREE})
_FAILED = 400
_REDIRECTED = 300
_GATEWAY = "x-litellm-"
_GATEWAY_COST = "x-litellm-response-cost"
_GATEWAY_GROUP, _GATEWAY_MODEL = "x-litellm-model-group", "x-litellm-model-name"
_LONGEST_NAME = 200
_AMAZONS_WORD = "x-amzn-errortype"


def answered(asked: Asked, response: Response, *, keeps_text: bool = False) -> Answered:
    """Return what an answer used, from a whole or a partial body without content codings; it never raises.

    With `keeps_text` its text comes along.
    """
    gateway = _gateway(response.headers)
    gateway_usd = money(gateway[_GATEWAY_COST]) if _GATEWAY_COST in gateway else None
    body = response.body
    if response.status >= _FAILED:
        kind = fault(response.status, _error_in(body), header(response.headers, _AMAZONS_WORD))
        return Answered(Usage(), error_type=kind, gateway_usd=gateway_usd)
    if response.status >= _REDIRECTED:
        return Answered(Usage(), gateway_usd=gateway_usd)
    fold, wire = Fold(keeps_text=keeps_text), named(asked.protocol)
    if wire.head is not None:
        with suppress(UnreadError):
            wire.head(response.headers, fold)
    takes = framer(response.content_type, _first(body), wire)
    if takes is None:
        _take(wire.read, parse(body), fold)
    else:
        _follow(takes.feed(body), wire, fold)
    found = fold.answered(asked, wire.tokens, is_whole=response.ending is Ending.COMPLETE, gateway_usd=gateway_usd)
    return _with_gateway(found, gateway) if gateway else found


def _gateway(headers: Headers) -> dict[str, str]:
    """Return the headers of a gateway; of a repeated one the first."""
    return {name: value for name, value in reversed(headers) if name.startswith(_GATEWAY)}


def _with_gateway(found: Answered, gateway: dict[str, str]) -> Answered:
    """Return what an answer used with what a gateway says of who served it, if it says anything."""
    group, model = gateway.get(_GATEWAY_GROUP), gateway.get(_GATEWAY_MODEL)
    if not group and not model:
        return found
    return replace(
        found, gateway_group=(group or "")[:_LONGEST_NAME] or None, gateway_model=(model or "")[:_LONGEST_NAME] or None
    )


def watch(asked: Asked, status: int, headers: Headers) -> Watch:
    """Return a counter of the text of an answer, whose status and headers have arrived, while its body passes.

    A stream is counted event by event; a JSON body once it is there, if it is not longer than LONGEST_WATCHED.
    """
    wire = named(asked.protocol)
    if status >= _REDIRECTED or wire.tokens in _SILENT:
        return _Deaf()
    return _Watching(wire, media_type(headers))


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
        self._framer: Framer | None = None
        self._whole: Whole | None = None

    def feed(self, data: bytes) -> int:
        if not self._begun and not self._begin(data):
            return 0
        if self._framer is not None:
            _follow(self._framer.feed(data), self._wire, self._fold)
        elif self._whole is not None:
            body = self._whole.feed(data)
            if body is not None:
                self._whole = None
                _take(self._wire.read, parse(body), self._fold)
        return self._fold.chars

    def _begin(self, data: bytes) -> bool:
        """Decide what the body is, at the first bytes that are not blank."""
        first = _first(data)
        if not first:
            return False
        self._begun = True
        self._framer = framer(self._media, first, self._wire)
        if self._framer is None:
            self._whole = Whole(LONGEST_WATCHED)
        return True


def _first(body: bytes) -> bytes:
    """Return the first byte that is not blank."""
    first = body[:1]
    return body.lstrip()[:1] if first.isspace() else first


def _follow(found: Iterable[Any], wire: Wire, fold: Fold) -> None:
    for item in found:
        if isinstance(item, str):
            fold.seen = True
            fold.say(item)
        elif isinstance(item, dict):
            _take(wire.follow, item, fold)
        elif item[:1] == b"{":  # what else there is ends a stream, such as [DONE]
            _take(wire.follow, parse(item), fold)


def _take(reader: Callable[[Json, Fold], None], value: Any, fold: Fold) -> None:
    if isinstance(value, dict):
        fold.seen = True
        try:
            reader(value, fold)
        except (RecursionError, UnreadError):  # what was read before the place that is too deep counts
            fold.is_open = True


def _error_in(body: bytes) -> Any:
    """Return the JSON value that describes an error, though it came as an event."""
    value = parse(body)
    if value is None:
        value = next((parse(data) for data in Events().feed(body)), None)
    return value
