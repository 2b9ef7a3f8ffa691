"""Reads the environment variables that say where model calls go: checked, and not quoted where they may be a key."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from tapemeter.client.addresses import address_of
from tapemeter.client.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

    from tapemeter.client.config import Wire
    from tapemeter.client.hiding import Hiding

_Kind = TypeVar("_Kind", bound="StrEnum")

LONGEST_NAME = 200
"""Characters of the name of a model."""
LONGEST_KEY = 8192
"""Characters of a key; some are signed tokens."""
MOST_SECONDS = 86_400
MOST_RETRIES = 19
_LONGEST = 2000
"""Characters of any other value."""
_NO_LIMIT = "none"


class Variables:
    """The environment, by types. A variable that is empty counts as not set."""

    def __init__(self, environ: Mapping[str, str], hiding: Hiding) -> None:
        self._environ, self._hiding = environ, hiding

    def given(self, name: str) -> bool:
        """Whether a variable is set, and not empty."""
        return bool(self._environ.get(name, "").strip())

    def text(self, name: str) -> str | None:
        """Return the value without spaces around it; None where it is not set."""
        value = self._environ.get(name, "").strip()
        if len(value) > _LONGEST:
            raise self._hiding.fault(f"the value has {len(value):,} characters; {_LONGEST:,} are allowed", path=name)
        return value or None

    def word(self, name: str, kind: type[_Kind]) -> _Kind | None:
        """Return the one of a few words that is meant, in whatever case it is written."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return kind(text.lower())
        except ValueError:
            raise self._wrong(name, text, f"one of {', '.join(kind)}") from None

    def seconds(self, name: str) -> dict[str, float | None]:
        """Return `{"seconds": ...}`, None in it for no limit; nothing where the variable is not set."""
        text = self.text(name)
        if text is None:
            return {}
        if text.lower() == _NO_LIMIT:
            return {"seconds": None}
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= MOST_SECONDS:
            raise self._wrong(name, text, f"seconds above 0, at most {MOST_SECONDS}, or {_NO_LIMIT}")
        return {"seconds": seconds}

    def count(self, name: str, most: int) -> int | None:
        """Return a whole number from 0 to `most`."""
        text = self.text(name)
        if text is None:
            return None
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < len(f"{most}0") else -1
        if not 0 <= number <= most:
            raise self._wrong(name, text, f"a whole number from 0 to {most}")
        return number

    def name(self, name: str) -> str | None:
        """Return what a model is called."""
        text = self.text(name)
        if text is None:
            return None
        if len(text) > LONGEST_NAME or not text.isprintable():
            raise self._wrong(name, text, f"a name of at most {LONGEST_NAME} characters on one line")
        if self._hiding.is_a_key(text):
            raise self._wrong(name, text, "the name of a model")
        return text

    def address(self, name: str, wire: Wire | None) -> str | None:
        """Return the address of a server, as it is kept; `wire` is None for a gateway."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return address_of(text, wire)
        except ValueError as error:
            raise self._hiding.fault(str(error), path=name) from None

    def key(self, name: str) -> Secret | None:
        """Return a key, of which no message shows anything."""
        value = self._environ.get(name, "").strip()
        if not value:
            return None
        if len(value) > LONGEST_KEY:
            problem = f"the key has {len(value):,} characters; {LONGEST_KEY:,} are allowed"
            raise self._hiding.fault(problem, path=name)
        for place, char in enumerate(value, 1):
            if not "!" <= char <= "~":
                what = "a space" if char.isspace() else "no letter, digit or sign of ASCII"
                raise self._hiding.fault(
                    f"character {place} of the key is {what}, so no server takes it; copy the key again", path=name
                )
        return Secret(value)

    def _wrong(self, name: str, text: str, possible: str) -> Exception:
        return self._hiding.fault(f"expected {possible}, found {self._hiding.told(text)}", path=name)
