"""A program that asks OpenAI with LangChain."""

import os

from langchain_openai import ChatOpenAI, OpenAIEmbeddings

GIVEN = {"base_url": os.environ["WIRE_URL"] + "/v1", "api_key": "loopback-key"}


def model():
    return ChatOpenAI(model="gpt-5-mini", stream_usage=True, **GIVEN)


def embedder():
    return OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False, **GIVEN)


def chat(prompt):
    return model().invoke(prompt).text


def chat_stream(prompt):
    return "".join(chunk.text for chunk in model().stream(prompt))


async def achat(prompt):
    return (await model().ainvoke(prompt)).text


async def achat_stream(prompt):
    return "".join([chunk.text async for chunk in model().astream(prompt)])


def embed(prompt):
    return embedder().embed_query(prompt)


async def aembed(prompt):
    return await embedder().aembed_query(prompt)


FORMS = {
    "chat model": {"sync": chat, "async": achat, "stream": chat_stream, "async stream": achat_stream},
    "embeddings": {"sync": embed, "async": aembed},
}
