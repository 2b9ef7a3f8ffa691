"""OpenAI's text completions, which came before chat and are what some local servers speak best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.providers.openai_chat import read
from tapemeter.providers.values import count
from tapemeter.providers.wire import Wire

if TYPE_CHECKING:
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json


def ask(body: Json, prompt: Prompt) -> int | None:
    """Add a request's prompts; return its maximum for all choices of all prompts."""
    given = body.get("prompt")
    prompt.inputs(given)
    prompt.say(body.get("suffix"))
    most = count(body.get("max_tokens"))
    if most is None:
        return None
    choices = max(count(body.get("n")) or 1, count(body.get("best_of")) or 1)
    return most * choices * _prompts(given)


def _prompts(given: object) -> int:
    if not isinstance(given, list) or not given or isinstance(given[0], int):
        return 1
    return len(given)


COMPLETIONS = Wire(
    name="openai_completions",
    family="openai",
    operation="text_completion",
    ask=ask,
    read=read,
    follow=read,
)
