"""The rates of public models, from genai-prices: an offline, dated list that keeps its sources."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from tapemeter.pricing.rates import Rate, Rates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tapemeter.pricing.genai import Listing

SOURCE = "genai-prices"

PROVIDERS = {
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
}
"""OpenTelemetry's names of providers that the list calls otherwise."""

_FREE, _FREE_EDITION = frozenset({"moderation"}), ":free"
"""What costs nothing of the models that the list has without any rate; of the others it knows no price."""

_LONGEST_NAME = 256


def rates(model: str, provider: str, url: str, at: datetime) -> Rates | None:
    """Return the rates of a model at a moment, in UTC; None where the list does not know it.

    A model is looked for with its provider, then with the address it was called at, then by its name alone, since
    gateways and servers of one's own serve models under the names that their makers gave them. Some rates go by the
    time of the day.
    """
    found = _found(model, provider, url)
    if found is None:
        return None
    return _rates(found, at) if isinstance(found.prices, list) else _lasting(model, provider, url)


def rates_of_the_day(model: str, provider: str, url: str, at: datetime) -> list[Rates]:
    """Return the rates of a model at a moment and whenever they change on that day; none where it is not known."""
    found = _found(model, provider, url)
    return [] if found is None else [_rates(found, moment) for moment in (at, *_changes(found, at))]


def _found(model: str, provider: str, url: str) -> Any:
    return None if len(model) > _LONGEST_NAME else _model(model, PROVIDERS.get(provider, provider), url)


def _changes(found: Any, at: datetime) -> Iterator[datetime]:
    """Yield the times of a day at which a price that goes by the hour begins or ends."""
    for price in found.prices if isinstance(found.prices, list) else ():
        for name in ("start_time", "end_time"):
            hour = getattr(price.constraint, name, None)
            if hour is not None:
                moment = datetime.combine(at.date(), hour)
                yield moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@lru_cache(1000)
def _lasting(model: str, provider: str, url: str) -> Rates:
    """Return the rates of a model that is known to have the same at all times."""
    return _rates(_found(model, provider, url), datetime.now(UTC))


def _rates(found: Any, at: datetime) -> Rates:
    listed = {name: price for name, price in _by_name(found.get_prices(at)).items() if price is not None}
    if not listed and (found.id in _FREE or found.id.endswith(_FREE_EDITION)):
        return Rates(input=Rate(Decimal(0)), output=Rate(Decimal(0)), source=SOURCE, version=version())
    return Rates(
        input=_rate(listed.get("input_mtok")),
        output=_rate(listed.get("output_mtok")),
        cache_read=_rate(listed.get("cache_read_mtok")),
        cache_write=_rate(listed.get("cache_write_mtok")),
        reasoning=_rate(listed.get("output_reasoning_mtok")),
        request=_per_request(listed),
        source=SOURCE,
        version=version(),
    )


@cache
def version() -> str:
    """Return the edition of the list."""
    from importlib.metadata import version as of  # noqa: PLC0415 - slow, and needed once

    return of(SOURCE)


@cache
def dearest() -> tuple[Decimal, Decimal]:
    """Return the highest rates of input and output, per million tokens, of all text models on the list."""
    from tapemeter.pricing import genai  # noqa: PLC0415 - as in _model

    return genai.consult(_dearest)


def _dearest(listing: Listing) -> tuple[Decimal, Decimal]:
    highest = (Decimal(0), Decimal(0))
    for provider in listing.providers:
        for model in provider.models:
            for listed in _all_prices(model):
                found = [_rate(listed.get(name)) for name in ("input_mtok", "output_mtok")]
                if all(found):
                    tops = [max([rate.base, *(price for _, price in rate.tiers)]) for rate in found if rate]
                    highest = (max(highest[0], tops[0]), max(highest[1], tops[1]))
    return highest


@lru_cache(1000)
def _model(name: str, provider: str, url: str) -> Any:
    from tapemeter.pricing import genai  # noqa: PLC0415 - needed by the first price of a model

    def find(listing: Listing) -> Any:
        for provider_id, address in ((provider, None), (None, url), (None, None)):
            try:
                return listing.find_provider_model(name, None, provider_id, address)[1]
            except (LookupError, ValueError):
                continue
        return None

    return genai.consult(find)


def _all_prices(model: Any) -> Iterator[Mapping[str, Any]]:
    prices = model.prices if isinstance(model.prices, list) else [model.prices]
    for price in prices:
        yield _by_name(getattr(price, "prices", price))


def _by_name(prices: Any) -> Mapping[str, Any]:
    """Return prices by their names: the package has them as an object, ours as that alone."""
    return prices if isinstance(prices, dict) else vars(prices)


def _rate(listed: Any) -> Rate | None:
    if listed is None:
        return None
    if isinstance(listed, Decimal):
        return Rate(listed)
    return Rate(listed.base, tuple((tier.start, tier.price) for tier in listed.tiers))


def _per_request(listed: dict[str, Any]) -> Decimal:
    price = listed.get("requests_kcount")
    return price / 1000 if isinstance(price, Decimal) else Decimal(0)
