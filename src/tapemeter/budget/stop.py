"""A stop: which limit ended a job, at which call, and the one sentence that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.budget.dimensions import Dimension, natural, plain, shown
from tapemeter.values import Value

if TYPE_CHECKING:
    from tapemeter.budget.policy import Limit

REFUSED = "refused before it was sent"
CUT = "cut while it was answered"
TRIPPED = "over the limit once it was answered"
LATE = "still running at the deadline"


class Stop(Value):
    """Why a job ended. Amounts are in whole units; the properties give them as code compares them."""

    over: Limit
    what: str
    used_units: int
    reserved_units: int
    asked_units: int
    call: str
    """The call in words: `call 3, chat with gpt-4o at api.openai.com`; empty where the job ended between calls."""
    call_id: str | None
    after_calls: int
    """Calls of the job that had been let through before it."""
    remedy: str = ""
    """Why, and what to do, where raising the limit is not the way."""

    @property
    def limit(self) -> str:
        """The dimension of the limit, such as `calls`."""
        return self.over.dimension.value

    @property
    def scope(self) -> str:
        """Where the limit holds: run, job, step or call."""
        return self.over.scope.value

    @property
    def value(self) -> Any:
        """The limit itself: Decimal for money, float for seconds, int for all else."""
        return natural(self.over.dimension, self.over.value)

    @property
    def used(self) -> Any:
        """What had been used."""
        return natural(self.over.dimension, self.used_units)

    @property
    def asked(self) -> Any:
        """What the call asked for on top: its upper bound live, what was recorded in replay."""
        return natural(self.over.dimension, self.asked_units)

    @property
    def source(self) -> str:
        """Where the limit was given."""
        return self.over.source

    @property
    def brief(self) -> str:
        """The limit in a few words, for whoever suffers from it and did not cause it."""
        return f"{self.limit} limit of {shown(self.over.dimension, self.over.value)} (from {self.source})"

    @property
    def sentence(self) -> str:
        """Everything that whoever sees the test fail needs to know, in one sentence."""
        dimension = self.over.dimension
        whose = f"the {self.scope}'s {self.limit} limit of {shown(dimension, self.over.value)}"
        if self.over.selector:
            whose += f" for {self.over.selector}"
        whole = f"stopped by budget: {whose} (from {self.source})"
        if self.remedy:
            return f"{whole} cannot be kept by {self.call}, which was {self.what}, since {self.remedy}"
        held = [f"{shown(dimension, self.used_units)} used"]
        if self.reserved_units:
            held.append(f"{shown(dimension, self.reserved_units)} set aside for calls under way")
        if self.asked_units:
            held.append(f"{shown(dimension, self.asked_units)} more asked by {self.call}, which was {self.what}")
        else:
            held.append(f"{self.call} was {self.what}" if self.call else self.what)
        whole = f"{whole} does not hold: {', '.join(held)}"
        needed = self.used_units + self.reserved_units + self.asked_units
        if dimension is Dimension.CALLS or needed <= self.over.value:
            needed = max(needed, self.over.value + 1)
        if self.what == REFUSED:  # a limit that is used up refuses, even a call that asks for nothing more
            needed = max(needed, self.used_units + 1)
        return f"{whole}; to let it through, raise {self.over.name} there to {shown(dimension, needed)} or more"

    def as_event(self) -> dict[str, Any]:
        """Return the fields of the event, of which every amount is what JSON keeps."""
        dimension = self.over.dimension
        return {
            "call_id": self.call_id,
            "scope": self.scope,
            "dimension": self.limit,
            "limit": plain(dimension, self.over.value),
            "used": plain(dimension, self.used_units),
            "reserved": plain(dimension, self.reserved_units),
            "asked": plain(dimension, self.asked_units),
            "source": self.source,
            "what": self.what,
            "sentence": self.sentence,
        }
