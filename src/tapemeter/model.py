"""Frozen values that travel between the parts: what was asked, what was answered, when, and what it used.

Times are seconds. Bodies are bytes. Header names are lower case and keep their order and repetitions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tapemeter.values import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

Headers = tuple[tuple[str, str], ...]
"""Header lines in order, names in lower case."""


def header(headers: Headers, name: str) -> str | None:
    """Return the first value of a header, or None where it is absent. `name` is lower case."""
    for key, value in headers:  # not next() over a generator: that takes three times as long, and calls ask often
        if key == name:
            return value
    return None


def without_headers(headers: Headers, names: Iterable[str]) -> Headers:
    """Return the headers whose name is not among `names` (lower case)."""
    dropped = frozenset(names)
    return tuple(pair for pair in headers if pair[0] not in dropped)


@lru_cache(maxsize=1024)  # a call asks some ten times, and the next call goes where this one went
def _parts(url: str) -> tuple[str, str]:
    """Return the host and the path of a URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.path or "/"


@lru_cache(maxsize=1024)
def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme in {"https", "wss"} else 80)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as the program wanted it: absolute URL, whole body."""

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""

    @property
    def host(self) -> str:
        """The host name or address, lower case, without brackets; empty where the URL has none."""
        return _parts(self.url)[0]

    @property
    def port(self) -> int:
        """The port, or the scheme's default where the URL names none."""
        return _port(self.url)

    @property
    def path(self) -> str:
        """The path as sent, still percent-encoded; `/` where the URL has none."""
        return _parts(self.url)[1]

    @property
    def content_type(self) -> str:
        """The media type without parameters, lower case; empty where the header is absent."""
        return media_type(self.headers)

    def json(self) -> Any:
        """Return the body as a JSON value; ValueError where it is none."""
        return json.loads(self.body)

    def with_headers(self, headers: Headers) -> Request:
        """Return the same request with other headers."""
        return Request(self.method, self.url, headers, self.body)

    def with_body(self, body: bytes) -> Request:
        """Return the same request with another body."""
        return Request(self.method, self.url, self.headers, body)

    def with_json(self, value: Any) -> Request:
        """Return the same request with a JSON value as its body."""
        return self.with_body(json.dumps(value, ensure_ascii=False).encode())


class Ending(StrEnum):
    """How a response body ended. Everything but COMPLETE marks a partial recording."""

    COMPLETE = "complete"
    ABANDONED = "abandoned"
    """The caller closed the response before it had read everything."""
    CANCELLED = "cancelled"
    """The caller was cancelled while it waited for the next chunk."""
    TIMEOUT = "timeout"
    """The client's read timeout struck between two chunks."""
    BROKEN = "broken"
    """The connection broke between two chunks."""
    CUT = "cut"
    """A budget ran out between two chunks."""


class Chunk(Value):
    """A piece of a response body as the transport delivered it, `at` seconds after the request was issued."""

    at: float
    data: bytes


class Response(Value):
    """One HTTP response with its body in the pieces in which it came.

    `first_byte` and `total` are seconds from the issue of the request to the response headers and to the end
    of the body. `decoded_from` names the content codings (outermost first, as in the header) that were removed
    from the body before it was stored; None where the body is as it was sent.
    """

    status: int
    headers: Headers = ()
    chunks: tuple[Chunk, ...] = ()
    first_byte: float = 0.0
    total: float = 0.0
    ending: Ending = Ending.COMPLETE
    decoded_from: str | None = None

    @property
    def body(self) -> bytes:
        """All chunks joined."""
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def content_type(self) -> str:
        """The media type without parameters, lower case; empty where the header is absent."""
        return media_type(self.headers)

    @property
    def is_stream(self) -> bool:
        """Whether the media type is one whose pieces mean something to the reader (events, JSON lines)."""
        return self.content_type in STREAM_TYPES

    def with_chunks(self, chunks: Iterable[Chunk]) -> Response:
        """Return the same response with another body."""
        return replace(self, chunks=tuple(chunks))


STREAM_TYPES = frozenset(
    {
        "text/event-stream",
        "application/x-ndjson",
        "application/jsonl",
        "application/json-seq",
        "application/stream+json",
        "application/vnd.amazon.eventstream",
    }
)


@lru_cache(maxsize=256)
def media_type(headers: Headers) -> str:
    """Return the media type of a message: lower case, without parameters, empty where there is none."""
    return (header(headers, "content-type") or "").partition(";")[0].strip().lower()


class Quality(StrEnum):
    """How sure a figure is, from best to worst."""

    MEASURED = "measured"
    """The provider said so."""
    ESTIMATED = "estimated"
    """Worked out from what was sent and received."""
    PARTIAL = "partial"
    """Worked out from the part of an answer that arrived; the true figure may be higher."""
    UNKNOWN = "unknown"
    """Nothing is known; the figure is zero, and a total that contains it says "at least"."""


class Usage(Value):
    """Tokens that one attempt used, as OpenTelemetry GenAI counts them.

    `input_tokens` includes those read from and written to a cache, `output_tokens` those of reasoning.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    quality: Quality = Quality.MEASURED

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


class Cost(Value):
    """What a usage costs in US dollars; `usd` is None where the price is unknown, never zero for that.

    `source` says whose price it is (`genai-prices`, or the path of a price file), `version` which edition.
    """

    usd: Decimal | None
    quality: Quality
    source: str = ""
    version: str = ""
