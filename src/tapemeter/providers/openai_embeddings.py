"""OpenAI's embeddings: tokens go in, and none comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.providers.usage import CHAT
from tapemeter.providers.wire import Tokens, Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json


def ask(body: Json, prompt: Prompt) -> None:
    """Add a request's inputs."""
    prompt.inputs(body.get("input"))


def read(value: Json, fold: Fold) -> None:
    """Read an answer; its vectors are no text."""
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)
    usage = value.get("usage")
    if isinstance(usage, dict):
        # Some say the sum alone.
        fold.report({CHAT.input: usage.get("total_tokens"), **usage}, CHAT)


EMBEDDINGS = Wire(
    name="openai_embeddings",
    family="openai",
    operation="embeddings",
    ask=ask,
    read=read,
    follow=read,
    tokens=Tokens.INPUT,
)
