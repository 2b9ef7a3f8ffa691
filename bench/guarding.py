"""What the network guard costs code that does not use the network: a loop that opens files."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from bench.timing import in_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.timing import Row

_FILES = 10_000
_SUITE = """
import time
from pathlib import Path

def test_files():
    path = Path(__file__).with_name("opened.txt")
    path.touch()
    started = time.perf_counter()
    for _ in range({files}):
        with path.open():
            pass
    path.write_text(str(time.perf_counter() - started))
"""


def opening_files(folder: Path) -> Iterator[Row]:
    """Measure a test that opens a file 10,000 times, by guard; what the test itself saw."""
    (folder / "test_files.py").write_text(_SUITE.format(files=_FILES), encoding="utf-8")
    group = f"a test that opens {_FILES:,} files"
    works = {
        "floor: no guard": _run(folder, ()),
        "tapemeter's guard": _run(folder, ("-p", "tapemeter.pytest_plugin", "--llm-mode=replay")),
        "pytest-socket": _run(folder, ("-p", "pytest_socket", "--disable-socket")),
    }
    yield from in_turns(group, works, 15, "ms")


def _run(folder: Path, options: tuple[str, ...]) -> Callable[[], float]:
    from bench.sessions import environment  # noqa: PLC0415

    def work() -> float:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_files.py", *options]
        subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
        return float((folder / "opened.txt").read_text())

    return work
