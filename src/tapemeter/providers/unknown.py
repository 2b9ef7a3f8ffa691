"""Model calls of a protocol that there is no parser for: what can be told from names that most protocols share.

The text of a prompt is every string under `messages`, `prompt`, `input`, `contents`, `inputs`, `system` and
`instructions`. Since other fields may be given to the model, too, the bound is that of the whole body: nothing is
longer as text than as JSON. The text of an answer is every string that stands directly under one
of the names in `_SAID`, at any depth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.prompt import TOKENS_FOR_TOOLS, TOKENS_PER_MESSAGE
from tapemeter.providers.usage import spelling_of
from tapemeter.providers.values import count, each, fields
from tapemeter.providers.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_GIVEN = ("messages", "prompt", "input", "contents", "inputs", "system", "instructions")
_SAID = frozenset(
    {
        "arguments",
        "completion",
        "content",
        "generated_text",
        "generation",
        "output",
        "output_text",
        "reasoning",
        "refusal",
        "response",
        "text",
        "thinking",
    }
)
_USAGES = ("usage", "usageMetadata", "usage_metadata")
_WRAPPERS = ("response", "message")
_MOST_OUTPUT = ("max_completion_tokens", "max_output_tokens", "max_tokens")


def ask(body: Json, prompt: Prompt) -> int | None:
    """Add what a request says; `ask` in asking adds the length of the body to the bound."""
    for key in _GIVEN:
        value = body.get(key)
        prompt.chars += sum(map(len, _strings(value)))
        prompt.bound += TOKENS_PER_MESSAGE * len(each(value))
    if body.get("tools"):
        prompt.bound += TOKENS_FOR_TOOLS
    given = [most for key in _MOST_OUTPUT if (most := count(body.get(key))) is not None]
    return max(given) * (count(body.get("n")) or 1) if given else None


def _strings(value: Any) -> Iterator[str]:
    """Yield every string value, whatever is nested in what."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            left.extend(item)
        elif isinstance(item, dict):
            left.extend(item.values())


def read(value: Json, fold: Fold) -> None:
    """Read a whole answer, or one event of a stream."""
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)
    for holder in (value, *(fields(value.get(key)) for key in _WRAPPERS)):
        for key in _USAGES:
            usage = holder.get(key)
            if isinstance(usage, dict):
                fold.report(usage, spelling_of(usage))
    for text in _said(value):
        fold.say(text)


def _said(value: Json) -> Iterator[str]:
    left: list[Any] = [value]
    while left:
        item = left.pop()
        if isinstance(item, list):
            left.extend(item)
        elif isinstance(item, dict):
            for key, inner in item.items():
                if isinstance(inner, str):
                    if key in _SAID:
                        yield inner
                else:
                    left.append(inner)


UNKNOWN = Wire(
    name="unknown",
    family="unknown",
    operation="unknown",
    ask=ask,
    read=read,
    follow=read,
)
