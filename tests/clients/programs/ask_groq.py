"""A program that asks with Groq's SDK."""

import os

import groq

GIVEN = {"base_url": os.environ["WIRE_URL"], "api_key": "loopback-key"}


def messages(prompt):
    return {"model": "llama-3.1-8b-instant", "messages": [{"role": "user", "content": prompt}]}


def said(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def chat(prompt):
    with groq.Groq(**GIVEN) as client:
        return client.chat.completions.create(**messages(prompt)).choices[0].message.content


def chat_stream(prompt):
    with groq.Groq(**GIVEN) as client:
        return said(client.chat.completions.create(**messages(prompt), stream=True))


async def achat(prompt):
    async with groq.AsyncGroq(**GIVEN) as client:
        return (await client.chat.completions.create(**messages(prompt))).choices[0].message.content


async def achat_stream(prompt):
    async with groq.AsyncGroq(**GIVEN) as client:
        return said([chunk async for chunk in await client.chat.completions.create(**messages(prompt), stream=True)])


FORMS = {"chat completions": {"sync": chat, "async": achat, "stream": chat_stream, "async stream": achat_stream}}
