"""Whole pytest runs, each in a process of its own: start-up, empty tests, and a suite of model calls."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import yaml

from bench import samples
from bench.timing import Row, rounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS = ("-p", "tapemeter.pytest_plugin")
REPLAY = (*OURS, "--llm-mode=replay")
RECORDING = ("-p", "pytest_recording.plugin", "--record-mode=none")

_CALL = """
import openai
{imports}

def ask():
    client = openai.OpenAI(base_url="http://llm.example/v1", api_key="none"{client})
    client.chat.completions.create(**{question!r})

{decorator}
{tests}
"""
_MOCK = "import httpx2"
_MOCK_CLIENT = (
    ", http_client=httpx2.Client(transport=httpx2.MockTransport(lambda request: httpx2.Response(200, "
    'headers={{"content-type": "application/json"}}, content={answer!r})))'
)


def start_up(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure `pytest --collect-only` of one empty test, whole process."""
    (folder / "test_empty.py").write_text("def test_nothing():\n    pass\n")
    group, count = "pytest --collect-only, one empty test", 3 if quick else 9
    for who, options in (
        ("floor: no plugin", ()),
        ("tapemeter, nothing used", OURS),
        ("tapemeter, --llm-mode=replay", REPLAY),
        ("pytest-recording", RECORDING),
    ):
        yield _row(group, who, folder, ("test_empty.py", "--collect-only", *options), count)


def empty_tests(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure a suite of 500 tests that call nothing."""
    tests = "".join(f"def test_{number}():\n    pass\n" for number in range(500))
    (folder / "test_many.py").write_text(tests)
    for who, options in (("floor: no plugin", ()), ("tapemeter, --llm-mode=replay", REPLAY)):
        yield _row("500 tests without calls", who, folder, ("test_many.py", *options), 3 if quick else 5)


def model_calls(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure a suite of tests that each make an openai client and one call."""
    count = 50 if quick else 200
    names = [f"test_{number}" for number in range(count)]
    question = samples.question(0)
    body = "".join(f"def {name}():\n    ask()\n" for name in names)
    recorded = "".join(f"@pytest.mark.vcr\ndef {name}():\n    ask()\n" for name in names)
    mock = _MOCK_CLIENT.format(answer=samples.answer(0))
    for module, imports, client, tests in (
        ("test_ours", "", "", body),
        ("test_vcr", "import pytest", "", recorded),
        ("test_mock", _MOCK, mock, body),
    ):
        text = _CALL.format(imports=imports, client=client, question=question, decorator="", tests=tests)
        (folder / f"{module}.py").write_text(text)
        (folder / "cassettes" / module).mkdir(parents=True, exist_ok=True)
    tape = yaml.dump(samples.vcr_mapping(1), Dumper=yaml.CSafeDumper)
    for name in names:
        samples.ours(folder / "cassettes" / "test_ours" / f"{name}.yaml", 1)
        (folder / "cassettes" / "test_vcr" / f"{name}.yaml").write_text(tape)
    group, times = f"{count} tests with one openai call each", 2 if quick else 3
    for who, options in (
        ("floor: MockTransport", ("test_mock.py",)),
        ("tapemeter, --llm-mode=replay", ("test_ours.py", *REPLAY)),
        ("pytest-recording", ("test_vcr.py", *RECORDING)),
    ):
        yield _row(group, who, folder, options, times)


def _row(group: str, who: str, folder: Path, options: tuple[str, ...], count: int) -> Row:
    def work() -> float:
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *options],
            cwd=folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            check=True,
            capture_output=True,
        )
        return (time.perf_counter() - started) * 1e3

    work()  # bytecode is compiled once
    median, low, high = rounds(work, count)
    return Row(group, group, who, median, low, high, "ms")
