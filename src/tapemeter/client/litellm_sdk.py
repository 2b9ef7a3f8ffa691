"""The same contract through the `litellm` SDK, for programs that go by it; its traffic is intercepted like any other.

The SDK is an extra (`pip install 'pytest-tapemeter[litellm]'`), slow to import and not made for programs that share an
environment with the newest `openai`; `HttpProvider` needs neither. It is asked over httpx: the other transport that it
would take for async code sends by itself.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tapemeter.client.calls import Call, advice
from tapemeter.client.config import Wire
from tapemeter.client.http import HttpProvider
from tapemeter.client.quoting import quoted
from tapemeter.client.retry import Tries, retry_after
from tapemeter.errors import ProviderError, UsageError
from tapemeter.providers.faults import fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import ModuleType

    from tapemeter.client.config import Endpoint, Retries, Timeouts
    from tapemeter.client.request import ModelRequest
    from tapemeter.client.result import Answer, Delta

_MISSING = "the litellm SDK is not installed; install it with: pip install 'pytest-tapemeter[litellm]'"
_KINDS = {"APIConnectionError": "connection", "Timeout": "timeout", "ContextWindowExceededError": "context_length"}


class LitellmProvider:
    """Answers by asking the SDK for a model of an endpoint. Safe for threads and tasks.

    UsageError where the SDK is not installed. Of the timeouts `total` holds, by the SDK's own rules.
    """

    name = "litellm"

    def __init__(self, endpoint: Endpoint, *, timeouts: Timeouts, retries: Retries) -> None:
        self._sdk = _sdk()
        self._endpoint, self._retries, self._timeouts = endpoint, retries, timeouts
        # Whatever the endpoint speaks, the SDK takes and gives OpenAI's chat form.
        self._reader = HttpProvider(
            replace(endpoint, wire=Wire.OPENAI), timeouts=timeouts, retries=retries, name=self.name
        )

    def __repr__(self) -> str:
        return f"<litellm at {self._endpoint.base_url}>"

    def complete(self, request: ModelRequest) -> Answer:
        """Return the answer; ProviderError where there is none."""
        tries = Tries(self._retries, self._timeouts.total)
        for again in tries:
            with again:
                call = self._call(request, again.num, stream=False, began=tries.began)
                with self._telling(request, again.num):
                    return self._whole(call, self._sdk.completion(**self._arguments(call, request)))
        raise AssertionError

    async def acomplete(self, request: ModelRequest) -> Answer:
        """Return the answer; ProviderError where there is none."""
        tries = Tries(self._retries, self._timeouts.total)
        async for again in tries:
            with again:
                call = self._call(request, again.num, stream=False, began=tries.began)
                with self._telling(request, again.num):
                    return self._whole(call, await self._sdk.acompletion(**self._arguments(call, request)))
        raise AssertionError

    def stream(self, request: ModelRequest) -> Iterator[Delta | Answer]:
        """Yield the answer piece by piece, then as a whole; ProviderError where it does not come, or breaks off."""
        call = self._call(request, 1, stream=True)
        call.begin(200, ())
        with self._telling(request, 1):
            for chunk in self._sdk.completion(**self._arguments(call, request)):
                yield from call.take(_event(chunk))
        yield self._answer(call)

    async def astream(self, request: ModelRequest) -> AsyncIterator[Delta | Answer]:
        """Yield the answer piece by piece, then as a whole; errors as `stream`."""
        call = self._call(request, 1, stream=True)
        call.begin(200, ())
        with self._telling(request, 1):
            async for chunk in await self._sdk.acompletion(**self._arguments(call, request)):
                for piece in call.take(_event(chunk)):
                    yield piece
        yield self._answer(call)

    def keep(self) -> None:
        """Do nothing: connections are the SDK's."""

    def close(self) -> None:
        """Do nothing: connections are the SDK's."""

    async def aclose(self) -> None:
        """Do nothing: connections are the SDK's."""

    def _call(self, request: ModelRequest, attempt: int, *, stream: bool, began: float | None = None) -> Call:
        return Call(self._reader, request, attempt, stream=stream, began=began)

    def _arguments(self, call: Call, request: ModelRequest) -> dict[str, Any]:
        body = json.loads(call.body)
        key = self._endpoint.api_key
        return {
            **body,
            "model": request.model,
            "custom_llm_provider": "anthropic" if self._endpoint.wire is Wire.ANTHROPIC else "openai",
            "api_base": self._endpoint.base_url,
            "api_key": key.reveal() if key else "none",
            "timeout": self._timeouts.total,
            "num_retries": 0,
            "max_retries": 0,
        }

    def _whole(self, call: Call, response: Any) -> Answer:
        given = getattr(response, "_hidden_params", {}).get("additional_headers") or {}
        headers = ((str(name).removeprefix("llm_provider-"), str(value)) for name, value in given.items())
        call.begin(200, ((name.encode(), value.encode("latin-1", "replace")) for name, value in headers))
        call.take(json.dumps(response.model_dump(), default=str).encode())
        return self._answer(call)

    def _answer(self, call: Call) -> Answer:
        return replace(call.answer(), wire=self._endpoint.wire.value)

    @contextmanager
    def _telling(self, request: ModelRequest, attempt: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the SDK raises a great many
            raise self._told(error, request, attempt) from None

    def _told(self, error: Exception, request: ModelRequest, attempt: int) -> ProviderError:
        """Return a ProviderError for whatever the SDK raised."""
        if isinstance(error, ProviderError):
            return error
        status = getattr(error, "status_code", None)
        words = str(getattr(error, "message", error))
        kind = _KINDS.get(type(error).__name__)
        if kind is None:
            kind = fault(status, {"error": {"message": words}}) if isinstance(status, int) else "protocol"
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        return ProviderError(
            f"{request.model} at {self._endpoint.base_url} through litellm: {type(error).__name__}: "
            f"{quoted(words, self._endpoint.api_key)}; {advice(kind, self._endpoint)}",
            kind=kind,
            provider=self.name,
            model=request.model,
            status=status if isinstance(status, int) and kind not in {"connection", "timeout"} else None,
            retry_after=retry_after(headers.get("retry-after")),
            attempts=attempt,
        )


def _event(chunk: Any) -> bytes:
    return b"data: " + json.dumps(chunk.model_dump(), default=str).encode() + b"\n\n"


def _sdk() -> ModuleType:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it asks for a price list when imported
    try:
        import litellm  # noqa: PLC0415 - an extra, and ten seconds to import
    except ImportError:
        raise UsageError(_MISSING) from None
    litellm.telemetry = False
    sdk: ModuleType = litellm
    return sdk
