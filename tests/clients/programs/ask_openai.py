"""A program that asks with OpenAI's SDK."""

import os

import openai

URL, KEY = os.environ["WIRE_URL"] + "/v1", "loopback-key"


def messages(prompt):
    return {"model": "gpt-5-mini", "messages": [{"role": "user", "content": prompt}]}


def said(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def chat(prompt):
    with openai.OpenAI(base_url=URL, api_key=KEY) as client:
        return client.chat.completions.create(**messages(prompt)).choices[0].message.content


def chat_stream(prompt):
    with openai.OpenAI(base_url=URL, api_key=KEY) as client:
        return said(client.chat.completions.create(**messages(prompt), stream=True))


async def achat(prompt):
    async with openai.AsyncOpenAI(base_url=URL, api_key=KEY) as client:
        return (await client.chat.completions.create(**messages(prompt))).choices[0].message.content


async def achat_stream(prompt):
    async with openai.AsyncOpenAI(base_url=URL, api_key=KEY) as client:
        return said([chunk async for chunk in await client.chat.completions.create(**messages(prompt), stream=True)])


def respond(prompt):
    with openai.OpenAI(base_url=URL, api_key=KEY) as client:
        return client.responses.create(model="gpt-5-mini", input=prompt).output_text


def respond_stream(prompt):
    with (
        openai.OpenAI(base_url=URL, api_key=KEY) as client,
        client.responses.stream(model="gpt-5-mini", input=prompt) as stream,
    ):
        return stream.get_final_response().output_text


async def arespond(prompt):
    async with openai.AsyncOpenAI(base_url=URL, api_key=KEY) as client:
        return (await client.responses.create(model="gpt-5-mini", input=prompt)).output_text


async def arespond_stream(prompt):
    async with (
        openai.AsyncOpenAI(base_url=URL, api_key=KEY) as client,
        client.responses.stream(model="gpt-5-mini", input=prompt) as stream,
    ):
        return (await stream.get_final_response()).output_text


def embed(prompt):
    with openai.OpenAI(base_url=URL, api_key=KEY) as client:
        return client.embeddings.create(model="text-embedding-3-small", input=prompt).data[0].embedding


async def aembed(prompt):
    async with openai.AsyncOpenAI(base_url=URL, api_key=KEY) as client:
        answer = await client.embeddings.create(model="text-embedding-3-small", input=prompt)
    return answer.data[0].embedding


FORMS = {
    "chat completions": {"sync": chat, "async": achat, "stream": chat_stream, "async stream": achat_stream},
    "Responses": {"sync": respond, "async": arespond, "stream": respond_stream, "async stream": arespond_stream},
    "embeddings": {"sync": embed, "async": aembed},
}
