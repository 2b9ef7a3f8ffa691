"""The answer that a call gets in the place of a model's, where a budget does not allow it to leave."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tapemeter.model import Chunk, Response

if TYPE_CHECKING:
    from tapemeter.providers.meter import Asked

_PAYMENT_REQUIRED = 402
_HEADERS = (("content-type", "application/json"), ("x-should-retry", "false"))


def refused(asked: Asked, message: str) -> Response:
    """Return HTTP 402 in the provider's own form of an error; the header tells its SDK not to try again."""
    body = json.dumps(_error(asked, message)).encode()
    return Response(_PAYMENT_REQUIRED, _HEADERS, (Chunk(0.0, body),))


def _error(asked: Asked, message: str) -> dict[str, Any]:
    if asked.protocol.startswith("anthropic") or asked.provider == "anthropic":
        return {"type": "error", "error": {"type": "billing_error", "message": message}}
    kind = "budget_stopped"
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}
