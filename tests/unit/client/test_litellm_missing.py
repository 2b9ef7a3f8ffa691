"""What a program is told that asks for LiteLLM's SDK where it is not installed; tests/gateway has the SDK itself."""

from __future__ import annotations

import sys

import pytest

from tapemeter.client.config import Endpoint, Retries, Timeouts
from tapemeter.client.litellm_sdk import LitellmProvider
from tapemeter.errors import UsageError


def test_the_missing_sdk_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    with pytest.raises(UsageError, match=r"pip install 'pytest-tapemeter\[litellm\]'"):
        LitellmProvider(Endpoint("http://127.0.0.1:1/v1"), timeouts=Timeouts(), retries=Retries())
