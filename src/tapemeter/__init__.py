"""Record language-model calls once, replay them offline, stop on budget, keep the evidence.

The names below are the public face. Importing this package imports nothing else; each name is loaded when it
is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapemeter.errors import (
        BudgetStopped,
        CassetteError,
        CassetteFormatError,
        CassetteMiss,
        CassetteTooLargeError,
        EvidenceError,
        InterceptionError,
        NetworkBlockedError,
        PartialRecording,
        PolicyError,
        Refusal,
        TapemeterError,
        UnownedCall,
        UnreadableCassette,
        UsageError,
    )
    from tapemeter.model import Request, Response

_PLACES = {
    "BudgetStopped": "errors",
    "CassetteError": "errors",
    "CassetteFormatError": "errors",
    "CassetteMiss": "errors",
    "CassetteTooLargeError": "errors",
    "EvidenceError": "errors",
    "InterceptionError": "errors",
    "NetworkBlockedError": "errors",
    "PartialRecording": "errors",
    "PolicyError": "errors",
    "Refusal": "errors",
    "Request": "model",
    "Response": "model",
    "TapemeterError": "errors",
    "UnownedCall": "errors",
    "UnreadableCassette": "errors",
    "UsageError": "errors",
}

__all__ = [
    "BudgetStopped",
    "CassetteError",
    "CassetteFormatError",
    "CassetteMiss",
    "CassetteTooLargeError",
    "EvidenceError",
    "InterceptionError",
    "NetworkBlockedError",
    "PartialRecording",
    "PolicyError",
    "Refusal",
    "Request",
    "Response",
    "TapemeterError",
    "UnownedCall",
    "UnreadableCassette",
    "UsageError",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'tapemeter' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tapemeter.{_PLACES[name]}"), name)
