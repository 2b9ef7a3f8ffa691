"""What calls cost, by test, job, run, day, …: asked of the store, exact to the unit.

SQLite adds up integers of 64 bits and refuses a sum that has more. So each figure is summed in two parts and put
together in Python, where integers have no end; then no figure that anybody made up can spoil the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.errors import UsageError
from tapemeter.events.line import stamp
from tapemeter.trace import store
from tapemeter.trace.units import usd
from tapemeter.trace.views import FIGURES, KEYS, MONEY
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

_PART = 10**9
"""Both parts of a figure of 64 bits are small enough for a billion rows."""
_SUMMED = (*FIGURES, *MONEY)
_BY_TIME = frozenset({"run", "day"})
FILTERS: Mapping[str, str] = {"run": "run_id", "job": "job", "test": "test", "model": "model"}
"""By what the calls can be chosen that are counted, and the column that says it."""

Key = tuple[str | None, ...]


class Figures(Value):
    """What some calls used. Money is US dollars, exact; `at_least` where a part of it is unknown."""

    calls: int
    attempts: int
    refused: int
    missed: int
    failed: int
    errors: int
    incomplete: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    unpriced: int
    spent_usd: Decimal
    avoided_usd: Decimal
    today_usd: Decimal
    gateway_usd: Decimal
    at_least: bool


class Costs(Value):
    """The figures of each key, as many as were asked for, and those of all of them together.

    `columns` says what the parts of a key are; `groups` counts the keys that there are.
    """

    by: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Key, Figures], ...]
    groups: int
    total: Figures


def costs(
    path: Path,
    by: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    where: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> Costs:
    """Return what calls cost from one moment to before another, by one of KEYS.

    `where` chooses calls by some of FILTERS; in its values `*` stands for any text. Runs and days come in their
    order, of which `limit` keeps the last; all others come dearest first. UsageError for a key that there is none of.
    """
    if by not in KEYS:
        raise UsageError(f"expected one of {', '.join(KEYS)}, got {by!r}")
    columns = KEYS[by]
    keys = ", ".join(columns)
    sums = ", ".join(f"SUM(({each.rule}) / {_PART}), SUM(({each.rule}) % {_PART})" for each in _SUMMED)
    chosen, values = _conditions(since, until, where or {})
    query = f"SELECT {keys}, {sums} FROM calls {chosen} GROUP BY {keys}"  # noqa: S608 - all of it ours
    with store.reading(path) as connection:
        found = [(row[: len(columns)], _together(row[len(columns) :])) for row in connection.execute(query, values)]
    total = [sum(parts) for parts in zip(*(sums for _, sums in found), strict=True)] or [0] * len(_SUMMED)
    ordered = sorted(found, key=_by_key if by in _BY_TIME else _dearest_first)
    if limit is not None:
        ordered = ordered[max(0, len(ordered) - limit) :] if by in _BY_TIME else ordered[:limit]
    rows = tuple((key, _figures(sums)) for key, sums in ordered)
    return Costs(by, columns, rows, len(found), _figures(total))


def _conditions(since: datetime | None, until: datetime | None, where: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the WHERE clause, and the values in it."""
    conditions: list[str] = []
    values: list[str] = []
    for moment, comparison in ((since, "at >= ?"), (until, "at < ?")):
        if moment is not None:
            conditions.append(comparison)
            values.append(stamp(moment))
    for name, value in where.items():
        if name not in FILTERS:
            raise UsageError(f"expected one of {', '.join(FILTERS)}, got {name!r}")
        pattern = "*" in value
        conditions.append(f"{FILTERS[name]} {'GLOB' if pattern else '='} ?")
        # Of what GLOB knows, only the star: names of tests are full of brackets.
        values.append(value.replace("[", "[[]").replace("?", "[?]") if pattern else value)
    return f"WHERE {' AND '.join(conditions)}" if conditions else "", values


def _together(parts: Sequence[int]) -> list[int]:
    return [high * _PART + low for high, low in zip(parts[::2], parts[1::2], strict=True)]


def _figures(sums: Sequence[int]) -> Figures:
    told: dict[str, Any] = {each.name: number for each, number in zip(_SUMMED, sums, strict=True)}
    money: dict[str, Any] = {f"{each.name}_usd": usd(told.pop(each.name)) for each in MONEY}
    return Figures(at_least=told.pop("unsure") > 0, **told, **money)


def _by_key(row: tuple[Key, list[int]]) -> list[tuple[bool, str]]:
    return [(part is not None, part or "") for part in row[0]]


def _dearest_first(row: tuple[Key, list[int]]) -> tuple[int, list[tuple[bool, str]]]:
    return -(row[1][_SPENT] + row[1][_AVOIDED]), _by_key(row)


_SPENT, _AVOIDED = (len(FIGURES) + place for place in (0, 1))
