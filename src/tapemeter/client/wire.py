"""How a server's protocol says what a program asks, and how its answers are read: the contract, and what all share.

Nothing here sends anything. Tokens, models and kinds of errors are read by `providers`, as they are for the evidence,
so that a result and the evidence never disagree.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from tapemeter import providers
from tapemeter.client.result import Answer, Delta, TokenUsage
from tapemeter.errors import ProviderError
from tapemeter.providers.sse import Events
from tapemeter.values import Mutable, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from tapemeter.client.config import Endpoint
    from tapemeter.client.request import ModelRequest
    from tapemeter.client.result import ToolCall
    from tapemeter.model import Request, Response


class Said(Mutable):
    """What an answer has said so far; a protocol's reader fills it. `finish` is of OpenAI's words."""

    texts: list[str] = field(default_factory=list)
    tools: dict[Any, list[str]] = field(default_factory=dict)
    """By what tells calls apart: id, name, and the pieces of the arguments."""
    finish: str | None = None

    def tool(self, key: Any, identity: Any, name: Any) -> list[str]:
        """Return the parts of a tool call, a new one where there is none of that key."""
        call = self.tools.setdefault(key, ["", ""])
        call[0] = call[0] or (identity if isinstance(identity, str) else "")
        call[1] = call[1] or (name if isinstance(name, str) else "")
        return call

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Return the calls of tools."""
        from tapemeter.client.result import ToolCall  # noqa: PLC0415 - most answers call none

        return tuple(ToolCall(call[0], call[1], "".join(call[2:])) for call in self.tools.values())


class Speaker(Protocol):
    """A protocol: how to ask, and how to read. Pure functions of what they are given."""

    def path(self) -> str:
        """Return the path of the operation, below the endpoint's address."""

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Return the headers that the protocol wants, the key among them."""

    def body(self, request: ModelRequest, endpoint: Endpoint, *, stream: bool) -> dict[str, Any]:
        """Return the body; ProviderError of kind `invalid_request` for what the protocol cannot say."""

    def read(self, body: Mapping[str, Any], said: Said) -> None:
        """Take in a whole answer."""

    def follow(self, event: Mapping[str, Any], said: Said) -> str:
        """Take in one event of a stream; return the text that it adds."""


class Reading:
    """One answer while it is read, whole or event by event; `asked` is the request as it went out."""

    def __init__(self, speaker: Speaker, asked: Request) -> None:
        self._speaker, self._asked = speaker, asked
        self._said = Said()
        self._events = Events()

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._said.texts)

    def take(self, data: bytes) -> Iterator[Delta]:
        """Yield the pieces of text that the next bytes of a stream bring; ValueError where they are no events."""
        for event in self._events.feed(data):
            if event[:1] != b"{":
                continue
            value = json.loads(event)
            if isinstance(value, dict):
                text = self._speaker.follow(value, self._said)
                if text:
                    self._said.texts.append(text)
                    yield Delta(text)

    def read(self, body: bytes) -> None:
        """Take in a whole answer; ValueError where it is none."""
        value = json.loads(body)
        if not isinstance(value, dict):
            raise ValueError("it is no JSON object")  # noqa: TRY004 - a fault of the server, not of a caller
        self._speaker.read(value, self._said)
        said = self._said
        if not (value.get("error") or said.finish or said.tools or any(said.texts)):
            raise ValueError("it says nothing")

    def answer(self, response: Response, *, url: str, attempts: int) -> tuple[Answer, str | None, Decimal | None]:
        """Return the answer, the kind of error that came in its place or in its midst, and a gateway's figure."""
        asked = providers.ask(self._asked)
        if asked is None:
            raise ValueError("it is no model call")
        told = providers.answered(asked, response)
        usage = told.usage
        answer = Answer(
            content=self.text,
            usage=TokenUsage(
                prompt=usage.input_tokens,
                completion=usage.output_tokens,
                cached=usage.cache_read_tokens,
                cache_written=usage.cache_write_tokens,
                reasoning=usage.reasoning_tokens,
                quality=usage.quality.value,
            ),
            model_name=told.model,
            tool_calls=self._said.tool_calls(),
            finish_reason=self._said.finish,
            response_id=told.response_id,
            attempts=attempts,
            wire=asked.provider,
            server_url=url,
        )
        return answer, told.error_type, told.gateway_usd


def speaker(endpoint: Endpoint) -> Speaker:
    """Return who speaks the protocol of an endpoint."""
    from tapemeter.client.config import Wire  # noqa: PLC0415 - each way loads only what it needs

    if endpoint.wire is Wire.ANTHROPIC:
        from tapemeter.client.anthropic_wire import AnthropicMessages  # noqa: PLC0415

        return AnthropicMessages()
    from tapemeter.client.openai_wire import OpenAIChat  # noqa: PLC0415

    return OpenAIChat()


def key_of(endpoint: Endpoint) -> str:
    """Return the key as a header can carry it, empty where there is none; ProviderError, without it, where none can."""
    key = endpoint.api_key.reveal() if endpoint.api_key else ""
    if all("!" <= char <= "~" for char in key):
        return key
    what = f"the key in {endpoint.key_name} has a space, a line break or a letter beyond ASCII; copy it again"
    raise ProviderError(what, kind="auth", provider="real", attempts=0)


def cannot(what: str, model: str) -> ProviderError:
    """Return the error for something that a protocol cannot say."""
    return ProviderError(what, kind="invalid_request", provider="real", model=model, attempts=0)
