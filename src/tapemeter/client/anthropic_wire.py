"""Anthropic's messages, for programs that speak OpenAI's chat form: both ways, as far as the two say the same."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tapemeter.client.wire import cannot, key_of
from tapemeter.providers.values import each, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tapemeter.client.config import Endpoint
    from tapemeter.client.request import ModelRequest
    from tapemeter.client.wire import Said

DEFAULT_OUTPUT_TOKENS = 4096
"""The protocol wants a maximum; this is it where the program names none."""
_VERSION = "2023-06-01"
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_CHOICES = {"auto": {"type": "auto"}, "required": {"type": "any"}, "none": {"type": "none"}}
_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)


class AnthropicMessages:
    """Speaks messages."""

    def path(self) -> str:
        """Return the path of the operation."""
        return "/v1/messages"

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Return the headers: the version, and the key."""
        key = key_of(endpoint)
        return {"anthropic-version": _VERSION, **({"x-api-key": key} if key else {})}

    def body(self, request: ModelRequest, endpoint: Endpoint, *, stream: bool) -> dict[str, Any]:
        """Return the body; ProviderError for what the protocol has no words for."""
        del endpoint
        system = [_text(message.get("content")) for message in request.messages if _is_system(message)]
        body: dict[str, Any] = {
            "model": request.model,
            "max_tokens": DEFAULT_OUTPUT_TOKENS if request.max_output_tokens is None else request.max_output_tokens,
            "messages": _turns(request),
        }
        given = {
            "system": "\n\n".join(system) or None,
            "temperature": request.temperature,
            "stop_sequences": list(request.stop) or None,
            "tools": [_tool(tool, request.model) for tool in request.tools] or None,
            "tool_choice": _choice(request),
            "output_config": _format(request),
            "stream": stream or None,
        }
        body.update((name, value) for name, value in given.items() if value is not None)
        return body | dict(request.extra)

    def read(self, body: Mapping[str, Any], said: Said) -> None:
        """Take in a whole answer."""
        for index, given in enumerate(each(body.get("content"))):
            block = fields(given)
            text = self._begin(index, block, said)
            if text:
                said.texts.append(text)
            if block.get("type") == "tool_use":
                said.tools[index].append(json.dumps(block.get("input") or {}, ensure_ascii=False))
        self._finish(body.get("stop_reason"), said)

    def follow(self, event: Mapping[str, Any], said: Said) -> str:
        """Take in one event of a stream."""
        index = event.get("index")
        index = index if isinstance(index, int) else None
        match event.get("type"):
            case "content_block_start":
                return self._begin(index, fields(event.get("content_block")), said)
            case "content_block_delta":
                delta = fields(event.get("delta"))
                arguments = delta.get("partial_json")
                if isinstance(arguments, str) and index in said.tools:
                    said.tools[index].append(arguments)
                text = delta.get("text")
                return text if isinstance(text, str) else ""
            case "message_delta":
                self._finish(fields(event.get("delta")).get("stop_reason"), said)
        return ""

    def _begin(self, index: Any, block: Mapping[str, Any], said: Said) -> str:
        if block.get("type") == "tool_use":
            said.tool(index, block.get("id"), block.get("name"))
        text = block.get("text")
        return text if isinstance(text, str) and block.get("type") == "text" else ""

    def _finish(self, reason: Any, said: Said) -> None:
        if isinstance(reason, str):
            said.finish = _FINISH.get(reason, reason)


def _is_system(message: Mapping[str, Any]) -> bool:
    return message.get("role") in {"system", "developer"}


def _turns(request: ModelRequest) -> list[dict[str, Any]]:
    """Return the messages as turns that alternate, results of tools as the user's."""
    turns: list[dict[str, Any]] = []
    for message in request.messages:
        if _is_system(message):
            continue
        role = "assistant" if message["role"] == "assistant" else "user"
        blocks = _blocks(message, request.model)
        if not blocks:
            continue  # a turn that says nothing is refused
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Mapping[str, Any], model: str) -> list[dict[str, Any]]:
    content = message.get("content")
    if message["role"] == "tool":
        is_text = isinstance(content, str) or all(fields(part).get("type") == "text" for part in each(content))
        told = _text(content) if is_text else [_block(fields(part), model) for part in each(content)]
        return [{"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": told}]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else each(content)
    blocks = [_block(fields(part), model) for part in parts if not _is_blank(fields(part))]
    for given in each(message.get("tool_calls")):
        call, function = fields(given), fields(fields(given).get("function"))
        made = {"type": "tool_use", "id": call.get("id"), "name": function.get("name")}
        blocks.append({**made, "input": _input(function.get("arguments"), model)})
    return blocks


def _is_blank(part: Mapping[str, Any]) -> bool:
    return part.get("type") == "text" and not part.get("text")


def _input(arguments: Any, model: str) -> Any:
    """Return the arguments of a call as an object, which this protocol has in the place of their text."""
    value = arguments
    if isinstance(arguments, str) or arguments is None:
        with suppress(ValueError, RecursionError):
            value = json.loads(arguments or "{}")
    if isinstance(value, dict):
        return value
    raise cannot("the arguments of a tool call in the messages are no JSON object, which Anthropic's are", model)


def _block(part: Mapping[str, Any], model: str) -> dict[str, Any]:
    match part.get("type"):
        case "text":
            return {"type": "text", "text": part.get("text")}
        case "image_url":
            url = str(fields(part.get("image_url")).get("url"))
            if found := _DATA.fullmatch(url):
                return {"type": "image", "source": {"type": "base64", "media_type": found[1], "data": found[2]}}
            return {"type": "image", "source": {"type": "url", "url": url}}
    raise cannot(f"Anthropic's messages have no part of the type {part.get('type')!r}; send text or image_url", model)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(text for part in each(content) if isinstance(text := fields(part).get("text"), str))


def _tool(tool: Mapping[str, Any], model: str) -> dict[str, Any]:
    function = fields(tool.get("function"))
    if not function:
        raise cannot(f"tools of the type {tool.get('type')!r} are not translated for Anthropic; give functions", model)
    made = {"name": function.get("name"), "input_schema": function.get("parameters") or {"type": "object"}}
    description = function.get("description")
    return made if description is None else {**made, "description": description}


def _choice(request: ModelRequest) -> dict[str, Any] | None:
    choice = request.tool_choice
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice in _CHOICES:
            return _CHOICES[choice]
    elif name := fields(fields(choice).get("function")).get("name"):
        return {"type": "tool", "name": name}
    raise cannot(
        f"Anthropic's messages have no tool_choice {choice!r}; write auto, required, none or one", request.model
    )


def _format(request: ModelRequest) -> dict[str, Any] | None:
    wanted = request.response_format
    if wanted is None or wanted.get("type") == "text":
        return None
    schema = fields(wanted.get("json_schema")).get("schema")
    if wanted.get("type") != "json_schema" or schema is None:
        raise cannot(
            f"Anthropic's messages have no response_format {wanted.get('type')!r}; give a json_schema with its schema",
            request.model,
        )
    return {"format": {"type": "json_schema", "schema": schema}}
