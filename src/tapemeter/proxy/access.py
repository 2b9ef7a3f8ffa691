"""The proxy as one test, or one job, sees it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tapemeter import job as jobs
from tapemeter.errors import UsageError
from tapemeter.proxy import upstreams
from tapemeter.proxy.tenants import Tenant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tapemeter.owner import Owner
    from tapemeter.proxy.server import ProxyServer


class ProxyAccess:
    """What a test needs to let other programs call models in its name.

    `given` are addresses of providers by name, over those that the environment names and the public ones.
    """

    def __init__(self, server: ProxyServer, owner: Owner, given: Mapping[str, str] | None = None) -> None:
        self._server, self._owner = server, owner
        self._upstreams = upstreams.table(os.environ, given)
        self._token = self._admit()

    def __repr__(self) -> str:
        return f"<llm_proxy of {self._owner.label}>"

    @property
    def base_url(self) -> str:
        """The part of all its URLs that stands for this test."""
        return f"{self._server.url}/{self._token}"

    def url(self, upstream: str = "openai") -> str:
        """Return the base URL of a provider, as its SDK takes it; UsageError for one that there is not."""
        found = self._upstreams.get(upstream)
        if found is None:
            known = ", ".join(sorted(self._upstreams))
            raise UsageError(f"there is no upstream {upstream!r}; the upstreams are {known}; add one with add()")
        return f"{self.base_url}/{found.name}{found.suffix}"

    def add(self, name: str, address: str) -> str:
        """Have a name stand for a server, one more or another than before; return its base URL."""
        self._upstreams.update({name: upstreams.table({}, {name: address})[name]})
        return self.url(name)

    @property
    def env(self) -> dict[str, str]:
        """The variables that lead SDKs here, for the environment of a child process."""
        return upstreams.environment(self.base_url, self._upstreams.values(), os.environ)

    def environ(self, **more: str) -> dict[str, str]:
        """Return this process's whole environment with these variables, and with `more`."""
        return {**os.environ, **self.env, **more}

    def close(self) -> None:
        """Take no more requests in the name of the test."""
        self._server.tenants.dismiss(self._token)

    def _admit(self) -> str:
        return self._server.tenants.admit(Tenant(self._owner, jobs.current_steps(), self._upstreams))
