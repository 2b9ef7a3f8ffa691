"""Measure everything, print the table, and put it into docs/performance.md.

    python -m bench [--quick] [--json FILE]

`--quick` measures less often and writes nothing.
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

from bench import in_process, ledger, sessions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.timing import Row

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PACKAGES = ("pytest", "httpx", "httpx2", "openai", "anthropic", "vcrpy", "pytest-recording", "pyyaml")


def measure(*, quick: bool) -> list[Row]:
    """Return every row."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            *in_process.making_clients(folder),
            *in_process.entering(folder),
            *in_process.replayed_calls(folder, quick=quick),
            *in_process.loading(folder, quick=quick),
            *ledger.bookings(folder, quick=quick),
            *sessions.start_up(folder, quick=quick),
            *sessions.empty_tests(folder, quick=quick),
            *sessions.model_calls(folder, quick=quick),
        ]


def table(rows: Iterable[Row]) -> str:
    """Return the rows as Markdown; the ratio is to the first floor of the group, else to its first row."""
    lines = ["| what | who | median | least to most | ratio |", "|---|---|---:|---:|---:|"]
    for group, members in groupby(rows, key=lambda row: row.group):
        found = list(members)
        base = next((row for row in found if row.who.startswith("floor")), found[0])
        for row in found:
            spread = f"{row.low:,.3g} to {row.high:,.3g}"
            lines.append(
                f"| {group} | {row.who} | {row.median:,.3g} {row.unit} | {spread} | {row.median / base.median:.3g} |"
            )
            group = ""  # noqa: PLW2901 - said once
    return "\n".join(lines)


def machine() -> str:
    """Return what was measured on and with."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    cores = os.cpu_count()
    return f"Python {platform.python_version()}, {platform.machine()}, {cores} cores; {versions}."


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = measure(quick=options.quick)
    text = f"{machine()}\n\n{table(rows)}"
    print(text)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    if not options.quick:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
