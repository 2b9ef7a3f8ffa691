"""OpenAI's chat completions, as OpenAI and a good many others speak them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.usage import CHAT
from tapemeter.providers.values import count, each, fields
from tapemeter.providers.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Hashable

    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_SPOKEN = ("name", "refusal", "reasoning_content", "reasoning")
_REASONING = ("reasoning_content", "reasoning")
"""Spellings of compatible servers; those that send both send the same text twice."""


def ask(body: Json, prompt: Prompt) -> int | None:
    """Add a request's messages and tools; return its maximum for all of its choices."""
    for message in each(body.get("messages")):
        prompt.item()
        if not isinstance(message, dict):
            prompt.content(message)
            continue
        prompt.content(message.get("content"))
        for key in _SPOKEN:
            if key in message:
                prompt.say(message[key])
        if "tool_calls" in message or "function_call" in message:
            for call in (*each(message.get("tool_calls")), message.get("function_call")):
                _ask_call(call, prompt)
        if message.get("audio") is not None:
            prompt.medium()
    if "tools" in body or "functions" in body:
        prompt.tools([*each(body.get("tools")), *each(body.get("functions"))])
    if "response_format" in body:
        prompt.schema(fields(body["response_format"]).get("json_schema"))
    return _most_output(body)


def _ask_call(call: Any, prompt: Prompt) -> None:
    function = _function(fields(call))
    if function:
        prompt.item()
        prompt.say(function.get("name"))
        prompt.show(function.get("arguments", function.get("input")))


def _most_output(body: Json) -> int | None:
    given = [most for key in ("max_completion_tokens", "max_tokens") if (most := count(body.get(key))) is not None]
    if not given:
        return None
    return max(given) * (count(body.get("n")) or 1)


def read(value: Json, fold: Fold) -> None:
    """Read a whole answer, or one event of a stream: they differ in `message` and `delta`."""
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)
    choices = each(value.get("choices"))
    for position, given in enumerate(choices):
        choice = fields(given)
        index = count(choice.get("index"))
        if index is None:
            index = position
        if choice.get("finish_reason") is not None:
            fold.end(index, choice["finish_reason"])
        said = choice.get("delta")
        if said is None:
            said = choice.get("message")
        if isinstance(said, dict):
            _hear(said, index, fold)
        fold.say(choice.get("text"))
    usage = value.get("usage")
    if isinstance(usage, dict):
        fold.report(usage, CHAT)
        # Some servers send running figures with every event; those of the end stand alone or with the reason for it.
        fold.is_final = not choices or bool(fold.reasons)


def _hear(said: Json, index: int, fold: Fold) -> None:
    content = said.get("content")
    if isinstance(content, str):
        fold.say(content)
    elif content is not None:
        _hear_parts(content, fold)
    if "refusal" in said:
        fold.say(said["refusal"])
    for key in _REASONING:
        text = said.get(key)
        if isinstance(text, str) and text:
            fold.say(text)
            break
    for position, given in enumerate(each(said.get("tool_calls"))):
        call = fields(given)
        place = call.get("index")
        if not isinstance(place, int):
            identity = call.get("id")
            place = identity if isinstance(identity, str) and identity else position
        _hear_call(_function(call), (index, place), fold)
    legacy = said.get("function_call")
    if isinstance(legacy, dict):
        _hear_call(legacy, (index, None), fold)


def _hear_call(function: Json, key: Hashable, fold: Fold) -> None:
    if fold.call(key):  # some servers repeat the name in every event
        fold.say(function.get("name"))
    fold.show(function.get("arguments", function.get("input")))


def _hear_parts(content: Any, fold: Fold) -> None:
    for given in each(content):
        part = fields(given)
        fold.say(part.get("text"))
        thinking = part.get("thinking")
        if isinstance(thinking, str):
            fold.say(thinking)
        elif thinking is not None:
            _hear_parts(thinking, fold)


def _function(call: Json) -> Json:
    """Return what a tool call says: under `function`, `custom`, or in itself."""
    return fields(call.get("function") or call.get("custom") or call)


CHAT_COMPLETIONS = Wire(
    name="openai_chat",
    family="openai",
    operation="chat",
    ask=ask,
    read=read,
    follow=read,
)
