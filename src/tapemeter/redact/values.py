"""Values that are secret wherever they occur: which they are, and how to find them however they are escaped."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tapemeter.redact.draft import MARK, PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from tapemeter.redact.draft import Edit, Find

_VARIABLE = re.compile(
    r"(?:^|_)(?:API)?(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PWD|CREDENTIALS?|PAT|AUTH)(?:_|$)", re.IGNORECASE
)
_NO_SECRET = re.compile(
    r"[a-z]{1,11}|[-+]?[\d._,]+(?:e[-+]?\d+)?|(?i:anonymous|disabled|enabled|optional|redacted|required)"
)
_PATH = re.compile(r"(?:/|\.\.?/|~|[A-Za-z]:[/\\])(?!.*(?=[^/]*[A-Z])(?=[^/]*[a-z])(?=[^/]*\d)[^/]{20})")
_SHORTEST, _SHORTEST_NAMED = 8, 4
"""What the user names may be shorter, but a single letter would be everywhere."""


def looks_secret(value: str) -> bool:
    """Say whether a value is a secret rather than a number, a word, a switch, a path or an address."""
    if len(value) < _SHORTEST or _NO_SECRET.fullmatch(value) or _PATH.match(value):
        return False
    return "://" not in value or "@" in value


@lru_cache(maxsize=4096)
def _name(variable: str | bytes) -> str:
    return os.fsdecode(variable)


@lru_cache(maxsize=4096)
def _tells(name: str) -> bool:
    """Say whether the name of a variable tells that its value is secret."""
    return _VARIABLE.search(name) is not None


def telling(variables: Iterable[Any], named: frozenset[str]) -> tuple[Any, ...]:
    """Return which variables are secret by their names: those that are named, and those whose names tell it."""
    return tuple(raw for raw in variables if (name := _name(raw)) in named or _tells(name))


def of_environment(environ: Mapping[Any, Any], named: frozenset[str]) -> frozenset[bytes]:
    """Return the secrets among the values of `telling` variables; those named are, whatever they look like."""
    found = set()
    for raw, given in environ.items():
        value = os.fsdecode(given)
        if _name(raw) in named:
            found.update([value] if len(value) >= _SHORTEST_NAMED else [])
        elif looks_secret(value):
            found.add(value)
            with suppress(ValueError):
                found.update(filter(looks_secret, [urlsplit(value).password or ""]))
    return frozenset(value.encode("utf-8", "surrogateescape") for value in found)


_UNUSUAL = (
    (b"%", re.compile(rb"%[2-7][\da-fA-F]").search),
    (b"\\", re.compile(rb"\\u00[2-7][\da-fA-F]").search),
)
_ESCAPED = re.compile(rb"(?:\\+u00|%)([2-7][\da-fA-F])")
_UNRESERVED = re.compile(rb"[\w.~-]{4,}")


@lru_cache(maxsize=512)
def _spelling(value: bytes, in_json: bool, thorough: bool) -> str:  # noqa: FBT001 - keys of the cache
    """Return the pattern of a value in every way in which JSON, a URL or a form may write it.

    In JSON a bare quote or backslash is no part of a value. Thorough: letters and digits may be escaped, too.
    """
    spelled = []
    for char in value.decode("utf-8", "surrogateescape"):
        raw = char.encode("utf-8", "surrogateescape")
        ways = [] if in_json and (char in '"\\' or char < " ") else [re.escape(raw.decode("latin-1"))]
        if char == "\\":
            ways.insert(0, r"\\\\(?:\\\\)*")
        if thorough or not (char.isascii() and char.isalnum()):
            ways.append("".join(f"%(?i:{byte:02x})" for byte in raw))
            units = char.encode("utf-16-be", "surrogatepass")
            ways.append("".join(rf"\\\\*(?i:u{units[at : at + 2].hex()})" for at in range(0, len(units), 2)))
            if char == " ":
                ways.append(r"\+")
            elif char in _SHORT_ESCAPES:
                ways.append(r"\\\\*" + _SHORT_ESCAPES[char])
        spelled.append(ways)
    rest = "".join(f"(?:{'|'.join(ways)})" for ways in spelled[1:])
    # Each alternative begins with a literal, so that the search can skip to it.
    return "|".join(way + rest for way in spelled[0])


_SHORT_ESCAPES = {'"': '"', "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}


@lru_cache(maxsize=256)
def _needles(values: frozenset[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the values, longest first, each behind its longest part that no encoding needs to escape."""
    runs = [(max(_UNRESERVED.findall(value), key=len, default=b""), value) for value in values]
    return tuple(sorted((pair for pair in runs if pair[1] not in MARK), key=lambda pair: (-len(pair[1]), pair[1])))


def present(text: bytes, values: frozenset[bytes]) -> tuple[list[bytes], bool]:
    """Return the values that may occur in a text, and whether letters and digits may be escaped there."""
    needles = _needles(values)
    found = [value for needle, value in needles if needle in text]
    if not needles or not any(first in text and search(text) for first, search in _UNUSUAL):
        return found, False
    bare = _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), text)
    hidden = [value for needle, value in needles if bare.count(needle) != text.count(needle)]
    return [value for _, value in needles if value in found or value in hidden], bool(hidden)


def finder_of_values(values: list[bytes], *, thorough: bool) -> Find:
    """Return what finds the values in a text, however they are escaped there."""

    @lru_cache
    def pattern(in_json: bool) -> re.Pattern[bytes]:  # noqa: FBT001 - see Find
        ways = [_spelling(value, in_json, thorough) for value in values]
        # A placeholder, and an escape in JSON, are passed over whole: no match may begin within them.
        passed = rf"({PLACEHOLDER}|\\u[\da-fA-F]{{4}}|\\.)" if in_json else f"({PLACEHOLDER})"
        return re.compile("|".join([*ways, passed]).encode("latin-1"), re.DOTALL)

    def find(text: bytes, start: int, stop: int, in_json: bool) -> list[Edit]:  # noqa: FBT001 - see Find
        matches = pattern(in_json).finditer(text, start, stop)
        return [(*match.span(), MARK) for match in matches if not match.lastindex]

    return find
