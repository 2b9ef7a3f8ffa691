"""From what people write to a moment: `7d`, `2026-11-01`, `2026-11-01T08:00`, `2026-11-01T08:00:00+01:00`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from tapemeter.errors import UsageError

_AGO = re.compile(r"([0-9]{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST = 40


def moment(text: str, *, now: datetime, end: bool = False) -> datetime:
    """Return the moment in UTC that a text means; UsageError for what means none.

    A number of minutes, hours, days or weeks goes back from `now`; a day is its beginning in UTC, with `end` its end;
    a time without an offset is UTC.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return now.astimezone(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if _DAY.fullmatch(text):
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return day + timedelta(days=1) if end else day
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        shown = text[:_LONGEST] + ("…" if len(text) > _LONGEST else "")
        raise UsageError(
            f"{shown!r} is no time; expected one such as 90m, 24h, 7d, 2w, 2026-11-01 or 2026-11-01T08:00Z"
        ) from None
