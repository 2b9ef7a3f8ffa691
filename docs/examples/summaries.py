"""Sum up several texts at once: one call to the model for each, all in flight together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai import AsyncOpenAI


async def summarise(client: AsyncOpenAI, text: str) -> str:
    """Return one sentence that sums up a text."""
    completion = await client.chat.completions.create(
        model="smollm2",
        messages=[{"role": "user", "content": f"Sum up in one sentence: {text}"}],
        max_tokens=30,
        temperature=0,
        seed=7,
    )
    return completion.choices[0].message.content or ""


async def summarise_all(client: AsyncOpenAI, texts: Sequence[str]) -> list[str]:
    """Return the summaries in the order of the texts, whichever is ready first."""
    return await asyncio.gather(*(summarise(client, text) for text in texts))
