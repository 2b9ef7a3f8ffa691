"""Shared by the contract of the adapters: a server, a cassette, and each client in turn."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import adapter_drivers_aiohttp  # noqa: F401 - as those below, it adds its drivers
import adapter_drivers_httpx  # noqa: F401
import adapter_drivers_stdlib  # noqa: F401
import adapter_drivers_urllib3  # noqa: F401
import pytest
from adapter_drivers import DRIVERS
from adapter_server import Server
from adapter_tape import Tape
from adapter_tls import certificate

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from adapter_drivers import Driver


@pytest.fixture
def world() -> Iterator[Server]:
    """A server on loopback."""
    with Server() as running:
        yield running


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    """An empty cassette."""
    return Tape(tmp_path)


@pytest.fixture(params=list(DRIVERS))
def client(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A client, made before any session of ours; every driver in turn, or those that a test names."""
    with DRIVERS[request.param]() as made:
        yield made


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A certificate for loopback, and whom to trust for it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    return certificate(tmp_path_factory.mktemp("tls"))
