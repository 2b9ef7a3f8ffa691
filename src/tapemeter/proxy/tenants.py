"""Whose call it is: a part of the URL that nobody can guess stands for a test, or a job.

So requests find their test whoever sends them and when: from a child process, from several at once, or late, when the
test is over and its calls belong to nobody.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tapemeter.job import StepRun
    from tapemeter.owner import Owner
    from tapemeter.proxy.upstreams import Upstream


class Tenant(Value):
    """Whose calls come by one URL, which steps they belong to, and whom they can ask."""

    owner: Owner
    steps: tuple[StepRun, ...]
    upstreams: Mapping[str, Upstream]


class Tenants:
    """All tenants of one server. Safe for threads."""

    def __init__(self) -> None:
        self._by_token: dict[str, Tenant] = {}
        self._lock = threading.Lock()

    def admit(self, tenant: Tenant) -> str:
        """Return the part of the URL that stands for a tenant from now on."""
        token = secrets.token_urlsafe(12)
        with self._lock:
            self._by_token[token] = tenant
        return token

    def of(self, token: str) -> Tenant | None:
        """Return the tenant that a part of a URL stands for; None where it stands for none."""
        return self._by_token.get(token)

    def dismiss(self, token: str) -> None:
        """Forget a tenant."""
        with self._lock:
            self._by_token.pop(token, None)
