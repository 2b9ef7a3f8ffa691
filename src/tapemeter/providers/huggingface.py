"""Hugging Face's text-generation-inference: `/generate` and `/generate_stream`. Its chat is OpenAI's.

A server has one model, so a request names none. A stream ends with all of its text; an answer that does not stream has
its figures in headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.model import header
from tapemeter.providers.prompt import TOKENS_PER_MEDIUM
from tapemeter.providers.usage import RESPONSES
from tapemeter.providers.values import count, each, fields
from tapemeter.providers.wire import Wire

if TYPE_CHECKING:
    from tapemeter.model import Headers
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_HEADERS = {"x-prompt-tokens": RESPONSES.input, "x-generated-tokens": RESPONSES.output}
_LONGEST_FIGURE = 16
_IMAGE = "!["
"""What an image in a text begins with, in Markdown."""


def ask(body: Json, prompt: Prompt) -> int | None:
    """Add a request's text; return its maximum for all of the sequences of which the best is given."""
    for given in each(body.get("inputs")):
        prompt.item()
        prompt.say(given)
        if isinstance(given, str):
            prompt.bound += TOKENS_PER_MEDIUM * given.count(_IMAGE)
    parameters = fields(body.get("parameters"))
    prompt.show(fields(parameters.get("grammar")).get("value"))
    most = count(parameters.get("max_new_tokens"))
    return None if most is None else most * (count(parameters.get("best_of")) or 1)


def head(headers: Headers, fold: Fold) -> None:
    """Read the figures that stand in the headers."""
    figures: dict[str, int | None] = {}
    for name, key in _HEADERS.items():
        text = header(headers, name) or ""
        figures[key] = int(text) if len(text) <= _LONGEST_FIGURE and text.isascii() and text.isdecimal() else None
    if figures[RESPONSES.input] is not None:
        fold.report(figures, RESPONSES)


def read(value: Json, fold: Fold) -> None:
    """Read a whole answer."""
    if value.get("error"):
        fold.fail(value)
    fold.say(value.get("generated_text"))
    _close(fields(value.get("details")), fold)


def follow(event: Json, fold: Fold) -> None:
    """Read one event of a stream: a token, and with the last one all of the text."""
    if event.get("error"):
        fold.fail(event)
    token = fields(event.get("token"))
    if token.get("special") is not True:
        fold.say(token.get("text"))
    if isinstance(event.get("generated_text"), str):
        streamed = fold.take()
        fold.say(event["generated_text"])
        fold.keep_longer(streamed)
    _close(fields(event.get("details")), fold)


def _close(details: Json, fold: Fold) -> None:
    if not details:
        return
    fold.end(0, details.get("finish_reason"))
    prefill = details.get("prefill")
    read_tokens = len(prefill) if isinstance(prefill, list) and prefill else count(details.get("input_length"))
    fold.report({RESPONSES.input: read_tokens, RESPONSES.output: details.get("generated_tokens")}, RESPONSES)
    fold.is_final = True


GENERATE = Wire(
    name="huggingface_generate",
    family="huggingface",
    operation="text_completion",
    ask=ask,
    read=read,
    follow=follow,
    head=head,
)
