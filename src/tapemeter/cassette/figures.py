"""What a recorded call used, which model answered it, and what that costs: on the day of the recording, and today."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tapemeter import providers
from tapemeter.model import Cost, Quality
from tapemeter.pricing import priced_names
from tapemeter.values import Value

if TYPE_CHECKING:
    from tapemeter.cassette.model import Interaction
    from tapemeter.model import Usage
    from tapemeter.pricing import Prices
    from tapemeter.providers.meter import Answered, Asked

_GATEWAY = "gateway"
"""The source of a cost that is the gateway's figure."""


class Figures(Value):
    """What one recorded model call asked for and used."""

    asked: Asked
    answered: Answered

    @property
    def usage(self) -> Usage:
        """The tokens; marked where the provider did not tell them."""
        return self.answered.usage


def figures(interaction: Interaction) -> Figures | None:
    """Return what a recorded call used; None for what is no model call. Never raises."""
    try:
        asked = providers.ask(interaction.request)
    except ValueError:  # a URL that cannot be read
        return None
    return None if asked is None else Figures(asked, providers.answered(asked, interaction.response))


_NEVER = "1970-01-01T00:00:00Z"
"""When tapes say they were recorded of which nothing tells."""


def is_known(recorded: str) -> bool:
    """Return whether it is known when an interaction was recorded."""
    return recorded != _NEVER


def moment(recorded: str) -> datetime:
    """Return when an interaction was recorded, from the form in which a cassette has it."""
    return datetime.fromisoformat(recorded).astimezone(UTC)


def cost(found: Figures, prices: Prices, *, url: str, at: datetime) -> Cost:
    """Return what a call costs at the prices of a moment; its `usd` is None where the price is unknown."""
    answered = found.answered
    asked = None if found.asked.model is None else prices.resolve(found.asked.model)
    names = priced_names(asked, answered.model, group=answered.gateway_group, served=answered.gateway_model)
    own = Cost(None, Quality.UNKNOWN)
    for model in names or (None,):
        own = prices.cost(answered.usage, model=model, provider=found.asked.provider, url=url, at=at)
        if own.usd is not None:
            return own
    if answered.gateway_usd is not None:
        return Cost(answered.gateway_usd, Quality.MEASURED, _GATEWAY)
    return own
