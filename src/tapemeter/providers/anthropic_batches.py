"""Anthropic's batches of messages: what making one asks for. What it used is not known before it has been done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.providers import anthropic_messages
from tapemeter.providers.values import each, fields, name
from tapemeter.providers.wire import Tokens, Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json


def ask(body: Json, prompt: Prompt) -> int | None:
    """Add all requests of a batch; return the sum of their maximums. The model is that of all, if they share one."""
    models, given = set(), []
    for request in each(body.get("requests")):
        asked = fields(fields(request).get("params"))
        models.add(name(asked.get("model")))
        given.append(anthropic_messages.ask(asked, prompt))
    prompt.model = models.pop() if len(models) == 1 else None
    return sum(most or 0 for most in given) if any(most is not None for most in given) else None


def read(value: Json, fold: Fold) -> None:
    """Read what is said of a batch."""
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)


BATCHES = Wire(
    name="anthropic_batches",
    family="anthropic",
    operation="batch",
    ask=ask,
    read=read,
    follow=read,
    tokens=Tokens.UNTOLD,
)
