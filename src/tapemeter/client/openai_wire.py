"""OpenAI's chat completions, as OpenAI, gateways and a good many servers speak them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tapemeter.client.wire import key_of
from tapemeter.providers.values import each, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tapemeter.client.config import Endpoint
    from tapemeter.client.request import ModelRequest
    from tapemeter.client.wire import Said

_MAKERS = (".openai.com", ".openai.azure.com")
"""Their newer models refuse `max_tokens`; other servers may know nothing else."""


class OpenAIChat:
    """Speaks chat completions."""

    def path(self) -> str:
        """Return the path of the operation."""
        return "/chat/completions"

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Return the headers, the key as a bearer's."""
        key = key_of(endpoint)
        return {"authorization": f"Bearer {key}"} if key else {}

    def body(self, request: ModelRequest, endpoint: Endpoint, *, stream: bool) -> dict[str, Any]:
        """Return the body; a stream is asked for its usage, too."""
        host = f".{urlsplit(endpoint.base_url).hostname or ''}"
        most = "max_completion_tokens" if host.endswith(_MAKERS) else "max_tokens"
        body: dict[str, Any] = {"model": request.model, "messages": [dict(message) for message in request.messages]}
        if request.tools:
            body["tools"] = [dict(tool) for tool in request.tools]
        given = {
            "tool_choice": request.tool_choice,
            "response_format": request.response_format,
            most: request.max_output_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "stop": list(request.stop) or None,
        }
        body.update((name, value) for name, value in given.items() if value is not None)
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body | dict(request.extra)

    def read(self, body: Mapping[str, Any], said: Said) -> None:
        """Take in a whole answer: its first choice."""
        for choice in each(body.get("choices"))[:1]:
            self._hear(fields(choice), "message", said)
            said.texts.append(_text(fields(fields(choice).get("message"))))

    def follow(self, event: Mapping[str, Any], said: Said) -> str:
        """Take in one event of a stream: what it says of the first choice."""
        texts = []
        for position, choice in enumerate(map(fields, each(event.get("choices")))):
            index = choice.get("index")
            if (index if isinstance(index, int) else position) == 0:
                self._hear(choice, "delta", said)
                texts.append(_text(fields(choice.get("delta"))))
        return "".join(texts)

    def _hear(self, choice: Mapping[str, Any], part: str, said: Said) -> None:
        finish = choice.get("finish_reason")
        if isinstance(finish, str):
            said.finish = finish
        for position, given in enumerate(each(fields(choice.get(part)).get("tool_calls"))):
            call = fields(given)
            function = fields(call.get("function"))
            parts = said.tool(_place(call, position, said), call.get("id"), function.get("name"))
            arguments = function.get("arguments")
            if isinstance(arguments, str):
                parts.append(arguments)
            elif arguments is not None:  # some servers give the value in the place of its text
                parts.append(json.dumps(arguments, ensure_ascii=False))


def _place(call: Mapping[str, Any], position: int, said: Said) -> Any:
    """Return what tells a tool call from the others; without index and id it goes on with the last one."""
    index, identity = call.get("index"), call.get("id")
    if isinstance(index, int):
        return index
    if isinstance(identity, str) and identity:
        return identity
    return next(reversed(said.tools), position) if position == 0 else position


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = [fields(part).get("text") for part in each(content)]
    return "".join(text for text in parts if isinstance(text, str))
