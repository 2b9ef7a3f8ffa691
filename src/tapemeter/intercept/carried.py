"""What code takes along into the threads that it starts, where a new context would have none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tapemeter import intent as intents
from tapemeter import job as jobs
from tapemeter import lending
from tapemeter import owner as owners

if TYPE_CHECKING:
    from tapemeter.intent import Intent
    from tapemeter.job import StepRun
    from tapemeter.lending import Lent
    from tapemeter.owner import Owner


class Carried(NamedTuple):
    """What code takes along: whose it is, the steps it is in, what its calls mean, and what answers them."""

    owner: Owner | None
    steps: tuple[StepRun, ...]
    intent: Intent | None
    tape: Lent | None

    @classmethod
    def here(cls) -> Carried:
        """Return what the running code has."""
        return cls(owners.bound(), jobs.current_steps(), intents.current(), lending.bound())

    def bind(self) -> Carried:
        """Have the code that runs from here on have it; return what it had."""
        return Carried(
            owners.bind(self.owner), jobs.bind_steps(self.steps), intents.bind(self.intent), lending.bind(self.tape)
        )
