"""The error that a call gets in the place of a model's answer, in the form of its provider."""

from __future__ import annotations

import json
from contextlib import suppress
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
    return Response(_PAYMENT_REQUIRED, headers, (Chunk(0.0, _stop(asked, family, message)),))


def _family(asked: Asked) -> str:
    """Return whose form an error has: the protocol's, or where that is not known the provider's.

    Mistral speaks OpenAI's protocol, but for its errors.
    """
    family = named(asked.protocol).family
    if family == "unknown":
        return _PROVIDERS.get(asked.provider, asked.provider)
    return "mistral" if family == "openai" and asked.provider == "mistral_ai" else family


def error_body(family: str, status: int, kind: str, message: str) -> bytes:
    """Return an error in the form of a family of providers; that of OpenAI for those that have no other."""
    return json.dumps(_FORMS.get(family, _openai)(status, kind, message), ensure_ascii=False).encode()


def _stop(asked: Asked, family: str, message: str) -> bytes:
    own = named(asked.protocol).refuse
    if own is not None:
        with suppress(UnreadError):  # somebody's own form
            return json.dumps(own(message)).encode()
        family = "openai"
    return error_body(family, _PAYMENT_REQUIRED, _KIND, message)


def _openai(_: int, kind: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def _anthropic(_: int, kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": "billing_error" if kind == _KIND else kind, "message": message}}


def _google(status: int, kind: str, message: str) -> dict[str, Any]:
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": kind.upper()}
    return {"error": {"code": status, "message": message, "status": "FAILED_PRECONDITION", "details": [reason]}}


def _mistral(_: int, kind: str, message: str) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": kind}


_FORMS: dict[str, Callable[[int, str, str], dict[str, Any]]] = {
    "anthropic": _anthropic,
    "bedrock": lambda _, __, message: {"message": message},
    "cohere": lambda _, __, message: {"message": message},
    "gemini": _google,
    "huggingface": lambda _, kind, message: {"error": message, "error_type": kind},
    "mistral": _mistral,
    "ollama": lambda _, __, message: {"error": message},
}
"""The body of an error, by whose form it has."""
