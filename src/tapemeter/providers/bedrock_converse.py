"""Bedrock's converse and converse-stream: one protocol for all of its models. The path names the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.usage import CONVERSE as SPELLING
from tapemeter.providers.values import count, each, fields
from tapemeter.providers.wire import Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_FILES = ("document", "video", "audio")
EVENTS = frozenset({"messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata"})
"""The events of a stream that say something."""


def ask(body: Json, prompt: Prompt) -> int | None:
    """Add a request's system prompt, messages and tools; return its maximum."""
    ask_blocks(body.get("system"), prompt)
    for message in each(body.get("messages")):
        prompt.item()
        ask_blocks(message.get("content") if isinstance(message, dict) else message, prompt)
    tools = [fields(tool) for tool in each(fields(body.get("toolConfig")).get("tools"))]
    prompt.tools([_tool(tool) for tool in tools if "cachePoint" not in tool])
    form = fields(fields(body.get("outputConfig")).get("textFormat"))
    prompt.schema(fields(form.get("structure")).get("jsonSchema"))
    prompt.show(body.get("promptVariables"))
    given = fields(body.get("inferenceConfig"))
    most = count(given.get("maxTokens"))
    return count(given.get("max_new_tokens")) if most is None else most


def _tool(given: Json) -> Json:
    """Return a tool as other protocols define it; one of Amazon's own has no schema."""
    spec = fields(given.get("toolSpec"))
    if not spec:
        return {"name": fields(given.get("systemTool")).get("name")}
    schema = fields(spec.get("inputSchema")).get("json")
    return {"name": spec.get("name"), "description": spec.get("description"), "input_schema": schema}


def ask_blocks(value: Any, prompt: Prompt) -> None:
    """Add a text, or blocks of content."""
    for given in each(value):
        if isinstance(given, str):
            prompt.say(given)
            continue
        block = fields(given)
        prompt.say(block.get("text"))
        prompt.say(fields(fields(block.get("guardContent")).get("text")).get("text"))
        _ask_reasoning(fields(block.get("reasoningContent")), prompt)
        _ask_tool_use(block, prompt)
        _ask_files(block, prompt)


def _ask_reasoning(reasoning: Json, prompt: Prompt) -> None:
    said = fields(reasoning.get("reasoningText"))
    prompt.say(said.get("text"))
    prompt.hide(said.get("signature"))
    prompt.hide(reasoning.get("redactedContent"))


def _ask_tool_use(block: Json, prompt: Prompt) -> None:
    use = block.get("toolUse")
    if isinstance(use, dict):
        prompt.item()
        prompt.say(use.get("name"))
        prompt.show(use.get("input"))
    result = block.get("toolResult")
    if isinstance(result, dict):
        prompt.item()
        for part in each(result.get("content")):
            prompt.show(fields(part).get("json"))
        ask_blocks(result.get("content"), prompt)
    for key in ("citationsContent", "searchResult"):
        found = fields(block.get(key))
        prompt.say(found.get("title"))
        prompt.say(found.get("source"))
        ask_blocks(found.get("content"), prompt)


def _ask_files(block: Json, prompt: Prompt) -> None:
    if block.get("image") is not None or fields(block.get("guardContent")).get("image") is not None:
        prompt.medium()
    for key in _FILES:
        if block.get(key) is None:
            continue
        file = fields(block[key])
        source = fields(file.get("source"))
        prompt.say(file.get("name"))
        prompt.say(file.get("context"))
        prompt.say(source.get("text"))
        ask_blocks(source.get("content"), prompt)
        if source.keys() - {"text", "content"} or not source:
            prompt.long_medium()


def read(value: Json, fold: Fold) -> None:
    """Read a whole answer."""
    if value.get("error"):
        fold.fail(value)
    for index, given in enumerate(each(fields(fields(value.get("output")).get("message")).get("content"))):
        block = fields(given)
        fold.say(block.get("text"))
        fold.say(fields(fields(block.get("reasoningContent")).get("reasoningText")).get("text"))
        for cited in each(fields(block.get("citationsContent")).get("content")):
            fold.say(fields(cited).get("text"))
        use = block.get("toolUse")
        if isinstance(use, dict):
            fold.call(index)
            fold.say(use.get("name"))
            fold.show(use.get("input"))
    _close(value, fold)


def follow(event: Json, fold: Fold) -> None:
    """Read one event of a stream: an object of one member, which is named after its type."""
    if event.get("error"):
        fold.fail(event)
    started = fields(event.get("contentBlockStart"))
    use = fields(started.get("start")).get("toolUse")
    if isinstance(use, dict):
        index = started.get("contentBlockIndex")
        if fold.call(index if isinstance(index, int) else None):
            fold.say(use.get("name"))
    delta = fields(fields(event.get("contentBlockDelta")).get("delta"))
    if delta:
        fold.say(delta.get("text"))
        fold.show(fields(delta.get("toolUse")).get("input"))
        fold.say(fields(delta.get("reasoningContent")).get("text"))
    for key in ("messageStop", "metadata"):
        _close(fields(event.get(key)), fold)


def _close(value: Json, fold: Fold) -> None:
    fold.end(0, value.get("stopReason"))
    usage = value.get("usage")
    if isinstance(usage, dict):
        fold.report(usage, SPELLING)
        fold.is_final = True


CONVERSE = Wire(
    name="bedrock_converse",
    family="bedrock",
    operation="chat",
    ask=ask,
    read=read,
    follow=follow,
)
