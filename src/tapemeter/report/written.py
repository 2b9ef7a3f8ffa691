"""A report as the text of its file: JSON as `json.dumps` writes it with an indent of two, a piece at a time.

The text is several times as large as what it is made of, so that it is never in memory as a whole. And `json` writes
with an indent only in Python; this takes a third of the time.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING, Any

from tapemeter.errors import EvidenceError
from tapemeter.report.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def dump(report: Mapping[str, Any]) -> bytes:
    """Return a report as the bytes of its file; EvidenceError for what JSON cannot hold."""
    return b"".join(pieces(report))


def pieces(report: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the bytes of a report's file piece by piece; EvidenceError for what JSON cannot hold."""
    try:
        for piece in _pieces(report):
            yield piece.encode("utf-8", "backslashreplace")
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise EvidenceError(f"the report cannot be written: {type(error).__name__}: {str(error)[:80]}") from None


def _pieces(report: Mapping[str, Any]) -> Iterator[str]:
    before = "{"
    for name, value in report.items():
        yield f"{before}\n  {quoted(name)}: "
        before = ","
        if isinstance(value, Rows) and value:
            opening = "["
            for row in value:
                yield f"{opening}\n    {_text(row, _IN_A_LIST)}"
                opening = ","
            yield "\n  ]"
        else:
            yield _text(value if not isinstance(value, Rows) else [], "\n  ")
    yield "\n}\n" if before == "," else "{}\n"


_IN_A_LIST = "\n    "


def _text(value: Any, margin: str) -> str:
    """Return the JSON text of a value; `margin` is the line break and the indent of the line that it begins in."""
    leaf = _LEAVES.get(type(value))
    if leaf is not None:
        return leaf(value)
    if not value or type(value) not in {dict, list}:
        return _other(value)
    inner = f"{margin}  "
    if type(value) is list:
        return f"[{','.join([inner + _text(each, inner) for each in value])}{margin}]"
    return _layout(tuple(value), margin) % tuple(
        [each if type(each) is int else _text(each, inner) for each in value.values()]
    )


@lru_cache(maxsize=256)  # a list has thousands of objects with the same fields
def _layout(names: tuple[str, ...], margin: str) -> str:
    """Return the text of an object with these fields, with `%s` in the place of each value."""
    fields = ",".join([f"{margin}  {quoted(name)}: ".replace("%", "%%") + "%s" for name in names])
    return f"{{{fields}{margin}}}"


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else _other(value)


_other = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_LEAVES: Mapping[type, Callable[[Any], str]] = {
    str: quoted,
    int: repr,
    float: _number,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): {None: "null"}.__getitem__,
}
