"""A program that asks for values with Instructor."""

import os

import instructor
import openai
from pydantic import BaseModel

GIVEN = {"base_url": os.environ["WIRE_URL"] + "/v1", "api_key": "loopback-key"}


class Place(BaseModel):
    city: str


def asked(prompt):
    return {"model": "gpt-5-mini", "response_model": Place, "messages": [{"role": "user", "content": prompt}]}


def chat(prompt):
    with openai.OpenAI(**GIVEN) as client:
        return instructor.from_openai(client).chat.completions.create(**asked(prompt)).city


def chat_stream(prompt):
    with openai.OpenAI(**GIVEN) as client:
        stream = instructor.from_openai(client).chat.completions.create_partial(**asked(prompt))
        return [place.city for place in stream]


async def achat(prompt):
    async with openai.AsyncOpenAI(**GIVEN) as client:
        return (await instructor.from_openai(client).chat.completions.create(**asked(prompt))).city


async def achat_stream(prompt):
    async with openai.AsyncOpenAI(**GIVEN) as client:
        stream = instructor.from_openai(client).chat.completions.create_partial(**asked(prompt))
        return [place.city async for place in stream]


FORMS = {"response model": {"sync": chat, "async": achat, "stream": chat_stream, "async stream": achat_stream}}
