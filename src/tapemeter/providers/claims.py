"""Which requests are calls of a language model.

`claims` looks at host, path, headers and, where those leave it open, at the shape of the body. The first rule
that fits names the wire protocol.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapemeter.model import Request


@dataclass(frozen=True, slots=True)
class Rule:
    """A host pattern and a path pattern that together mean one wire protocol; a missing one fits anything."""

    protocol: str
    host: re.Pattern[str] | None = None
    path: re.Pattern[str] | None = None


def _rule(protocol: str, *, host: str | None = None, path: str | None = None) -> Rule:
    return Rule(protocol, host and re.compile(host), path and re.compile(path))  # type: ignore[arg-type]


RULES = (
    _rule("anthropic", path=r"/v1/messages(/count_tokens|/batches\b.*)?$"),
    _rule("anthropic", host=r"(^|\.)anthropic\.com$"),
    _rule("gemini", path=r"/(models|publishers/[^/]+/models)/[^/]+:(stream)?(generateContent|embedContent)"),
    _rule("gemini", host=r"(^generativelanguage|aiplatform)\.googleapis\.com$"),
    _rule("bedrock", host=r"^bedrock-runtime[.-]"),
    _rule("bedrock", path=r"^/model/[^/]+/(converse|invoke)"),
    _rule("ollama", path=r"/api/(chat|generate|embed|embeddings)$"),
    _rule("cohere", host=r"(^|\.)cohere\.(ai|com)$"),
    _rule(
        "openai",
        path=r"/(chat/completions|completions|responses|embeddings|moderations"
        r"|images/(generations|edits|variations)|audio/(speech|transcriptions|translations))$",
    ),
    _rule("openai", path=r"/v1/models(/[^/]+)?$"),
    _rule("openai", host=r"(^|\.)(openai\.com|openai\.azure\.com)$"),
)
"""Tried in order."""

SDK_HEADER = "x-stainless-lang"
"""Sent by every SDK of the Stainless family: OpenAI, Anthropic, Groq, Together and others."""

_MODEL_FIELDS = frozenset({"messages", "prompt", "input", "contents", "inputs"})
_LARGEST_LOOKED_AT = 8 * 1024 * 1024


def claims(request: Request) -> str | None:
    """Return the wire protocol of a model call from the request's line and headers; None where they leave it open."""
    host, path = request.host, request.path
    for rule in RULES:
        if (rule.host is None or rule.host.search(host)) and (rule.path is None or rule.path.search(path)):
            return rule.protocol
    if any(name == SDK_HEADER for name, _ in request.headers):
        return "sdk"
    return None


def claims_body(request: Request) -> str | None:
    """Return `unknown` where the body has the shape of a model call: JSON with a model and something to say to it."""
    if not may_be_call(request.body):
        return None
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    return "unknown" if is_call(value) else None


def may_be_call(body: bytes) -> bool:
    """Whether a body is worth being read for `is_call`."""
    return b'"model"' in body and len(body) <= _LARGEST_LOOKED_AT


def is_call(value: Any) -> bool:
    """Whether a JSON value has the shape of a model call."""
    return isinstance(value, dict) and isinstance(value.get("model"), str) and not _MODEL_FIELDS.isdisjoint(value)


_FINISHED = (
    b"data: [DONE]",
    b"event: message_stop",
    b"event: response.completed",
    b"event: response.incomplete",
)


def is_finished(tail: bytes) -> bool:
    """Whether the end of an event stream says that nothing more follows, though the connection is still open."""
    return any(mark in tail for mark in _FINISHED)
