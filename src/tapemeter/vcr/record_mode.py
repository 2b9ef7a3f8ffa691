"""VCR.py's record modes: what becomes of a request that a cassette has, or has not."""

from __future__ import annotations

from enum import Enum


class RecordMode(str, Enum):  # noqa: UP042 - VCR.py's members are written as `RecordMode.ONCE`, not as `once`
    """When a request is recorded; a member, or its value as a text."""

    ALL = "all"
    """Always; nothing is played."""
    ANY = "any"
    """As NEW_EPISODES, which is what VCR.py makes of it."""
    NEW_EPISODES = "new_episodes"
    """Where the cassette has no unplayed answer."""
    NONE = "none"
    """Never."""
    ONCE = "once"
    """Where there was no file; else never."""


def validate_record_mode(record_mode: object) -> RecordMode:
    """Return the mode that is meant; ValueError for what is none."""
    try:
        return RecordMode(record_mode)
    except ValueError:
        known = ", ".join(repr(mode.value) for mode in RecordMode)
        raise ValueError(f"{record_mode!r} is not a valid record_mode; write one of {known}") from None
