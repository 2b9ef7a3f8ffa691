"""What a cassette holds: one request, its response, and when the two were recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.values import Value

if TYPE_CHECKING:
    from tapemeter.model import Request, Response


class Reply(Value):
    """What is recorded of one exchange save its request: all that it takes to replay it.

    `recorded` is UTC to the second, `2026-11-21T04:00:00Z`. `issued` is when the request was issued, in seconds
    since its test began; None where nobody noted it. `retried` are the statuses of errors that the
    client overcame by asking again; the program never saw them. `key` is the digest under which the request is
    found again; it is empty where it still has to be computed, as after an edit by hand.
    """

    response: Response
    recorded: str
    key: str
    issued: float | None = None
    retried: tuple[int, ...] = ()

    @classmethod
    def of(cls, interaction: Interaction) -> Reply:
        """Return an interaction without its request."""
        return cls(interaction.response, interaction.recorded, interaction.key, interaction.issued, interaction.retried)


class Interaction(Value):
    """One recorded exchange: a request, and what a Reply has."""

    request: Request
    response: Response
    recorded: str
    key: str
    issued: float | None = None
    retried: tuple[int, ...] = ()


class Fresh(Value):
    """An interaction that was just recorded.

    `order` is when its call was issued among all calls of the process, `attempt` how many times its SDK had
    sent the same request before (0 for the first).
    """

    interaction: Interaction
    order: int
    attempt: int = 0
