"""The classes that the list of genai-prices is written with, and the rules that go with them, as in its own `types`.

Its `data.py` names every field, and this keeps them all, also those that nobody asks for here. Whatever in that module
does not tell which model is meant, or which of its prices holds at a moment, is left out.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from tapemeter.pricing.genai.clauses import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    Listed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from tapemeter.pricing.genai.clauses import Clause

    Path = str | Sequence[str | "ArrayMatch"]

__all__ = (
    "ArrayMatch",
    "ClauseAnd",
    "ClauseContains",
    "ClauseEndsWith",
    "ClauseEquals",
    "ClauseOr",
    "ClauseRegex",
    "ClauseStartsWith",
    "ConditionalPrice",
    "ModelInfo",
    "ModelPrice",
    "PriceVariant",
    "Provider",
    "StartDateConstraint",
    "Tier",
    "TieredPrices",
    "TimeOfDateConstraint",
    "UsageExtractor",
    "UsageExtractorMapping",
)

_COMPACT_DAY = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


class Tier(Listed):
    """A price beyond so much input."""

    start: int
    price: Decimal


class TieredPrices(Listed):
    """A price that rises with the length of the input."""

    base: Decimal
    tiers: list[Tier]

    def __post_init__(self) -> None:
        self.tiers.sort(key=lambda tier: tier.start)


ModelPrice = dict
"""Prices by their names, such as `input_mtok`."""


class StartDateConstraint(Listed):
    """From a day on."""

    start_date: date

    def active(self, at: datetime) -> bool:
        """Say whether that day has come, in UTC."""
        return _in_utc(at).date() >= self.start_date


class TimeOfDateConstraint(Listed):
    """At some hours of each day."""

    start_time: time
    end_time: time

    def active(self, at: datetime) -> bool:
        """Say whether it is that time of the day."""
        now, start, end = _in_utc(at).timetz(), _hour(self.start_time), _hour(self.end_time)
        return start <= now < end if start <= end else now >= start or now < end


class ConditionalPrice(Listed):
    """Prices that hold under a condition, or always."""

    prices: ModelPrice[str, Any]
    constraint: StartDateConstraint | TimeOfDateConstraint | None = None


class ModelInfo(Listed):
    """A model."""

    id: str
    match: Clause
    prices: ModelPrice[str, Any] | list[ConditionalPrice]
    name: str | None = None
    description: str | None = None
    context_window: int | None = None
    price_comments: str | None = None
    deprecated: bool | None = None
    price_variants: Sequence[PriceVariant] | None = None

    def get_prices(self, at: datetime) -> ModelPrice[str, Any]:
        """Return the prices that hold at a moment: the last whose condition is met, else the first."""
        if isinstance(self.prices, dict):
            return self.prices
        for price in reversed(self.prices):
            if price.constraint is None or price.constraint.active(at):
                return price.prices
        return self.prices[0].prices


class Provider(Listed):
    """Who serves models."""

    id: str
    name: str
    api_pattern: str
    pricing_urls: Sequence[str] | None = None
    description: str | None = None
    price_comments: str | None = None
    model_match: Clause | None = None
    provider_match: Clause | None = None
    extractors: Sequence[UsageExtractor] | None = None
    fallback_model_providers: Sequence[str] | None = None
    models: Sequence[ModelInfo] = ()

    def find_model(self, name: str, providers: Sequence[Provider]) -> ModelInfo | None:
        """Return the model that goes by a name, here or with those whose models are served here, too.

        Gateways write a day without the dashes that it has on the list.
        """
        name = name.lower()
        dashed = _COMPACT_DAY.sub(_with_dashes, name)
        served = [self, *(_called(each, providers) for each in self.fallback_model_providers or ())]
        for text in dict.fromkeys((name, dashed)):
            for provider in served:
                for model in () if provider is None else provider.models:
                    if model.match.is_match(text):
                        return model
        return None


class PriceVariant(Listed):
    """Prices of another tier of service."""

    when: dict[str, str]
    prices: ModelPrice[str, Any]
    constraint: StartDateConstraint | TimeOfDateConstraint | None = None


class ArrayMatch(Listed):
    """Where a usage is."""

    type: str
    field: str
    match: Clause


class UsageExtractorMapping(Listed):
    """Where a part of a usage is."""

    path: Path
    dest: str
    required: bool = True


class UsageExtractor(Listed):
    """How to find a usage."""

    root: Path
    mappings: Sequence[UsageExtractorMapping]
    api_flavor: str = "default"
    model_path: Path = "model"


def _called(provider_id: str, providers: Sequence[Provider]) -> Provider | None:
    return next((provider for provider in providers if provider.id == provider_id), None)


def _in_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _hour(value: time) -> time:
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return datetime.combine(date(1970, 1, 1), value).astimezone(UTC).timetz()


def _with_dashes(found: re.Match[str]) -> str:
    year, month, day = (int(found[index]) for index in (2, 3, 4))
    try:
        return f"{found[1]}{date(year, month, day).isoformat()}"
    except ValueError:
        return found[0]
