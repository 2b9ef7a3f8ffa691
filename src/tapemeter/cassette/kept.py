"""Which answers are kept when a test passed.

Everything that reached the program is kept: answers, redirects, and errors, since a test that passes with an
error was written for it. Only what the program never saw is dropped: an error that its SDK overcame by itself,
by sending the same request again and getting an answer. SDKs of the Stainless family mark such attempts with
`x-stainless-retry-count`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tapemeter.cassette.model import Fresh, Interaction

RETRYABLE = frozenset({408, 409, 425, 429, *range(500, 600)})
"""Statuses that SDKs answer by sending the request again."""


def worth_keeping(recorded: Sequence[Fresh]) -> list[Interaction]:
    """Return what is worth keeping of what a test recorded, in the order in which the calls were issued.

    An answer that was had by asking again tells of the errors before it.
    """
    issued = sorted(recorded, key=lambda fresh: fresh.order)
    kept: list[Interaction] = []
    overcome: dict[str, list[int]] = {}
    for place, fresh in enumerate(issued):
        interaction = fresh.interaction
        if _overcome(fresh, issued[place + 1 :]):
            overcome.setdefault(interaction.key, []).append(interaction.response.status)
        elif fresh.attempt and interaction.key in overcome:
            kept.append(replace(interaction, retried=tuple(overcome.pop(interaction.key))))
        else:
            kept.append(interaction)
    return kept


def _overcome(error: Fresh, later: Iterable[Fresh]) -> bool:
    """Whether an SDK retried this error until it got an answer, so that the program never saw it."""
    if error.interaction.response.status not in RETRYABLE:
        return False
    for fresh in later:
        if fresh.interaction.key == error.interaction.key:
            if fresh.attempt == 0:
                return False  # the program asked the same again: it had seen the error
            if fresh.interaction.response.status not in RETRYABLE:
                return True
    return False
