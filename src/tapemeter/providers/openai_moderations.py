"""OpenAI's moderations, which cost nothing and tell no tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.providers.wire import Tokens, Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json


def ask(body: Json, prompt: Prompt) -> int:
    """Add a request's inputs."""
    prompt.inputs(body.get("input"))
    prompt.bound = 0  # nothing is used, so nothing is to be set aside
    return 0


def read(value: Json, fold: Fold) -> None:
    """Read an answer; its scores are no text."""
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)


MODERATIONS = Wire(
    name="openai_moderations",
    family="openai",
    operation="moderation",
    ask=ask,
    read=read,
    follow=read,
    tokens=Tokens.FREE,
)
