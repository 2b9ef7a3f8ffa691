"""How providers spell the tokens that an answer used, as a table, and how they become one kind of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.values import count, fields
from tapemeter.values import Value

if TYPE_CHECKING:
    from tapemeter.providers.values import Json

Path = tuple[str, ...]


class Spelling(Value):
    """Where a usage object keeps each figure; of several paths the first that holds a count is taken.

    `cached_apart` and `reasoning_apart` say that the figure of the input (the output) is without them. `input_more` is
    input beyond that figure. `omits_zero` says that no output is not told once there is an input.
    """

    input: str
    output: str
    cache_read: tuple[Path, ...] = ()
    cache_write: tuple[Path, ...] = ()
    reasoning: tuple[Path, ...] = ()
    cached_apart: bool = False
    reasoning_apart: bool = False
    input_more: tuple[Path, ...] = ()
    omits_zero: bool = False


CHAT = Spelling(
    input="prompt_tokens",
    output="completion_tokens",
    cache_read=(("prompt_tokens_details", "cached_tokens"), ("prompt_cache_hit_tokens",), ("cached_tokens",)),
    cache_write=(("prompt_tokens_details", "cache_write_tokens"),),
    reasoning=(("completion_tokens_details", "reasoning_tokens"), ("reasoning_tokens",)),
)
RESPONSES = Spelling(
    input="input_tokens",
    output="output_tokens",
    cache_read=(("input_tokens_details", "cached_tokens"),),
    cache_write=(("input_tokens_details", "cache_write_tokens"),),
    reasoning=(("output_tokens_details", "reasoning_tokens"),),
)
ANTHROPIC = Spelling(
    input="input_tokens",
    output="output_tokens",
    cache_read=(("cache_read_input_tokens",),),
    cache_write=(("cache_creation_input_tokens",),),
    reasoning=(("output_tokens_details", "thinking_tokens"),),
    cached_apart=True,
)
GEMINI = Spelling(
    input="promptTokenCount",
    output="candidatesTokenCount",
    cache_read=(("cachedContentTokenCount",),),
    reasoning=(("thoughtsTokenCount",),),
    reasoning_apart=True,
    input_more=(("toolUsePromptTokenCount",),),
    omits_zero=True,
)
CONVERSE = Spelling(
    input="inputTokens",
    output="outputTokens",
    cache_read=(("cacheReadInputTokens",), ("cacheReadInputTokenCount",)),
    cache_write=(("cacheWriteInputTokens",), ("cacheWriteInputTokenCount",)),
    cached_apart=True,
)
INVOCATION = Spelling(
    input="inputTokenCount",
    output="outputTokenCount",
    cache_read=(("cacheReadInputTokenCount",),),
    cache_write=(("cacheWriteInputTokenCount",),),
    cached_apart=True,
)
COHERE = Spelling(input="input_tokens", output="output_tokens", cache_read=(("cached_tokens",),))
OLLAMA = Spelling(input="prompt_eval_count", output="eval_count")


def spelling_of(usage: Json) -> Spelling:
    """Return how a usage object of no known protocol is spelled."""
    for spelling in (GEMINI, CHAT, CONVERSE):
        if spelling.input in usage:
            return spelling
    if any(path[0] in usage for path in (*ANTHROPIC.cache_read, *ANTHROPIC.cache_write)):
        return ANTHROPIC
    return RESPONSES


class Figures(Value):
    """What a provider said; None for what it did not say. Parts may exceed their whole, as it was said."""

    input: int | None = None
    output: int | None = None
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


def figures(usage: Json, spelling: Spelling) -> Figures:
    """Return the figures of a usage object; what is no count is absent."""
    input_, output = count(usage.get(spelling.input)), count(usage.get(spelling.output))
    read = _first(usage, spelling.cache_read)
    written = _first(usage, spelling.cache_write)
    reasoning = _first(usage, spelling.reasoning)
    if input_ is not None:
        if spelling.cached_apart:
            input_ += read + written
        if spelling.input_more:
            input_ += _first(usage, spelling.input_more)
        if spelling.omits_zero and output is None:
            output = 0
    if output is not None and (spelling.reasoning_apart or _is_counted_apart(usage, input_, output, reasoning)):
        output += reasoning
    return Figures(input_, output, read, written, reasoning)


def _is_counted_apart(usage: Json, input_: int | None, output: int, reasoning: int) -> bool:
    """Whether the total shows that the output is without its reasoning, as at x.ai."""
    return reasoning > 0 and input_ is not None and usage.get("total_tokens") == input_ + output + reasoning


def _first(usage: Json, paths: tuple[Path, ...]) -> int:
    for path in paths:
        value: Any = usage
        for key in path:
            value = fields(value).get(key)
        found = count(value)
        if found is not None:
            return found
    return 0
