"""Cohere's embeddings and its ranking of documents, which others speak, too: no text comes out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.providers.cohere_chat import bill
from tapemeter.providers.usage import CHAT
from tapemeter.providers.values import each, fields
from tapemeter.providers.wire import Tokens, Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json


def _ask_to_embed(body: Json, prompt: Prompt) -> None:
    prompt.inputs(body.get("texts"))
    for _ in each(body.get("images")):
        prompt.medium()
    for given in each(body.get("inputs")):
        prompt.item()
        prompt.content(given.get("content") if isinstance(given, dict) else given)


def _ask_to_rank(body: Json, prompt: Prompt) -> int:
    query = body.get("query")
    documents = each(body.get("documents"))
    # The question is read with each document.
    for document in documents or [None]:
        prompt.item()
        asked = prompt.chars
        prompt.show(query)
        prompt.chars = asked
        prompt.show(document)
    prompt.chars += len(query) if isinstance(query, str) else 0
    return 0


def _read(value: Json, fold: Fold) -> None:
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)
    bill(fields(value.get("meta")), fold)
    usage = value.get("usage")
    if isinstance(usage, dict):
        fold.report({CHAT.input: usage.get("total_tokens"), **usage}, CHAT)


EMBED = Wire(
    name="cohere_embed",
    family="cohere",
    operation="embeddings",
    ask=_ask_to_embed,
    read=_read,
    follow=_read,
    tokens=Tokens.INPUT,
)

RERANK = Wire(
    name="cohere_rerank",
    family="cohere",
    operation="rerank",
    ask=_ask_to_rank,
    read=_read,
    follow=_read,
    tokens=Tokens.INPUT,
)
