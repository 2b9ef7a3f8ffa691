"""What a model call asks for, and what its answer used. The contract of every wire protocol's parser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tapemeter.values import Value

if TYPE_CHECKING:
    from decimal import Decimal

    from tapemeter.model import Headers, Usage


class Asked(Value):
    """What a request asks of a model, known before it leaves.

    `operation` and `provider` are OpenTelemetry's names (`chat`, `openai`). `prompt_chars` is exact. `input_bound`
    is a number of tokens that the input cannot exceed, by the rule in docs/explanation. `max_output_tokens` is the
    request's own maximum over all its choices; None where it names none. `streams` says whether it asks for a stream.
    """

    protocol: str
    operation: str
    provider: str
    model: str | None
    prompt_chars: int = 0
    input_bound: int = 0
    max_output_tokens: int | None = None
    streams: bool = False


class Answered(Value):
    """What came back. `usage` is never None: it is marked where it was estimated, partial or is unknown.

    `response_chars` counts the text parts as far as they arrived. `error_type` is a kind of error, such as
    `rate_limit`; None for an answer. `gateway_usd` is a gateway's own figure of the cost.
    `gateway_group` and `gateway_model` are what it says of who served, where that is another than was asked.
    `text` is what `response_chars` counts, None where it was not asked for. `counts` says how much there was of what
    is not counted in tokens, by its unit: `images`, `pages`, `search_units`, `seconds`.
    """

    usage: Usage
    model: str | None = None
    response_id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    response_chars: int = 0
    tool_calls: int = 0
    error_type: str | None = None
    gateway_usd: Decimal | None = None
    text: str | None = None
    gateway_group: str | None = None
    gateway_model: str | None = None
    counts: tuple[tuple[str, float], ...] = ()


class Watch(Protocol):
    """Counts the text of one answer while it passes."""

    def feed(self, data: bytes) -> int:
        """Take the next bytes of the body and return the code points of text so far."""


class Provider(Protocol):
    """A wire protocol."""

    def watch(self, asked: Asked, status: int, headers: Headers) -> Watch:
        """Return a counter for an answer whose status and headers have arrived."""
