"""What tags and plain scalars mean in the YAML of other tools: two tables of what is allowed, and nothing else is.

Every function here takes text or plain data and returns plain data, or raises ValueError, TypeError or LookupError.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DIGITS = 1000
"""Characters of the longest number; Python's own conversion is quadratic."""

YAML = "tag:yaml.org,2002:"
_ISTR = tuple(
    f"{YAML}python/object/{how}:multidict.{where}istr"
    for how in ("apply", "new")
    for where in ("", "_istr.", "_multidict.", "_multidict_py.")
)
CONTAINERS = frozenset(YAML + name for name in ("map", "seq", "python/tuple", "python/list", "python/dict"))
"""The tags of lists and mappings, which are these whatever they say."""
WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
"""The plain scalars that are no text and no number."""
_INT = re.compile(r"[-+]?(?:0b_*[01][01_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|0[0-7_]*|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?")
_ODD_FLOAT = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
MAYBE = frozenset("-+.0123456789")
"""How a number begins."""


def plain(text: str) -> Any:
    """Return what a plain scalar means in YAML 1.1, all that is no number or word being text."""
    if text in WORDS:
        return WORDS[text]
    if _INT.fullmatch(text):
        return _int(text)
    if _FLOAT.fullmatch(text) or _ODD_FLOAT.fullmatch(text):
        return _float(text)
    return text


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError
    digits = text.replace("_", "").lower()
    bare = digits.lstrip("+-")
    if bare.startswith(("0x", "0b")):
        return int(digits, 0)
    return int(digits, 8 if bare.startswith("0") and bare != "0" else 10)


def _float(text: str) -> float:
    if len(text) > MAX_DIGITS:
        raise ValueError
    if _ODD_FLOAT.fullmatch(text):
        return math.nan if text[-3:].lower() == "nan" else math.copysign(math.inf, -1 if text[0] == "-" else 1)
    return float(text.replace("_", ""))


def _bool(text: str) -> bool:
    value = WORDS.get(text)
    if value is None:
        raise ValueError(text)
    return value


def _null(text: str) -> None:
    if WORDS.get(text, text) is not None:
        raise ValueError(text)


def _binary(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise ValueError from None


SCALARS: dict[str, Callable[[str], Any]] = {
    "!": str,
    YAML + "str": str,
    YAML + "python/str": str,
    YAML + "python/unicode": str,
    YAML + "timestamp": str,
    YAML + "binary": _binary,
    YAML + "python/bytes": _binary,
    YAML + "int": _int,
    YAML + "float": _float,
    YAML + "bool": _bool,
    YAML + "null": _null,
}
"""The tags that a scalar may have, with what makes a value of its text."""


def _bytes_io(value: Any) -> bytes:
    """Return what a BytesIO held: the first part of its state."""
    state = _fields(value).get("state") or [b""]
    return _as_bytes(_listed(state)[0])


def _iterator(value: Any) -> bytes:
    """Return what an iterator over bytes, text or pieces of them would have given."""
    args = _arguments(value)
    pieces = args[0] if args else b""
    return b"".join(map(_as_bytes, pieces)) if isinstance(pieces, list) else _as_bytes(pieces)


def _istr(value: Any) -> str:
    """Return the text of a string that is compared without regard to case."""
    (text,) = _arguments(value)
    if not isinstance(text, str):
        raise TypeError
    return text


def _arguments(value: Any) -> list[Any]:
    """Return what a function of Python was to be called with."""
    return _listed(value.get("args", []) if isinstance(value, dict) else value)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if not isinstance(value, bytes):
        raise TypeError
    return value


def _elements(value: Any) -> list[Any]:
    """Return what a frozenset was made of."""
    (elements,) = _arguments(value)
    return _listed(elements)


def _fields(value: Any) -> dict[str, Any]:
    """Return the fields of an object."""
    if not isinstance(value, dict):
        raise TypeError
    return value


OBJECTS: dict[str, Callable[[Any], Any]] = {
    f"{YAML}python/object/new:_io.BytesIO": _bytes_io,
    f"{YAML}python/object/apply:builtins.iter": _iterator,
    **dict.fromkeys(_ISTR, _istr),
    # Before version 1, VCR.py wrote its own objects.
    f"{YAML}python/object:vcr.request.Request": _fields,
    f"{YAML}python/object/apply:__builtin__.frozenset": _elements,
    f"{YAML}python/object/apply:builtins.frozenset": _elements,
}
"""The objects of Python that a recording may hold, with what makes a plain value of their state."""
