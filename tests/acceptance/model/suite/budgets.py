"""Budgets: what is cut while the model is still writing stops at the same call without it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai import AsyncOpenAI, OpenAI

ESSAY = {
    "model": "smollm2",
    "messages": [{"role": "user", "content": "Write a long story about the sea."}],
    "max_tokens": 1500,
    "stream": True,
    # The model goes on until it is cut: only a budget ends this story.
    "extra_body": {"ignore_eos": True},
}
WORD = {"model": "smollm2", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}


@pytest.mark.llm_budget(wall_seconds=1)
@pytest.mark.expect_stopped_budget("wall_seconds", scope="job", after_calls=1)
def test_a_deadline_cuts_a_slow_stream(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    seen(openai_client.chat.completions.create(**WORD).id)
    for _ in openai_client.chat.completions.create(**ESSAY):
        pass


@pytest.mark.llm_budget(call={"wall_seconds": 1})
@pytest.mark.expect_stopped_budget("wall_seconds", scope="call")
def test_a_deadline_cuts_an_async_answer(async_openai_client: AsyncOpenAI, seen: Callable[[Any], None]) -> None:
    seen("asked")
    asyncio.run(async_openai_client.chat.completions.create(**{**ESSAY, "stream": False}))


@pytest.mark.llm_budget(response_chars=60)
@pytest.mark.expect_stopped_budget("response_chars")
def test_a_limit_of_text_cuts_a_stream(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    seen("asked")
    for _ in openai_client.chat.completions.create(**ESSAY):
        pass


@pytest.mark.llm_budget(calls=2)
@pytest.mark.expect_stopped_budget("calls", after_calls=2)
def test_code_that_retries_whatever_happens_is_stopped(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    seen("asked")
    for _ in range(5):
        try:
            openai_client.chat.completions.create(**WORD)
        except Exception:  # noqa: BLE001 - as agents do
            continue
