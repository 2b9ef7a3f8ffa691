"""The versions of the cassette format, and how a file of an older one becomes one of the next: a table.

Today's version is the only one there is, so the table is empty. A step takes the text of a file of its version, whole
and valid, and returns that of the next; the last one writes today's form, with its end mark.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from tapemeter.cassette import format as cassette_format
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Step = Callable[[str], str]

_NAME, _, _TODAY = cassette_format.FORMAT.partition("/")
TODAY = int(_TODAY)
_VERSION = re.compile(rf"{_NAME}/(0|[1-9][0-9]{{0,5}})")

STEPS: Mapping[int, Step] = {}
"""What makes a file of the next version of one of this version."""


class Standing(StrEnum):
    """How a file's version stands to today's."""

    CURRENT = "current"
    OLDER = "older"
    """It can be brought to today's."""
    TOO_OLD = "too-old"
    """It is older, and nothing here knows its version."""
    NEWER = "newer"
    """A newer tapemeter wrote it."""
    OTHER = "other"
    """It is no cassette of ours."""


class Version(Value):
    """What a file says of its version: `number` is None for what is no cassette of ours."""

    standing: Standing
    number: int | None = None


def version(text: str, steps: Mapping[int, Step] = STEPS) -> Version:
    """Return the version of a file of which `text` is the content, or the beginning of it."""
    said = cassette_format.version(text)
    found = None if said is None else _VERSION.fullmatch(said)
    if found is None:
        return Version(Standing.OTHER)
    number = int(found[1])
    if number == TODAY:
        return Version(Standing.CURRENT, number)
    if number > TODAY:
        return Version(Standing.NEWER, number)
    known = all(each in steps for each in range(number, TODAY))
    return Version(Standing.OLDER if known else Standing.TOO_OLD, number)


def migrated(text: str, number: int, path: str, steps: Mapping[int, Step] = STEPS) -> str:
    """Return a file of version `number` as one of today's; CassetteFormatError where what comes of it is none."""
    for each in range(number, TODAY):
        text = steps[each](text)
    cassette_format.load(text, path)
    return text
