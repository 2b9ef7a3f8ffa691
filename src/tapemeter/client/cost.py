"""What calls cost: by one's own price data first, by the gateway's figure second, both kept side by side.

In the path of a call nothing is raised: what cannot be told is marked as unavailable, never taken as zero, and a total
that lacks it says "at least". Who must know asks with `require` or `total(require_known=True)`, and gets an error that
says which price is missing.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Context, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from tapemeter.errors import CostCalculationError
from tapemeter.model import Cost, Quality, Usage
from tapemeter.pricing import priced_names
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tapemeter.client.result import Answer, TokenUsage
    from tapemeter.pricing import Prices

BY_GATEWAY = "gateway"
"""The source of a cost that is the gateway's figure."""
BY_NOBODY = "no server"
"""The source of a cost that is zero because no server was asked, as with the echo provider."""
REST = "(all others)"
"""Where the totals of further names go, so that names without end need no memory without end."""

_MOST_NAMES = 10_000
"""Names of one kind that have a total of their own."""
_MOST_USD = Decimal(10**6)
"""US dollars; a gateway that says that one call cost more, or as much, is not believed."""
_FINEST = -30
"""The power of ten of the last digit of what a gateway says, at the finest."""
_EXACT = Context(prec=100, rounding=ROUND_CEILING)
"""Decimal's own context is the program's to change."""
_NOTHING = Decimal(0)
_LONGEST_TOLD = 100
"""Characters of an error, or a name, that are kept."""


class CallCost(Value):
    """What one call cost, in US dollars; `usd` is None where nobody can tell.

    `own_usd` is by one's own price data, `gateway_usd` what the gateway says; `source` says whose figure `usd` is
    (`genai-prices`, the path of a price file, `gateway`, `no server`), `version` which edition, `quality` how sure it
    is. `model` is the name that was looked for last. `problem` is why one's own price data gave nothing, where that
    is due to an error.
    """

    usd: Decimal | None
    own_usd: Decimal | None = None
    gateway_usd: Decimal | None = None
    source: str = ""
    version: str = ""
    quality: str = Quality.UNKNOWN.value
    model: str | None = None
    problem: str | None = None

    @property
    def unavailable(self) -> bool:
        """Whether nobody can tell."""
        return self.usd is None


class Total(Value):
    """What several calls cost together, in US dollars; `unknown` counts those of which nobody can tell.

    `own_usd` and `gateway_usd` are sums of the figures that there are, each of its own calls.
    """

    usd: Decimal = _NOTHING
    calls: int = 0
    unknown: int = 0
    own_usd: Decimal = _NOTHING
    gateway_usd: Decimal = _NOTHING

    @property
    def at_least(self) -> bool:
        """Whether the true figure may be higher."""
        return self.unknown > 0

    def __str__(self) -> str:
        return f"{'at least ' if self.at_least else ''}${self.usd.normalize(_EXACT):f}"

    def plus(self, cost: CallCost) -> Total:
        """Return the total with one more call."""
        return Total(
            _sum(self.usd, cost.usd),
            self.calls + 1,
            self.unknown + cost.unavailable,
            _sum(self.own_usd, cost.own_usd),
            _sum(self.gateway_usd, cost.gateway_usd),
        )


class CostTracker:
    """Tells what calls cost and adds it up. Safe for threads and tasks.

    `now` gives the moment of a price, with its zone.
    """

    def __init__(self, prices: Prices, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._prices = prices
        self._now = now
        self._total = Total()
        self._by: dict[str, dict[str, Total]] = {kind: {} for kind in ("model", "alias", "group", "task")}
        self._missing: Counter[str] = Counter()
        """Calls of unknown price by the model that was looked for."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        total = self._total
        return f"<costs {total} for {total.calls} calls>"

    def of(self, answer: Answer, *, asked: str | None = None) -> CallCost:
        """Return what an answer cost. Never raises.

        Its price is looked for by the model that was `asked`, then by that which answered, then by that which the
        gateway names.
        """
        try:
            own, model, problem = *self._own(answer, asked), None
        except Exception as error:  # noqa: BLE001 - an answer that is there is not lost for want of its price
            own, model = Cost(None, Quality.UNKNOWN), asked or answer.model_name
            problem = f"{type(error).__name__}: {str(error)[:_LONGEST_TOLD]}"
        said = None if answer.gateway is None else answer.gateway.cost_usd
        gateway = said if _is_sound(said) else None
        if own.usd is None and gateway is not None:
            quality = Quality.MEASURED.value
            return CallCost(gateway, None, gateway, BY_GATEWAY, "", quality, model, problem)
        return CallCost(own.usd, own.usd, gateway, own.source, own.version, own.quality.value, model, problem)

    def require(self, answer: Answer, *, asked: str | None = None) -> Decimal:
        """Return what an answer cost in US dollars; CostCalculationError where nobody can tell."""
        cost = self.of(answer, asked=asked)
        if cost.usd is None:
            why = f" ({cost.problem})" if cost.problem is not None else ""
            raise CostCalculationError(f"what the call of {_named(cost)} cost is not known{why}; {_REMEDY}")
        return cost.usd

    def add(
        self,
        cost: CallCost,
        *,
        model: str | None = None,
        alias: str | None = None,
        group: str | None = None,
        task: str | None = None,
    ) -> None:
        """Count a call under the names that it has; None for one that it has not."""
        with self._lock:
            self._total = self._total.plus(cost)
            if cost.unavailable:
                self._missing[_kept(self._missing, _named(cost))] += 1
            for kind, name in (("model", model), ("alias", alias), ("group", group), ("task", task)):
                if name is not None:
                    totals = self._by[kind]
                    name = _kept(totals, name)  # noqa: PLW2901 - the name it is counted under
                    totals[name] = totals.get(name, Total()).plus(cost)

    def total(self, *, require_known: bool = False) -> Total:
        """Return what all calls cost; CostCalculationError where that must be known and a part of it is not."""
        with self._lock:
            total, missing = self._total, dict(self._missing)
        if require_known and total.at_least:
            names = ", ".join(f"{name} ({calls})" for name, calls in list(missing.items())[:10])
            raise CostCalculationError(
                f"all calls cost {total}, but the price of {total.unknown} of {total.calls} is not known, by model: "
                f"{names}; {_REMEDY}"
            )
        return total

    @property
    def by_model(self) -> Mapping[str, Total]:
        """The totals by the model that answered."""
        return self._totals("model")

    @property
    def by_alias(self) -> Mapping[str, Total]:
        """The totals by the alias that was asked for; calls without one are in none."""
        return self._totals("alias")

    @property
    def by_group(self) -> Mapping[str, Total]:
        """The totals by the group that served."""
        return self._totals("group")

    @property
    def by_task(self) -> Mapping[str, Total]:
        """The totals by what calls were for; calls without a task are in none."""
        return self._totals("task")

    def _totals(self, kind: str) -> Mapping[str, Total]:
        with self._lock:
            return MappingProxyType(dict(self._by[kind]))

    def _own(self, answer: Answer, asked: str | None) -> tuple[Cost, str | None]:
        """Return the cost by one's own price data, and the model it was looked for by."""
        if not answer.server_url and not answer.wire:
            return Cost(_NOTHING, Quality.MEASURED, BY_NOBODY), answer.model_name
        usage, at = _usage(answer.usage), self._now()
        cost, model = Cost(None, Quality.UNKNOWN), None
        for model in _models(answer, asked):
            cost = self._prices.cost(usage, model=model, provider=answer.wire, url=answer.server_url, at=at)
            if cost.usd is not None:
                break
        return cost, model


_REMEDY = (
    "add the model to the price file (setting llm_prices), or have the gateway say what its calls cost "
    "(input_cost_per_token and output_cost_per_token in its configuration)"
)


def _models(answer: Answer, asked: str | None) -> tuple[str, ...]:
    facts = answer.gateway
    group, served = (None, None) if facts is None else (facts.group, facts.model)
    return priced_names(asked, answer.model_name, group=group, served=served)


def _usage(usage: TokenUsage) -> Usage:
    return Usage(
        usage.prompt, usage.completion, usage.cached, usage.cache_written, usage.reasoning, Quality(usage.quality)
    )


def _is_sound(usd: object) -> bool:
    """Whether a gateway's figure is an amount of money at all."""
    if not isinstance(usd, Decimal) or not usd.is_finite():
        return False
    exponent = usd.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= _FINEST and _NOTHING <= usd < _MOST_USD


def _sum(total: Decimal, usd: Decimal | None) -> Decimal:
    return total if usd is None else _EXACT.add(total, usd)


def _named(cost: CallCost) -> str:
    return (cost.model or "a model without a name")[:_LONGEST_TOLD]


def _kept(known: Mapping[str, object], name: str) -> str:
    return name if name in known or len(known) < _MOST_NAMES else REST
