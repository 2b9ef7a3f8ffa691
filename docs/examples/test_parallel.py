"""Calls in flight at the same time: each gets the answer to its own question, live and in replay."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from summaries import summarise_all

if TYPE_CHECKING:
    from openai import AsyncOpenAI

NEWS = {
    "ferry": "The ferry from Mull was two hours late because of thick fog.",
    "bakery": "The bakery sold every loaf before nine and closed early.",
    "river": "The river rose a metre overnight and the lower road is shut.",
}


def test_each_text_gets_its_own_summary(async_openai_client: AsyncOpenAI) -> None:
    async def run() -> list[str]:
        async with async_openai_client as client:
            return await summarise_all(client, list(NEWS.values()))

    summaries = asyncio.run(run())

    assert len(summaries) == len(NEWS)
    for subject, summary in zip(NEWS, summaries, strict=True):
        assert subject in summary.lower()
