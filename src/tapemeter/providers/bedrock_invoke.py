"""Bedrock's invoke and invoke-with-response-stream, where each maker's models have their own bodies.

Anthropic's, Nova's, Titan's and Llama's are told apart by their fields; of others is read what most protocols share.
Where a body tells no tokens, the headers of an answer do, or Amazon's figures in the last event of a stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.model import header
from tapemeter.providers import anthropic_messages, bedrock_converse, bedrock_models, unknown
from tapemeter.providers.fold import read_fault
from tapemeter.providers.usage import INVOCATION
from tapemeter.providers.values import count, fields
from tapemeter.providers.wire import Tokens, Wire

if TYPE_CHECKING:
    from tapemeter.model import Headers
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_METRICS = "amazon-bedrock-invocationMetrics"
_HEADERS = {
    "x-amzn-bedrock-input-token-count": "inputTokenCount",
    "x-amzn-bedrock-output-token-count": "outputTokenCount",
    "x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokenCount",
    "x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokenCount",
}
_LONGEST_FIGURE = 16


def ask(body: Json, prompt: Prompt) -> int | None:
    """Add a request's text parts, by the form of its body; return its maximum."""
    if "anthropic_version" in body:
        return anthropic_messages.ask(body, prompt)
    if "inferenceConfig" in body or "schemaVersion" in body:
        return bedrock_converse.ask(body, prompt)
    if "inputText" in body:
        return bedrock_models.ask_titan(body, prompt)
    if isinstance(body.get("prompt"), str):
        return bedrock_models.ask_prompt(body, prompt)
    return bedrock_models.ask_other(body, prompt)


def head(headers: Headers, fold: Fold) -> None:
    """Read the figures that stand in the headers."""
    usage = {key: _figure(header(headers, name)) for name, key in _HEADERS.items()}
    if usage[INVOCATION.input] is not None:
        fold.report(usage, INVOCATION)


def _figure(text: str | None) -> int | None:
    if text is None or len(text) > _LONGEST_FIGURE or not (text.isascii() and text.isdecimal()):
        return None
    return count(int(text))


def read(value: Json, fold: Fold) -> None:
    """Read a whole answer."""
    if isinstance(fields(value.get("output")).get("message"), dict):
        bedrock_converse.read(value, fold)
    elif "stop_reason" in value and "content" in value:
        anthropic_messages.read(value, fold)
    elif not bedrock_models.read(value, fold):
        unknown.read(value, fold)
    _measure(value, fold)


def follow(event: Json, fold: Fold) -> None:
    """Read one event of a stream."""
    if not bedrock_converse.EVENTS.isdisjoint(event):
        bedrock_converse.follow(event, fold)
    elif isinstance(event.get("type"), str) or "error" in event:
        anthropic_messages.follow(event, fold)
    elif not bedrock_models.read(event, fold):
        unknown.read(event, fold)
    _measure(event, fold)


def _measure(value: Json, fold: Fold) -> None:
    metrics = value.get(_METRICS)
    if not isinstance(metrics, dict):
        return
    if not fold.is_told:
        fold.report(metrics, INVOCATION)
    fold.is_final = True


INVOKE = Wire(
    name="bedrock_invoke",
    family="bedrock",
    operation="chat",
    ask=ask,
    read=read,
    follow=follow,
    head=head,
)

EMBED = Wire(
    name="bedrock_embed",
    family="bedrock",
    operation="embeddings",
    ask=bedrock_models.ask_to_embed,
    read=bedrock_models.read_vectors,
    follow=bedrock_models.read_vectors,
    tokens=Tokens.INPUT,
    head=head,
)


def _ask_to_count(body: Json, prompt: Prompt) -> int:
    given = fields(body.get("input"))
    bedrock_converse.ask(fields(given.get("converse")), prompt)
    prompt.bound = 0  # nothing is used, so nothing is to be set aside
    return 0


COUNT_TOKENS = Wire(
    name="bedrock_count_tokens",
    family="bedrock",
    operation="count_tokens",
    ask=_ask_to_count,
    read=read_fault,
    follow=read_fault,
    tokens=Tokens.FREE,
)
