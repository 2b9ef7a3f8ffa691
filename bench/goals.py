"""What we want to reach, judged by the rows that were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.timing import Row


@dataclass(frozen=True)
class Goal:
    """A bound on a row: in its unit, or `over` another row of its group as a ratio, or `added` to it."""

    group: str
    who: str
    most: float
    over: str = ""
    added: str = ""


_MOCKED = "floor: {} MockTransport"
_PLAIN = "floor: no plugin"

GOALS = (
    *(
        Goal(f"replayed call, {count:,} on file", f"tapemeter, {library}", 1.5, over=_MOCKED.format(library))
        for count in (1, 10, 1000, 10_000)
        for library in ("httpx", "httpx2")
    ),
    Goal("replayed call, requests", "tapemeter", 1.3, over="floor: an adapter that answers"),
    Goal("replayed call, aiohttp", "tapemeter", 1.3, over="floor: a connector that answers"),
    *(
        Goal(f"make {client}", "tapemeter, in replay", 1.0)
        for client in ("openai.OpenAI()", "anthropic.Anthropic()", "httpx.Client()", "httpx2.Client()")
    ),
    Goal(
        "load 1,000 interactions",
        "tapemeter, index of an untouched file",
        1.0,
        over="floor: json.loads of the same data",
    ),
    Goal(
        "load 1,000 interactions",
        "tapemeter, every interaction of it read",
        1.0,
        over="cassetter's YAML",
    ),
    Goal("enter and leave a one-interaction cassette", "tapemeter, loaded", 300.0),
    Goal("a test with one openai call", "tapemeter, --llm-mode=replay", 1.0, added="floor: MockTransport"),
    Goal("2,000 tests with one openai call each", "tapemeter, --llm-mode=replay", 1 / 15, over="pytest-recording"),
    Goal("pytest --collect-only, one empty test", "tapemeter, nothing used", 5.0, added=_PLAIN),
    Goal("pytest --collect-only, one empty test", "tapemeter, --llm-mode=replay", 10.0, added=_PLAIN),
    Goal("a test without calls", "tapemeter, --llm-mode=replay", 20.0, added=_PLAIN),
    Goal("first chunk of a stream from loopback", "tapemeter, recording", 0.2, added="floor: httpx"),
    Goal("a test that opens 10,000 files", "tapemeter's guard", 1.03, over="floor: no guard"),
    Goal("reserve and settle", "tapemeter, in memory", 20.0),
    Goal("reserve and settle", "tapemeter, in SQLite, 8 processes at once", 400.0),
    Goal("append an event", "tapemeter, hashed and in the file", 40.0),
    Goal("report over 1,000,000 events", "tapemeter, time", 15.0),
    Goal("report over 1,000,000 events", "tapemeter, memory of the process", 100.0),
    Goal(
        "memory of 10,000 tests with 100 KB of cassette each",
        "tapemeter, --llm-mode=replay",
        60.0,
        added="floor: no plugin, MockTransport",
    ),
    Goal("replayed call through the proxy", "tapemeter proxy", 1.0, added="floor: bare ASGI application"),
)


def table(rows: Sequence[Row]) -> str:
    """Return the goals for which there are rows, as Markdown."""
    lines = ["| what | goal | measured | |", "|---|---:|---:|---|"]
    lines += _lines(rows)
    return "\n".join(lines)


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    found = {(row.group, row.who): row for row in rows}
    for goal in GOALS:
        row = found.get((goal.group, goal.who))
        base = found.get((goal.group, goal.over or goal.added))
        if row is None or (base is None and (goal.over or goal.added)):
            continue
        value, said = _value(goal, row, base)
        verdict = "held" if value <= goal.most else "not held"
        yield f"| {goal.group}: {goal.who} | {said.format(f'≤ {goal.most:.3g}')} | {value:.3g} | {verdict} |"


def _value(goal: Goal, row: Row, base: Row | None) -> tuple[float, str]:
    """Return what was measured, and a sentence that says what of, with a place for the bound."""
    if base is None:
        return row.median, f"{{}} {row.unit}"
    if goal.over:
        return row.median / base.median, f"{{}} times {goal.over.removeprefix('floor: ')}"
    return row.median - base.median, f"{{}} {row.unit} over {goal.added.removeprefix('floor: ')}"
