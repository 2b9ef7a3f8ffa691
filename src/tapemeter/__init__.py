"""Record language-model calls once, replay them offline, stop on budget, keep the evidence.

The names below are the public face. Importing this package imports nothing else; each name is loaded when it
is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapemeter.client.config import ProviderConfig
    from tapemeter.client.result import ModelCallResult, TokenUsage
    from tapemeter.client.service import LlmService
    from tapemeter.errors import (
        BudgetStopped,
        CassetteError,
        CassetteFormatError,
        CassetteMiss,
        CassetteTooLargeError,
        ConfigError,
        CostCalculationError,
        EvidenceError,
        InterceptionError,
        NetworkBlockedError,
        PartialRecording,
        PolicyError,
        ProviderError,
        ProxyUnreachableError,
        Refusal,
        TapemeterError,
        UnownedCall,
        UnreadableCassette,
        UsageError,
    )
    from tapemeter.model import Request, Response
    from tapemeter.program import open_run

_PLACES = {
    "BudgetStopped": "errors",
    "CassetteError": "errors",
    "CassetteFormatError": "errors",
    "CassetteMiss": "errors",
    "CassetteTooLargeError": "errors",
    "ConfigError": "errors",
    "CostCalculationError": "errors",
    "EvidenceError": "errors",
    "InterceptionError": "errors",
    "LlmService": "client.service",
    "ModelCallResult": "client.result",
    "NetworkBlockedError": "errors",
    "PartialRecording": "errors",
    "PolicyError": "errors",
    "ProviderConfig": "client.config",
    "ProviderError": "errors",
    "ProxyUnreachableError": "errors",
    "Refusal": "errors",
    "Request": "model",
    "Response": "model",
    "TapemeterError": "errors",
    "TokenUsage": "client.result",
    "UnownedCall": "errors",
    "UnreadableCassette": "errors",
    "UsageError": "errors",
    "open_run": "program",
}

__all__ = [
    "BudgetStopped",
    "CassetteError",
    "CassetteFormatError",
    "CassetteMiss",
    "CassetteTooLargeError",
    "ConfigError",
    "CostCalculationError",
    "EvidenceError",
    "InterceptionError",
    "LlmService",
    "ModelCallResult",
    "NetworkBlockedError",
    "PartialRecording",
    "PolicyError",
    "ProviderConfig",
    "ProviderError",
    "ProxyUnreachableError",
    "Refusal",
    "Request",
    "Response",
    "TapemeterError",
    "TokenUsage",
    "UnownedCall",
    "UnreadableCassette",
    "UsageError",
    "open_run",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'tapemeter' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tapemeter.{_PLACES[name]}"), name)
