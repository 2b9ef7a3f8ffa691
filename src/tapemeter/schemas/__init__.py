"""The JSON Schemas (2020-12) of every document that enters or leaves, and the one place that checks against them.

A whole number is one that is written as one: `3.0` is none, and `true` is no number. A schema may say in the
annotation `x-expected` how its values are called in a message, where the words made from its keywords would not do.
"""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tapemeter.values import Value

if TYPE_CHECKING:
    from tapemeter.schemas.fit import Check, Checks

BUDGET_POLICY = "llm_budget_policy_v1"
CONFIG = "llm_config_v1"
PRICES = "llm_prices_v1"
USAGE_EVENT = "llm_usage_event_schema_v1"
USAGE_REPORT = "llm_usage_report_schema_v1"

_WIDEST = 80
"""Characters of a key that are shown."""


class Problem(Value):
    """One place at which a document breaks its schema: keys and indexes that lead to it, wanted, found."""

    path: tuple[str | int, ...]
    expected: str
    found: str

    @property
    def place(self) -> str:
        """The path as a message shows it: `limits.job.calls`, `models."gpt-4.1*".run`, `calls[2]`."""
        return _joined(self.path) or "the document"

    def __str__(self) -> str:
        return f"{self.place}: expected {self.expected}, found {self.found}"


@cache
def schema(name: str) -> dict[str, Any]:
    """Return a shipped schema by its name."""
    document: dict[str, Any] = json.loads(files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return document


def attribute(name: str) -> str:
    """Return how the field of a document is called where it becomes an attribute: `gen_ai.response.id` has dots."""
    return name.replace(".", "_")


def valid(document: Any, name: str) -> bool:
    """Return whether a document keeps the schema of that name: the fast way, which does not say why."""
    return bool(_validator(name).is_valid(document))


def fits(document: Any, name: str) -> bool:
    """Return the same some twenty times as fast, for a schema of few keywords: those of events and reports."""
    return _checks(name).whole(document) or valid(
        document, name
    )  # where it seems not to, the validator has the last word


@cache
def entry_check(name: str, key: str) -> Check:
    """Return the quick check of one entry of a list in documents of that name, for documents that are never whole.

    Where it says no, `fits` may still say yes to the whole.
    """
    return _checks(name).of(schema(name)["properties"][key]["items"])


def problems(document: Any, name: str) -> list[Problem]:
    """Return every place at which a document breaks the schema of that name, in the order of the document."""
    from tapemeter.schemas.explain import explain  # noqa: PLC0415 - only where there may be something to explain

    return explain(_validator(name).iter_errors(document), document, schema(name))


@cache
def _checks(name: str) -> Checks:
    from tapemeter.schemas.fit import Checks  # noqa: PLC0415 - only where there is evidence

    return Checks(schema(name))


@cache
def _validator(name: str) -> Any:
    """Return what checks documents of one kind; made once, and only when there is a document."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - 40 ms that no test run without calls pays

    strict = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_whole, "number": _is_number})
    kind: Any = validators.extend(Draft202012Validator, type_checker=strict)  # type: ignore[no-untyped-call]
    return kind(schema(name))


def _is_number(_: object, value: Any) -> bool:
    """Return whether a value is a finite number: NaN would pass every comparison."""
    return _is_whole(_, value) or (isinstance(value, float) and math.isfinite(value))


def _joined(path: tuple[str | int, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{_key(part)}" for part in path]
    return "".join(parts).removeprefix(".")


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum() and len(name) <= _WIDEST
    return name if plain else json.dumps(name[:_WIDEST], ensure_ascii=False)


def _is_whole(_: object, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
