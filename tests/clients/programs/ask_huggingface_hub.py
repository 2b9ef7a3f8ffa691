"""A program that asks with Hugging Face's inference client."""

import os

from huggingface_hub import AsyncInferenceClient, InferenceClient

URL = os.environ["WIRE_URL"]


def messages(prompt):
    return [{"role": "user", "content": prompt}]


def said(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def chat(prompt):
    with InferenceClient(URL, token="loopback-key") as client:
        return client.chat_completion(messages(prompt)).choices[0].message.content


def chat_stream(prompt):
    with InferenceClient(URL, token="loopback-key") as client:
        return said(client.chat_completion(messages(prompt), stream=True))


async def achat(prompt):
    async with AsyncInferenceClient(URL, token="loopback-key") as client:
        return (await client.chat_completion(messages(prompt))).choices[0].message.content


async def achat_stream(prompt):
    async with AsyncInferenceClient(URL, token="loopback-key") as client:
        return said([chunk async for chunk in await client.chat_completion(messages(prompt), stream=True)])


def generate(prompt):
    with InferenceClient(URL, token="loopback-key") as client:
        return client.text_generation(prompt, details=True).generated_text


def generate_stream(prompt):
    with InferenceClient(URL, token="loopback-key") as client:
        return "".join(client.text_generation(prompt, stream=True))


async def agenerate(prompt):
    async with AsyncInferenceClient(URL, token="loopback-key") as client:
        return (await client.text_generation(prompt, details=True)).generated_text


async def agenerate_stream(prompt):
    async with AsyncInferenceClient(URL, token="loopback-key") as client:
        return "".join([text async for text in await client.text_generation(prompt, stream=True)])


FORMS = {
    "chat completion": {"sync": chat, "async": achat, "stream": chat_stream, "async stream": achat_stream},
    "text generation": {
        "sync": generate,
        "async": agenerate,
        "stream": generate_stream,
        "async stream": agenerate_stream,
    },
}
