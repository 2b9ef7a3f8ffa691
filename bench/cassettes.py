"""What surrounds calls: loading a cassette, entering and leaving one, making a client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anthropic
import cassetter
import httpx
import httpx2
import openai
import vcr
import yaml

from bench import samples
from bench.replaying import entered, session
from bench.timing import per_call, row
from tapemeter.cassette import format as cassette_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.timing import Row


def loading(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure the load of 1,000 interactions: text to index or objects, the file read before; cassetter's with it."""
    count = 100 if quick else 1000
    group = f"load {count:,} interactions"
    text = samples.ours(folder / "load.yaml", count).read_text(encoding="utf-8")
    edited = text.replace("Question 1?", "Question one?", 1)
    as_json = json.dumps(samples.vcr_mapping(count))
    as_yaml = samples.vcr_tape(folder / "load-vcr.yaml", count).read_text(encoding="utf-8")
    tape = samples.cassetter_tape(folder / "load-cassetter.yaml", count)

    def every_interaction() -> None:
        for entry in cassette_format.load(text, "load.yaml"):
            _ = entry.interaction

    def cassetters() -> None:
        with cassetter.use_cassette(tape, record_mode="none"):
            pass

    for who, load, times in (
        ("tapemeter, index of an untouched file", lambda: cassette_format.load(text, "load.yaml"), 5),
        ("tapemeter, every interaction of it read", every_interaction, 3),
        ("tapemeter, edited file, all parsed and checked", lambda: cassette_format.load(edited, "load.yaml"), 3),
        ("cassetter's YAML", cassetters, 3),
        ("VCR.py's YAML, by libyaml", lambda: yaml.load(as_yaml, Loader=yaml.CLoader), 3),
        ("floor: json.loads of the same data", lambda: json.loads(as_json), 5),
    ):
        yield row(group, who, per_call(load, 1), times, "ms")


def entering(folder: Path) -> Iterator[Row]:
    """Measure what surrounds one call in a test of its own: enter, load, leave."""
    path = samples.ours(folder / "one.yaml", 1)
    tape = samples.vcr_tape(folder / "one-vcr.yaml", 1)
    theirs = samples.cassetter_tape(folder / "one-cassetter.yaml", 1)
    group = "enter and leave a one-interaction cassette"
    with session(folder) as made:

        def untouched() -> None:
            made.close(entered(made, path, load=False), keep=False)

        def loaded() -> None:
            made.close(entered(made, path), keep=False)

        yield row(group, "tapemeter, no call made", per_call(untouched, 300), 5, "µs")
        yield row(group, "tapemeter, loaded", per_call(loaded, 300), 5, "µs")

    def use_cassette() -> None:
        with vcr.use_cassette(str(tape), record_mode="none"):
            pass

    def use_cassetter() -> None:
        with cassetter.use_cassette(theirs, record_mode="none"):
            pass

    yield row(group, "cassetter", per_call(use_cassetter, 50), 5, "µs")
    yield row(group, "VCR.py", per_call(use_cassette, 50), 5, "µs")


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
        yield row(f"make {name}", "without plugin", per_call(make, 5), 5, "ms")
        with session(folder):
            make()
            yield row(f"make {name}", "tapemeter, in replay", per_call(make, 50), 5, "ms")
