"""Reads JSON that nobody has checked: every function takes any value and none of them raises.

What is of another type than it should be counts as absent, so that a parser is a list of fields and no more.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

Json = dict[str, Any]
"""A JSON object."""

LARGEST_COUNT = 2**53
"""A figure beyond this is no count of tokens, and would not survive other programs' JSON."""

_LONGEST_NAME = 256
_LONGEST_MONEY = 64
_MOST_MONEY = Decimal(10**9)
_LEAST_EXPONENT = -30
_BOM = b"\xef\xbb\xbf"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_decode = json.JSONDecoder().decode


def parse(body: bytes) -> Any:
    """Return a body as a JSON value; None where it is no JSON in UTF-8, or too deep."""
    try:
        return _decode(str(body.removeprefix(_BOM), "utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None


def compact(value: Any) -> str:
    """Return a value that came from JSON as JSON text without spaces; RecursionError where it is too deep."""
    return _encode(value)


def fields(value: Any) -> Json:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def each(value: Any) -> list[Any]:
    """Return a list; a lone value as a list of one, null as an empty list."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def count(value: Any) -> int | None:
    """Return a number of tokens: a whole number from 0 to LARGEST_COUNT, and no truth value."""
    return value if type(value) is int and 0 <= value <= LARGEST_COUNT else None


def name(value: Any) -> str | None:
    """Return a short text that is fit to be written anywhere; None for an empty one."""
    if not isinstance(value, str) or not value:
        return None
    short = value[:_LONGEST_NAME]
    return short if short.isascii() else short.encode("utf-8", "replace").decode()


def money(value: Any) -> Decimal | None:
    """Return an amount of US dollars, given as a number or as text; None where it is negative or absurd."""
    if type(value) not in {int, float, str} or (isinstance(value, int) and not 0 <= value <= _MOST_MONEY):
        return None
    text = str(value)
    try:
        amount = Decimal(text if len(text) <= _LONGEST_MONEY else "NaN")
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount <= _MOST_MONEY:
        return None
    if amount and amount.adjusted() < _LEAST_EXPONENT:
        return None
    return amount or Decimal(0)  # a zero may have an exponent of any size
