"""A program that asks with Ollama's SDK."""

import os

import ollama

URL = os.environ["WIRE_URL"]


def messages(prompt):
    return {"model": "llama3.2", "messages": [{"role": "user", "content": prompt}]}


def chat(prompt):
    return ollama.Client(URL).chat(**messages(prompt)).message.content


def chat_stream(prompt):
    return "".join(part.message.content or "" for part in ollama.Client(URL).chat(**messages(prompt), stream=True))


async def achat(prompt):
    return (await ollama.AsyncClient(URL).chat(**messages(prompt))).message.content


async def achat_stream(prompt):
    stream = await ollama.AsyncClient(URL).chat(**messages(prompt), stream=True)
    return "".join([part.message.content or "" async for part in stream])


def generate(prompt):
    return ollama.Client(URL).generate("llama3.2", prompt).response


def generate_stream(prompt):
    return "".join(part.response for part in ollama.Client(URL).generate("llama3.2", prompt, stream=True))


async def agenerate(prompt):
    return (await ollama.AsyncClient(URL).generate("llama3.2", prompt)).response


async def agenerate_stream(prompt):
    stream = await ollama.AsyncClient(URL).generate("llama3.2", prompt, stream=True)
    return "".join([part.response async for part in stream])


def embed(prompt):
    return ollama.Client(URL).embed("all-minilm", prompt).embeddings


async def aembed(prompt):
    return (await ollama.AsyncClient(URL).embed("all-minilm", prompt)).embeddings


FORMS = {
    "chat": {"sync": chat, "async": achat, "stream": chat_stream, "async stream": achat_stream},
    "generate": {"sync": generate, "async": agenerate, "stream": generate_stream, "async stream": agenerate_stream},
    "embeddings": {"sync": embed, "async": aembed},
}
