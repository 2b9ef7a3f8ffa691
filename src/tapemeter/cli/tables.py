"""Tables for a terminal, and for other programs: what stands in a cell has no power over either."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tapemeter.cli.output import block, line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ABSENT = "-"
_LONGEST = 200
"""Characters of a cell in a terminal."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[bool]) -> str:
    """Return a table with a line for each row; the columns for which `right` is true end at the right."""
    cells = [[cell(head) for head in heads], *([cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if place else text.ljust(width)
            for text, width, place in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    )


def cell(value: Any) -> str:
    """Return a value as a cell of a terminal: on one line, safe, and not too long."""
    if value is None:
        return _ABSENT
    text = line(plain(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV with a line of heads, nothing where a value is null.

    Text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    import csv as writer  # noqa: PLC0415 - only who asks for it
    import io  # noqa: PLC0415 - as above

    out = io.StringIO()
    writer.writer(out, lineterminator="\n").writerows([heads, *([_csv_cell(value) for value in row] for row in rows)])
    return out.getvalue()


def plain(value: Any) -> Any:
    """Return a value as JSON has it: bytes in hexadecimal, and no number that JSON has none of."""
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _csv_cell(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, str):
        return block(f"'{value}" if value.startswith(_FORMULA) else value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value
