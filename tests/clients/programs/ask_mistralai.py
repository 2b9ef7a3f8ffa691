"""A program that asks with Mistral's SDK."""

import os

from mistralai.client import Mistral

GIVEN = {"server_url": os.environ["WIRE_URL"], "api_key": "loopback-key"}


def messages(prompt):
    return {"model": "mistral-small-latest", "messages": [{"role": "user", "content": prompt}]}


def chat(prompt):
    with Mistral(**GIVEN) as client:
        return client.chat.complete(**messages(prompt)).choices[0].message.content


def chat_stream(prompt):
    with Mistral(**GIVEN) as client, client.chat.stream(**messages(prompt)) as stream:
        return "".join(event.data.choices[0].delta.content or "" for event in stream if event.data.choices)


async def achat(prompt):
    async with Mistral(**GIVEN) as client:
        return (await client.chat.complete_async(**messages(prompt))).choices[0].message.content


async def achat_stream(prompt):
    async with Mistral(**GIVEN) as client, await client.chat.stream_async(**messages(prompt)) as stream:
        return "".join([event.data.choices[0].delta.content or "" async for event in stream if event.data.choices])


def embed(prompt):
    with Mistral(**GIVEN) as client:
        return client.embeddings.create(model="mistral-embed", inputs=[prompt]).data[0].embedding


async def aembed(prompt):
    async with Mistral(**GIVEN) as client:
        return (await client.embeddings.create_async(model="mistral-embed", inputs=[prompt])).data[0].embedding


FORMS = {
    "chat": {"sync": chat, "async": achat, "stream": chat_stream, "async stream": achat_stream},
    "embeddings": {"sync": embed, "async": aembed},
}
