"""Memory of a session that replays very many cassettes, beside plain pytest over as many tests."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from bench import samples
from bench.sessions import REPLAY, environment
from bench.timing import PEAK, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.timing import Row

_SUITE = """
import httpx, pytest

QUESTIONS = {questions!r}
CLIENT = httpx.Client({client})

@pytest.mark.parametrize("number", range({tests}))
def test_call(number):
    for question in QUESTIONS:
        CLIENT.post({url!r}, json=question).json()
"""
_MOCK = "transport=httpx.MockTransport(lambda request: httpx.Response(200, json={}))"
_EACH = 25
"""Interactions in a cassette, some 100 KB."""


def many_cassettes(folder: Path, counts: tuple[int, ...]) -> Iterator[Row]:
    """Measure the most memory of a process that runs that many tests, each with a cassette of some 100 KB."""
    questions = [samples.question(number) for number in range(_EACH)]
    text = samples.ours(folder / "one.yaml", _EACH).read_bytes()
    cassettes = folder / "cassettes" / "test_many_ours"
    cassettes.mkdir(parents=True, exist_ok=True)
    for count in counts:
        for number in range(count):
            (cassettes / f"test_call[{number}].yaml").write_bytes(text)
        for name, client in (("test_many_ours", ""), ("test_many_mock", _MOCK)):
            suite = _SUITE.format(questions=questions, client=client, tests=count, url=samples.URL)
            (folder / f"{name}.py").write_text(suite, encoding="utf-8")
        group = f"memory of {count:,} tests with 100 KB of cassette each"
        yield row(group, "floor: no plugin, MockTransport", _run(folder, ("test_many_mock.py",)), 1, "MB")
        yield row(group, "tapemeter, --llm-mode=replay", _run(folder, ("test_many_ours.py", *REPLAY)), 1, "MB")


def _run(folder: Path, options: tuple[str, ...]) -> Callable[[], float]:
    command = [sys.executable, "-c", _MEASURED, "-q", "-p", "no:cacheprovider", *options]

    def work() -> float:
        done = subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True, text=True)
        return float(done.stdout.splitlines()[-1])

    return work


_MEASURED = f"""
{PEAK}
import sys, pytest
status = pytest.main(sys.argv[1:])
print(peak())
sys.exit(status)
"""
