"""A call that was refused, as an error that the program's SDK takes for one of its provider, and does not repeat."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tapemeter.errors import BudgetStopped, CassetteMiss, PartialRecording, UnownedCall, UnreadableCassette

if TYPE_CHECKING:
    from tapemeter.errors import Refusal

PAYMENT_REQUIRED = 402
NOT_FOUND = 404
GONE = 410
FAILED_DEPENDENCY = 424
BAD_GATEWAY = 502

_STATUSES: tuple[tuple[type[Refusal], int], ...] = (
    (BudgetStopped, PAYMENT_REQUIRED),
    (CassetteMiss, FAILED_DEPENDENCY),
    (UnreadableCassette, FAILED_DEPENDENCY),
    (PartialRecording, FAILED_DEPENDENCY),
    (UnownedCall, GONE),
)

HEADERS = (
    (b"content-type", b"application/json"),
    (b"x-should-retry", b"false"),
    (b"x-tapemeter", b"refused"),
)
"""The second keeps SDKs of the Stainless family from trying again; the third tells a person who refused."""


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status that stands for a refusal; none that clients take for a reason to try again."""
    return next((status for kind, status in _STATUSES if isinstance(refusal, kind)), FAILED_DEPENDENCY)


def body(upstream: str, status: int, kind: str, message: str) -> bytes:
    """Return the error in the form of a provider, by its name; that of OpenAI for those that have no other."""
    return json.dumps(_form(upstream, status, kind, message), ensure_ascii=False).encode()


def _form(upstream: str, status: int, kind: str, message: str) -> dict[str, Any]:
    match upstream:
        case "anthropic":
            return {"type": "error", "error": {"type": kind, "message": message}}
        case "gemini":
            return {"error": {"code": status, "message": message, "status": kind.upper()}}
        case "ollama":
            return {"error": message}
        case "cohere":
            return {"message": message}
        case _:
            return {"error": {"message": message, "type": kind, "param": None, "code": kind}}
