"""Ollama's own protocol: an answer is a JSON object, or while it streams, one a line; the last has the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.providers.usage import OLLAMA
from tapemeter.providers.values import count, each, fields
from tapemeter.providers.wire import Tokens, Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json


def _ask_chat(body: Json, prompt: Prompt) -> int | None:
    for given in each(body.get("messages")):
        prompt.item()
        message = given if isinstance(given, dict) else {"content": given}
        for key in ("content", "thinking", "tool_name"):
            prompt.say(message.get(key))
        for _ in each(message.get("images")):
            prompt.medium()
        for call in each(message.get("tool_calls")):
            function = fields(fields(call).get("function"))
            prompt.item()
            prompt.say(function.get("name"))
            prompt.show(function.get("arguments"))
    prompt.tools(body.get("tools"))
    return _most_output(body, prompt)


def _ask_generate(body: Json, prompt: Prompt) -> int | None:
    prompt.item()
    for key in ("system", "template", "prompt", "suffix"):
        prompt.say(body.get(key))
    for _ in each(body.get("images")):
        prompt.medium()
    prompt.inputs(body.get("context"))
    return _most_output(body, prompt)


def _most_output(body: Json, prompt: Prompt) -> int | None:
    form = body.get("format")
    if isinstance(form, dict):
        prompt.show(form)
    return count(fields(body.get("options")).get("num_predict"))


def _ask_to_embed(body: Json, prompt: Prompt) -> None:
    prompt.inputs(body.get("input"))
    prompt.inputs(body.get("prompt"))


def _read(value: Json, fold: Fold) -> None:
    """Read a whole answer, or one line of a stream: they are alike."""
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)
    message = fields(value.get("message"))
    for text in (message.get("thinking"), message.get("content"), value.get("thinking"), value.get("response")):
        fold.say(text)
    for call in each(message.get("tool_calls")):
        function = fields(fields(call).get("function"))
        fold.call(object())
        fold.say(function.get("name"))
        fold.show(function.get("arguments"))
    fold.end(0, value.get("done_reason"))
    if OLLAMA.input in value or OLLAMA.output in value:
        fold.report({key: value.get(key) for key in (OLLAMA.input, OLLAMA.output)}, OLLAMA)
        fold.is_final = value.get("done") is True


CHAT = Wire(
    name="ollama_chat",
    family="ollama",
    operation="chat",
    ask=_ask_chat,
    read=_read,
    follow=_read,
    streams_lines=True,
)

GENERATE = Wire(
    name="ollama_generate",
    family="ollama",
    operation="text_completion",
    ask=_ask_generate,
    read=_read,
    follow=_read,
    streams_lines=True,
)

EMBED = Wire(
    name="ollama_embed",
    family="ollama",
    operation="embeddings",
    ask=_ask_to_embed,
    read=_read,
    follow=_read,
    tokens=Tokens.INPUT,
)
