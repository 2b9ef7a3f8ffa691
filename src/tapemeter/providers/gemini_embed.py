"""Gemini's embeddings, at Google's two addresses of them, and the counting of tokens, which uses none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.providers import gemini_generate
from tapemeter.providers.fold import read_fault
from tapemeter.providers.gemini_parts import ask_content, pick
from tapemeter.providers.usage import GEMINI
from tapemeter.providers.values import count, each, fields
from tapemeter.providers.wire import Tokens, Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json


def _ask_to_embed(body: Json, prompt: Prompt) -> None:
    for given in (body, *each(body.get("requests"))):
        request = fields(given)
        ask_content(request.get("content"), prompt)
        prompt.say(request.get("title"))


def _read_vectors(value: Json, fold: Fold) -> None:
    if value.get("error"):
        fold.fail(value)
    usage = value.get("usageMetadata")
    if isinstance(usage, dict):
        fold.report(usage, GEMINI)


EMBED = Wire(
    name="gemini_embed",
    family="gemini",
    operation="embeddings",
    ask=_ask_to_embed,
    read=_read_vectors,
    follow=_read_vectors,
    tokens=Tokens.INPUT,
)


def _ask_to_predict(body: Json, prompt: Prompt) -> None:
    for instance in each(body.get("instances")):
        given = fields(instance)
        prompt.item()
        for key in ("title", "content", "text"):
            prompt.say(given.get(key))
        for key in ("image", "video"):
            if given.get(key) is not None:
                prompt.long_medium()


def _read_predictions(value: Json, fold: Fold) -> None:
    if value.get("error"):
        fold.fail(value)
    counted = []
    for prediction in each(value.get("predictions")):
        statistics = fields(fields(fields(prediction).get("embeddings")).get("statistics"))
        tokens = statistics.get("token_count")
        counted.append(count(int(tokens) if isinstance(tokens, float) and tokens.is_integer() else tokens))
    known = [tokens for tokens in counted if tokens is not None]
    if known and len(known) == len(counted):
        fold.report({GEMINI.input: sum(known)}, GEMINI)


PREDICT = Wire(
    name="gemini_predict",
    family="gemini",
    operation="embeddings",
    ask=_ask_to_predict,
    read=_read_predictions,
    follow=_read_predictions,
    tokens=Tokens.INPUT,
)


def _ask_to_count(body: Json, prompt: Prompt) -> int:
    for request in (body, fields(pick(body, "generateContentRequest", "generate_content_request"))):
        gemini_generate.ask(request, prompt)
    prompt.bound = 0  # nothing is used, so nothing is to be set aside
    return 0


COUNT_TOKENS = Wire(
    name="gemini_count_tokens",
    family="gemini",
    operation="count_tokens",
    ask=_ask_to_count,
    read=read_fault,
    follow=read_fault,
    tokens=Tokens.FREE,
)
