"""One exchange with a model server, and the rules for it: what is sent, what went wrong, what came of it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tapemeter.client.quoting import LONGEST, quoted
from tapemeter.client.retry import retry_after
from tapemeter.client.waits import Waits
from tapemeter.client.wire import Reading, cannot, speaker
from tapemeter.errors import ProviderError
from tapemeter.model import Chunk, Ending, Headers, Request, Response, header, without_headers
from tapemeter.providers.faults import fault
from tapemeter.providers.sse import Events
from tapemeter.providers.values import fields, parse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Iterator
    from types import ModuleType

    from tapemeter.client.config import Endpoint
    from tapemeter.client.http import HttpProvider
    from tapemeter.client.request import ModelRequest
    from tapemeter.client.result import Answer, Delta

    Result = TypeVar("Result")

LARGEST = 64 * 1024 * 1024
"""Bytes of an answer; a longer one is an error."""
_LOOKED_AT = 10_000
"""Bytes of an error that is no JSON which are looked at."""
_FAILED = 400
_OK = 200
_REDIRECTED = 300
_SHORT = 8
"""Characters of a key that may as well stand in a message by chance, as "1" does in "401"."""
_ADVICE = {
    "auth": "check the key in {key}, and what it may be used for",
    "budget": "raise the limit, or top up the account",
    "connection": "check the address, and whether the server runs",
    "content_filter": "the provider does not answer this; ask in other words",
    "context_length": "shorten the prompt, or ask a model that takes more",
    "cut": "ask again; what came is in the error's `partial`",
    "invalid_request": "the request itself is not accepted; change it",
    "not_found": "check the model's name, and the path of the address",
    "overloaded": "ask again later, or another model",
    "protocol": "check that the address is that of the API, and which protocol it speaks (LLM_WIRE)",
    "rate_limit": "ask less often, or another model",
    "server_error": "ask again later, or another model",
    "timeout": "give it more time ({limit}), or ask for a shorter answer",
}

_VARIABLES = {
    "connect": "LLM_TIMEOUT_CONNECT",
    "first_chunk": "LLM_TIMEOUT_FIRST_CHUNK",
    "idle": "LLM_TIMEOUT_IDLE",
    "total": "LLM_TIMEOUT_TOTAL",
}


def advice(kind: str, endpoint: Endpoint, limit: str = "total") -> str:
    """Return what to do about an error of a kind; `limit` is the timeout that has passed."""
    if limit == "connect":
        kind = "connection"
    return _ADVICE[kind].format(key=endpoint.key_name, limit=_VARIABLES[limit])


class Call:
    """One exchange, from its request to its answer or its error; `attempt` counts from 1."""

    def __init__(
        self, provider: HttpProvider, request: ModelRequest, attempt: int, *, stream: bool, began: float | None = None
    ) -> None:
        self._provider, self._model, self._attempt, self._stream = provider, request.model, attempt, stream
        endpoint, wire = provider.endpoint, speaker(provider.endpoint)
        self.url = f"{endpoint.base_url.rstrip('/')}{wire.path()}"
        self.body = _encoded(wire.body(request, endpoint, stream=stream), request.model)
        accept = "text/event-stream" if stream else "application/json"
        again = {"x-stainless-retry-count": str(attempt - 1)} if attempt > 1 else {}
        self.headers = {"content-type": "application/json", "accept": accept, **wire.headers(endpoint), **again}
        self.waits = Waits(provider.timeouts, streams=stream, began=began)
        sent = tuple((name, value) for name, value in self.headers.items() if name == "content-type")
        self._reading = Reading(wire, Request("POST", self.url, sent, self.body))
        self._chunks: list[bytes] = []
        self._size = 0
        self.status = 0
        self.response_headers: Headers = ()

    @property
    def failed(self) -> bool:
        """Whether the server answers with an error."""
        return self.status >= _REDIRECTED

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Take in status and headers."""
        self.status = status
        self.response_headers = tuple((n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in headers)

    def take(self, chunk: bytes) -> list[Delta]:
        """Take in a chunk of the body, without content coding; return the pieces of text that it brings."""
        late = self.waits.heard()
        if late is not None:
            raise self.late(late)
        self._size += len(chunk)
        if self._size > LARGEST:
            raise self.fail("protocol", f"the answer is longer than {LARGEST:,} bytes")
        self._chunks.append(chunk)
        if not self._stream or self.failed:
            return []
        try:
            return list(self._reading.take(chunk))
        except (ValueError, RecursionError):
            raise self.fail("protocol", "the stream holds what is no event of this protocol") from None

    def answer(self) -> Answer:
        """Return the answer; ProviderError where what came is none, or is not whole."""
        if not self._stream:
            try:
                self._reading.read(b"".join(self._chunks))
            except (ValueError, RecursionError):
                raise self.fail("protocol", f"HTTP {self.status}, and a body that is no answer") from None
        response = self._response()
        answer, error, gateway_usd = self._reading.answer(
            response, url=self._provider.endpoint.base_url, attempts=self._attempt
        )
        if error is not None:
            raise self.fail(error, f"an error in the midst of the answer{self._words()}")
        if self._stream and answer.finish_reason is None:
            kind = "cut" if self._reading.text or answer.tool_calls else "protocol"
            raise self.fail(kind, "the stream ended before the answer did")
        return self._provider_facts(answer, gateway_usd)

    def error(self) -> ProviderError:
        """Return the error that the server answered with."""
        if self.status < _FAILED:
            return self.fail("protocol", f"HTTP {self.status}, which leads elsewhere and is not followed")
        kind = self.kind_of(self.status, self._error_value())
        wait = retry_after(header(self.response_headers, "retry-after"))
        return self.fail(kind, f"HTTP {self.status} ({kind}){self._words()}", wait=wait)

    def kind_of(self, status: int, value: Any) -> str:
        """Return the kind of an error."""
        return fault(status, value)

    def late(self, limit: str) -> ProviderError:
        """Return the error for a timeout that has passed."""
        return self.fail("timeout", self.waits.message(limit), limit=limit)

    def fail(self, kind: str, what: str, *, wait: float | None = None, limit: str = "total") -> ProviderError:
        """Return the error for what went wrong, with what to do; no key is in it."""
        endpoint = self._provider.endpoint
        asked = f"{self._model} at {urlsplit(self.url).netloc}{urlsplit(self.url).path}"
        return ProviderError(
            self._hidden(f"{asked}: {what}; {advice(kind, endpoint, limit)}"),
            kind=kind,
            provider=self._provider.name,
            model=self._model,
            status=self.status if self.failed else None,
            retry_after=wait,
            attempts=self._attempt,
            partial=self._reading.text,
        )

    def unreachable(self, error: Exception) -> ProviderError:
        """Return the error for a server that does not answer."""
        return self.fail("connection", f"no connection ({type(error).__name__}: {str(error)[:LONGEST]})")

    @contextmanager
    def telling(self, httpx: ModuleType) -> Iterator[None]:
        """Turn httpx's own errors into ProviderErrors."""
        try:
            yield
        except httpx.ConnectTimeout:
            raise self.late("connect") from None
        except httpx.TimeoutException:
            _, limit = self.waits.for_chunk if self.status else self.waits.for_headers
            raise self.late(limit) from None
        except (httpx.ConnectError, httpx.UnsupportedProtocol) as error:
            raise self.unreachable(error) from None
        except httpx.DecodingError:
            raise self.fail("protocol", "the answer is not in the content coding that it names") from None
        except httpx.TransportError as error:
            if self.status and (self._reading.text or not self._stream):
                raise self.fail("cut", f"the connection broke ({type(error).__name__})") from None
            raise self.fail("connection", f"the connection broke ({type(error).__name__})") from None

    async def within(self, work: Awaitable[Result], wait: tuple[float | None, str]) -> Result:
        """Return what an awaitable comes to; ProviderError where it takes longer than it may."""
        import anyio  # noqa: PLC0415 - httpx depends on it, and only async code needs it

        seconds, limit = wait
        with anyio.move_on_after(None if seconds is None else max(0.0, seconds)):
            return await work
        raise self.late(limit)

    def _provider_facts(self, answer: Answer, gateway_usd: Any) -> Answer:
        return self._provider.facts(answer, self.response_headers, gateway_usd)

    def _response(self) -> Response:
        return Response(
            self.status or _OK,
            without_headers(self.response_headers, ["content-encoding"]),
            (Chunk(0.0, b"".join(self._chunks)),),
            ending=Ending.COMPLETE,
        )

    def _error_value(self) -> Any:
        body = b"".join(self._chunks)
        value = parse(body)
        if value is not None or body[:1] in {b"{", b"["}:
            return value
        values = [parse(event) for event in Events().feed(body + b"\n\n")]
        return next((value for value in values if fields(value).get("error")), values[0] if values else None)

    def _words(self) -> str:
        """Return what the server says of an error, in short; empty where it says nothing."""
        value = self._error_value()
        error = fields(value).get("error", value) if isinstance(value, dict) else value
        said = error if isinstance(error, str) else fields(error).get("message")
        if not isinstance(said, str):
            body = b"".join(self._chunks)
            said = "" if value is not None or b"<" in body[:LONGEST] else body[:_LOOKED_AT].decode(errors="replace")
        short = quoted(said, self._provider.endpoint.api_key)
        return f": {short}" if short else ""

    def _hidden(self, text: str) -> str:
        key = self._provider.endpoint.api_key
        return text.replace(key.reveal(), "***") if key and len(key.reveal()) >= _SHORT else text


def _encoded(body: dict[str, Any], model: str) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        what = "half a surrogate pair" if isinstance(error, UnicodeError) else "what JSON has no words for"
        raise cannot(f"the request holds {what}; send texts, numbers, lists and mappings of them", model) from None
