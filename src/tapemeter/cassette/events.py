"""A recorded stream of server-sent events, and the body into which its events fold.

The folded body has the shape that the same call has without a stream, as far as it is of use to a reader. Events
of no known protocol fold into nothing. The last event of a stream that was cut counts if it is whole.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE_END = re.compile("\r\n|\r|\n")
_DELTAS = frozenset(
    {"response.output_text.delta", "response.refusal.delta", "response.function_call_arguments.delta"}
)

_Event = dict[str, Any]
_Pieces = defaultdict[int, list[str]]
"""Pieces of text by the place they belong to; joined once, at the end."""


def events(body: bytes) -> list[str]:
    """Return the data of each event."""
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


def fold(values: Iterable[Any]) -> _Event | None:
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


def _chat(known: list[_Event]) -> _Event:
    """Fold the chunks of an OpenAI chat completion, or completion."""
    choices: dict[int, _Event] = {}
    texts, refusals = _Pieces(list), _Pieces(list)
    calls: dict[int, dict[int, _Event]] = defaultdict(dict)
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


def _calls(calls: dict[int, _Event], arguments: _Pieces) -> list[_Event]:
    return [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": "".join(arguments[at])},
        }
        for at, call in sorted(calls.items())
    ]


def _messages(known: list[_Event]) -> _Event:
    """Fold the events of an Anthropic message."""
    message: _Event = {"type": "message", "role": "assistant"}
    blocks: dict[int, _Event] = {}
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


def _block(block: _Event, text: str) -> _Event:
    match block.get("type"):
        case "tool_use" | "server_tool_use":
            return {**block, "input": _parsed(text) if text else block.get("input")}
        case "thinking":
            return {**block, "thinking": _string(block.get("thinking")) + text}
        case "text":
            return {**block, "text": _string(block.get("text")) + text}
    return block


def _responses(known: list[_Event]) -> _Event:
    """Fold the events of an OpenAI response; the last one has it whole, unless the stream was cut."""
    response: _Event = {}
    items: dict[int, _Event] = {}
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


def _item(item: _Event, text: str) -> _Event:
    """Return an item of a response with the text of its pieces, unless it came whole after them."""
    if item.get("type") == "function_call":
        return {**item, "arguments": item.get("arguments") or text}
    if text and not item.get("content"):
        return {**item, "content": [{"type": "output_text", "text": text}]}
    return item


def _index(value: _Event) -> int:
    index = value.get("index")
    return index if isinstance(index, int) else 0


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _mapping(value: Any) -> _Event:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[_Event]:
    return [item for item in (value if isinstance(value, list) else []) if isinstance(item, dict)]


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
