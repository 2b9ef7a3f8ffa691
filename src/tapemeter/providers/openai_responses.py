"""OpenAI's Responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.usage import RESPONSES
from tapemeter.providers.values import count, each, fields
from tapemeter.providers.wire import Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_NO_TEXT = frozenset({"caller_id", "call_id", "fingerprint", "id", "phase", "role", "status", "type"})
_PARTS = frozenset({"content", "output", "summary"})
_MEDIA = ("image_generation_call", "computer_call_output")

_TEXT_DELTAS = frozenset(
    f"response.{what}.delta"
    for what in (
        "output_text",
        "refusal",
        "reasoning_text",
        "reasoning_summary_text",
        "function_call_arguments",
        "custom_tool_call_input",
        "mcp_call_arguments",
        "code_interpreter_call_code",
    )
)
_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_UNFINISHED = ("queued", "in_progress", "cancelled")
_CALL_TEXTS = ("name", "arguments", "input", "code")


def ask(body: Json, prompt: Prompt) -> int | None:
    """Add a request's instructions, items and tools; return its maximum."""
    prompt.content(body.get("instructions"))
    for item in each(body.get("input")):
        prompt.item()
        if isinstance(item, dict):
            _ask_item(item, prompt)
        else:
            prompt.content(item)
    if "tools" in body:
        prompt.tools(body["tools"])
    if "text" in body:
        prompt.schema(fields(body["text"]).get("format"))
    if "prompt" in body:
        prompt.show(fields(body["prompt"]).get("variables"))
    return count(body.get("max_output_tokens"))


def _ask_item(item: Json, prompt: Prompt) -> None:
    if item.get("type") in _MEDIA:
        prompt.medium()
        return
    for key, value in item.items():
        if key in _NO_TEXT:
            continue
        if key in _PARTS:
            prompt.content(value)
        elif key == "encrypted_content":
            prompt.hide(value)
        elif key == "tools":
            prompt.tools(value)
        else:
            prompt.show(value)


def read(value: Json, fold: Fold) -> None:
    """Read a whole answer."""
    fold.identify(value)
    status = value.get("status")
    if value.get("error"):
        fold.fail(value)
    if status in _UNFINISHED:
        fold.is_open = True
    else:
        fold.end(0, fields(value.get("incomplete_details")).get("reason") or status)
    for index, item in enumerate(each(value.get("output"))):
        _hear_item(fields(item), index, fold)
    usage = value.get("usage")
    if isinstance(usage, dict):
        fold.report(usage, RESPONSES)
        fold.is_final = status not in _UNFINISHED


def _hear_item(item: Json, index: int, fold: Fold) -> None:
    if _is_call(item):
        fold.call(index)
        for key in _CALL_TEXTS:
            fold.show(item.get(key))
        return
    for part in (*each(item.get("content")), *each(item.get("summary"))):
        said = fields(part)
        fold.say(said.get("text"))
        fold.say(said.get("refusal"))


def _is_call(item: Json) -> bool:
    kind = item.get("type")
    return isinstance(kind, str) and kind.endswith("_call")


def follow(event: Json, fold: Fold) -> None:
    """Read one event of a stream."""
    kind = event.get("type")
    if not isinstance(kind, str):
        if event.get("error"):
            fold.fail(event)
    elif kind in _TEXT_DELTAS:
        fold.say(event.get("delta"))
    elif kind == "response.output_item.added":
        item = fields(event.get("item"))
        if _is_call(item) and fold.call(_index(event)):
            fold.say(item.get("name"))
    elif kind in _LAST:
        _close(fields(event.get("response")), fold)
    elif kind == "error":
        fold.fail(event)
    elif "response" in event:
        fold.identify(fields(event["response"]))


def _close(response: Json, fold: Fold) -> None:
    """Read the last event, which holds the whole answer; what was streamed counts where that is more."""
    streamed = fold.take()
    read(response, fold)
    fold.keep_longer(streamed)


def _index(event: Json) -> Any:
    index = event.get("output_index")
    return index if isinstance(index, int) else None


RESPONSES_API = Wire(
    name="openai_responses",
    family="openai",
    operation="chat",
    ask=ask,
    read=read,
    follow=follow,
)
