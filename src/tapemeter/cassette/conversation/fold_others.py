"""Folds the events of other protocols' streams into the body that the same call would have without a stream.

Gemini      pieces of an answer, each in the form of a whole one
Bedrock     converse's events; pieces of Titan's, Llama's and Mistral's answers
Cohere      the events of chat, version 2
Ollama      a line for each piece, of chat and of generate
Hugging Face  a token an event
"""

from __future__ import annotations

from typing import Any

from tapemeter.cassette.conversation.fold_openai import Pieces
from tapemeter.cassette.conversation.parts import Object, index, listed, mapping, mappings, parsed, string


def gemini(known: list[Object]) -> Object:
    """Fold the pieces of Gemini's answer; texts that follow on each other become one."""
    whole: Object = {}
    candidates: dict[int, Object] = {}
    for event in known:
        whole |= {name: value for name, value in event.items() if name != "candidates" and value is not None}
        for place, candidate in enumerate(mappings(event.get("candidates"))):
            at = index(candidate) if "index" in candidate else place
            kept = candidates.setdefault(at, {"index": at, "content": {"role": "model", "parts": []}})
            content = mapping(candidate.get("content"))
            kept["content"]["role"] = content.get("role") or kept["content"]["role"]
            for part in mappings(content.get("parts")):
                _append(kept["content"]["parts"], part)
            kept |= {name: value for name, value in candidate.items() if name not in {"content", "index"}}
    return {"candidates": [_joined(candidate) for _, candidate in sorted(candidates.items())], **whole}


def _append(parts: list[Any], part: Object) -> None:
    """Add a part; pieces of a text are gathered in a list until the end."""
    said = part.get("text")
    if not isinstance(said, str):
        parts.append(part)
    elif parts and isinstance(parts[-1], _Text) and parts[-1].thought is part.get("thought"):
        parts[-1].pieces.append(said)
    else:
        parts.append(_Text(said, part))


class _Text:
    """A text part whose pieces are not joined yet."""

    def __init__(self, said: str, part: Object) -> None:
        self.pieces = [said]
        self.part = part
        self.thought = part.get("thought")


def _joined(candidate: Object) -> Object:
    parts = [
        {**part.part, "text": "".join(part.pieces)} if isinstance(part, _Text) else part
        for part in candidate["content"]["parts"]
    ]
    return {**candidate, "content": {**candidate["content"], "parts": parts}}


def converse(known: list[Object]) -> Object:
    """Fold the events of Bedrock's converse-stream."""
    role: Any = "assistant"
    whole: Object = {}
    blocks: dict[int, Object] = {}
    texts, inputs, thoughts = Pieces(list), Pieces(list), Pieces(list)
    for event in known:
        role = mapping(event.get("messageStart")).get("role") or role
        started = mapping(event.get("contentBlockStart"))
        if started:
            blocks[index(started, "contentBlockIndex")] = dict(mapping(started.get("start")))
        given = mapping(event.get("contentBlockDelta"))
        at, delta = index(given, "contentBlockIndex"), mapping(given.get("delta"))
        if given:
            blocks.setdefault(at, {})
            texts[at].append(string(delta.get("text")))
            inputs[at].append(string(mapping(delta.get("toolUse")).get("input")))
            thoughts[at].append(string(mapping(delta.get("reasoningContent")).get("text")))
        for name in ("messageStop", "metadata"):
            whole |= mapping(event.get(name))
    content: list[Object] = []
    for at, block in sorted(blocks.items()):
        if isinstance(use := block.get("toolUse"), dict):
            text = "".join(inputs[at])
            content.append({"toolUse": {**use, "input": text if (value := parsed(text)) is None else value}})
        elif thought := "".join(thoughts[at]):
            content.append({"reasoningContent": {"reasoningText": {"text": thought}}})
        else:
            content.append({**block, "text": "".join(texts[at])})
    return {"output": {"message": {"role": role, "content": content}}, **whole}


def pieces_of(known: list[Object], name: str) -> Object:
    """Fold answers whose text stands in one field, piece by piece: Titan's, Llama's, Ollama's generate."""
    whole: Object = {}
    for event in known:
        whole |= {key: value for key, value in event.items() if value is not None}
    return {**whole, name: "".join(string(event.get(name)) for event in known)}


def outputs(known: list[Object]) -> Object:
    """Fold the answers of Mistral's models at Bedrock."""
    found = [output for event in known for output in mappings(event.get("outputs"))]
    reasons = [output["stop_reason"] for output in found if output.get("stop_reason")]
    text = "".join(string(output.get("text")) for output in found)
    return {"outputs": [{"text": text, "stop_reason": reasons[-1] if reasons else None}]}


def cohere(known: list[Object]) -> Object:
    """Fold the events of Cohere's chat."""
    whole: Object = {}
    message: Object = {"role": "assistant"}
    blocks: dict[int, Object] = {}
    calls: dict[int, Object] = {}
    texts, arguments, plan = Pieces(list), Pieces(list), []
    for event in known:
        at, delta = index(event), mapping(event.get("delta"))
        said = mapping(delta.get("message"))
        plan.append(string(said.get("tool_plan")))
        match event.get("type"):
            case "message-start":
                whole |= {"id": event.get("id")}
                message |= {"role": said.get("role") or "assistant"}
            case "content-start" | "content-delta":
                part = mapping(said.get("content"))
                blocks.setdefault(at, {"type": part.get("type") or "text"})
                texts[at] += [string(part.get("text")), string(part.get("thinking"))]
            case "tool-call-start" | "tool-call-delta":
                call = mapping(said.get("tool_calls"))
                function = mapping(call.get("function"))
                calls.setdefault(at, {"id": call.get("id"), "type": "function", "name": function.get("name")})
                arguments[at].append(string(function.get("arguments")))
            case "message-end":
                whole |= delta
    if any(plan):
        message["tool_plan"] = "".join(plan)
    if calls:
        message["tool_calls"] = [
            {
                "id": call["id"],
                "type": call["type"],
                "function": {"name": call["name"], "arguments": "".join(arguments[at])},
            }
            for at, call in sorted(calls.items())
        ]
    message["content"] = [
        {**block, "thinking" if block["type"] == "thinking" else "text": "".join(texts[at])}
        for at, block in sorted(blocks.items())
    ]
    return {**whole, "message": message}


def ollama_chat(known: list[Object]) -> Object:
    """Fold the lines of Ollama's chat; the last one has the figures."""
    said = [mapping(event.get("message")) for event in known]
    calls = [call for message in said for call in listed(message.get("tool_calls"))]
    message: Object = {
        "role": next((message["role"] for message in said if message.get("role")), "assistant"),
        "content": "".join(string(message.get("content")) for message in said),
    }
    if thought := "".join(string(message.get("thinking")) for message in said):
        message["thinking"] = thought
    if calls:
        message["tool_calls"] = calls
    return {**known[-1], "message": message}


def huggingface(known: list[Object]) -> Object:
    """Fold the tokens of text-generation-inference; the last event has all of the text, unless the stream was cut."""
    tokens = [mapping(event.get("token")) for event in known]
    pieces = "".join(string(token.get("text")) for token in tokens if token.get("special") is not True)
    whole = next((event["generated_text"] for event in reversed(known) if string(event.get("generated_text"))), pieces)
    details = next((event["details"] for event in reversed(known) if event.get("details")), None)
    return {"generated_text": whole, "details": details}
