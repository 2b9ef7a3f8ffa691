"""A LiteLLM proxy: asked like any OpenAI-compatible server, and heard on what it says of each call."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tapemeter.client.calls import Call
from tapemeter.client.config import Wire
from tapemeter.client.http import HttpProvider
from tapemeter.client.result import GatewayFacts
from tapemeter.errors import ProviderError, ProxyUnreachableError
from tapemeter.model import header
from tapemeter.providers.values import fields
from tapemeter.values import Value

if TYPE_CHECKING:
    from decimal import Decimal

    import httpx

    from tapemeter.client.config import Endpoint, Retries, Timeouts
    from tapemeter.client.request import ModelRequest
    from tapemeter.client.result import Answer
    from tapemeter.model import Headers

_ALIVE = "/health/liveliness"
_OK = 200
_BAD_REQUEST = 400
_REMEDY = (
    "start it (docker compose -f docker-compose.litellm.yml up -d, or litellm --config litellm-config.yaml), or check "
    "LLM_GATEWAY_URL"
)
_LONGEST_NAME = 200


class Health(Value):
    """Whether a gateway is alive; true where it is. `latency` is seconds, `problem` says why it is not."""

    ok: bool
    status: int | None
    latency: float
    problem: str = ""

    def __bool__(self) -> bool:
        return self.ok


class GatewayProvider(HttpProvider):
    """Answers by asking a gateway for one of its groups. Safe for threads and tasks.

    The endpoint's address is the gateway's own, without `/v1`.
    """

    def __init__(self, endpoint: Endpoint, *, timeouts: Timeouts, retries: Retries, transport: Any = None) -> None:
        self._origin = endpoint.base_url.rstrip("/").removesuffix("/v1")
        asked = replace(endpoint, base_url=f"{self._origin}/v1", wire=Wire.OPENAI)
        super().__init__(asked, timeouts=timeouts, retries=retries, name="gateway", transport=transport)

    def call(self, request: ModelRequest, attempt: int, *, stream: bool, began: float) -> Call:
        """Return one exchange for a request."""
        return _GatewayCall(self, request, attempt, stream=stream, began=began)

    def facts(self, answer: Answer, headers: Headers, gateway_usd: Decimal | None) -> Answer:
        """Return an answer with what the gateway says of it; what is absent is unknown."""

        def text(name: str) -> str | None:
            value = header(headers, f"x-litellm-{name}")
            return value[:_LONGEST_NAME] if value else None

        def count(name: str) -> int | None:
            value = text(name)
            return int(value) if value is not None and value.isdecimal() and len(value) < 10 else None  # noqa: PLR2004

        facts = GatewayFacts(
            cost_usd=gateway_usd,
            group=text("model-group"),
            model=text("model-name"),
            call_id=text("call-id"),
            attempted_fallbacks=count("attempted-fallbacks"),
            attempted_retries=count("attempted-retries"),
        )
        return replace(answer, gateway=facts)

    def health(self) -> Health:
        """Return whether the gateway is alive; never raises."""
        import httpx  # noqa: PLC0415 - where it is imported first, it is intercepted

        began = perf_counter()
        try:
            with httpx.Client(transport=self._transport, timeout=self.timeouts.connect) as client:
                return _health(client.get(f"{self._origin}{_ALIVE}"), began)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return self._dead(error, began)

    async def ahealth(self) -> Health:
        """Return whether the gateway is alive; never raises."""
        import httpx  # noqa: PLC0415 - as above

        began = perf_counter()
        try:
            async with httpx.AsyncClient(transport=self._transport, timeout=self.timeouts.connect) as client:
                return _health(await client.get(f"{self._origin}{_ALIVE}"), began)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return self._dead(error, began)

    def _dead(self, error: Exception, began: float) -> Health:
        problem = f"the gateway at {self._origin} does not answer ({type(error).__name__}); {_REMEDY}"
        return Health(ok=False, status=None, latency=perf_counter() - began, problem=problem)


class _GatewayCall(Call):
    """One exchange with a gateway."""

    def kind_of(self, status: int, value: Any) -> str:
        """Return the kind of an error; a proxy without a database tells a wrong key, and a group, by its words."""
        error = fields(fields(value).get("error"))
        if status == _BAD_REQUEST and error.get("type") == "no_db_connection":
            return "auth"
        said = error.get("message")
        if status == _BAD_REQUEST and isinstance(said, str) and "Invalid model name" in said[:_LONGEST_NAME]:
            return "not_found"
        return super().kind_of(status, value)

    def late(self, limit: str) -> ProviderError:
        """Return the error for a timeout; a gateway that lets nobody in is one that does not answer."""
        plain = super().late(limit)
        return self._unreachable(plain, self.waits.message(limit)) if limit == "connect" else plain

    def unreachable(self, error: Exception) -> ProviderError:
        """Return the error for a gateway that does not answer."""
        return self._unreachable(super().unreachable(error), type(error).__name__)

    def _unreachable(self, plain: ProviderError, why: str) -> ProxyUnreachableError:
        origin = self.url.partition("/v1/")[0]
        message = f"the gateway at {origin} does not answer ({why}); {_REMEDY}"
        told = {name: value for name, value in vars(plain).items() if name != "args"}
        return ProxyUnreachableError(message, **told)


def _health(response: httpx.Response, began: float) -> Health:
    latency = perf_counter() - began
    if response.status_code == _OK:
        return Health(ok=True, status=_OK, latency=latency)
    problem = f"{_ALIVE} answers HTTP {response.status_code}, expected 200; is this the gateway's address?"
    return Health(ok=False, status=response.status_code, latency=latency, problem=problem)
