"""What was used so far, as tests compare it: `usage.calls <= 3`, `usage.by_step["planner"].cost_usd`."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING

from tapemeter.budget.dimensions import Dimension, natural
from tapemeter.budget.sums import add

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tapemeter.budget.dimensions import Amounts


class Tally:
    """Sums of what was settled. Safe for threads; a figure for what never occurred is zero."""

    def __init__(self) -> None:
        self._sums: dict[Dimension, int] = {}
        self._models: dict[str, Tally] = {}
        self._steps: dict[str, Tally] = {}
        self._lock = threading.RLock()
        self.unpriced = 0
        """Calls whose price is unknown; `cost_usd` says "at least" where there are any."""

    def __repr__(self) -> str:
        return f"<usage {self.calls} calls, {self.total_tokens} tokens, ${self.cost_usd}>"

    def add(self, amounts: Amounts, *, model: str | None, step: str | None, priced: bool = True) -> None:
        """Add what one attempt used; a step's name is the path of steps, joined by `/`."""
        with self._lock:
            add(self._sums, amounts)
            self.unpriced += not priced
        if model is not None:
            self._of(self._models, model).add(amounts, model=None, step=None, priced=priced)
        if step is not None:
            self._of(self._steps, step).add(amounts, model=None, step=None, priced=priced)

    def units(self, dimension: Dimension) -> int:
        """Return a sum in whole units."""
        return self._sums.get(dimension, 0)

    @property
    def by_model(self) -> Mapping[str, Tally]:
        """The same by the model that was asked for."""
        return _Missing(self._models)

    @property
    def by_step(self) -> Mapping[str, Tally]:
        """The same by step; calls outside of steps are in none."""
        return _Missing(self._steps)

    @property
    def calls(self) -> int:
        """Calls that the program made and that were let through."""
        return self.units(Dimension.CALLS)

    @property
    def attempts(self) -> int:
        """HTTP exchanges made for them, retries included."""
        return self.units(Dimension.ATTEMPTS)

    @property
    def prompt_chars(self) -> int:
        """Unicode code points that were given to models."""
        return self.units(Dimension.PROMPT_CHARS)

    @property
    def response_chars(self) -> int:
        """Unicode code points that came back."""
        return self.units(Dimension.RESPONSE_CHARS)

    @property
    def total_chars(self) -> int:
        """Both together."""
        return self.units(Dimension.TOTAL_CHARS)

    @property
    def input_tokens(self) -> int:
        """Tokens read, cached ones included."""
        return self.units(Dimension.INPUT_TOKENS)

    @property
    def output_tokens(self) -> int:
        """Tokens written, reasoning included."""
        return self.units(Dimension.OUTPUT_TOKENS)

    @property
    def total_tokens(self) -> int:
        """Both together."""
        return self.units(Dimension.TOTAL_TOKENS)

    @property
    def cost_usd(self) -> Decimal:
        """US dollars, of the calls whose price is known."""
        cost = natural(Dimension.COST_USD, self.units(Dimension.COST_USD))
        return Decimal(cost)

    def _of(self, group: dict[str, Tally], name: str) -> Tally:
        with self._lock:
            return group.setdefault(name, Tally())


class _Missing(dict[str, Tally]):
    """Gives an empty tally for what never occurred, and keeps nothing of it."""

    def __missing__(self, name: str) -> Tally:
        return Tally()
