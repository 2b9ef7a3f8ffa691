"""What may be said of a call beside its prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping


class CallOptions(TypedDict, total=False):
    """Keyword arguments of every call of `LlmService`; tools and response format are of OpenAI's chat form."""

    tools: tuple[Mapping[str, Any], ...]
    tool_choice: Any
    response_format: Mapping[str, Any]
    max_output_tokens: int
    temperature: float
    seed: int
    stop: tuple[str, ...]
    extra: Mapping[str, Any]
    """Goes into the request's body as it is."""
    fallback: bool
    """Whether other groups may answer where the one asked for fails; true where nothing is said."""
