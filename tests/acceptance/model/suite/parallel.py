"""Calls in flight together, repeated prompts among them; each answer must belong to its own call."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai import AsyncOpenAI, OpenAI
    from openai.types.chat import ChatCompletion

# The first asks for the longest answer, so that the calls end in another order than they began.
ASKED = [("Count to twenty.", 40), ("Say hi.", 4), ("Name a colour.", 6), ("Say hi.", 4), ("Name a fish.", 6)]


def request(prompt: str, max_tokens: int) -> dict[str, Any]:
    return {
        "model": "smollm2",
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
    }


def test_gather(async_openai_client: AsyncOpenAI, seen: Callable[[Any], None]) -> None:
    async def ask_all() -> list[ChatCompletion]:
        async with async_openai_client as client:
            return await asyncio.gather(*(client.chat.completions.create(**request(*asked)) for asked in ASKED))

    answers = asyncio.run(ask_all())

    assert len({answer.id for answer in answers}) == len(ASKED)
    assert answers[0].usage.completion_tokens > max(answer.usage.completion_tokens for answer in answers[1:])
    seen([answer.to_dict() for answer in answers])


def test_thread_pool(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    with ThreadPoolExecutor(max_workers=len(ASKED)) as pool:
        create = openai_client.chat.completions.create
        answers = list(pool.map(lambda asked: create(**request(*asked)), ASKED))

    assert len({answer.id for answer in answers}) == len(ASKED)
    # Which of two equal requests leaves first is up to the threads, so their answers may change places.
    seen(sorted((prompt, answer.id) for (prompt, _), answer in zip(ASKED, answers, strict=True)))


def test_streams_side_by_side(async_openai_client: AsyncOpenAI, seen: Callable[[Any], None]) -> None:
    async def read(client: AsyncOpenAI, prompt: str, max_tokens: int) -> list[dict[str, object]]:
        stream = await client.chat.completions.create(stream=True, **request(prompt, max_tokens))
        return [chunk.to_dict() async for chunk in stream]

    async def read_all() -> list[list[dict[str, object]]]:
        async with async_openai_client as client:
            return await asyncio.gather(*(read(client, *asked) for asked in ASKED[:3]))

    received = asyncio.run(read_all())

    assert all(len(chunks) > 2 for chunks in received)
    seen(received)
