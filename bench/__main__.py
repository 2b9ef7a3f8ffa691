"""Measure everything, print the tables, and put them with their pictures into docs/performance.md.

    python -m bench [--quick] [--only WORD] [--json FILE] [--against FILE]

`--quick` measures less often, leaves out what takes minutes, and writes nothing; so does `--only`, which measures the
parts whose name has the word. `--json` keeps the results; `--against` compares with those that were kept.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from bench import (
    calls,
    cassettes,
    evidence,
    goals,
    guarding,
    ledger,
    memory,
    plots,
    proxying,
    sessions,
    stages,
    streams,
)
from bench.timing import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
PICTURES = PAGE.parent / "plots"
RESULTS = Path(__file__).parent / "results.json"
"""What the page shows, kept so that another commit can be compared with it."""
BEGIN, END = "<!-- {}: begin -->", "<!-- {}: end -->"
PACKAGES = (
    *("pytest", "httpx", "httpx2", "requests", "aiohttp", "openai", "anthropic", "uvicorn"),
    *("vcrpy", "pytest-recording", "cassetter", "pytest-socket", "pyyaml"),
)


def parts(*, quick: bool) -> dict[str, Callable[[Path], Iterator[Row]]]:
    """Return what is measured, by name."""
    tests = (200,) if quick else (200, 500, 2000)
    events = (10_000,) if quick else (10_000, 100_000, 1_000_000)
    return {
        "clients": cassettes.making_clients,
        "entering": cassettes.entering,
        "calls": lambda folder: calls.by_size(folder, quick=quick),
        "libraries": calls.by_library,
        "stages": stages.of_a_call,
        "loading": lambda folder: cassettes.loading(folder, quick=quick),
        "streams": streams.first_chunks,
        "ledger": lambda folder: ledger.bookings(folder, quick=quick),
        "events": lambda folder: evidence.events(folder, evidence.sample(folder), quick=quick),
        "report": lambda folder: evidence.reports(folder, evidence.sample(folder), events),
        "start-up": lambda folder: sessions.start_up(folder, quick=quick),
        "empty": lambda folder: sessions.empty_tests(folder, quick=quick),
        "guard": guarding.opening_files,
        "suites": lambda folder: sessions.model_calls(folder, tests),
        "more": lambda folder: sessions.more_model_calls(folder, quick=quick),
        "workers": lambda folder: sessions.by_workers(folder, 200 if quick else 1000, (1, 2) if quick else (1, 2, 4)),
        "memory": lambda folder: memory.many_cassettes(folder, (100,) if quick else (1000, 10_000)),
        "proxy": proxying.proxied_calls,
    }


def measure(*, quick: bool, only: str = "") -> list[Row]:
    """Return every row."""
    found: list[Row] = []
    for name, part in parts(quick=quick).items():
        if only in name:
            with tempfile.TemporaryDirectory() as folder:
                found += part(Path(folder))
    return found


def table(rows: Iterable[Row]) -> str:
    """Return the rows as Markdown; the ratio is to the first floor of the group, else to its first row."""
    lines = ["| what | who | median | least to most | ratio |", "|---|---|---:|---:|---:|"]
    for group, members in groupby(rows, key=lambda row: row.group):
        found = list(members)
        base = next((row for row in found if row.who.startswith("floor")), found[0])
        said = group
        for row in found:
            spread = f"{_short(row.low)} to {_short(row.high)}"
            ratio = f"{row.median / base.median:.3g}" if row.unit == base.unit else ""
            lines.append(f"| {said} | {row.who} | {_short(row.median)} {row.unit} | {spread} | {ratio} |")
            said = ""
    return "\n".join(lines)


def compared(rows: Iterable[Row], before: Iterable[Row]) -> str:
    """Return how rows have changed since they were kept, as Markdown."""
    then = {(row.group, row.who): row for row in before}
    lines = ["| what | who | before | now | ratio |", "|---|---|---:|---:|---:|"]
    for row in rows:
        old = then.get((row.group, row.who))
        if old is not None:
            was, now = f"{_short(old.median)} {old.unit}", f"{_short(row.median)} {row.unit}"
            lines.append(f"| {row.group} | {row.who} | {was} | {now} | {row.median / old.median:.2f} |")
    return "\n".join(lines)


def machine() -> str:
    """Return what was measured on and with."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    cores = os.cpu_count()
    return f"Python {platform.python_version()}, {platform.machine()}, {cores} cores; {versions}."


def publish(rows: list[Row]) -> None:
    """Put tables and pictures into the page, and keep the results."""
    RESULTS.write_text(_json(rows), encoding="utf-8")
    pictures = "\n\n".join(
        f"![{path.stem}: time against {path.stem}](plots/{path.name})" for path in plots.draw(rows, PICTURES)
    )
    text = PAGE.read_text(encoding="utf-8")
    for name, found in (
        ("measured", f"{machine()}\n\n{table(rows)}"),
        ("goals", goals.table(rows)),
        ("curves", pictures),
    ):
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{found}\n{end}{rest.partition(end)[2]}"
    PAGE.write_text(text, encoding="utf-8")


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--against", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = measure(quick=options.quick, only=options.only)
    print(f"{machine()}\n\n{table(rows)}\n\n{goals.table(rows)}")
    if options.against:
        before = [Row(**fields) for fields in json.loads(options.against.read_text(encoding="utf-8"))]
        print(f"\n{compared(rows, before)}")
    if options.json:
        options.json.write_text(_json(rows), encoding="utf-8")
    if not options.quick and not options.only:
        publish(rows)


def _short(value: float) -> str:
    """Return a figure with three digits that count."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004


def _json(rows: Iterable[Row]) -> str:
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


if __name__ == "__main__":
    main()
