"""The fixture by which programs in any language call models in the name of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tapemeter.pytest_plugin.fixtures import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.proxy.access import ProxyAccess
    from tapemeter.proxy.server import ProxyServer


@pytest.fixture(scope="session")
def _llm_proxy_server() -> Iterator[ProxyServer]:
    """Give the one server of this process, which is started for the first test that asks for it."""
    from tapemeter.proxy.server import ProxyServer  # noqa: PLC0415 - only sessions with programs of their own

    with ProxyServer() as server:
        yield server


@pytest.fixture
def llm_proxy(request: pytest.FixtureRequest, _llm_proxy_server: ProxyServer) -> Iterator[ProxyAccess]:
    """Give a proxy for programs in any language, whose calls are then this test's: url(provider), env, environ()."""
    from tapemeter.proxy.access import ProxyAccess  # noqa: PLC0415 - as above

    owner = owner_of(request)
    if owner is None:
        pytest.skip("--llm-mode=off does nothing, so there is no proxy")
    access = ProxyAccess(_llm_proxy_server, owner)
    yield access
    access.close()
