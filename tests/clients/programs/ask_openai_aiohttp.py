"""A program that asks with OpenAI's SDK over its aiohttp transport."""

import os

import openai

URL, KEY = os.environ["WIRE_URL"] + "/v1", "loopback-key"


def client():
    return openai.AsyncOpenAI(base_url=URL, api_key=KEY, http_client=openai.DefaultAioHttpClient())


def messages(prompt):
    return {"model": "gpt-5-mini", "messages": [{"role": "user", "content": prompt}]}


async def chat(prompt):
    async with client() as asked:
        return (await asked.chat.completions.create(**messages(prompt))).choices[0].message.content


async def chat_stream(prompt):
    async with client() as asked:
        stream = await asked.chat.completions.create(**messages(prompt), stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


async def respond(prompt):
    async with client() as asked:
        return (await asked.responses.create(model="gpt-5-mini", input=prompt)).output_text


async def respond_stream(prompt):
    async with client() as asked, asked.responses.stream(model="gpt-5-mini", input=prompt) as stream:
        return (await stream.get_final_response()).output_text


async def embed(prompt):
    async with client() as asked:
        return (await asked.embeddings.create(model="text-embedding-3-small", input=prompt)).data[0].embedding


FORMS = {
    "chat completions": {"async": chat, "async stream": chat_stream},
    "Responses": {"async": respond, "async stream": respond_stream},
    "embeddings": {"async": embed},
}
