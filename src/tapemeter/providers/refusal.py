"""The answer that a call gets in the place of a model's, where a budget does not allow it to leave."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tapemeter.model import Chunk, Response
from tapemeter.providers.wire import UnreadError
from tapemeter.providers.wires import named

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapemeter.providers.meter import Asked

_PAYMENT_REQUIRED = 402
_HEADERS = (("content-type", "application/json"), ("x-should-retry", "false"))
_AMAZONS_HEADER = ("x-amzn-errortype", "BudgetStoppedException")
_KIND = "budget_stopped"

_PROVIDERS = {"aws.bedrock": "bedrock", "gcp.gemini": "gemini", "gcp.vertex_ai": "gemini", "mistral_ai": "mistral"}
"""Whose form of an error a provider has, where that is not its own name."""


def refused(asked: Asked, message: str) -> Response:
    """Return HTTP 402 in the provider's own form of an error; the header tells its SDK not to try again."""
    family = _family(asked)
    headers = (*_HEADERS, _AMAZONS_HEADER) if family == "bedrock" else _HEADERS
    body = json.dumps(_error(asked, family, message)).encode()
    return Response(_PAYMENT_REQUIRED, headers, (Chunk(0.0, body),))


def _family(asked: Asked) -> str:
    """Return whose form an error has: the protocol's, or where that is not known the provider's.

    Mistral speaks OpenAI's protocol, but for its errors.
    """
    family = named(asked.protocol).family
    if family == "unknown":
        return _PROVIDERS.get(asked.provider, asked.provider)
    return "mistral" if family == "openai" and asked.provider == "mistral_ai" else family


def _error(asked: Asked, family: str, message: str) -> dict[str, Any]:
    refuse = named(asked.protocol).refuse or _FORMS.get(family, _openai)
    try:
        return refuse(message)
    except UnreadError:  # somebody's own form
        return _openai(message)


def _openai(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": _KIND, "param": None, "code": _KIND}}


def _google(message: str) -> dict[str, Any]:
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": _KIND.upper()}
    error = {"code": _PAYMENT_REQUIRED, "message": message, "status": "FAILED_PRECONDITION", "details": [reason]}
    return {"error": error}


_FORMS: dict[str, Callable[[str], dict[str, Any]]] = {
    "anthropic": lambda message: {"type": "error", "error": {"type": "billing_error", "message": message}},
    "bedrock": lambda message: {"message": message},
    "cohere": lambda message: {"message": message},
    "gemini": _google,
    "huggingface": lambda message: {"error": message, "error_type": _KIND},
    "mistral": lambda message: {"object": "error", "message": message, "type": _KIND, "param": None, "code": _KIND},
    "ollama": lambda message: {"error": message},
}
"""The body of an error, by whose form it has."""
