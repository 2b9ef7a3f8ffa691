"""An attempt as a line of evidence: sizes, digests, figures, and the answer's text as far as it is to be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tapemeter.budget.dimensions import plain, text_of
from tapemeter.events.artifacts import NOTHING_KEPT
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from tapemeter.events.artifacts import Kept
    from tapemeter.metering.attempt import Attempt
    from tapemeter.model import Cost
    from tapemeter.providers.meter import Answered


class Sink(Protocol):
    """Where evidence goes."""

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Append one event, whole, before anything that follows from it."""


class Answer(Value):
    """What came back for an attempt, as its evidence tells it. Times are seconds."""

    answered: Answered
    status: int
    digest: str
    duration: float
    first_chunk: float | None
    cost: Cost
    today_usd: Decimal | None
    kept: Kept | None = None
    """Its text; None where none is to be kept."""


def call_event(attempt: Attempt, outcome: str, answer: Answer | None = None) -> dict[str, Any]:
    """Return the fields of a `call` event; words of an enumeration are texts, and are written as such."""
    asked, caller, intent = attempt.asked, attempt.caller, attempt.intent
    fields: dict[str, Any] = {
        "call_id": attempt.record.id,
        "attempt": attempt.number,
        "job": attempt.job.name,
        "step": attempt.step,
        "test": caller.nodeid if caller.markable else None,
        "cassette": caller.cassette_name,
        "interaction": attempt.interaction,
        "source": attempt.source,
        "outcome": outcome,
        "gen_ai.operation.name": asked.operation,
        "gen_ai.provider.name": asked.provider,
        "gen_ai.request.model": asked.model,
        "gen_ai.request.max_tokens": asked.max_output_tokens,
        "alias": _alias(attempt),
        "task": None if intent is None else intent.task,
        "provider": asked.provider if intent is None or intent.provider is None else intent.provider,
        "group": attempt.group,
        "is_fallback": attempt.is_fallback,
        "fallback_reason": attempt.fallback_reason,
        "server.address": attempt.host or None,
        "prompt_chars": asked.prompt_chars,
        "request_digest": attempt.shown_digest,
        "bound": {dimension: plain(dimension, amount) for dimension, amount in attempt.bound.items()},
    }
    if answer is None:
        return {**fields, "model_name": attempt.model, **_NO_ANSWER}
    kept = answer.kept or NOTHING_KEPT
    answered, usage, cost = answer.answered, answer.answered.usage, answer.cost
    fields |= {
        "gen_ai.response.model": answered.model,
        "gen_ai.response.id": answered.response_id,
        "gen_ai.response.finish_reasons": list(answered.finish_reasons),
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_write.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        "gen_ai.response.time_to_first_chunk": _seconds(answer.first_chunk),
        "error.type": answered.error_type,
        "http.response.status_code": answer.status or None,
        "quality": usage.quality,
        "response_chars": answered.response_chars,
        "tool_calls": answered.tool_calls,
        **({"units": dict(answered.counts)} if answered.counts else {}),
        "response_digest": answer.digest,
        "duration_seconds": _seconds(answer.duration),
        "cost_usd": _money(cost.usd),
        "cost_today_usd": _money(answer.today_usd),
        "cost_quality": cost.quality,
        "cost_source": cost.source or None,
        "cost_version": cost.version or None,
        "cost_unavailable": cost.usd is None and answered.gateway_usd is None,
        "gateway_cost_usd": _money(answered.gateway_usd),
        "model_name": answered.model or attempt.model,
        "response_text": kept.text,
        "response_truncated": kept.truncated,
        "response_artifact": kept.artifact,
    }
    return fields


def _alias(attempt: Attempt) -> str | None:
    """Return by which name the model was asked for, where that is not its own."""
    if attempt.intent is not None and attempt.intent.alias is not None:
        return attempt.intent.alias
    return attempt.asked.model if attempt.asked.model != attempt.model else None


_NO_ANSWER: dict[str, Any] = {
    "gen_ai.response.model": None,
    "gen_ai.response.id": None,
    "gen_ai.response.finish_reasons": [],
    "gen_ai.usage.input_tokens": 0,
    "gen_ai.usage.output_tokens": 0,
    "gen_ai.usage.cache_read.input_tokens": 0,
    "gen_ai.usage.cache_write.input_tokens": 0,
    "gen_ai.usage.reasoning.output_tokens": 0,
    "gen_ai.response.time_to_first_chunk": None,
    "error.type": None,
    "http.response.status_code": None,
    "quality": "measured",
    "response_chars": 0,
    "tool_calls": 0,
    "response_digest": None,
    "duration_seconds": 0.0,
    "cost_usd": "0",
    "cost_today_usd": "0",
    "cost_quality": "measured",
    "cost_source": None,
    "cost_version": None,
    "cost_unavailable": False,
    "gateway_cost_usd": None,
    "response_text": None,
    "response_truncated": False,
    "response_artifact": None,
}
"""Nothing was sent, so nothing was used, and that is known for certain."""


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else text_of(amount)
