"""What tells a program's SDK that a call was refused, so that it does not repeat it: status and headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.errors import BudgetStopped, CassetteMiss, PartialRecording, UnownedCall, UnreadableCassette

if TYPE_CHECKING:
    from tapemeter.errors import Refusal

PAYMENT_REQUIRED = 402
NOT_FOUND = 404
GONE = 410
FAILED_DEPENDENCY = 424
BAD_GATEWAY = 502

_STATUSES: tuple[tuple[type[Refusal], int], ...] = (
    (BudgetStopped, PAYMENT_REQUIRED),
    (CassetteMiss, FAILED_DEPENDENCY),
    (UnreadableCassette, FAILED_DEPENDENCY),
    (PartialRecording, FAILED_DEPENDENCY),
    (UnownedCall, GONE),
)

HEADERS = (
    (b"content-type", b"application/json"),
    (b"x-should-retry", b"false"),
    (b"x-tapemeter", b"refused"),
)
"""The second keeps SDKs of the Stainless family from trying again; the third tells a person who refused."""


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status that stands for a refusal; none that clients take for a reason to try again."""
    return next((status for kind, status in _STATUSES if isinstance(refusal, kind)), FAILED_DEPENDENCY)
