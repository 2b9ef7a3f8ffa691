"""What a usage costs: prices of one's own first, then those of public models, dated, offline. Unknown is never zero."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from tapemeter.model import Cost, Quality
from tapemeter.pricing import listed
from tapemeter.pricing.overrides import Overrides
from tapemeter.pricing.rates import total

if TYPE_CHECKING:
    from pathlib import Path

    from tapemeter.model import Usage
    from tapemeter.pricing.rates import Rates

__all__ = ["Overrides", "Prices", "load_overrides", "priced_names"]


def priced_names(
    asked: str | None, answered: str | None, *, group: str | None = None, served: str | None = None
) -> tuple[str, ...]:
    """Return by which names to look for the price of an answer, in order.

    That is the model that was `asked`, then the one that says it `answered`; and those that a gateway names: the
    `group` where that is another than was asked, since the gateway has fallen back on it, and the model that `served`,
    also without the name of its provider before it.
    """
    fallen_back = group is not None and group != asked
    after = None if served is None else served.rpartition("/")[2]
    names = (group, served, after, asked, answered) if fallen_back else (asked, answered, served, after)
    return tuple(dict.fromkeys(name for name in names if name))


def load_overrides(path: Path) -> Overrides:
    """Return the prices in a file; PolicyError where it is not what its schema says."""
    from tapemeter import documents, schemas  # noqa: PLC0415 - only projects with prices of their own need them

    document = documents.load(path, schemas.PRICES, source=path.name)
    return Overrides.parse(document.value, document.source, document.line)


class Prices:
    """The prices of a run. Safe for threads; a list of public prices is loaded when the first price is asked for."""

    def __init__(self, overrides: Overrides | None = None) -> None:
        self._overrides = overrides or Overrides()

    def resolve(self, model: str) -> str:
        """Return the model that an alias of the price file stands for; any other name as it is."""
        return self._overrides.resolve(model)

    def cost(self, usage: Usage, *, model: str | None, provider: str, url: str, at: datetime) -> Cost:
        """Return what a usage cost at a moment; its `usd` is None where the price is unknown. Never raises.

        `provider` is OpenTelemetry's name; a moment without a zone is one of UTC. What used nothing costs nothing,
        unless requests themselves have a price.
        """
        nothing = usage.quality is not Quality.UNKNOWN and not usage.total_tokens
        rates = None if model is None else self._rates(model, provider, url, at)
        if rates is None or usage.quality is Quality.UNKNOWN:
            return Cost(Decimal(0), usage.quality) if nothing else Cost(None, Quality.UNKNOWN)
        usd = rates.cost(usage)
        quality = Quality.UNKNOWN if usd is None else usage.quality
        return Cost(usd, quality, rates.source, rates.version)

    def bound(
        self, *, model: str | None, provider: str, url: str, input_tokens: int, output_tokens: int, at: datetime
    ) -> Decimal | None:
        """Return the most that a call can cost at the dearest rate that may hold for it; None where that is unknown."""
        if model is None:
            return None
        model, at = self.resolve(model), _in_utc(at)
        own = self._overrides.rates(model, at)
        # A price that goes by the hour may change before the call has ended.
        rates = [own] if own is not None else listed.rates_of_the_day(model, provider, _address(url), at)
        bounds = [each.bound(input_tokens, output_tokens) for each in rates]
        known = [bound for bound in bounds if bound is not None]
        return max(known) if known and len(known) == len(bounds) else None

    def dearest(self, *, input_tokens: int, output_tokens: int) -> Decimal:
        """Return what a call of the dearest model costs: that of the price file's `assume_max`, else of all known."""
        per_input, per_output = self._overrides.assume_max or listed.dearest()
        return total([(input_tokens, per_input), (output_tokens, per_output)])

    def _rates(self, model: str, provider: str, url: str, at: datetime) -> Rates | None:
        model, at = self.resolve(model), _in_utc(at)
        own = self._overrides.rates(model, at)
        return own if own is not None else listed.rates(model, provider, _address(url), at)


def _address(url: str) -> str:
    """Return a URL without what changes from call to call."""
    return url.partition("?")[0]


def _in_utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        return at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:  # the first or the last day there is
        return at.replace(tzinfo=UTC)
