"""The usage that an answer comes to, and how sure it is.

The quality of a usage is

    measured     where the provider gave both figures, for the whole of the answer
    estimated    where it gave none, or one of them: a token for each four characters, rounded up
    partial      the same for an answer that ended early: what had arrived is counted, the true figure may be higher
    unknown      where there was nothing to count, or what was counted is no text
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.model import Quality, Usage
from tapemeter.providers.wire import Tokens

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.usage import Figures

_CHARS_PER_TOKEN = 4
_UNKNOWN = Usage(quality=Quality.UNKNOWN)


def settle(known: Figures, tokens: Tokens, fold: Fold, prompt_chars: int, *, is_whole: bool) -> Usage:
    """Return the usage of an answer from what the provider said, and from its characters where it did not say it.

    `is_whole` says that the answer did not end early.
    """
    if tokens is Tokens.FREE:
        return Usage()
    output = 0 if tokens is Tokens.INPUT else known.output
    if known.input is not None and output is not None and (is_whole or fold.is_final):
        return _usage(known, known.input, output, Quality.MEASURED)
    if known.input is None and (tokens is Tokens.UNTOLD or fold.counts_else):
        return _UNKNOWN
    if is_whole and known.input is None and known.output is None and not (fold.seen and prompt_chars + fold.chars):
        return _UNKNOWN
    input_ = _tokens(prompt_chars) if known.input is None else known.input
    if output is None or not is_whole:
        output = max(output or 0, _tokens(fold.chars))
    return _usage(known, input_, output, Quality.ESTIMATED if is_whole else Quality.PARTIAL)


def _usage(known: Figures, input_: int, output: int, quality: Quality) -> Usage:
    """Return figures of which no part exceeds its whole."""
    read = min(known.cache_read, input_)
    return Usage(
        input_tokens=input_,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_tokens=min(known.cache_write, input_ - read),
        reasoning_tokens=min(known.reasoning, output),
        quality=quality,
    )


def _tokens(chars: int) -> int:
    return -(-chars // _CHARS_PER_TOKEN)
