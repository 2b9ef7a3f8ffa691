"""Where the time of a replayed call goes: what each step of its life takes by itself, without those within it."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from bench import samples
from bench.replaying import entered, session
from bench.timing import Row
from tapemeter import exchange, providers
from tapemeter.cassette.match import Matcher
from tapemeter.intercept import httpcore as adapter
from tapemeter.metering.gate import Gate
from tapemeter.metering.meter import Meter
from tapemeter.pricing import Prices
from tapemeter.redact import Redactor
from tapemeter.tape import OwnTape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CALLS = 1000
_CLIENT = "httpx, down to its connections and back"
STAGES: tuple[tuple[str, tuple[tuple[Any, str], ...]], ...] = (
    ("the adapter: a request read, a response made", ((httpcore.ConnectionPool, "handle_request"),)),
    ("whose call it is", ((adapter, "claim"),)),
    ("secrets hidden", ((Redactor, "secrets_of"), (Redactor, "request"))),
    ("its key, of the body as JSON", ((Matcher, "key"),)),
    ("the recording found, its answer read and checked", ((OwnTape, "find"),)),
    ("the question read as the provider's", ((providers, "ask"),)),
    ("the answer read as the provider's", ((providers, "answered"),)),
    ("prices", ((Prices, "cost"),)),
    ("limits of job and run, sums of test, job and run", ((Gate, "spend"), (Meter, "_book"))),
    ("a line of evidence, with its hash", ((Meter, "_write"),)),
    ("what holds these together", ((exchange, "begin"), (Meter, "open"), (Meter, "play"))),
)


def of_a_call(folder: Path) -> Iterator[Row]:
    """Measure a replayed model call of httpx with 1,000 on file, step by step; taking the time costs some 5 %."""
    path = samples.ours(folder / "stages.yaml", _CALLS)
    clock = _Clock()
    rounds = [_round(folder, path, clock) for _ in range(5)]
    for who in (_CLIENT, *(who for who, _ in STAGES)):
        found = sorted(each[who] * 1e6 for each in rounds)
        yield Row("a replayed call, step by step", who, statistics.median(found), found[0], found[-1], "µs")


def _round(folder: Path, path: Path, clock: _Clock) -> dict[str, float]:
    """Return the median of what each step takes in seconds, over the calls of a round."""
    found = defaultdict(list)
    with session(folder) as made:
        owner = entered(made, path)
        with clock.watching(), httpx.Client() as client:
            for number in range(_CALLS):
                clock.spent = defaultdict(float)
                started = time.perf_counter()
                client.post(samples.URL, json=samples.question(number)).json()
                clock.spent[_CLIENT] = time.perf_counter() - started - sum(clock.spent.values())
                for who, seconds in clock.spent.items():
                    found[who].append(seconds)
        made.close(owner, keep=False)
    return {who: statistics.median(each) for who, each in found.items()}


class _Clock:
    """Takes the time of functions, without that of the watched functions that they call."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._within = [0.0]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the functions of all steps."""
        plain = [(owner, name, getattr(owner, name), who) for who, places in STAGES for owner, name in places]
        for owner, name, function, who in plain:
            setattr(owner, name, self._timed(who, function))
        try:
            yield
        finally:
            for owner, name, function, _ in plain:
                setattr(owner, name, function)

    def _timed(self, who: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._within.append(0.0)
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.perf_counter() - started
                self.spent[who] += took - self._within.pop()
                self._within[-1] += took

        return timed
