"""A program that asks with Voyage's SDK."""

import os

import voyageai

GIVEN = {"base_url": os.environ["WIRE_URL"] + "/v1", "api_key": "loopback-key", "max_retries": 2}
RANK = {"model": "rerank-2.5", "documents": ["Grüezi", "Salü"]}


def embed(prompt):
    return voyageai.Client(**GIVEN).embed([prompt], model="voyage-3.5").embeddings


async def aembed(prompt):
    return (await voyageai.AsyncClient(**GIVEN).embed([prompt], model="voyage-3.5")).embeddings


def rank(prompt):
    return voyageai.Client(**GIVEN).rerank(prompt, **RANK).results[0].relevance_score


async def arank(prompt):
    return (await voyageai.AsyncClient(**GIVEN).rerank(prompt, **RANK)).results[0].relevance_score


FORMS = {"embeddings": {"sync": embed, "async": aembed}, "rerank": {"sync": rank, "async": arank}}
