"""How old a recording may be: ages as a user writes them, and the moment before which a recording is too old.

    90d    12w    36h    any (none is too old)

A recording says when it was made, to the second in UTC, in a form that sorts by time; so two texts are compared, and
what has no such form, as a tape of another tool, has no age.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from tapemeter.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

_AGE = r"([0-9]{1,5})([hdw])"
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}
_ANY = "any"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"


def parse(text: Any, where: str) -> float:
    """Return an age in seconds, infinite for `any`; UsageError that names `where` for what is none."""
    word = text.strip().lower() if isinstance(text, str) else ""
    if word == _ANY:
        return math.inf
    found = re.fullmatch(_AGE, word)
    if found is None or not int(found[1]):
        raise UsageError(
            f'{where} is {text!r}; write hours, days or weeks such as "36h", "90d" or "12w", or "any" for any age'
        )
    return float(int(found[1]) * _SECONDS[found[2]])


def cutoff(max_age: float | None, now: datetime) -> str:
    """Return the moment before which a recording is older than that many seconds; empty where none is too old."""
    if max_age is None or math.isinf(max_age):
        return ""
    try:
        moment = now.astimezone(UTC) - timedelta(seconds=max_age)
    except OverflowError:  # before there was a calendar
        return ""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment.year >= 1000 else ""  # noqa: PLR2004 - else it would not sort


def is_stale(recorded: str, cutoff: str) -> bool:
    """Return whether a recording of that moment is too old."""
    return bool(cutoff) and re.fullmatch(_MOMENT, recorded) is not None and recorded < cutoff
