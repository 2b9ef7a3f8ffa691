"""Gemini's generateContent and streamGenerateContent, at Google's two addresses of it.

A stream comes as events or as the elements of one list. Its usage is that of all that came before, so the last counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.gemini_parts import ask_content, ask_tools, pick
from tapemeter.providers.usage import GEMINI
from tapemeter.providers.values import count, each, fields, name
from tapemeter.providers.wire import Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_SCHEMAS = ("responseSchema", "response_schema", "responseJsonSchema", "response_json_schema")
_VALUES = ("stringValue", "numberValue", "boolValue")


def ask(body: Json, prompt: Prompt) -> int | None:
    """Add a request's contents, instructions and tools; return its maximum for all of its candidates."""
    ask_content(body.get("contents"), prompt)
    ask_content(pick(body, "systemInstruction", "system_instruction"), prompt)
    ask_tools(body.get("tools"), prompt)
    given = fields(pick(body, "generationConfig", "generation_config"))
    for key in _SCHEMAS:
        prompt.show(given.get(key))
    most = count(pick(given, "maxOutputTokens", "max_output_tokens"))
    return None if most is None else most * (count(pick(given, "candidateCount", "candidate_count")) or 1)


def read(value: Json, fold: Fold) -> None:
    """Read a whole answer, or one piece of a stream: they are alike."""
    if value.get("error"):
        fold.fail(value)
    fold.identify({"model": value.get("modelVersion"), "id": value.get("responseId")})
    for position, given in enumerate(each(value.get("candidates"))):
        candidate = fields(given)
        index = count(candidate.get("index"))
        fold.end(position if index is None else index, candidate.get("finishReason"))
        for part in each(fields(candidate.get("content")).get("parts")):
            _hear(fields(part), fold)
    blocked = name(fields(value.get("promptFeedback")).get("blockReason"))
    if blocked is not None:
        fold.end(0, blocked)
        fold.error = fold.error or "content_filter"
    usage = value.get("usageMetadata")
    if isinstance(usage, dict):
        fold.report(usage, GEMINI)
        fold.is_final = bool(fold.reasons)


def _hear(part: Json, fold: Fold) -> None:
    fold.say(part.get("text"))
    for key in ("functionCall", "toolCall"):
        call = part.get(key)
        if isinstance(call, dict):
            _hear_call(call, fold)
    fold.say(fields(part.get("executableCode")).get("code"))
    fold.say(fields(part.get("codeExecutionResult")).get("output"))
    kind = fields(part.get("inlineData")).get("mimeType")
    if isinstance(kind, str) and kind.startswith("image/"):
        fold.count("images", 1)


def _hear_call(call: Json, fold: Fold) -> None:
    """Take a call of a tool, or a piece of its arguments, which comes without the name."""
    if call.get("name") or call.get("toolType"):
        fold.call(object())
        fold.say(call.get("name"))
    fold.show(call.get("args"))
    for piece in each(call.get("partialArgs")):
        given: Any = fields(piece)
        for key in _VALUES:
            fold.show(given.get(key))


GENERATE = Wire(
    name="gemini_generate",
    family="gemini",
    operation="generate_content",
    ask=ask,
    read=read,
    follow=read,
)
