"""Replayed calls, by client library and by the number of interactions on file, beside peers and floors."""

from __future__ import annotations

import asyncio
import importlib
import io
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import cassetter
import httpx
import httpx2
import requests
import urllib3
import vcr
from aiohttp.client_proto import ResponseHandler

from bench import samples
from bench.replaying import entered, session
from bench.timing import row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from bench.timing import Row

CALLS = 200
"""Replayed calls in a round, at least."""
_MOST = 1000
"""Questions that are asked of a file, however many are on it."""
_VCR_LIMIT = {"uri": 1000, "body": 100}
_CASSETTER_LIMIT = {"uri": 1000, "json_body": 1000}
"""They compare a request with every recording; beyond these sizes a round would take minutes."""


def by_size(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure one replayed POST of some 2 KB, the body compared, by the number of interactions on file."""
    for count in (1, 10, 1000) if quick else (1, 10, 1000, 10_000):
        group = f"replayed call, {count:,} on file"
        path = samples.ours(folder / f"{count}.yaml", count)
        for library in (httpx, httpx2):
            work = _ours(folder, path, count, lambda asked, library=library: _httpx(library, asked))
            yield row(group, f"tapemeter, {library.__name__}", work, 3, "µs")
        other = samples.ours(folder / f"{count}-no-model.yaml", count, samples.OTHER_URL, samples.other_question)
        work = _ours(
            folder, other, count, lambda asked: _httpx(httpx, asked, samples.OTHER_URL, samples.other_question)
        )
        yield row(group, "tapemeter, httpx, no model call", work, 3, "µs")
        for library in (httpx, httpx2):
            yield row(group, f"floor: {library.__name__} MockTransport", _mock(library, count), 5, "µs")
            yield row(group, f"floor: {library.__name__}, a pool that answers", _pool(library, count), 5, "µs")
        tape = samples.vcr_tape(folder / f"vcr-{count}.yaml", min(count, _MOST))
        for matched, limit in _VCR_LIMIT.items():
            if count <= limit:
                on = ["method", "uri"] if matched == "uri" else ["method", "uri", "body"]
                yield row(group, f"VCR.py, {' '.join(on)}", _vcr(tape, on, count), 3, "µs")
        for matched, limit in _CASSETTER_LIMIT.items():
            if count <= limit:
                on = ["method", "uri"] if matched == "uri" else ["method", "uri", matched]
                yield row(group, f"cassetter, {' '.join(on)}", _cassetter(folder, on, count), 3, "µs")


def by_library(folder: Path) -> Iterator[Row]:
    """Measure the same with requests and aiohttp, beside the library with an answer from within the process."""
    path = samples.ours(folder / "library.yaml", 100)
    yield row("replayed call, requests", "tapemeter", _ours(folder, path, 100, _requests), 5, "µs")
    yield row("replayed call, requests", "floor: an adapter that answers", _answering_adapter, 5, "µs")
    yield row("replayed call, requests", "floor: a connection that answers", _answering_connection, 5, "µs")
    yield row("replayed call, aiohttp", "tapemeter", _ours(folder, path, 100, _aiohttp), 5, "µs")
    yield row("replayed call, aiohttp", "floor: a connector that answers", _answering_connector, 5, "µs")


def _ours(folder: Path, path: Path, count: int, ask: Callable[[range], float]) -> Callable[[], float]:
    def work() -> float:
        with session(folder) as made:
            total, calls = 0.0, 0
            while calls < CALLS:
                owner = entered(made, path)
                asked = range(min(count, _MOST))
                total += ask(asked)
                calls += len(asked)
                made.close(owner, keep=False)
            return total / calls

    return work


def _httpx(
    library: ModuleType,
    asked: range,
    url: str = samples.URL,
    question: Callable[[int], dict[str, Any]] = samples.question,
    transport: Any = None,
) -> float:
    with library.Client(transport=transport) as client:
        started = time.perf_counter()
        for number in asked:
            client.post(url, json=question(number)).json()
        return time.perf_counter() - started


def _look_up(asked: range) -> float:
    return _httpx(httpx, asked, samples.OTHER_URL, samples.other_question)


def _requests(asked: range) -> float:
    with requests.Session() as client:
        return _asked_by(client, asked)


def _asked_by(client: requests.Session, asked: range) -> float:
    started = time.perf_counter()
    for number in asked:
        client.post(samples.URL, json=samples.question(number), timeout=60).json()
    return time.perf_counter() - started


def _aiohttp(asked: range, connector: Callable[[], aiohttp.BaseConnector] | None = None) -> float:
    async def ask() -> float:
        async with aiohttp.ClientSession(connector=None if connector is None else connector()) as client:
            started = time.perf_counter()
            for number in asked:
                async with client.post(samples.URL, json=samples.question(number)) as response:
                    await response.json()
            return time.perf_counter() - started

    return asyncio.run(ask())


def _answering_adapter() -> float:
    with requests.Session() as client:
        client.mount("http://", _Answering())
        return _asked_by(client, range(CALLS)) / CALLS


class _Answering(requests.adapters.HTTPAdapter):
    """Answers with what urllib3 would have read off a socket."""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        answer = urllib3.HTTPResponse(
            io.BytesIO(samples.answer(0)), {"content-type": "application/json"}, 200, preload_content=False
        )
        return self.build_response(request, answer)


def _answering_connection() -> float:
    """The library's own way down to a socket: its pool, its connection, the request as text, the answer parsed."""
    with requests.Session() as client:
        adapter = requests.adapters.HTTPAdapter()
        adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool}
        client.mount("http://", adapter)
        return _asked_by(client, range(CALLS)) / CALLS


class _Connection(urllib3.connection.HTTPConnection):
    is_connected = True

    def connect(self) -> None:
        self.sock = _Socket()  # type: ignore[assignment]


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _Socket:
    """Takes all that is sent, and gives the answer to whoever reads."""

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(_ANSWER))

    def sendall(self, data: bytes) -> None: ...

    def settimeout(self, timeout: float | None) -> None: ...

    def shutdown(self, how: int) -> None: ...

    def close(self) -> None: ...


def _answering_connector() -> float:
    return _aiohttp(range(CALLS), connector=_Connector) / CALLS


class _Connector(aiohttp.BaseConnector):
    """Gives connections that answer from within the process with what a server would have sent."""

    async def _create_connection(self, *_: Any) -> Any:
        protocol = ResponseHandler(self._loop)
        protocol.connection_made(_Transport(protocol))
        return protocol


class _Transport(asyncio.Transport):
    def __init__(self, protocol: ResponseHandler) -> None:
        super().__init__()
        self._protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if bytes(data).endswith(b"}"):  # all of the question is there
            asyncio.get_running_loop().call_soon(self._protocol.data_received, _ANSWER)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close


_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(samples.answer(0)),
    samples.answer(0),
)


def _mock(library: ModuleType, count: int) -> Callable[[], float]:
    answers = {samples.sent(number): samples.answer(number) for number in range(min(count, _MOST))}

    def handler(request: Any) -> Any:
        return library.Response(200, headers={"content-type": "application/json"}, content=answers[request.content])

    return _repeated(len(answers), lambda asked: _httpx(library, asked, transport=library.MockTransport(handler)))


def _pool(library: ModuleType, count: int) -> Callable[[], float]:
    """The library's own way down to its connections, where we answer too, and a dictionary there."""
    core = importlib.import_module({"httpx": "httpcore", "httpx2": "httpcore2"}[library.__name__])
    answers = {samples.sent(number): samples.answer(number) for number in range(min(count, _MOST))}
    headers = [(b"content-type", b"application/json")]

    class Pool(core.ConnectionPool):
        def handle_request(self, request: Any) -> Any:
            return core.Response(200, headers=headers, content=answers[b"".join(request.stream)])

    def ask(asked: range) -> float:
        transport = library.HTTPTransport(verify=False)
        transport._pool = Pool()  # noqa: SLF001 - there is no other way to put one there
        return _httpx(library, asked, transport=transport)

    return _repeated(len(answers), ask)


def _repeated(count: int, ask: Callable[[range], float]) -> Callable[[], float]:
    def work() -> float:
        times = max(1, CALLS // count)
        return sum(ask(range(count)) for _ in range(times)) / (times * count)

    return work


def _vcr(tape: Path, on: list[str], count: int) -> Callable[[], float]:
    def work() -> float:
        total, calls = 0.0, 0
        while calls < min(CALLS, 20 * count):
            with vcr.use_cassette(str(tape), record_mode="none", match_on=on):
                total += _httpx(httpx, range(count))
                calls += count
        return total / calls

    return work


def _cassetter(folder: Path, on: list[str], count: int) -> Callable[[], float]:
    path = samples.cassetter_tape(folder / f"cassetter-{count}.yaml", min(count, _MOST))

    def work() -> float:
        total, calls = 0.0, 0
        while calls < min(CALLS, 20 * count):
            with cassetter.use_cassette(path, record_mode="none", match_on=on):  # type: ignore[arg-type]
                total += _httpx(httpx, range(count))
                calls += count
        return total / calls

    return work
