"""What comes back to a program that asked a model: frozen values, as JSON where they are to be kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one answer: `cached` is a part of `prompt`, `reasoning` a part of `completion`.

    `quality` is `measured` where the provider gave the figures, else `estimated`, `partial` or `unknown`.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0
    quality: str = "measured"

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that the model wants; `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str

    def parsed(self) -> Any:
        """Return the arguments as a value; ValueError where the model wrote no JSON."""
        return json.loads(self.arguments or "{}")


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """What a gateway says of a call in its headers, or in the last event of a stream; None for what it did not say."""

    cost_usd: Decimal | None = None
    group: str | None = None
    model: str | None = None
    call_id: str | None = None
    attempted_fallbacks: int | None = None
    attempted_retries: int | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer that streams."""

    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of one provider.

    `model_name` is the model that says it answered; `finish_reason` is of OpenAI's words (`stop`, `length`,
    `tool_calls`, `content_filter`). `attempts` counts HTTP exchanges. `server_url` is where it came from, for its
    price; empty where there is none.
    """

    content: str
    usage: TokenUsage
    model_name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    response_id: str | None = None
    gateway: GatewayFacts | None = None
    attempts: int = 1
    wire: str = ""
    """OpenTelemetry's name of the provider whose protocol was spoken: `openai`, `anthropic`."""
    server_url: str = ""


@dataclass(frozen=True, slots=True)
class ModelCallResult:
    """The outcome of one call through `LlmService`.

    `cost_usd` is by one's own price data, else by the gateway's figure, else None with `cost_unavailable`;
    `own_cost_usd` and `gateway_cost_usd` keep both. `provider` is `real`, `gateway` or `echo`. `latency` is seconds.
    `truncated` says that the answer was cut at its output limit. `alias` is what was asked for, `group` what it
    resolved to, `model_name` what answered.
    """

    content: str
    usage: TokenUsage
    cost_usd: Decimal | None
    cost_unavailable: bool
    provider: str
    model_name: str | None
    alias: str | None
    group: str | None
    latency: float
    is_fallback: bool = False
    fallback_reason: str | None = None
    truncated: bool = False
    finish_reason: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    response_id: str | None = None
    own_cost_usd: Decimal | None = None
    gateway_cost_usd: Decimal | None = None
    cost_source: str = ""
    gateway: GatewayFacts | None = None
    attempts: int = 1
    task: str | None = None
    route_reason: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict, compare=False)
