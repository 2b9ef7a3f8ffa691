"""Folds the events of OpenAI's and Anthropic's streams into the body that the same call would have without a stream."""

from __future__ import annotations

from collections import defaultdict

from tapemeter.cassette.conversation.parts import Object, index, mapping, mappings, parsed, string

Pieces = defaultdict[int, list[str]]
"""Pieces of text by the place they belong to; joined once, at the end."""

_DELTAS = frozenset({"response.output_text.delta", "response.refusal.delta", "response.function_call_arguments.delta"})
_THOUGHTS = ("reasoning_content", "reasoning")
"""Spellings of compatible servers; those that send both send the same text twice."""


def chat(known: list[Object]) -> Object:
    """Fold the chunks of a chat completion, or completion."""
    choices: dict[int, Object] = {}
    texts, refusals, thoughts = Pieces(list), Pieces(list), Pieces(list)
    calls: dict[int, dict[int, Object]] = defaultdict(dict)
    arguments: dict[int, Pieces] = defaultdict(lambda: Pieces(list))
    for event in known:
        for choice in mappings(event.get("choices")):
            at, delta = index(choice), mapping(choice.get("delta"))
            kept = choices.setdefault(at, {"index": at, "role": "assistant", "finish_reason": None})
            kept["role"] = delta.get("role") or kept["role"]
            kept["finish_reason"] = choice.get("finish_reason") or kept["finish_reason"]
            texts[at].append(string(delta.get("content")) + string(choice.get("text")))
            refusals[at].append(string(delta.get("refusal")))
            thoughts[at].append(next(filter(None, (string(delta.get(name)) for name in _THOUGHTS)), ""))
            for call in mappings(delta.get("tool_calls")):
                function = mapping(call.get("function"))
                made = calls[at].setdefault(index(call), {"id": call.get("id"), "name": ""})
                made["name"] = made["name"] or string(function.get("name"))
                arguments[at][index(call)].append(string(function.get("arguments")))
    return {
        "model": next((event["model"] for event in known if "model" in event), None),
        "choices": [
            {
                "index": at,
                "message": {
                    "role": choice["role"],
                    "content": "".join(texts[at]),
                    **({"refusal": refusal} if (refusal := "".join(refusals[at])) else {}),
                    **({"reasoning_content": thought} if (thought := "".join(thoughts[at])) else {}),
                    **({"tool_calls": _calls(calls[at], arguments[at])} if calls[at] else {}),
                },
                "finish_reason": choice["finish_reason"],
            }
            for at, choice in sorted(choices.items())
        ],
        "usage": next((event["usage"] for event in reversed(known) if event.get("usage")), None),
    }


def _calls(calls: dict[int, Object], arguments: Pieces) -> list[Object]:
    return [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": "".join(arguments[at])},
        }
        for at, call in sorted(calls.items())
    ]


def responses(known: list[Object]) -> Object:
    """Fold the events of a response; the last one has it whole, unless the stream was cut."""
    response: Object = {}
    items: dict[int, Object] = {}
    pieces = Pieces(list)
    for event in known:
        kind, place = string(event.get("type")), index(event, "output_index")
        response = mapping(event.get("response")) or response
        if kind in {"response.output_item.added", "response.output_item.done"}:
            items[place] = mapping(event.get("item"))
        elif kind in _DELTAS:
            items.setdefault(place, {"type": "message", "role": "assistant"})
            pieces[place].append(string(event.get("delta")))
    if response.get("output"):
        return response
    return {**response, "output": [_item(item, "".join(pieces[at])) for at, item in sorted(items.items())]}


def _item(item: Object, text: str) -> Object:
    """Return an item of a response with the text of its pieces, unless it came whole after them."""
    if item.get("type") == "function_call":
        return {**item, "arguments": item.get("arguments") or text}
    if text and not item.get("content"):
        return {**item, "content": [{"type": "output_text", "text": text}]}
    return item


def transcription(known: list[Object]) -> Object:
    """Fold what was heard in a recording; the last event has all of it, unless the stream was cut."""
    last = next((event for event in reversed(known) if string(event.get("type")).endswith(".done")), {})
    pieces = "".join(string(event.get("delta")) or string(event.get("text")) for event in known if event is not last)
    return {"text": string(last.get("text")) or pieces, "usage": last.get("usage")}


def messages(known: list[Object]) -> Object:
    """Fold the events of an Anthropic message."""
    message: Object = {"type": "message", "role": "assistant"}
    blocks: dict[int, Object] = {}
    pieces = Pieces(list)
    for event in known:
        at, delta = index(event), mapping(event.get("delta"))
        match event.get("type"):
            case "message_start":
                message.update(mapping(event.get("message")), type="message")
            case "content_block_start":
                blocks[at] = dict(mapping(event.get("content_block")))
            case "content_block_delta":
                blocks.setdefault(at, {"type": "text"})
                pieces[at] += [string(delta.get(name)) for name in ("text", "partial_json", "thinking")]
            case "message_delta":
                usage = {**mapping(message.get("usage")), **mapping(event.get("usage"))}
                message.update(delta, usage=usage)
    message["content"] = [_block(block, "".join(pieces[at])) for at, block in sorted(blocks.items())]
    return message


def _block(block: Object, text: str) -> Object:
    match block.get("type"):
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            whole = parsed(text) if text else block.get("input")
            return {**block, "input": text if whole is None else whole}
        case "thinking":
            return {**block, "thinking": string(block.get("thinking")) + text}
        case "text":
            return {**block, "text": string(block.get("text")) + text}
    return block
