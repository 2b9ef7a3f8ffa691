"""How two requests or two answers differ, each place with the part it belongs to.

    request     address, model, prompt, tools, settings
    response    status, model, answer, tools (calls of them), ending, usage, and other: what means nothing

A place is a path into the JSON body, that of a stream into the body which the same answer would have without one.
"""

from __future__ import annotations

import hashlib
import json
import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from tapemeter.cassette.conversation import answer, events
from tapemeter.cassette.conversation.asking import INSTRUCTIONS, SAID
from tapemeter.cassette.diff import ABSENT, Difference, differences
from tapemeter.cassette.figures import figures
from tapemeter.cassette.match import Matcher
from tapemeter.model import Quality, Request
from tapemeter.values import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.cassette.model import Interaction
    from tapemeter.model import Headers, Response, Usage

_FIRST = re.compile(r"[^.\[]+")
_LAST = re.compile(r"([^.\[\]]+)(?:\[\d+\])*$")

_ADDRESS = frozenset({"method", "scheme", "host", "port", "path"})
_REQUEST = {
    "model": ("model", "modelId"),
    "tools": ("tools", "functions", "toolConfig", "tool_choice", "toolChoice", "function_call", "parallel_tool_calls"),
    "prompt": (*SAID, *INSTRUCTIONS, "chat_history", "query", "documents", "document", "body", "request"),
}
"""The part that a field of a request belongs to; all others are settings."""
_RESPONSE = {
    "model": ("model", "modelVersion", "model_version"),
    "usage": (
        *("usage", "usageMetadata", "usage_info", "meta", "prompt_eval_count", "eval_count", "inputTextTokenCount"),
        *("prompt_token_count", "generation_token_count", "amazon-bedrock-invocationMetrics", "timings"),
    ),
    "other": (
        *(
            "id",
            "created",
            "created_at",
            "createTime",
            "completed_at",
            "system_fingerprint",
            "responseId",
            "request_id",
        ),
        *("total_duration", "load_duration", "prompt_eval_duration", "eval_duration", "metrics", "service_tier"),
    ),
}
_ENDINGS = frozenset(
    {
        *("finish_reason", "finishReason", "stop_reason", "stopReason", "stop_sequence", "done_reason"),
        *("completionReason", "incomplete_details", "status"),
    }
)
_MEANINGLESS = frozenset(
    {
        *("id", "call_id", "tool_call_id", "toolUseId", "signature", "thoughtSignature", "thought_signature"),
        *("encrypted_content", "obfuscation", "item_id", "created", "created_at", "tokenCount"),
    }
)
"""Names of places, however deep, whose values are others in every call."""
_CALLS = ("tool_calls", "function_call", "functionCall", "toolUse", ".input", ".arguments")


class Differing(Value):
    """One place where two interactions differ, and the part of them that it belongs to."""

    part: str
    difference: Difference


def of_requests(old: Request, new: Request) -> Iterator[Differing]:
    """Yield where two requests differ."""
    for difference in _differences(old, new, "request"):
        yield Differing(_part_of_request(difference.path), difference)


def _part_of_request(path: str) -> str:
    if path in _ADDRESS or path.startswith("query "):
        return "address"
    first = _first(path)
    return next((part for part, names in _REQUEST.items() if first in names), "settings")


def of_responses(old: Interaction, new: Interaction, *, everything: bool = False) -> Iterator[Differing]:
    """Yield where two responses differ, and their usage; with `everything`, what means nothing as well."""
    was, now = old.response, new.response
    for name, before, after in (("status", was.status, now.status), ("ending", was.ending, now.ending)):
        if before != after:
            yield Differing("status", Difference(name, str(before), str(after)))
    usage = list(_usage(old, new))
    for difference in _of_bodies(was, now, everything=everything):
        part = _part_of_response(difference.path)
        if everything or (part != "other" and not (part == "usage" and usage)):
            yield Differing(part, difference)
    for difference in usage:
        yield Differing("usage", difference)


def _part_of_response(path: str) -> str:
    first, last = _first(path), _last(path)
    if path.startswith("event ") or last in _MEANINGLESS:
        return "other"
    part = next((part for part, names in _RESPONSE.items() if first in names), None)
    if part is not None:
        return part if first != "model" or path == first else "answer"
    if last in _ENDINGS:
        return "ending"
    return "tools" if any(word in path for word in _CALLS) else "answer"


def _usage(old: Interaction, new: Interaction) -> Iterator[Difference]:
    """Yield how what the providers say of tokens differs; nothing where one of them does not say it."""
    was, now = figures(old), figures(new)
    if was is None or now is None or {was.usage.quality, now.usage.quality} != {Quality.MEASURED}:
        return
    for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"):
        before, after = _figure(was.usage, name), _figure(now.usage, name)
        if before != after:
            yield Difference(name, before, after)


def _figure(usage: Usage, name: str) -> str:
    return str(getattr(usage, name))


def _first(path: str) -> str:
    found = _FIRST.match(path)
    return found[0] if found else path


def _last(path: str) -> str:
    found = _LAST.search(path)
    return found[1] if found else path


def _of_bodies(old: Response, new: Response, *, everything: bool) -> Iterator[Difference]:
    if old.body == new.body:
        return
    folded = [_folded(response) for response in (old, new)]
    if None in folded or not (old.is_stream or new.is_stream):
        yield from _differences(_question(old.body, old.headers), _question(new.body, new.headers), "body")
        return
    was, now = (body or b"" for body in folded)
    found = _differences(_question(was), _question(now), "body")
    yield from found
    if everything and not found:
        yield from _of_events(old.body, new.body)


def _folded(response: Response) -> bytes | None:
    """Return the answer of a response as JSON, a stream folded into one; None where it is neither."""
    value = answer(response)
    try:
        return None if value is None else json.dumps(value).encode()
    except RecursionError:
        return None


def _question(body: bytes, headers: Headers = ()) -> Request:
    """Return a request with the body, since requests are what can be compared."""
    return Request("", "", headers, body)


def _of_events(old: bytes, new: bytes) -> tuple[Difference, ...]:
    """Return how the first events that differ do so, for streams that make the same answer."""
    for place, (was, now) in enumerate(zip_longest(events(old), events(new)), 1):
        if was is None or now is None:
            return (Difference(f"event {place}", _presence(was), _presence(now)),)
        if was != now and (found := _differences(_question(was.encode()), _question(now.encode()), "data")):
            return tuple(replace(each, path=f"event {place}: {each.path}", ignore=None) for each in found)
    return ()


def _presence(data: str | None) -> str:
    return ABSENT if data is None else f"{len(data)} characters"


def key_of(request: Request) -> str:
    """Return the key under which a file keeps the request, or a digest where none can be made of it."""
    try:
        return Matcher().stored_key(request)
    except (ValueError, RecursionError):
        return digest(request)


def digest(request: Request) -> str:
    """Return a digest of a request as it stands."""
    whole = json.dumps([request.method, request.url]).encode() + request.body
    return f"sha256 {hashlib.sha256(whole).hexdigest()[:16]}"


def _differences(old: Request, new: Request, what: str) -> tuple[Difference, ...]:
    """Return what differs; where that cannot be shown, that `what` does."""
    try:
        found = differences(old, new)
    except (ValueError, RecursionError):
        found = []
    if found or key_of(old) == key_of(new):
        return tuple(found)
    return (Difference(what, digest(old), digest(new)),)
