"""Anthropic's messages, and the counting of their tokens, which takes the same request and uses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.fold import read_fault
from tapemeter.providers.usage import ANTHROPIC
from tapemeter.providers.values import count, each, fields
from tapemeter.providers.wire import Tokens, Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_DELTAS = ("text", "thinking", "partial_json")
_MEDIA = ("image", "container_upload")


def ask(body: Json, prompt: Prompt) -> int | None:
    """Add a request's system prompt, messages and tools; return its maximum."""
    _ask_content(body.get("system"), prompt)
    for message in each(body.get("messages")):
        prompt.item()
        _ask_content(message.get("content") if isinstance(message, dict) else message, prompt)
    if "tools" in body:
        prompt.tools(body["tools"])
    for form in (fields(body.get("output_config")).get("format"), body.get("output_format")):
        prompt.schema(form)
    return count(body.get("max_tokens"))


def _ask_content(value: Any, prompt: Prompt) -> None:
    if isinstance(value, str):
        prompt.say(value)
        return
    for block in each(value):
        if isinstance(block, dict):
            _ask_block(block, prompt)
        else:
            prompt.content(block)


def _ask_block(block: Json, prompt: Prompt) -> None:
    match block.get("type"):
        case "text" | "thinking":
            prompt.content(block)
        case "redacted_thinking":
            prompt.hide(block.get("data"))
        case "tool_result" | "mcp_tool_result":
            prompt.item()
            _ask_content(block.get("content"), prompt)
        case "document" | "search_result":
            for key in ("title", "context"):
                prompt.say(block.get(key))
            _ask_source(block.get("source"), prompt)
            _ask_content(block.get("content"), prompt)
        case kind if kind in _CALLS:
            prompt.item()
            prompt.say(block.get("name"))
            prompt.show(block.get("input"))
        case kind if kind in _MEDIA:
            prompt.medium()
        case _:
            prompt.show(block)


def _ask_source(source: Any, prompt: Prompt) -> None:
    given = fields(source)
    match given.get("type"):
        case "text":
            prompt.say(given.get("data"))
        case "content":
            _ask_content(given.get("content"), prompt)
        case None:
            prompt.say(source)
        case _:
            prompt.medium()


def read(value: Json, fold: Fold) -> None:
    """Read a whole answer."""
    if value.get("type") == "error" or value.get("error"):
        fold.fail(value)
    fold.identify(value)
    for index, block in enumerate(each(value.get("content"))):
        _hear_block(fields(block), index, fold)
    fold.end(0, value.get("stop_reason"))
    usage = value.get("usage")
    if isinstance(usage, dict):
        fold.report(usage, ANTHROPIC)
        fold.is_final = True


def _hear_block(block: Json, index: Any, fold: Fold) -> None:
    if block.get("type") in _CALLS:
        if fold.call(index):
            fold.say(block.get("name"))
        fold.show(block.get("input"))
    else:
        fold.say(block.get("text"))
        fold.say(block.get("thinking"))


def follow(event: Json, fold: Fold) -> None:
    """Read one event of a stream."""
    match event.get("type"):
        case "content_block_delta":
            delta = fields(event.get("delta"))
            for key in _DELTAS:
                fold.say(delta.get(key))
        case "content_block_start":
            index = event.get("index")
            _hear_block(fields(event.get("content_block")), index if isinstance(index, int) else None, fold)
        case "message_start":
            _start(fields(event.get("message")), fold)
        case "message_delta":
            _update(event, fold)
        case "error":
            fold.fail(event)
        case _:
            if event.get("error"):
                fold.fail(event)


def _start(message: Json, fold: Fold) -> None:
    fold.identify(message)
    usage = fields(message.get("usage"))
    # The output is a few tokens at this point; the sum of it comes with the end.
    fold.report({key: value for key, value in usage.items() if key != ANTHROPIC.output}, ANTHROPIC)


def _update(event: Json, fold: Fold) -> None:
    reason = fields(event.get("delta")).get("stop_reason")
    fold.end(0, reason)
    fold.report(fields(event.get("usage")), ANTHROPIC)
    fold.is_final = reason is not None


MESSAGES = Wire(
    name="anthropic_messages",
    family="anthropic",
    operation="chat",
    ask=ask,
    read=read,
    follow=follow,
)


def _ask_to_count(body: Json, prompt: Prompt) -> None:
    ask(body, prompt)
    prompt.bound = 0  # nothing is used, so nothing is to be set aside


COUNT_TOKENS = Wire(
    name="anthropic_count_tokens",
    family="anthropic",
    operation="count_tokens",
    ask=_ask_to_count,
    read=read_fault,
    follow=read_fault,
    tokens=Tokens.FREE,
)
