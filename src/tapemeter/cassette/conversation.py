"""Reads a recorded call as a conversation: who said what, which tools were offered, what was answered.

    OpenAI      chat completions, completions, responses
    Anthropic   messages

A body that came as a stream of events is first folded into the body that the same call would have without a
stream. A cassette may hold anything: what has another shape is passed over, and never an error.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tapemeter.cassette.events import events, fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.model import Request, Response

_MODEL_IN_PATH = re.compile(r"/models?/([^/:?#]+)[/:]")
_EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said: `role` as the wire names it, tool calls and other parts on lines of their own."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: no turns where it is of no known shape, no model where it names none."""

    model: str | None
    tools: tuple[str, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """A response: no turns where it is of no known shape; `stopped` are the reasons it gives for its end."""

    turns: tuple[Turn, ...]
    stopped: tuple[str, ...] = ()


def asked(request: Request) -> Asked:
    """Return what a request says."""
    body = _mapping(_parsed(request.body))
    turns = [Turn(role, _text(body[role])) for role in ("system", "instructions") if body.get(role)]
    said = next((body[name] for name in ("messages", "input", "prompt") if body.get(name)), [])
    turns += [_turn(item, "user") for item in (said if isinstance(said, list) else [said])]
    tools = (_tool(tool) for tool in _mappings(body.get("tools")))
    return Asked(_model(request, body), tuple(tools), tuple(turns))


def answered(response: Response) -> Answered:
    """Return what a response says, folded where it is a stream."""
    body = _mapping(answer(response))
    if isinstance(body.get("error"), dict):
        error = body["error"]
        return Answered((Turn("error", _string(error.get("message")) or _shown(error)),))
    if choices := list(_mappings(body.get("choices"))):
        turns = [_choice(choice) for choice in choices]
        return Answered(tuple(turns), _words(choice.get("finish_reason") for choice in choices))
    if isinstance(body.get("output"), list):
        turns = [_turn(item, "assistant") for item in body["output"]]
        why = _mapping(body.get("incomplete_details")).get("reason")
        return Answered(tuple(turns), _words([body.get("status"), why]))
    if body.get("type") == "message":
        return Answered((_turn(body, "assistant"),), _words([body.get("stop_reason")]))
    return Answered(())


def answer(response: Response) -> Any:
    """Return the JSON value of a response, a stream folded into one; None where it is neither."""
    if response.content_type == _EVENT_STREAM:
        return fold(_parsed(data) for data in events(response.body))
    return _parsed(response.body)


def _turn(item: Any, speaker: str) -> Turn:
    if not isinstance(item, dict):
        return Turn(speaker, _text(item))
    kind = _string(item.get("type"))
    role = _string(item.get("role")) or {"function_call_output": "tool", "function_call": "assistant"}.get(kind, "")
    lines = [_text(item["content"]) if "content" in item else _part(item) if kind not in {"", "message"} else ""]
    lines += [_part(part) for part in _mappings(item.get("tool_calls"))]
    if refusal := _string(item.get("refusal")):
        lines.append(refusal)
    return Turn(role or speaker, "\n".join(filter(None, lines)))


def _choice(choice: dict[str, Any]) -> Turn:
    if isinstance(choice.get("message"), dict):
        return _turn(choice["message"], "assistant")
    return Turn("assistant", _string(choice.get("text")))


def _text(content: Any) -> str:
    """Return the text of a content: a string, a part, or a list of them."""
    if isinstance(content, list):
        return "\n".join(filter(None, map(_text, content)))
    return _part(content) if isinstance(content, dict) else _string(content)


def _part(part: dict[str, Any]) -> str:
    kind = _string(part.get("type"))
    function = _mapping(part.get("function"))
    match kind:
        case "function" if function:
            return _call(function.get("name"), function.get("arguments"))
        case "function_call" | "custom_tool_call":
            return _call(part.get("name"), part.get("arguments", part.get("input")))
        case "tool_use" | "server_tool_use":
            return _call(part.get("name"), part.get("input"))
        case "tool_result":
            return f"[result] {_text(part.get('content'))}"
        case "function_call_output":
            return _text(part.get("output"))
        case "thinking":
            return f"[thinking] {_string(part.get('thinking'))}"
        case "reasoning":
            return f"[reasoning] {_text(part.get('summary'))}".rstrip()
    return _string(part.get("text")) or _string(part.get("refusal")) or f"[{kind or 'something else'}]"


def _call(name: Any, arguments: Any) -> str:
    return f"[call] {_string(name)}({arguments if isinstance(arguments, str) else _shown(arguments)})"


def _tool(tool: dict[str, Any]) -> str:
    function = _mapping(tool.get("function"))
    return _string(function.get("name")) or _string(tool.get("name")) or _string(tool.get("type")) or "?"


def _model(request: Request, body: dict[str, Any]) -> str | None:
    if name := _string(body.get("model")):
        return name
    in_path = _MODEL_IN_PATH.search(request.url.partition("?")[0])
    return unquote(in_path[1]) if in_path else None


def _parsed(data: bytes | str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _shown(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"


def _words(values: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str)))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    return (item for item in (value if isinstance(value, list) else []) if isinstance(item, dict))


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
