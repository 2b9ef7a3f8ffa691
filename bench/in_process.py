"""Replayed calls, loading, entering and leaving, making clients: measured in this process."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import httpx2
import openai
import vcr
import yaml

from bench import samples
from bench.timing import Row, per_call, rounds
from tapemeter import owner as owners
from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.mode import Mode
from tapemeter.session import Session, new_run
from tapemeter.settings import CassetteArguments, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from tapemeter.owner import Owner

_SCALES = {"µs": 1e6, "ms": 1e3}
_CALLS = 200
"""Replayed calls in a round, at least."""
_VCR_LIMIT = {"uri": 1000, "body": 100}
"""VCR.py compares a request with every recording; beyond these sizes a round would take minutes."""


@contextmanager
def replaying(folder: Path) -> Iterator[Session]:
    """Have a session in replay under way."""
    settings = Settings(root=folder, cassette_dir=folder, mode=Mode.REPLAY)
    session = Session(settings, new_run(settings))
    session.start()
    try:
        yield session
    finally:
        session.stop()


def entered(session: Session, path: Path) -> Owner:
    """Enter a test with a cassette."""
    owner = session.owner("bench", nodeid="bench", path=path, arguments=CassetteArguments())
    owners.enter(owner)
    return owner


def replayed_calls(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure one replayed POST of 3.9 KB, the body compared, by the number of interactions on file."""
    for count in (1, 10, 1000) if quick else (1, 10, 1000, 10_000):
        group = f"replayed call, {count:,} on file"
        path = samples.ours(folder / f"{count}.yaml", count)
        for library in (httpx, httpx2):
            yield _row(group, f"tapemeter, {library.__name__}", _our_call(folder, path, library, count), 3, "µs")
        for library in (httpx, httpx2):
            yield _row(group, f"floor: {library.__name__} MockTransport", _mock_call(library, count), 5, "µs")
        tape = folder / f"vcr-{count}.yaml"
        tape.write_text(yaml.dump(samples.vcr_mapping(min(count, 1000)), Dumper=yaml.CSafeDumper), encoding="utf-8")
        for matched, limit in _VCR_LIMIT.items():
            if count <= limit:
                on = ["method", "uri"] if matched == "uri" else ["method", "uri", "body"]
                yield _row(group, f"VCR.py, {' '.join(on)}", _vcr_call(tape, on, count), 3, "µs")


def _row(group: str, who: str, work: Callable[[], float], count: int, unit: str) -> Row:
    median, low, high = rounds(work, count)
    scale = _SCALES[unit]
    return Row(group, group, who, median * scale, low * scale, high * scale, unit)


def _our_call(folder: Path, path: Path, library: ModuleType, count: int) -> Callable[[], float]:
    def work() -> float:
        with replaying(folder) as session:
            total, calls = 0.0, 0
            while calls < _CALLS:
                owner = entered(session, path)
                list(owner.cassette.recordings)
                with library.Client() as client:
                    asked = range(min(count, 1000))
                    started = time.perf_counter()
                    for number in asked:
                        client.post(samples.URL, json=samples.question(number)).json()
                    total += time.perf_counter() - started
                calls += len(asked)
                session.close(owner, keep=False)
            return total / calls

    return work


def _mock_call(library: ModuleType, count: int) -> Callable[[], float]:
    answers = {samples.sent(number): samples.answer(number) for number in range(min(count, 1000))}

    def handler(request: Any) -> Any:
        return library.Response(200, headers={"content-type": "application/json"}, content=answers[request.content])

    def work() -> float:
        with library.Client(transport=library.MockTransport(handler)) as client:
            times = max(1, _CALLS // len(answers))
            started = time.perf_counter()
            for _ in range(times):
                for number in range(len(answers)):
                    client.post(samples.URL, json=samples.question(number)).json()
            return (time.perf_counter() - started) / (times * len(answers))

    return work


def _vcr_call(tape: Path, on: list[str], count: int) -> Callable[[], float]:
    def work() -> float:
        with vcr.use_cassette(str(tape), record_mode="none", match_on=on), httpx.Client() as client:
            started = time.perf_counter()
            for number in range(count):
                client.post(samples.URL, json=samples.question(number)).json()
            return (time.perf_counter() - started) / count

    return work


def loading(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure the load of 1,000 interactions, text to index or objects, the file read before."""
    count = 100 if quick else 1000
    group = f"load {count:,} interactions"
    text = samples.ours(folder / "load.yaml", count).read_text(encoding="utf-8")
    edited = text.replace("Question 1?", "Question one?", 1)
    tape = samples.vcr_mapping(count)
    as_json, as_yaml = json.dumps(tape), yaml.dump(tape, Dumper=yaml.CSafeDumper)

    def every_interaction() -> None:
        for entry in cassette_format.load(text, "load.yaml"):
            _ = entry.interaction

    for who, load, times in (
        ("tapemeter, index of an untouched file", lambda: cassette_format.load(text, "load.yaml"), 5),
        ("tapemeter, every interaction of it parsed", every_interaction, 3),
        ("tapemeter, edited file, all parsed and checked", lambda: cassette_format.load(edited, "load.yaml"), 3),
        ("VCR.py's YAML, by libyaml", lambda: yaml.load(as_yaml, Loader=yaml.CLoader), 3),
        ("floor: json.loads of the same data", lambda: json.loads(as_json), 5),
    ):
        yield _row(group, who, per_call(load, 1), times, "ms")


def entering(folder: Path) -> Iterator[Row]:
    """Measure what surrounds one call in a test of its own: enter, load, leave."""
    path = samples.ours(folder / "one.yaml", 1)
    tape = folder / "one-vcr.yaml"
    tape.write_text(yaml.dump(samples.vcr_mapping(1)), encoding="utf-8")
    with replaying(folder) as session:

        def untouched() -> None:
            session.close(entered(session, path), keep=False)

        def loaded() -> None:
            owner = entered(session, path)
            list(owner.cassette.recordings)
            session.close(owner, keep=False)

        group = "enter and leave a one-interaction cassette"
        yield _row(group, "tapemeter, no call made", per_call(untouched, 300), 5, "µs")
        yield _row(group, "tapemeter, loaded", per_call(loaded, 300), 5, "µs")

    def use_cassette() -> None:
        with vcr.use_cassette(str(tape), record_mode="none"):
            pass

    yield _row(group, "VCR.py", per_call(use_cassette, 50), 5, "µs")


def making_clients(folder: Path) -> Iterator[Row]:
    """Measure making a client: with a TLS context of its own, and in replay after the first."""
    makers: tuple[tuple[str, Callable[[], object]], ...] = (
        ("openai.OpenAI()", lambda: openai.OpenAI(api_key="none")),
        ("anthropic.Anthropic()", lambda: anthropic.Anthropic(api_key="none")),
        ("httpx.Client()", httpx.Client),
        ("httpx2.Client()", httpx2.Client),
    )
    for name, make in makers:
        make()
        yield _row(f"make {name}", "without plugin", per_call(make, 5), 5, "ms")
        with replaying(folder):
            make()
            yield _row(f"make {name}", "tapemeter, in replay", per_call(make, 50), 5, "ms")
