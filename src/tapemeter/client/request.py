"""What a program asks of a model, whoever serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.errors import UsageError
from tapemeter.values import Value, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ROLES = ("system", "developer", "user", "assistant", "tool")


class ModelRequest(Value):
    """One request for one answer.

    `messages` are of OpenAI's chat form (role, content, tool_calls, tool_call_id), `tools` and `response_format` too;
    a provider that speaks another protocol translates. `extra` goes into the body as it is.
    """

    model: str
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: Any = None
    response_format: Mapping[str, Any] | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def messages_from(prompt: str | Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return messages from a text, which becomes one of the user's, or from messages; UsageError for anything else."""
    if isinstance(prompt, str):
        return ({"role": "user", "content": prompt},)
    try:
        messages = tuple(prompt)
    except TypeError:
        raise UsageError(f"expected a text or a list of messages, got {type(prompt).__name__}") from None
    if not messages:
        raise UsageError("there is no message; give a text or at least one message")
    for number, message in enumerate(messages):
        role = message.get("role") if hasattr(message, "get") else None
        if role not in _ROLES:
            raise UsageError(f"message {number} has the role {role!r}; write one of {', '.join(_ROLES)}")
    return messages
