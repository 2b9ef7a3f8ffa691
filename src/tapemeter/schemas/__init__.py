"""The JSON Schemas (2020-12) of every document that enters or leaves, and the one place that checks against them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

BUDGET_POLICY = "llm_budget_policy_v1"
USAGE_EVENT = "llm_usage_event_schema_v1"
USAGE_REPORT = "llm_usage_report_schema_v1"


@dataclass(frozen=True, slots=True)
class Problem:
    """One place at which a document breaks its schema: keys and indexes that lead to it, wanted, found."""

    path: tuple[str | int, ...]
    expected: str
    found: str

    def __str__(self) -> str:
        place = ".".join(map(str, self.path)) or "the document"
        return f"{place}: expected {self.expected}, found {self.found}"


@cache
def schema(name: str) -> dict[str, Any]:
    """Return a shipped schema by its name."""
    document: dict[str, Any] = json.loads(files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return document


def problems(document: Any, name: str) -> list[Problem]:
    """Return every place at which a document breaks the schema of that name, in the order of the document."""
    raise NotImplementedError
