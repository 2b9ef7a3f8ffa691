"""How good the recordings of a cassette are: whole or partial, one of a kind or doubled, fresh or too old."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING

from tapemeter.cassette import age
from tapemeter.cassette.match import Matcher
from tapemeter.model import Ending
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.cassette.model import Interaction

_WHY = {
    Ending.ABANDONED: "the program stopped reading there",
    Ending.CANCELLED: "the program was cancelled there",
    Ending.TIMEOUT: "the program waited no longer there",
    Ending.BROKEN: "the connection broke there",
    Ending.CUT: "a budget ran out there",
}


class Flaw(StrEnum):
    """What may be wrong with a recording."""

    AGE = "age"
    PARTIAL = "partial"
    DUPLICATE = "duplicate"


class Weak(Value):
    """A recording that may be better, and why, in a few words."""

    flaw: Flaw
    message: str


class Quality:
    """Looks at the recordings of one cassette, in their order; `before` is the moment before which one is too old."""

    def __init__(self, before: str = "") -> None:
        self._before = before
        self._matcher = Matcher()
        self._seen: dict[bytes, int] = {}

    def flaws(self, interaction: Interaction, number: int) -> Iterator[Weak]:
        """Yield what may be wrong with the next recording, which has that number."""
        ending = interaction.response.ending
        if ending is not Ending.COMPLETE:
            yield Weak(Flaw.PARTIAL, f"a partial recording: {_WHY[ending]}, and replay ends there, too")
        if age.is_stale(interaction.recorded, self._before):
            yield Weak(Flaw.AGE, f"recorded {interaction.recorded}, which is too old; record it again")
        first = self._seen.setdefault(self._digest(interaction), number)
        if first != number:
            yield Weak(
                Flaw.DUPLICATE,
                f"the same question as interaction {first}, with the same answer; the marker's repeat=True plays one",
            )

    def _digest(self, interaction: Interaction) -> bytes:
        """Return what is equal for equal questions that have equal answers."""
        request, response = interaction.request, interaction.response
        try:
            asked = self._matcher.stored_key(request).encode()
        except (ValueError, RecursionError):
            asked = f"{request.method} {request.url}".encode(errors="surrogatepass") + request.body
        return hashlib.sha256(b"%s\n%d\n%s" % (asked, response.status, response.body)).digest()
