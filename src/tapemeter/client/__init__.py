"""The program's own way to call a model; its calls are recorded, replayed and metered like anyone's.

    service    one place to call from: text and alias in, text and cost and reasons out
    config     where calls go; `load.load` reads environment and config file
    aliases    names by which a program asks for a model
    fallback   who is asked where a model fails, and `circuit`, who is left alone for a while
    cost       what calls cost, by one's own prices and by the gateway
    routing    where a call goes when a budget is nearly used up
    provider   the contract of what answers: `http`, `gateway`, `litellm_sdk`, `echo`

The names below are loaded when they are first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapemeter.client.aliases import AliasRegistry
    from tapemeter.client.config import (
        Alias,
        Circuit,
        Endpoint,
        Group,
        ProviderConfig,
        ProviderKind,
        Retries,
        Timeouts,
        Wire,
    )
    from tapemeter.client.cost import CostTracker
    from tapemeter.client.result import GatewayFacts, ModelCallResult, TokenUsage, ToolCall
    from tapemeter.client.secret import Secret
    from tapemeter.client.service import LlmService
    from tapemeter.client.streams import AsyncModelStream, ModelStream

_PLACES = {
    "Alias": "config",
    "AliasRegistry": "aliases",
    "AsyncModelStream": "streams",
    "Circuit": "config",
    "CostTracker": "cost",
    "Endpoint": "config",
    "GatewayFacts": "result",
    "Group": "config",
    "LlmService": "service",
    "ModelCallResult": "result",
    "ModelStream": "streams",
    "ProviderConfig": "config",
    "ProviderKind": "config",
    "Retries": "config",
    "Secret": "secret",
    "Timeouts": "config",
    "TokenUsage": "result",
    "ToolCall": "result",
    "Wire": "config",
}

__all__ = [
    "Alias",
    "AliasRegistry",
    "AsyncModelStream",
    "Circuit",
    "CostTracker",
    "Endpoint",
    "GatewayFacts",
    "Group",
    "LlmService",
    "ModelCallResult",
    "ModelStream",
    "ProviderConfig",
    "ProviderKind",
    "Retries",
    "Secret",
    "Timeouts",
    "TokenUsage",
    "ToolCall",
    "Wire",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'tapemeter.client' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tapemeter.client.{_PLACES[name]}"), name)
