"""Shared by all tests: a real HTTP server on loopback, and an environment in which no model call is paid for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import hypothesis
import pytest

from loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long an example takes is the machine's business: the first one may import, and the machine may be busy.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


@pytest.fixture
def server() -> Iterator[Loopback]:
    """A fake provider on loopback that counts what reaches it."""
    with Loopback() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own environment out of the tests."""
    for name in [*os.environ]:
        if name.startswith("LLM_") or name in {"OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", "loopback-key")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "loopback-key")
