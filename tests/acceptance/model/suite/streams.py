"""Streamed answers: the same pieces at the same boundaries, through each SDK's own helpers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from anthropic import Anthropic
    from openai import AsyncOpenAI, OpenAI

PROMPT = [{"role": "user", "content": "Write one sentence about the sea."}]


def test_openai_chat(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    stream = openai_client.chat.completions.create(
        model="smollm2", messages=PROMPT, max_tokens=20, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk.to_dict() for chunk in stream]

    assert sum(bool(choice["delta"].get("content")) for chunk in chunks for choice in chunk["choices"]) > 1
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] <= 20
    seen(chunks)


def test_openai_chat_helper(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    asked = {"model": "smollm2", "messages": PROMPT, "temperature": 0, "max_tokens": 60}
    with openai_client.chat.completions.stream(**asked) as stream:
        kinds = [event.type for event in stream]

    assert "content.delta" in kinds
    seen(kinds)
    seen(stream.get_final_completion().choices[0].message.content)


def test_openai_chat_async(async_openai_client: AsyncOpenAI, seen: Callable[[Any], None]) -> None:
    async def pieces() -> list[dict[str, object]]:
        async with async_openai_client as client:
            stream = await client.chat.completions.create(model="smollm2", messages=PROMPT, max_tokens=20, stream=True)
            return [chunk.to_dict() async for chunk in stream]

    received = asyncio.run(pieces())
    assert len(received) > 2
    seen(received)


def test_openai_responses(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    stream = openai_client.responses.create(
        model="smollm2", input="Write one sentence about the sea.", max_output_tokens=20, stream=True
    )
    kinds = [event.type for event in stream]

    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert kinds.count("response.output_text.delta") > 1
    seen(kinds)


def test_anthropic_message(anthropic_client: Anthropic, seen: Callable[[Any], None]) -> None:
    with anthropic_client.messages.stream(model="smollm2", messages=PROMPT, max_tokens=20) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()

    assert len(pieces) > 1
    assert "".join(pieces) == message.content[0].text
    seen([pieces, message.to_dict()])


def test_stops_reading_after_three_chunks(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    with openai_client.chat.completions.create(model="smollm2", messages=PROMPT, max_tokens=200, stream=True) as stream:
        chunks = [next(stream).to_dict() for _ in range(3)]

    assert not any(choice["finish_reason"] for chunk in chunks for choice in chunk["choices"])
    seen(chunks)
