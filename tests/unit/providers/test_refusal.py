from __future__ import annotations

import json

import pytest

from tapemeter import providers
from tapemeter.providers.meter import Asked

CHAT = Asked("openai_chat", "chat", "openai", "m")
MESSAGES = Asked("anthropic_messages", "chat", "anthropic", "m")
COUNT = Asked("anthropic_count_tokens", "count_tokens", "anthropic", "m")


def test_a_refusal_has_the_form_of_openai_errors() -> None:
    assert json.loads(providers.refused(CHAT, "over budget").body) == {
        "error": {"message": "over budget", "type": "budget_stopped", "param": None, "code": "budget_stopped"}
    }


@pytest.mark.parametrize("asked", [MESSAGES, COUNT, Asked("unknown", "unknown", "anthropic", None)])
def test_a_refusal_has_the_form_of_anthropic_errors(asked: Asked) -> None:
    assert json.loads(providers.refused(asked, "over budget").body) == {
        "type": "error",
        "error": {"type": "billing_error", "message": "over budget"},
    }
