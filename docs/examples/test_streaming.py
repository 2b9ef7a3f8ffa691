"""Answers that arrive piece by piece: a replay hands out the same pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anthropic import Anthropic
    from openai import OpenAI

PROMPT = "Write one sentence about the sea."


def test_openai_streams_a_sentence(openai_client: OpenAI) -> None:
    stream = openai_client.chat.completions.create(
        model="smollm2",
        messages=[{"role": "user", "content": PROMPT}],
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=30,
        temperature=0,
        seed=7,
    )
    chunks = list(stream)

    pieces = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert "sea" in "".join(pieces)
    usage = chunks[-1].usage
    assert usage is not None
    assert 1 < len(pieces) <= usage.completion_tokens <= 30


def test_anthropic_streams_a_sentence(anthropic_client: Anthropic) -> None:
    with anthropic_client.messages.stream(
        model="smollm2",
        messages=[{"role": "user", "content": PROMPT}],
        max_tokens=30,
        extra_body={"temperature": 0},
    ) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()

    assert "sea" in "".join(pieces)
    assert 1 < len(pieces) <= message.usage.output_tokens <= 30
    assert message.stop_reason == "end_turn"
