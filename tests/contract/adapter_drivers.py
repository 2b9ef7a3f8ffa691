"""One driver for each client library: the same few deeds, done as a user of that library would do them.

A driver is a live client, made by entering it. What it is asked is an `Ask`, what comes of that a `Heard`, which fills
as the answer comes, so that a test sees what was heard before an error. `DRIVERS` holds all of them by name; another
module adds its own with `driver`.

    name        of the driver, and so of its tests
    modules     what has to be imported for the client to be hooked: names of `Adapter.module`
    can         what it can do besides asking, a set of the words below
    timeouts    how it says that an answer did not come in time
    breaks      how it says that the connection broke
    forms       bodies in each form that it takes: a name, and a function that returns a new `Form`

    cancel      be cancelled while it waits: the driver has `cancelled(ask, when)`
    decode      decode answers with a content coding by itself
    follow      follow redirects, with `Ask.follow`
    proxy       ask through a proxy, with `Ask.proxy`
    reconnect   see that a connection it kept was closed meanwhile, and make another
    retry       try again after a 503, as often as `Ask.retries` says
    pieces      show the pieces of a stream in chunks as they were sent
"""

from __future__ import annotations

import asyncio
import io
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

BODY = b'{"model": "loopback-1", "messages": [{"role": "user", "content": "hello"}]}'
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Ask:
    """A request to be made, and how to read its answer.

    `form` is the body in one of the driver's own forms, in the place of `body`. `timeout` is seconds. With `stream`
    the answer is read piece by piece, as it comes, and closed after `stop_after` pieces; else it is read whole.
    """

    url: str
    method: str = "POST"
    body: bytes | None = BODY
    form: Form | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    timeout: float = 20.0
    stream: bool = False
    stop_after: int | None = None
    follow: bool = False
    retries: int = 0
    proxy: str | None = None
    ca: str | None = None
    """The file of an authority that is to be trusted."""
    on_piece: Callable[[int], None] = lambda count: None
    """Called with the number of pieces that came, after each."""


@dataclass
class Heard:
    """What came of a request so far: `headers` with names in lower case, `pieces` as they came."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    url: str = ""
    """Where the answer came from, if the client says so."""

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def begin(self, status: int, headers: Any, url: object = "") -> None:
        """Note status and headers; `headers` is a mapping or pairs."""
        pairs = headers.items() if hasattr(headers, "items") else headers
        self.status, self.headers = status, [(str(name).lower(), str(value)) for name, value in pairs]
        self.url = str(url)

    def take(self, ask: Ask, piece: bytes) -> bool:
        """Note a piece of the body; return whether to go on reading."""
        if piece:
            self.pieces.append(bytes(piece))
            ask.on_piece(len(self.pieces))
        return ask.stop_after is None or len(self.pieces) < ask.stop_after


@dataclass(frozen=True)
class Form:
    """A body as the library takes it.

    `given` is passed on as it is: keyword arguments of the library's own method. `sent` is what is to arrive, None
    where that is not known before, as with the boundary of a multipart body; `headers` go with it.
    """

    given: Mapping[str, Any]
    sent: bytes | None = BODY
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


class Driver(ABC):
    """See the module's docstring."""

    name: ClassVar[str]
    modules: ClassVar[tuple[str, ...]]
    can: ClassVar[frozenset[str]] = frozenset()
    timeouts: ClassVar[tuple[type[BaseException], ...]] = ()
    breaks: ClassVar[tuple[type[BaseException], ...]] = ()
    forms: ClassVar[Mapping[str, Callable[[], Form]]] = {}

    def __enter__(self) -> Self:
        """Make the client."""
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """Close it."""

    @abstractmethod
    def ask(self, ask: Ask, heard: Heard | None = None) -> Heard:
        """Make a request, and read the answer into `heard`, which is returned."""

    @abstractmethod
    def together(self, asks: Sequence[Ask]) -> list[Heard]:
        """Make several requests at once, in threads or tasks; return the answers in the order of the requests."""


class SyncDriver(Driver):
    """A client that blocks; many requests at once are made in threads."""

    def together(self, asks: Sequence[Ask]) -> list[Heard]:
        with ThreadPoolExecutor(len(asks)) as pool:
            return list(pool.map(self.ask, asks))


class AsyncDriver(Driver):
    """An async client, with an event loop that lives as long as it does: implement `open`, `close`, and `aask`."""

    async def open(self) -> None:
        """Make the client."""

    @abstractmethod
    async def close(self) -> None:
        """Close it."""

    @abstractmethod
    async def aask(self, ask: Ask, heard: Heard) -> None:
        """Make a request, and read the answer into `heard`."""

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        self._run(self.open())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._run(self.close())
        finally:
            self._runner.close()

    def ask(self, ask: Ask, heard: Heard | None = None) -> Heard:
        heard = Heard() if heard is None else heard
        self._run(self.aask(ask, heard))
        return heard

    def together(self, asks: Sequence[Ask]) -> list[Heard]:
        async def all_of_them() -> list[Heard]:
            all_heard = [Heard() for _ in asks]
            await asyncio.gather(*(self.aask(ask, heard) for ask, heard in zip(asks, all_heard, strict=True)))
            return all_heard

        return self._run(all_of_them())

    def cancelled(self, ask: Ask, when: Callable[[Heard], bool]) -> Heard:
        """Make a request in a task that is cancelled once `when` says so; return what was heard until then."""

        async def cancel() -> Heard:
            heard = Heard()
            task = asyncio.ensure_future(self.aask(ask, heard))
            while not when(heard) and not task.done():  # noqa: ASYNC110 - `when` may look at anything
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                return heard
            raise AssertionError("it was over before it could be cancelled")

        return self._run(cancel())

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        # In the caller's own context, as if the loop had been entered here: whose call it is stands there.
        return self._runner.run(work, context=copy_context())


DRIVERS: dict[str, type[Driver]] = {}


def driver(kind: type[Driver]) -> type[Driver]:
    """Add a driver to all that the contract is run over."""
    DRIVERS[kind.name] = kind
    return kind


def able(word: str) -> list[str]:
    """Return the names of the drivers that can do something."""
    return [name for name, kind in DRIVERS.items() if word in kind.can]


def in_parts() -> Iterator[bytes]:
    """Yield the usual body in parts."""
    yield BODY[:20]
    yield BODY[20:]


def file() -> io.BytesIO:
    """Return the usual body as a file."""
    return io.BytesIO(BODY)
