"""Fixtures by which a test calls models itself, through `tapemeter.client`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tapemeter.pytest_plugin.fixtures import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.client import AliasRegistry, LlmService


@pytest.fixture
def llm(request: pytest.FixtureRequest) -> Iterator[LlmService]:
    """Give a service for model calls by alias, on the cassette and the budget of this test: complete, stream and so on.

    Where calls go, environment and config file say (ini `llm_config`).
    """
    from tapemeter.client.load import load  # noqa: PLC0415 - only tests that call models this way
    from tapemeter.client.service import LlmService  # noqa: PLC0415

    owner = owner_of(request)
    environ = dict(os.environ)
    if owner is not None:
        environ["LLM_MODE"] = owner.mode.value.partition("-")[0]  # replay needs no key
    ini = request.config.getini("llm_config")
    with LlmService(load(environ, config=Path(ini) if ini else None, root=request.config.rootpath)) as service:
        yield service


@pytest.fixture
def llm_aliases(llm: LlmService) -> AliasRegistry:
    """Give the aliases of this test's `llm`, to look at and to change for this test."""
    return llm.aliases


@pytest.fixture
def llm_echo() -> Iterator[LlmService]:
    """Give a service that asks no model: it says what it was told, offline and free."""
    from tapemeter.client import LlmService, ProviderConfig, ProviderKind  # noqa: PLC0415 - as above

    with LlmService(ProviderConfig(provider=ProviderKind.ECHO)) as service:
        yield service
