"""A program that asks with Cohere's SDK."""

import os

import cohere

GIVEN = {"base_url": os.environ["WIRE_URL"], "api_key": "loopback-key"}
EMBED = {"model": "embed-v4.0", "input_type": "search_query", "embedding_types": ["float"]}
RANK = {"model": "rerank-v3.5", "documents": ["Grüezi", "Salü"]}


def asked(prompt):
    return {"model": "command-r7b-12-2024", "messages": [{"role": "user", "content": prompt}]}


def said(events):
    return "".join(event.delta.message.content.text or "" for event in events if event.type == "content-delta")


def chat(prompt):
    return cohere.ClientV2(**GIVEN).chat(**asked(prompt)).message.content[-1].text


def chat_stream(prompt):
    return said(cohere.ClientV2(**GIVEN).chat_stream(**asked(prompt)))


async def achat(prompt):
    async with cohere.AsyncClientV2(**GIVEN) as client:
        return (await client.chat(**asked(prompt))).message.content[-1].text


async def achat_stream(prompt):
    async with cohere.AsyncClientV2(**GIVEN) as client:
        return said([event async for event in client.chat_stream(**asked(prompt))])


def embed(prompt):
    return cohere.ClientV2(**GIVEN).embed(texts=[prompt], **EMBED).embeddings.float_


async def aembed(prompt):
    async with cohere.AsyncClientV2(**GIVEN) as client:
        return (await client.embed(texts=[prompt], **EMBED)).embeddings.float_


def rank(prompt):
    return cohere.ClientV2(**GIVEN).rerank(query=prompt, **RANK).results[0].relevance_score


async def arank(prompt):
    async with cohere.AsyncClientV2(**GIVEN) as client:
        return (await client.rerank(query=prompt, **RANK)).results[0].relevance_score


FORMS = {
    "chat": {"sync": chat, "async": achat, "stream": chat_stream, "async stream": achat_stream},
    "embeddings": {"sync": embed, "async": aembed},
    "rerank": {"sync": rank, "async": arank},
}
