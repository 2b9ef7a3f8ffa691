"""Reads a recorded call as a conversation: who said what, which tools were offered, what was answered.

    OpenAI      chat completions, completions, responses
    Anthropic   messages

A body that came as a stream of events is first folded into the body that the same call would have without a
stream. A cassette may hold anything: what has another shape is passed over, and never an error.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tapemeter.model import Request, Response

_MODEL_IN_PATH = re.compile(r"/models?/([^/:?#]+)[/:]")
_EVENT_STREAM = "text/event-stream"
_LINE_END = re.compile("\r\n|\r|\n")
_DELTAS = frozenset({"response.output_text.delta", "response.refusal.delta", "response.function_call_arguments.delta"})

_Object = dict[str, Any]
_Pieces = defaultdict[int, list[str]]
"""Pieces of text by the place they belong to; joined once, at the end."""


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
    tools = tuple(_tool(tool) for tool in _mappings(body.get("tools")))
    try:
        turns = tuple(_asked_turns(body))
    except RecursionError:  # lists in lists in lists; nobody said that
        turns = ()
    return Asked(_model(request, body), tools, turns)


def answered(response: Response) -> Answered:
    """Return what a response says, folded where it is a stream."""
    body = _mapping(answer(response))
    try:
        turns = tuple(_answered_turns(body))
    except RecursionError:
        turns = ()
    return Answered(turns, tuple(dict.fromkeys(filter(None, map(_string, _reasons(body))))))


def answer(response: Response) -> Any:
    """Return the JSON value of a response, a stream folded into one; None where it is neither."""
    if response.content_type == _EVENT_STREAM:
        return fold(_parsed(data) for data in events(response.body))
    return _parsed(response.body)


def events(body: bytes) -> list[str]:
    """Return the data of each server-sent event; the last one of a stream that was cut counts, too."""
    found: list[str] = []
    data: list[str] = []
    for line in [*_LINE_END.split(body.decode(errors="replace").removeprefix("\ufeff")), ""]:
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            found.append("\n".join(data))
            data = []
    return found


def fold(values: Iterable[Any]) -> _Object | None:
    """Return the body that the parsed data of events make together; None for events of no known protocol."""
    known = [value for value in values if isinstance(value, dict)]
    failed = next((event for event in known if isinstance(event.get("error"), dict)), None)
    if failed is not None:
        return failed
    if any(isinstance(event.get("choices"), list) for event in known):
        return _chat(known)
    kinds = [kind for event in known if isinstance(kind := event.get("type"), str)]
    if any(kind.startswith("response.") for kind in kinds):
        return _responses(known)
    if any(kind.startswith(("message_", "content_block_")) for kind in kinds):
        return _messages(known)
    return None


def _chat(known: list[_Object]) -> _Object:
    """Fold the chunks of an OpenAI chat completion, or completion."""
    choices: dict[int, _Object] = {}
    texts, refusals = _Pieces(list), _Pieces(list)
    calls: dict[int, dict[int, _Object]] = defaultdict(dict)
    arguments: dict[int, _Pieces] = defaultdict(lambda: _Pieces(list))
    for event in known:
        for choice in _mappings(event.get("choices")):
            at, delta = _index(choice), _mapping(choice.get("delta"))
            kept = choices.setdefault(at, {"index": at, "role": "assistant", "finish_reason": None})
            kept["role"] = delta.get("role") or kept["role"]
            kept["finish_reason"] = choice.get("finish_reason") or kept["finish_reason"]
            texts[at].append(_string(delta.get("content")) + _string(choice.get("text")))
            refusals[at].append(_string(delta.get("refusal")))
            for call in _mappings(delta.get("tool_calls")):
                function = _mapping(call.get("function"))
                made = calls[at].setdefault(_index(call), {"id": call.get("id"), "name": ""})
                made["name"] += _string(function.get("name"))
                arguments[at][_index(call)].append(_string(function.get("arguments")))
    return {
        "model": next((event["model"] for event in known if "model" in event), None),
        "choices": [
            {
                "index": at,
                "message": {
                    "role": choice["role"],
                    "content": "".join(texts[at]),
                    **({"refusal": refusal} if (refusal := "".join(refusals[at])) else {}),
                    **({"tool_calls": _calls(calls[at], arguments[at])} if calls[at] else {}),
                },
                "finish_reason": choice["finish_reason"],
            }
            for at, choice in sorted(choices.items())
        ],
        "usage": next((event["usage"] for event in reversed(known) if event.get("usage")), None),
    }


def _calls(calls: dict[int, _Object], arguments: _Pieces) -> list[_Object]:
    return [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": "".join(arguments[at])},
        }
        for at, call in sorted(calls.items())
    ]


def _messages(known: list[_Object]) -> _Object:
    """Fold the events of an Anthropic message."""
    message: _Object = {"type": "message", "role": "assistant"}
    blocks: dict[int, _Object] = {}
    pieces = _Pieces(list)
    for event in known:
        at, delta = _index(event), _mapping(event.get("delta"))
        match event.get("type"):
            case "message_start":
                message.update(_mapping(event.get("message")), type="message")
            case "content_block_start":
                blocks[at] = dict(_mapping(event.get("content_block")))
            case "content_block_delta":
                blocks.setdefault(at, {"type": "text"})
                pieces[at] += [_string(delta.get(name)) for name in ("text", "partial_json", "thinking")]
            case "message_delta":
                usage = {**_mapping(message.get("usage")), **_mapping(event.get("usage"))}
                message.update(delta, usage=usage)
    message["content"] = [_block(block, "".join(pieces[at])) for at, block in sorted(blocks.items())]
    return message


def _block(block: _Object, text: str) -> _Object:
    match block.get("type"):
        case "tool_use" | "server_tool_use":
            whole = _parsed(text) if text else block.get("input")
            return {**block, "input": text if whole is None else whole}
        case "thinking":
            return {**block, "thinking": _string(block.get("thinking")) + text}
        case "text":
            return {**block, "text": _string(block.get("text")) + text}
    return block


def _responses(known: list[_Object]) -> _Object:
    """Fold the events of an OpenAI response; the last one has it whole, unless the stream was cut."""
    response: _Object = {}
    items: dict[int, _Object] = {}
    pieces = _Pieces(list)
    for event in known:
        kind, at = _string(event.get("type")), event.get("output_index")
        place = at if isinstance(at, int) else 0
        response = _mapping(event.get("response")) or response
        if kind in {"response.output_item.added", "response.output_item.done"}:
            items[place] = _mapping(event.get("item"))
        elif kind in _DELTAS:
            items.setdefault(place, {"type": "message", "role": "assistant"})
            pieces[place].append(_string(event.get("delta")))
    if response.get("output"):
        return response
    return {**response, "output": [_item(item, "".join(pieces[at])) for at, item in sorted(items.items())]}


def _item(item: _Object, text: str) -> _Object:
    """Return an item of a response with the text of its pieces, unless it came whole after them."""
    if item.get("type") == "function_call":
        return {**item, "arguments": item.get("arguments") or text}
    if text and not item.get("content"):
        return {**item, "content": [{"type": "output_text", "text": text}]}
    return item


def _index(value: _Object) -> int:
    index = value.get("index")
    return index if isinstance(index, int) else 0


def _asked_turns(body: _Object) -> Iterator[Turn]:
    for role in ("system", "instructions"):
        if body.get(role):
            yield Turn(role, _text(body[role]))
    said: Any = next((body[name] for name in ("messages", "input", "prompt") if body.get(name)), [])
    for item in said if isinstance(said, list) else [said]:
        yield _turn(item, "user")


def _answered_turns(body: _Object) -> Iterator[Turn]:
    if error := _mapping(body.get("error")):
        yield Turn("error", _string(error.get("message")) or _shown(error))
    for choice in _mappings(body.get("choices")):
        said = choice.get("message")
        yield _turn(said, "assistant") if isinstance(said, dict) else Turn("assistant", _string(choice.get("text")))
    for item in _mappings(body.get("output")):
        yield _turn(item, "assistant")
    if body.get("type") == "message":
        yield _turn(body, "assistant")


def _reasons(body: _Object) -> Iterator[Any]:
    """Yield why an answer ended: the finish reason of each choice, the stop reason, the status of a response."""
    yield from (choice.get("finish_reason") for choice in _mappings(body.get("choices")))
    if "output" in body:
        yield body.get("status")
        yield _mapping(body.get("incomplete_details")).get("reason")
    yield body.get("stop_reason")


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


def _text(content: Any) -> str:
    """Return the text of a content: a string, a part, or a list of them."""
    if isinstance(content, list):
        return "\n".join(filter(None, map(_text, content)))
    return _part(content) if isinstance(content, dict) else _string(content)


def _part(part: _Object) -> str:
    kind = _string(part.get("type"))
    match kind:
        case "function":
            function = _mapping(part.get("function"))
            shown = _call(function.get("name"), function.get("arguments"))
        case "function_call" | "custom_tool_call" | "tool_use" | "server_tool_use":
            shown = _call(part.get("name"), part.get("arguments", part.get("input")))
        case "function_call_output":
            shown = _text(part.get("output"))
        case "tool_result":
            shown = f"[result] {_text(part.get('content'))}"
        case "thinking":
            shown = f"[thinking] {_string(part.get('thinking'))}"
        case "reasoning":
            shown = f"[reasoning] {_text(part.get('summary'))}"
        case _:
            shown = _string(part.get("text")) or _string(part.get("refusal"))
            return shown or ("" if "text" in part else f"[{kind or 'something else'}]")
    return shown


def _call(name: Any, arguments: Any) -> str:
    return f"[call] {_string(name)}({arguments if isinstance(arguments, str) else _shown(arguments)})"


def _tool(tool: _Object) -> str:
    function = _mapping(tool.get("function"))
    return _string(function.get("name")) or _string(tool.get("name")) or _string(tool.get("type")) or "?"


def _model(request: Request, body: _Object) -> str | None:
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


def _mapping(value: Any) -> _Object:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> Iterator[_Object]:
    return (item for item in (value if isinstance(value, list) else []) if isinstance(item, dict))


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
