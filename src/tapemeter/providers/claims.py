"""Which requests are calls of a language model.

`claims` looks at host, path, headers and, where those leave it open, at the shape of the body. The first rule
that fits names whose protocol it is.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tapemeter.providers import own
from tapemeter.values import Value

if TYPE_CHECKING:
    from tapemeter.model import Request


class Rule(Value):
    """A host pattern and a path pattern that together mean one wire protocol; a missing one fits anything."""

    protocol: str
    host: re.Pattern[str] | None = None
    path: re.Pattern[str] | None = None


def _rule(protocol: str, *, host: str | None = None, path: str | None = None) -> Rule:
    return Rule(protocol, host and re.compile(host), path and re.compile(path))  # type: ignore[arg-type]


RULES = (
    _rule("anthropic", path=r"/v1/messages(/count_tokens|/batches\b.*)?$"),
    _rule("anthropic", host=r"(^|\.)anthropic\.com$"),
    _rule(
        "gemini",
        path=r"/(models|tunedModels|endpoints)/[^/:]+:(generateContent|streamGenerateContent|countTokens"
        r"|embedContent|batchEmbedContents|rawPredict|streamRawPredict)$",
    ),
    _rule("gemini", host=r"(^generativelanguage|(^|[.-])aiplatform(\.\w+\.rep)?)\.googleapis\.com$"),
    _rule("bedrock", host=r"^bedrock-runtime[.-]"),
    _rule("bedrock", path=r"(^|/)model/[^/]+/(converse|invoke|count-tokens$)"),
    _rule("ollama", path=r"/api/(chat|generate|embed|embeddings)$"),
    _rule("cohere", host=r"(^|\.)cohere\.(ai|com)$"),
    _rule("cohere", path=r"/v2/embed$|/v[12]/rerank$"),
    _rule("mistral", host=r"^(api|codestral)\.mistral\.ai$"),
    _rule("huggingface", host=r"^(router|api-inference)\.huggingface\.co$|\.endpoints\.huggingface\.cloud$"),
    _rule(
        "openai",
        path=r"/(chat/completions|completions|responses|embeddings|moderations"
        r"|images/(generations|edits|variations)|audio/(speech|transcriptions|translations))$",
    ),
    _rule("openai", path=r"/v1/models(/[^/]+(?<!:predict)(?<!:classify)(?<!:regress))?$"),
    _rule("openai", host=r"(^|\.)(openai\.com|openai\.azure\.com)$"),
)
"""Tried in order."""

SDK_HEADER = "x-stainless-lang"
"""Sent by every SDK of the Stainless family: OpenAI, Anthropic, Groq, Together and others."""

_MODEL_FIELDS = frozenset({"messages", "prompt", "input", "contents", "inputs"})
_GENERATES = ("/generate", "/generate_stream")
"""Where Hugging Face's servers, which serve one model and so name none, are asked; or at `/`, with parameters."""
_LARGEST_LOOKED_AT = 8 * 1024 * 1024


def claims(request: Request) -> str | None:
    """Return whose protocol a model call is, from the request's line and headers; None where they leave it open."""
    host, path = request.host, request.path
    if own.ANY:
        found = own.find(host, path)
        if found is not None:
            return found[0].family
    protocol = _by_rule(host, path)
    if protocol is not None:
        return protocol
    if any(name == SDK_HEADER for name, _ in request.headers):
        return "sdk"
    return None


@lru_cache(maxsize=1024)
def _by_rule(host: str, path: str) -> str | None:
    for rule in RULES:
        if (rule.host is None or rule.host.search(host)) and (rule.path is None or rule.path.search(path)):
            return rule.protocol
    return None


def claims_body(request: Request) -> str | None:
    """Return `unknown` where the body has the shape of a model call: JSON with a model and something to say to it."""
    path = request.path
    if not may_be_call(request.body, path):
        return None
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    return "unknown" if is_call(value, path) else None


def may_be_call(body: bytes, path: str) -> bool:
    """Whether a body is worth being read for `is_call`."""
    if len(body) > _LARGEST_LOOKED_AT:
        return False
    return b'"model"' in body or ((path == "/" or path.endswith(_GENERATES)) and b'"inputs"' in body)


def is_call(value: Any, path: str) -> bool:
    """Whether a JSON value has the shape of a model call."""
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("model"), str) and not _MODEL_FIELDS.isdisjoint(value):
        return True
    if not isinstance(value.get("inputs"), str):
        return False
    return path.endswith(_GENERATES) or (path == "/" and isinstance(value.get("parameters"), dict))


_FINISHED = (
    b"data: [DONE]",
    b"event: message_stop",
    b"event: response.completed",
    b"event: response.incomplete",
    b"event: message-end",  # Cohere
    b'"type":"message-end"',
    b'"done":true',  # Ollama; within a text it would be escaped
    b":event-type\x07\x00\x08metadata",  # Bedrock's converse-stream
    b'"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9w',  # a model's own event in base64: {"type":"message_stop
)


def is_finished(tail: bytes) -> bool:
    """Whether the end of an event stream says that nothing more follows, though the connection is still open."""
    return any(mark in tail for mark in _FINISHED)
