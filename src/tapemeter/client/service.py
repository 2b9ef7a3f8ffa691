"""One service for every model call of a program: it takes a text and an alias, and returns the whole of what came.

    resolve     alias → group, as the names stand when the call begins
    route       a budget that is nearly used up may send it to a cheaper group; the decision is evidence
    ask         the group's model, or where that fails the fallbacks'; all of it attempts at one call
    tell        text, usage, cost by one's own prices and by the gateway, which model, why that one

Requests go out through httpx like anyone's, so that they are recorded, replayed, metered and stopped like anyone's.
"""

from __future__ import annotations

import os
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from tapemeter import owner as owners
from tapemeter.client import load as config_loader
from tapemeter.client import routing
from tapemeter.client.aliases import AliasRegistry
from tapemeter.client.config import ProviderConfig, ProviderKind
from tapemeter.client.cost import CostTracker
from tapemeter.client.fallback import FallbackChain
from tapemeter.client.options import CallOptions
from tapemeter.client.request import ModelRequest, messages_from
from tapemeter.client.result import ModelCallResult
from tapemeter.client.streams import AsyncModelStream, ModelStream
from tapemeter.client.ways import Ways
from tapemeter.errors import UnownedCall, UsageError
from tapemeter.intent import Intent, meaning
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self, Unpack

    from tapemeter.client.fallback import Route, Routed
    from tapemeter.client.provider import ModelProvider
    from tapemeter.pricing import Prices

    Prompt = str | Iterable[Mapping[str, Any]]

_CUT = "length"


class LlmService:
    """Calls models for a program. Safe for threads and tasks.

    `config` says where calls go, by default what environment and config file say. A `provider` of one's own takes the
    place of the one that it says. `aliases`, `costs` and `config` may be looked at; aliases may be changed at any time,
    for the calls that begin from then on.
    """

    def __init__(
        self,
        config: ProviderConfig | None = None,
        *,
        prices: Prices | None = None,
        provider: ModelProvider | None = None,
    ) -> None:
        self._provider = provider
        self._ways = Ways(config_loader.load(os.environ) if config is None else config, provider)
        self.aliases = AliasRegistry.from_config(self._ways.config)
        self.costs = CostTracker(_prices(self._ways.config) if prices is None else prices)
        self._left: list[Ways] = []
        self._kept = False

    def __repr__(self) -> str:
        return f"<LlmService {self.config.provider}>"

    @property
    def config(self) -> ProviderConfig:
        """Where calls go now."""
        return self._ways.config

    def complete(
        self, prompt: Prompt, alias: str | None = None, *, task: str | None = None, **options: Unpack[CallOptions]
    ) -> ModelCallResult:
        """Return the answer to a text or to messages, by the model that an alias stands for.

        `task` says in the evidence what the call is for. ProviderError where no model answers; a Refusal, which is no
        Exception, where a budget or a cassette does not let it through.
        """
        asking = self._begin(prompt, alias, task, options)
        with meaning(asking.intent):
            return asking.finish(asking.chain.complete(asking.request))

    async def acomplete(
        self, prompt: Prompt, alias: str | None = None, *, task: str | None = None, **options: Unpack[CallOptions]
    ) -> ModelCallResult:
        """Return the answer, as `complete` does."""
        asking = self._begin(prompt, alias, task, options)
        with meaning(asking.intent):
            return asking.finish(await asking.chain.acomplete(asking.request))

    def stream(
        self, prompt: Prompt, alias: str | None = None, *, task: str | None = None, **options: Unpack[CallOptions]
    ) -> ModelStream:
        """Return the answer as texts, one after another; its `result` is there at the end. Errors as `complete`."""
        asking = self._begin(prompt, alias, task, options)
        pieces = cast("Generator[Any]", asking.chain.stream(asking.request))
        return ModelStream(pieces, asking.intent, asking.finish)

    def astream(
        self, prompt: Prompt, alias: str | None = None, *, task: str | None = None, **options: Unpack[CallOptions]
    ) -> AsyncModelStream:
        """Return the answer as texts, one after another, as `stream` does."""
        asking = self._begin(prompt, alias, task, options)
        pieces = cast("AsyncGenerator[Any]", asking.chain.astream(asking.request))
        return AsyncModelStream(pieces, asking.intent, asking.finish)

    def reload(self, config: ProviderConfig | Path | None = None) -> None:
        """Go by a configuration that was read again: environment and file by default; ConfigError, and no change.

        Calls under way end as they began.
        """
        read = config if isinstance(config, ProviderConfig) else config_loader.load(os.environ, config=config)
        ways = Ways(read, self._provider)
        self.aliases.reload(ways.config)
        if self._kept:
            ways.keep()
        self._left.append(self._ways)
        self._ways = ways

    def close(self) -> None:
        """Let go of all connections."""
        for ways in (*self._left, self._ways):
            ways.close()

    async def aclose(self) -> None:
        """Let go of all connections, from async code."""
        for ways in (*self._left, self._ways):
            await ways.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        self._kept = True
        self._ways.keep()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept = False
        await self.aclose()

    def _begin(self, prompt: Prompt, alias: str | None, task: str | None, options: CallOptions) -> _Asking:
        ways, names = self._ways, self.aliases.snapshot()
        _check_owned(ways.config)
        given: dict[str, Any] = {**options}
        if unknown := sorted(given.keys() - CallOptions.__annotations__.keys()):
            known = ", ".join(CallOptions.__annotations__)
            raise UsageError(f"there is no option {', '.join(unknown)}; the options are task, {known}")
        fallback = bool(given.pop("fallback", True))
        resolution = names.resolve(alias)
        decision = routing.in_force(resolution, names.groups)
        if decision.reason is not None:
            resolution = names.resolve(decision.group)
        targets = ways.targets(names, resolution.group, fallback=fallback)
        intent = Intent(alias=alias, task=task, provider=ways.config.provider.value)
        request = ModelRequest(targets[0].model, messages_from(prompt), **given)
        return _Asking(
            chain=FallbackChain(targets, on_attempt=_note(intent)),
            request=request,
            intent=intent,
            costs=self.costs,
            route_reason=decision.reason,
            began=perf_counter(),
        )


class _Asking(Value):
    """One call under way."""

    chain: FallbackChain
    request: ModelRequest
    intent: Intent
    costs: CostTracker
    route_reason: str | None
    began: float

    def finish(self, routed: Routed) -> ModelCallResult:
        """Return what an answer comes to."""
        answer, route = routed
        latency = perf_counter() - self.began
        alias, task, group = self.intent.alias, self.intent.task, route.target.name
        cost = self.costs.of(answer, asked=route.target.model)
        self.costs.add(cost, model=answer.model_name, alias=alias, group=group, task=task)
        return ModelCallResult(
            content=answer.content,
            usage=answer.usage,
            cost_usd=cost.usd,
            cost_unavailable=cost.unavailable,
            provider=route.target.provider.name,
            model_name=answer.model_name or route.target.model,
            alias=alias,
            group=group,
            latency=latency,
            is_fallback=route.is_fallback,
            fallback_reason=route.reason,
            truncated=answer.finish_reason == _CUT,
            finish_reason=answer.finish_reason,
            tool_calls=answer.tool_calls,
            response_id=answer.response_id,
            own_cost_usd=cost.own_usd,
            gateway_cost_usd=cost.gateway_usd,
            cost_source=cost.source,
            gateway=answer.gateway,
            attempts=answer.attempts,
            task=task,
            route_reason=self.route_reason,
        )


def _note(intent: Intent) -> Callable[[Route], None]:
    def note(route: Route) -> None:
        intent.group, intent.provider = route.target.name, route.target.provider.name
        intent.is_fallback, intent.fallback_reason = route.is_fallback, route.reason

    return note


def _check_owned(config: ProviderConfig) -> None:
    """Refuse a call where LLM_MODE wants cassettes and nothing is there to give or take them."""
    if config.mode in {"replay", "record"} and config.provider is not ProviderKind.ECHO and owners.house() is None:
        raise UnownedCall(
            f"LLM_MODE={config.mode} wants cassettes, and no run is under way; make the call in a test, or in "
            "`with tapemeter.open_run() as run, run.job(name):`"
        )


def _prices(config: ProviderConfig) -> Prices:
    """Return the prices of the run that is under way, so that a result costs what the evidence says; else one's own."""
    house = owners.house()
    if house is not None:
        return house.meter.prices
    from tapemeter.pricing import Prices, load_overrides  # noqa: PLC0415 - only where there is no run

    return Prices(None if config.prices is None else load_overrides(config.prices))
