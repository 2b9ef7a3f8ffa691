"""Whole pytest runs, each in a process of its own: start-up, empty tests, and a suite of model calls."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bench import samples
from bench.timing import in_turns, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.timing import Row

OURS = ("-p", "tapemeter.pytest_plugin")
REPLAY = (*OURS, "--llm-mode=replay")
CASSETTER = ("-p", "cassetter.pytest_plugin", "--record-mode=none")
_MANY = 500
"""Tests of a suite that is run once."""
RECORDING = ("-p", "pytest_recording.plugin", "--record-mode=none")
_CALLING = {"floor: MockTransport": ("test_mock.py",), "tapemeter, --llm-mode=replay": ("test_ours.py", *REPLAY)}
"""The suites of model calls whose cost is followed further."""

_CALL = """
import openai
{imports}

def ask():
    client = openai.OpenAI(base_url="http://llm.example/v1", api_key="none"{client})
    client.chat.completions.create(**{question!r})

{tests}
"""
_MOCK = "import httpx2"
_MOCK_CLIENT = (
    ", http_client=httpx2.Client(transport=httpx2.MockTransport(lambda request: httpx2.Response(200, "
    'headers={{"content-type": "application/json"}}, content={answer!r})))'
)


def start_up(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure `pytest --collect-only` of one empty test, and its run, whole processes.

    An empty plugin shows what pytest itself takes to load one by its name.
    """
    (folder / "test_empty.py").write_text("def test_nothing():\n    pass\n")
    (folder / "empty_plugin.py").write_text("")
    plugins = {
        "floor: no plugin": (),
        "an empty plugin": ("-p", "empty_plugin"),
        "tapemeter, nothing used": OURS,
        "tapemeter, --llm-mode=replay": REPLAY,
        "pytest-recording": RECORDING,
    }
    for group, more in (
        ("pytest --collect-only, one empty test", ("--collect-only",)),
        ("pytest, one empty test", ()),
    ):
        works = {who: _run(folder, ("test_empty.py", *more, *options)) for who, options in plugins.items()}
        yield from in_turns(group, works, 3 if quick else 45, "ms")


def empty_tests(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure a test that calls nothing: what 2,000 of them take more than 200, shared by those that are more."""
    few, many = 200, 2000
    for count in (few, many):
        tests = "".join(f"def test_{number}():\n    pass\n" for number in range(count))
        (folder / f"test_{count}.py").write_text(tests)

    def more(options: tuple[str, ...]) -> Callable[[], float]:
        less, more = (_run(folder, (f"test_{count}.py", *options)) for count in (few, many))
        return lambda: (more() - less()) / (many - few)

    works = {"floor: no plugin": more(()), "tapemeter, --llm-mode=replay": more(REPLAY)}
    yield from in_turns("a test without calls", works, 3 if quick else 7, "µs")


def model_calls(folder: Path, counts: tuple[int, ...]) -> Iterator[Row]:
    """Measure suites of that many tests, each of which makes an openai client and one call."""
    for count in counts:
        _write_suites(folder, [f"test_{number}" for number in range(count)])
        group = f"{count:,} tests with one openai call each"
        for who, options in (
            *_CALLING.items(),
            ("cassetter", ("test_cassetter.py", *CASSETTER)),
            ("pytest-recording", ("test_vcr.py", *RECORDING)),
        ):
            many = count > _MANY
            yield row(group, who, _run(folder, options, warm=not many), 1 if many else 3, "ms")


def more_model_calls(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure a test that makes an openai client and one call: what 1,200 of them take more than 200, each."""
    few, many = 200, 400 if quick else 1200
    for count in (few, many):
        (folder / str(count)).mkdir()
        _write_suites(folder / str(count), [f"test_{number}" for number in range(count)])

    def more(options: tuple[str, ...]) -> Callable[[], float]:
        less, more = (_run(folder / str(count), options) for count in (few, many))
        return lambda: (more() - less()) / (many - few)

    works = {who: more(options) for who, options in _CALLING.items()}
    yield from in_turns("a test with one openai call", works, 3 if quick else 5, "ms")


def by_workers(folder: Path, count: int, workers: tuple[int, ...]) -> Iterator[Row]:
    """Measure such a suite under pytest-xdist."""
    _write_suites(folder, [f"test_{number}" for number in range(count)])
    for number in workers:
        group = f"{count:,} tests with one openai call each, {number} workers"
        spread = ("-p", "xdist", "-n", str(number))
        works = {who: _run(folder, (*options, *spread), warm=False) for who, options in _CALLING.items()}
        yield from in_turns(group, works, 3, "ms")


def _write_suites(folder: Path, names: list[str]) -> None:
    question = samples.question(0)
    body = "".join(f"def {name}():\n    ask()\n" for name in names)
    mock = _MOCK_CLIENT.format(answer=samples.answer(0))
    for module, mark, imports, client in (
        ("test_ours", "", "", ""),
        ("test_vcr", "@pytest.mark.vcr\n", "import pytest", ""),
        ("test_cassetter", "@pytest.mark.vcr\n", "import pytest", ""),
        ("test_mock", "", _MOCK, mock),
    ):
        tests = body.replace("def ", f"{mark}def ")
        text = _CALL.format(imports=imports, client=client, question=question, tests=tests)
        (folder / f"{module}.py").write_text(text)
        (folder / "cassettes" / module).mkdir(parents=True, exist_ok=True)
    tape, theirs = samples.vcr_tape(folder / "tape.yaml", 1), samples.cassetter_tape(folder / "theirs.yaml", 1)
    ours = samples.ours(folder / "ours.yaml", 1)
    for name in names:
        for module, source in (("test_ours", ours), ("test_vcr", tape), ("test_cassetter", theirs)):
            (folder / "cassettes" / module / f"{name}.yaml").write_bytes(source.read_bytes())


def environment() -> dict[str, str]:
    """Return the environment of a run that loads no plugin by itself, and keeps the bytecode that it compiles."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def _run(folder: Path, options: tuple[str, ...], *, warm: bool = True) -> Callable[[], float]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *options]

    def work() -> float:
        started = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
        return time.perf_counter() - started

    if warm:
        work()  # bytecode is compiled once
    return work
