"""A program that asks with Anthropic's SDK."""

import os

import anthropic

GIVEN = {"base_url": os.environ["WIRE_URL"], "api_key": "loopback-key"}


def asked(prompt):
    return {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": prompt}]}


def chat(prompt):
    with anthropic.Anthropic(**GIVEN) as client:
        return client.messages.create(**asked(prompt)).content[0].text


def chat_stream(prompt):
    with anthropic.Anthropic(**GIVEN) as client, client.messages.stream(**asked(prompt)) as stream:
        return stream.get_final_text()


async def achat(prompt):
    async with anthropic.AsyncAnthropic(**GIVEN) as client:
        return (await client.messages.create(**asked(prompt))).content[0].text


async def achat_stream(prompt):
    async with anthropic.AsyncAnthropic(**GIVEN) as client, client.messages.stream(**asked(prompt)) as stream:
        return await stream.get_final_text()


FORMS = {"messages": {"sync": chat, "async": achat, "stream": chat_stream, "async stream": achat_stream}}
