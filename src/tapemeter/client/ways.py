"""Which servers there are for a configuration, and the way that a call takes: its targets, in order."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from tapemeter import owner as owners
from tapemeter.client.circuit import CircuitBreaker
from tapemeter.client.config import ProviderKind
from tapemeter.client.fallback import Target
from tapemeter.errors import ConfigError

if TYPE_CHECKING:
    from tapemeter.client.aliases import Names
    from tapemeter.client.config import Endpoint, Group, ProviderConfig
    from tapemeter.client.provider import ModelProvider


def seconds() -> float:
    """Return the time that circuits go by: while recordings are replayed, as much has passed as when they were made."""
    owner = owners.current()
    return monotonic() + (owner.clock.run.replayed if owner is not None else 0.0)


class Ways:
    """The servers of one configuration, each made when it is first needed, and the circuits of its groups.

    Where `common` is given, it serves the groups that have no server of their own; whoever gave it closes it.
    """

    def __init__(self, config: ProviderConfig, common: ModelProvider | None = None) -> None:
        self.config = config
        self._given = common
        self._providers: dict[Endpoint | None, ModelProvider] = {}
        self._breakers: dict[str, CircuitBreaker] = {}
        self._lock = threading.Lock()
        self._keeping = False

    def targets(self, names: Names, group: str, *, fallback: bool) -> list[Target]:
        """Return who is asked for a group, and with `fallback` who after that."""
        wanted = [group]
        if fallback and self.config.provider is not ProviderKind.ECHO:
            wanted += [name for name in self.config.fallbacks if name != group and name in names.groups]
        return [self._target(names.groups[name]) for name in wanted]

    def provider(self, endpoint: Endpoint | None = None) -> ModelProvider:
        """Return who serves an endpoint; without one, who serves all groups that have none of their own."""
        if endpoint is None and self._given is not None:
            return self._given
        endpoint = None if self.config.provider is ProviderKind.ECHO else endpoint or self._common()
        with self._lock:
            known = self._providers.get(endpoint)
            if known is None:
                known = self._providers[endpoint] = self._made(endpoint)
                if self._keeping:
                    known.keep()
            return known

    def keep(self) -> None:
        """Keep connections of this thread's async code open, until `aclose`."""
        with self._lock:
            self._keeping = True
            for provider in self._providers.values():
                provider.keep()

    def close(self) -> None:
        """Let go of all connections."""
        for provider in self._taken():
            provider.close()

    async def aclose(self) -> None:
        """Let go of all connections, from async code."""
        for provider in self._taken():
            await provider.aclose()

    def _taken(self) -> list[ModelProvider]:
        with self._lock:
            providers = list(self._providers.values())
            self._providers.clear()
        return providers

    def _target(self, group: Group) -> Target:
        with self._lock:
            breaker = self._breakers.get(group.name)
            if breaker is None:
                breaker = self._breakers[group.name] = CircuitBreaker(group.name, self.config.circuit, seconds)
        return Target(group.name, self.provider(group.endpoint), group.model, breaker)

    def _common(self) -> Endpoint:
        config = self.config
        gateway = config.provider is ProviderKind.GATEWAY
        endpoint = config.gateway if gateway else config.endpoint
        if endpoint is None:
            raise ConfigError(
                f"there is no address of {'a gateway' if gateway else 'a server'}; set it, or give every group its own",
                path="LLM_GATEWAY_URL" if gateway else "LLM_BASE_URL",
            )
        return endpoint

    def _made(self, endpoint: Endpoint | None) -> ModelProvider:
        timeouts, retries = self.config.timeouts, self.config.retries
        if endpoint is None:
            from tapemeter.client.echo import EchoProvider  # noqa: PLC0415 - each way loads only what it needs

            return EchoProvider()
        if self.config.provider is ProviderKind.GATEWAY and endpoint == self.config.gateway:
            from tapemeter.client.gateway import GatewayProvider  # noqa: PLC0415

            return GatewayProvider(endpoint, timeouts=timeouts, retries=retries)
        from tapemeter.client.http import HttpProvider  # noqa: PLC0415

        return HttpProvider(endpoint, timeouts=timeouts, retries=retries)
