"""A server's own words, as a message may show them: in short, on one line, and without keys.

Some servers repeat the key in their errors, whole, cut off, or that of the provider behind them. So what is the key or
begins like it is hidden, and then whatever has the shape of a key, before anything is cut: half a key would show no
shape.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapemeter.client.secret import Secret

LONGEST = 300
"""Characters of a server's words in a message."""
_LOOKED_AT = 10_000
_TELLING = 12
"""Characters at the beginning of a key that tell it from others; a shorter one is looked for as a whole."""
_HIDDEN = "***"


def quoted(words: str, key: Secret | None) -> str:
    """Return the words for a message, at most LONGEST characters; `key` is what was sent with the request."""
    from tapemeter.redact import Redactor  # noqa: PLC0415 - only where something went wrong

    shown = _without(words[:_LOOKED_AT], key)
    if len(words) > _LOOKED_AT:
        shown = shown[: -len(key.reveal()) if key else None]  # what the cut may have left of a key
    shown = Redactor().text(shown)
    line = " ".join("".join(char if char.isprintable() else " " for char in shown).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _without(text: str, key: Secret | None) -> str:
    if not key:
        return text
    secret = key.reveal()
    text = text.replace(secret, _HIDDEN)
    if len(secret) <= _TELLING:
        return text
    return re.sub(re.escape(secret[:_TELLING]) + r"[^\s\"',;)\]}]*", _HIDDEN, text)
