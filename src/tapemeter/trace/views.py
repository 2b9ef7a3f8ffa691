"""What calls cost, as SQL: the figures, what they can be told by, and a view for each such key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.trace.schema import TABLES
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Figure(Value):
    """Something that is added up over calls: the SQL of what one row has of it, never null."""

    name: str
    rule: str
    meaning: str


FIGURES = (
    Figure("calls", "sent AND attempt = 0", "calls that were let through; retries do not count"),
    Figure("attempts", "sent", "HTTP exchanges made for them, retries included"),
    Figure("refused", "outcome = 'refused'", "attempts that a budget refused"),
    Figure("missed", "outcome = 'missed'", "calls that had no recording"),
    Figure("failed", "outcome = 'failed'", "attempts that got no response"),
    Figure("errors", "outcome = 'error'", "attempts that were answered with an HTTP error"),
    Figure(
        "incomplete",
        "outcome IN ('abandoned', 'cancelled', 'cut', 'timeout', 'broken')",
        "attempts whose answer did not come whole",
    ),
    Figure("input_tokens", "sent * IFNULL(input_tokens, 0)", "tokens read, those of a cache included"),
    Figure("output_tokens", "sent * IFNULL(output_tokens, 0)", "tokens written, those of reasoning included"),
    Figure("cache_read_tokens", "sent * IFNULL(cache_read_tokens, 0)", "tokens read from a cache"),
    Figure("cache_write_tokens", "sent * IFNULL(cache_write_tokens, 0)", "tokens written to a cache"),
    Figure("reasoning_tokens", "sent * IFNULL(reasoning_tokens, 0)", "tokens of reasoning"),
    Figure("unpriced", "unpriced", "attempts of known usage and unknown price"),
    Figure("unsure", "unsure", "attempts that may have cost more than was added up"),
)
MONEY = (
    Figure("spent", "spent_units", "calls that were sent, at the price of the day"),
    Figure("avoided", "avoided_units", "calls that were replayed, at the price of the day on which they were recorded"),
    Figure("today", "today_units", "the same replayed calls at the price of the day of the run"),
    Figure("gateway", "sent * IFNULL(gateway_units, 0)", "what gateways say it cost"),
)

KEYS: Mapping[str, tuple[str, ...]] = {
    "test": ("test",),
    "job": ("job",),
    "task": ("task",),
    "step": ("job", "step"),
    "run": ("run_id",),
    "day": ("day",),
    "model": ("model",),
    "alias": ("alias",),
    "group": ("model_group",),
}
"""What costs can be told by, and the columns that say it."""


_SUMS = (
    *((f"{each.name}_usd", f"SUM({each.rule}) / 1e12", f"US dollars: {each.meaning}") for each in MONEY),
    *((f"{each.name}_units", f"SUM({each.rule})", "the same, exact, in units of 10**-12 US dollars") for each in MONEY),
    *((each.name, f"SUM({each.rule})", each.meaning) for each in FIGURES),
    ("at_least", "MAX(unsure)", "whether it may have cost more: 1 or 0"),
    ("first_at", "MIN(at)", "the time of the first of these attempts"),
    ("last_at", "MAX(at)", "the time of the last"),
)


def columns() -> Iterator[tuple[str, str]]:
    """Yield the columns that every view has besides its key, with what they mean."""
    for name, _, meaning in _SUMS:
        yield name, meaning


def view(by: str) -> str:
    """Return the statement that makes the view of costs by a key."""
    keys = ", ".join(KEYS[by])
    listed = ",\n  ".join([keys, *(f"{rule} AS {name}" for name, rule, _ in _SUMS)])
    return f"CREATE VIEW cost_by_{by} AS SELECT\n  {listed}\nFROM calls GROUP BY {keys}"


def statements() -> Iterator[str]:
    """Yield the statements that make the whole schema, in order."""
    for table in TABLES:
        yield from table.create()
    yield from map(view, KEYS)
