"""A program that asks with Google's Gen AI SDK."""

import os

from google import genai

MODEL = "gemini-2.5-flash"


def client():
    return genai.Client(api_key="loopback-key", http_options={"base_url": os.environ["WIRE_URL"]})


def said(answer):
    return [part.text or part.function_call.name for part in answer.candidates[0].content.parts]


def chat(prompt):
    with client() as asked:
        return said(asked.models.generate_content(model=MODEL, contents=prompt))


def chat_stream(prompt):
    with client() as asked:
        return [said(answer) for answer in asked.models.generate_content_stream(model=MODEL, contents=prompt)]


async def achat(prompt):
    async with client().aio as asked:
        return said(await asked.models.generate_content(model=MODEL, contents=prompt))


async def achat_stream(prompt):
    async with client().aio as asked:
        stream = await asked.models.generate_content_stream(model=MODEL, contents=prompt)
        return [said(answer) async for answer in stream]


def embed(prompt):
    with client() as asked:
        return asked.models.embed_content(model="gemini-embedding-001", contents=prompt).embeddings[0].values


async def aembed(prompt):
    async with client().aio as asked:
        answer = await asked.models.embed_content(model="gemini-embedding-001", contents=prompt)
    return answer.embeddings[0].values


FORMS = {
    "generate content": {"sync": chat, "async": achat, "stream": chat_stream, "async stream": achat_stream},
    "embeddings": {"sync": embed, "async": aembed},
}
