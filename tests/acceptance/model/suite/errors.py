"""Errors that a test asks for on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai import OpenAI

HI = [{"role": "user", "content": "Say hi."}]
TOO_LONG = [{"role": "user", "content": "word " * 1500}]


def test_openai_wrong_key(url: str, seen: Callable[[Any], None]) -> None:
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="not-the-key") as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat.completions.create(model="smollm2", messages=HI)

    assert caught.value.status_code == 401
    seen(caught.value.body)


def test_anthropic_wrong_key(url: str, seen: Callable[[Any], None]) -> None:
    with (
        anthropic.Anthropic(base_url=url, api_key="not-the-key") as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        client.messages.create(model="smollm2", messages=HI, max_tokens=5)

    assert caught.value.status_code == 401
    seen(caught.value.body)


@pytest.mark.parametrize("how", ["whole", "streamed"])
def test_more_than_the_context_holds(openai_client: OpenAI, seen: Callable[[Any], None], how: str) -> None:
    with pytest.raises(openai.BadRequestError, match="exceeds the available context size") as caught:
        openai_client.chat.completions.create(model="smollm2", messages=TOO_LONG, stream=how == "streamed")

    assert caught.value.body["n_prompt_tokens"] > 1500
    seen(caught.value.body)


def test_unknown_path(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        openai_client.post("/nowhere", cast_to=object)

    seen(caught.value.body)


def test_embeddings_that_this_server_does_not_have(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        openai_client.with_options(max_retries=0).embeddings.create(model="smollm2", input="hi")

    assert caught.value.status_code == 501
    seen(caught.value.body)
