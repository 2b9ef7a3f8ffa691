"""What one side said, as text: the parts of a message in every protocol we read, each on a line of its own.

A part that is no text is named in brackets: `[call] get_stock({"item": "apples"})`, `[result] 12`, `[image]`. What has
another shape is passed over, and never an error.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Object = dict[str, Any]
"""A JSON object."""


class Turn(Value):
    """What one side said: `role` as the wire names it, tool calls and other parts on lines of their own."""

    role: str
    text: str


def turn(item: Any, speaker: str) -> Turn:
    """Return a message as a turn; the role is `speaker` where it names none."""
    if not isinstance(item, dict):
        return Turn(speaker, text(item))
    kind = string(item.get("type"))
    role = string(item.get("role")) or _ROLES.get(kind, speaker)
    content = next((item[name] for name in ("content", "parts") if name in item), None)
    lines = [part(item)] if content is None and kind not in {"", "message"} else [_thought(item), text(content)]
    lines += [part(each) for each in mappings(item.get("tool_calls"))]
    if isinstance(legacy := item.get("function_call"), dict):
        lines.append(call(legacy.get("name"), legacy.get("arguments")))
    lines += ["[image]" for _ in listed(item.get("images"))]
    lines += [string(item.get(name)) for name in ("refusal", "tool_plan")]
    name = string(item.get("name")) if role in _NAMING and kind in {"", "message"} else ""
    return Turn(f"{role} ({name})" if name else role, "\n".join(filter(None, lines)))


_NAMING = frozenset({"user", "system", "developer", "assistant"})
"""Roles whose speaker may have a name."""
_ROLES = {"function_call_output": "tool", "function_call": "assistant"}


def _thought(message: Object) -> str:
    """Return the reasoning that some servers put beside the content; those with two names of it say it twice."""
    for name in ("thinking", "reasoning_content", "reasoning"):
        if said := string(message.get(name)):
            return f"[thinking] {said}"
    return ""


def text(content: Any) -> str:
    """Return the text of a content: a string, a part, or a list of them."""
    if isinstance(content, list):
        return "\n".join(filter(None, map(text, content)))
    return part(content) if isinstance(content, dict) else string(content)


def part(given: Object) -> str:
    """Return a part of a message on its lines, empty where it says nothing."""
    kind = string(given.get("type"))
    if kind in _TYPED:
        return _TYPED[kind](given)
    for name, shown in _NAMED.items():
        if isinstance(given.get(name), dict):
            return shown(given[name])
    said = string(given.get("text")) or string(given.get("refusal"))
    if said:
        return f"[thinking] {said}" if given.get("thought") is True else said
    if "text" in given or given.keys() <= _SILENT:
        return ""
    return f"[{kind or next(iter(sorted(_MEDIA.intersection(given))), 'something else')}]"


_MEDIA = frozenset({"image", "video", "audio", "document", "file"})
_SILENT = frozenset({"cachePoint", "cache_control", "thoughtSignature", "thought_signature", "thought"})
"""Names of which a part may have nothing else, and then says nothing."""


def call(name: Any, arguments: Any) -> str:
    """Return a call of a tool on its line; arguments that are no text are shown as JSON."""
    return f"[call] {string(name)}({arguments if isinstance(arguments, str) else shown(arguments)})"


def _function(given: Object) -> str:
    function = mapping(given.get("function"))
    return call(function.get("name"), function.get("arguments"))


def _own_call(given: Object) -> str:
    return call(given.get("name"), given.get("arguments", given.get("input")))


def _reasoning(given: Object) -> str:
    said = mapping(given.get("reasoningText")).get("text")
    return f"[thinking] {string(said)}" if said else "[thinking, hidden]"


def _tool_result(given: Object) -> str:
    contents = [shown(each["json"]) if "json" in each else text(each) for each in mappings(given.get("content"))] or [
        text(given.get("content"))
    ]
    return "[result] " + "\n".join(filter(None, contents))


def _returned(given: Object) -> str:
    response = given.get("response")
    return f"[result] {string(given.get('name'))}: {response if isinstance(response, str) else shown(response)}"


def _file(given: Object) -> str:
    kind = string(given.get("mimeType")) or string(given.get("mime_type"))
    return f"[{kind or 'file'}]"


def _document(given: Object) -> str:
    """Return what is said in a document, and of it; one that came as a file is only named."""
    inner = mapping(given.get("document")) or mapping(given.get("source"))
    lines = [string(given.get(name)) for name in ("title", "name", "context")]
    lines += [text(place.get(name)) for place in (inner, given) for name in ("text", "content")]
    if inner.get("type") != "base64":
        lines.append(text(inner.get("data")))
    return "\n".join(["[document]", *filter(None, lines)]).replace("\n", " ", 1)


_TYPED: Mapping[str, Callable[[Object], str]] = {
    "function": _function,
    "function_call": _own_call,
    "custom_tool_call": _own_call,
    "tool_use": _own_call,
    "server_tool_use": _own_call,
    "mcp_tool_use": _own_call,
    "function_call_output": lambda given: text(given.get("output")),
    "custom_tool_call_output": lambda given: text(given.get("output")),
    "tool_result": lambda given: f"[result] {text(given.get('content'))}",
    "mcp_tool_result": lambda given: f"[result] {text(given.get('content'))}",
    "thinking": lambda given: f"[thinking] {text(given.get('thinking'))}",
    "reasoning": lambda given: f"[reasoning] {text(given.get('summary'))}",
    "document": _document,
    "search_result": _document,
}
"""Parts that say of what type they are: those of OpenAI, Anthropic, Mistral and Cohere."""


_NAMED: Mapping[str, Callable[[Object], str]] = {
    "functionCall": lambda given: call(given.get("name"), given.get("args")),
    "function_call": lambda given: call(given.get("name"), given.get("args")),
    "functionResponse": _returned,
    "function_response": _returned,
    "inlineData": _file,
    "inline_data": _file,
    "fileData": _file,
    "file_data": _file,
    "executableCode": lambda given: f"[code] {string(given.get('code'))}",
    "codeExecutionResult": lambda given: f"[result] {string(given.get('output'))}",
    "toolUse": lambda given: call(given.get("name"), given.get("input")),
    "toolResult": _tool_result,
    "reasoningContent": _reasoning,
    "guardContent": lambda given: text(mapping(given.get("text")).get("text")),
    "citationsContent": lambda given: text(given.get("content")),
    "document": lambda given: _document({**given, "document": given.get("source")}),
    "searchResult": _document,
    "function": lambda given: call(given.get("name"), given.get("arguments")),
}
"""Parts that are named after what they are: those of Gemini, Bedrock and Ollama."""


# JSON that nobody has checked


def parsed(data: bytes | str) -> Any:
    """Return a JSON value; None where it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def shown(value: Any) -> str:
    """Return a value as JSON on one line, an ellipsis where it is too deep."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"


def mapping(value: Any) -> Object:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """Return a list, or an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: Any) -> Iterator[Object]:
    """Yield the objects in a list."""
    return (item for item in listed(value) if isinstance(item, dict))


def string(value: Any) -> str:
    """Return a string, or an empty one."""
    return value if isinstance(value, str) else ""


def index(value: Object, name: str = "index") -> int:
    """Return the number of a place, 0 where there is none."""
    found = value.get(name)
    return found if isinstance(found, int) else 0
