"""Scaling curves as pictures: time against interactions, tests, workers and events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.timing import Row

_NUMBER = r"([\d,]+)"
CURVES = (
    ("interactions", f"replayed call, {_NUMBER} on file", "interactions on file", "a call, µs"),
    ("tests", f"{_NUMBER} tests with one openai call each", "tests", "the suite, ms"),
    ("workers", rf"{_NUMBER.replace('(', '(?:')} tests with one openai call each, {_NUMBER} workers", "workers", "ms"),
    ("events", f"report over {_NUMBER} events", "events", "the report, s"),
)
"""Name of the picture, which groups of rows it shows, and its axes."""


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write a picture for each curve of which there are two points or more."""
    import matplotlib as mpl  # noqa: PLC0415 - a quick run draws nothing

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "tapemeter"  # the same figures make the same bytes
    from matplotlib import pyplot as plt  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, pattern, across, up in CURVES:
        lines: dict[str, list[tuple[int, float]]] = {}
        for row in rows:
            found = re.fullmatch(pattern, row.group)
            if found is not None and row.unit != "MB":
                lines.setdefault(row.who, []).append((int(found[1].replace(",", "")), row.median))
        if not any(len(points) > 1 for points in lines.values()):
            continue
        figure, axes = plt.subplots(figsize=(7, 4))
        for who, points in lines.items():
            ordered = sorted(points)
            style = ":" if who.startswith("floor") else "-"
            axes.plot([x for x, _ in ordered], [y for _, y in ordered], style, marker="o", label=who)
        axes.set(xlabel=across, ylabel=up, xscale="log", yscale="log")
        if name == "workers":
            axes.set(xscale="linear", yscale="linear", ylim=(0, None))
        axes.legend(fontsize="small")
        axes.grid(visible=True, alpha=0.3)
        path = folder / f"{name}.svg"
        figure.savefig(path, metadata={"Date": None, "Creator": None}, bbox_inches="tight")
        plt.close(figure)
        drawn.append(path)
    return drawn
