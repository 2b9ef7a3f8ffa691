from __future__ import annotations

import json

import pytest

from tapemeter import providers
from tapemeter.providers.meter import Asked

GOOGLES = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "BUDGET_STOPPED"}
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


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        (
            Asked("gemini_generate", "generate_content", "gcp.vertex_ai", "m"),
            {"error": {"code": 402, "message": "over budget", "status": "FAILED_PRECONDITION", "details": [GOOGLES]}},
        ),
        (Asked("bedrock_converse", "chat", "aws.bedrock", "m"), {"message": "over budget"}),
        (Asked("unknown", "unknown", "aws.bedrock", "m"), {"message": "over budget"}),
        (Asked("cohere_chat", "chat", "cohere", "m"), {"message": "over budget"}),
        (Asked("ollama_chat", "chat", "ollama", "m"), {"error": "over budget"}),
        (
            Asked("huggingface_generate", "text_completion", "huggingface", None),
            {"error": "over budget", "error_type": "budget_stopped"},
        ),
        (
            Asked("openai_chat", "chat", "mistral_ai", "m"),
            {
                "object": "error",
                "message": "over budget",
                "type": "budget_stopped",
                "param": None,
                "code": "budget_stopped",
            },
        ),
    ],
    ids=lambda value: value.protocol if isinstance(value, Asked) else None,
)
def test_a_refusal_has_the_form_of_each_providers_errors(asked: Asked, body: dict[str, object]) -> None:
    assert json.loads(providers.refused(asked, "over budget").body) == body


@pytest.mark.parametrize("provider", ["gcp.vertex_ai", "aws.bedrock", "openrouter"])
def test_a_protocol_keeps_its_form_wherever_it_is_spoken(provider: str) -> None:
    chat = Asked("openai_chat", "chat", provider, "m")
    messages = Asked("anthropic_messages", "chat", provider, "m")

    assert json.loads(providers.refused(chat, "over").body)["error"]["code"] == "budget_stopped"
    assert json.loads(providers.refused(messages, "over").body)["error"]["type"] == "billing_error"


def test_amazons_clients_are_told_the_kind_of_a_refusal_in_a_header() -> None:
    refused = providers.refused(Asked("bedrock_invoke", "chat", "aws.bedrock", "m"), "over budget")

    assert ("x-amzn-errortype", "BudgetStoppedException") in refused.headers


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("openai", {"error": {"message": "m", "type": "k", "param": None, "code": "k"}}),
        ("anthropic", {"type": "error", "error": {"type": "k", "message": "m"}}),
        (
            "gemini",
            {
                "error": {
                    "code": 424,
                    "message": "m",
                    "status": "FAILED_PRECONDITION",
                    "details": [{"@type": GOOGLES["@type"], "reason": "K"}],
                }
            },
        ),
        ("ollama", {"error": "m"}),
        ("cohere", {"message": "m"}),
        ("mine", {"error": {"message": "m", "type": "k", "param": None, "code": "k"}}),
    ],
)
def test_any_error_has_the_form_of_its_family(family: str, expected: dict[str, object]) -> None:
    assert json.loads(providers.error_body(family, 424, "k", "m")) == expected
