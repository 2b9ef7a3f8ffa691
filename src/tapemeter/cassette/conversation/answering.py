"""Reads a response as a conversation: what was answered, by which model, and why it ended there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.cassette.conversation.parts import Object, Turn, listed, mapping, mappings, shown, string, turn
from tapemeter.cassette.conversation.streams import answer
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.model import Response


class Answered(Value):
    """A response: no turns where it is of no known shape; `stopped` are the reasons it gives for its end."""

    turns: tuple[Turn, ...]
    stopped: tuple[str, ...] = ()


def answered(response: Response) -> Answered:
    """Return what a response says, folded where it is a stream."""
    value = answer(response)
    body = mapping(value[0] if isinstance(value, list) and value else value)
    try:
        turns = tuple(_turns(body))
    except RecursionError:
        turns = ()
    return Answered(turns, tuple(dict.fromkeys(filter(None, map(string, _reasons(body))))))


def _turns(body: Object) -> Iterator[Turn]:
    if error := mapping(body.get("error")):
        yield Turn("error", string(error.get("message")) or shown(error))
    elif said := string(body.get("error")) or (string(body.get("message")) if len(body) <= _FEW else ""):
        yield Turn("error", said)
    for choice in mappings(body.get("choices")):
        given = choice.get("message")
        yield turn(given, "assistant") if isinstance(given, dict) else Turn("assistant", string(choice.get("text")))
    for item in mappings(body.get("output")):
        yield turn(item, "assistant")
    for message in (mapping(body.get("output")).get("message"), body.get("message")):
        if isinstance(message, dict):
            yield turn(message, "assistant")
    for candidate in mappings(body.get("candidates")):
        yield turn(mapping(candidate.get("content")), "model")
    if body.get("type") == "message":
        yield turn(body, "assistant")
    for said in _texts(body):
        yield Turn("assistant", said)
    yield from _others(body)


_FEW = 3
"""Fields of an object that is no more than a message about an error."""


def _texts(body: Object) -> Iterator[str]:
    """Yield answers that are one text each."""
    for name in ("response", "generated_text", "generation", "outputText", "completion", "text", "content"):
        if said := string(body.get(name)):
            yield said
    if said := string(mapping(body.get("output")).get("text")):
        yield said
    for result in mappings(body.get("results")):
        if said := string(result.get("outputText")):
            yield said
    for output in mappings(body.get("outputs")):
        if said := string(output.get("text")):
            yield said
    for page in mappings(body.get("pages")):
        if said := string(page.get("markdown")):
            yield said


def _others(body: Object) -> Iterator[Turn]:
    """Yield what is no text: vectors are counted, images named."""
    vectors = 0
    for given in mappings(body.get("data")):
        if "embedding" in given:
            vectors += 1
        elif "b64_json" in given or "url" in given:
            yield Turn("image", string(given.get("revised_prompt")) or string(given.get("url")) or "[image]")
    vectors += len(_vectors(body)) + sum("embeddings" in each for each in mappings(body.get("predictions")))
    if vectors:
        yield Turn("embeddings", f"[{vectors} vector{'' if vectors == 1 else 's'}]")


def _vectors(body: Object) -> list[Any]:
    """Return the vectors of Cohere, Ollama, Gemini and Titan."""
    found = body.get("embeddings", body.get("embedding"))
    if isinstance(found, dict):
        inner = found.get("values")
        return [inner] if inner else next((each for each in found.values() if isinstance(each, list)), [])
    vectors = listed(found)
    return [vectors] if vectors and isinstance(vectors[0], int | float) else vectors


def _reasons(body: Object) -> Iterator[Any]:
    """Yield why an answer ended, by the names that protocols have for it."""
    for name in ("choices", "candidates", "results", "outputs"):
        for each in mappings(body.get(name)):
            yield from (each.get(reason) for reason in ("finish_reason", "finishReason", "completionReason"))
            yield each.get("stop_reason")
    if isinstance(body.get("output"), list):
        yield body.get("status")
        yield mapping(body.get("incomplete_details")).get("reason")
    yield mapping(body.get("promptFeedback")).get("blockReason")
    yield mapping(body.get("details")).get("finish_reason")
    yield from (body.get(name) for name in ("stop_reason", "stopReason", "finish_reason", "done_reason"))
    yield body.get("completionReason")
