"""Whole answers, at the default temperature: asked again, the model would answer something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from anthropic import Anthropic
    from openai import OpenAI

PROMPT = [{"role": "user", "content": "Name a colour and an animal."}]


def test_openai_chat(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    completion = openai_client.chat.completions.create(model="smollm2", messages=PROMPT, max_tokens=15)

    assert completion.choices[0].message.content
    assert 0 < completion.usage.completion_tokens <= 15
    seen(completion.to_dict())


def test_openai_chat_asked_twice(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    asked = [openai_client.chat.completions.create(model="smollm2", messages=PROMPT, max_tokens=8) for _ in range(2)]

    assert asked[0].id != asked[1].id
    seen([completion.to_dict() for completion in asked])


def test_openai_completion_with_log_probabilities(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    completion = openai_client.completions.create(model="smollm2", prompt="The sea is", max_tokens=5, logprobs=2)

    assert completion.choices[0].text
    seen(completion.to_dict())


def test_openai_responses(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    response = openai_client.responses.create(
        model="smollm2", input="Name a colour and an animal.", max_output_tokens=15
    )

    assert response.output_text
    assert response.usage.input_tokens > 0
    seen(response.to_dict())


def test_openai_models(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    models = openai_client.models.list()

    assert [model.id for model in models] == ["smollm2"]
    seen(models.to_dict())


def test_anthropic_message(anthropic_client: Anthropic, seen: Callable[[Any], None]) -> None:
    message = anthropic_client.messages.create(model="smollm2", messages=PROMPT, max_tokens=15)

    assert message.content[0].text
    assert message.stop_reason in {"end_turn", "max_tokens"}
    seen(message.to_dict())
