"""Cohere's chat, version 2. Its tokens are those it bills; those it worked on only where it does not say those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.usage import COHERE
from tapemeter.providers.values import count, each, fields
from tapemeter.providers.wire import Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_UNITS = {"images": "images", "pages": "pages", "search_units": "search_units"}


def ask(body: Json, prompt: Prompt) -> int | None:
    """Add a request's messages, documents and tools; return its maximum."""
    for given in each(body.get("messages")):
        prompt.item()
        message = given if isinstance(given, dict) else {"content": given}
        _ask_content(message.get("content"), prompt)
        prompt.say(message.get("tool_plan"))
        for call in each(message.get("tool_calls")):
            function = fields(fields(call).get("function"))
            prompt.item()
            prompt.say(function.get("name"))
            prompt.show(function.get("arguments"))
    for document in each(body.get("documents")):
        _ask_document(document, prompt)
    prompt.tools(body.get("tools"))
    form = fields(body.get("response_format"))
    for key in ("json_schema", "schema"):
        prompt.show(form.get(key))
    return count(body.get("max_tokens"))


def _ask_content(value: Any, prompt: Prompt) -> None:
    for part in each(value):
        if isinstance(part, dict) and "document" in part:
            _ask_document(part["document"], prompt)
        else:
            prompt.content(part)


def _ask_document(document: Any, prompt: Prompt) -> None:
    prompt.item()
    prompt.show(document)


def read(value: Json, fold: Fold) -> None:
    """Read a whole answer."""
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)
    _hear(fields(value.get("message")), fold)
    _close(value, fold)


def _hear(message: Json, fold: Fold) -> None:
    fold.say(message.get("tool_plan"))
    for part in each(message.get("content")):
        _hear_part(fields(part), fold)
    for index, call in enumerate(each(message.get("tool_calls"))):
        _hear_call(fields(call), index, fold)


def _hear_part(part: Json, fold: Fold) -> None:
    fold.say(part.get("text"))
    fold.say(part.get("thinking"))


def _hear_call(call: Json, index: int | None, fold: Fold) -> None:
    function = fields(call.get("function"))
    if fold.call(index):
        fold.say(function.get("name"))
    fold.show(function.get("arguments"))


def follow(event: Json, fold: Fold) -> None:
    """Read one event of a stream; all but the first and the last add to one part of the message."""
    if event.get("error"):
        fold.fail(event)
    fold.identify(event)
    delta = fields(event.get("delta"))
    message = fields(delta.get("message"))
    fold.say(message.get("tool_plan"))
    for part in each(message.get("content")):
        _hear_part(fields(part), fold)
    index = event.get("index")
    for call in each(message.get("tool_calls")):
        _hear_call(fields(call), index if isinstance(index, int) else None, fold)
    if event.get("type") == "message-end":
        if delta.get("error"):
            fold.fail(delta)
        _close(delta, fold)


def _close(value: Json, fold: Fold) -> None:
    fold.end(0, value.get("finish_reason"))
    bill(fields(value.get("usage")), fold)


def bill(told: Json, fold: Fold) -> None:
    """Read what Cohere bills: tokens, or other units."""
    billed = fields(told.get("billed_units"))
    for unit, key in _UNITS.items():
        amount = _whole(billed.get(key))
        if count(amount):
            fold.count(unit, amount)
    usage = {key: _whole(value) for key, value in (fields(told.get("tokens")) | billed).items()}
    if COHERE.input in usage or COHERE.output in usage:
        fold.report({**usage, "cached_tokens": _whole(told.get("cached_tokens"))}, COHERE)
        fold.is_final = True


def _whole(value: Any) -> Any:
    """Return a whole number that is written as a fraction as the number it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


CHAT = Wire(
    name="cohere_chat",
    family="cohere",
    operation="chat",
    ask=ask,
    read=read,
    follow=follow,
)
