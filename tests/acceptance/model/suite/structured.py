"""Answers held to a JSON schema by the server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai import OpenAI

PROMPT = [{"role": "user", "content": "Describe Paris."}]


class City(BaseModel):
    name: str = Field(max_length=12)
    capital: bool


def test_response_format(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    schema = {"name": "city", "schema": City.model_json_schema()}
    completion = openai_client.chat.completions.create(
        model="smollm2",
        messages=PROMPT,
        response_format={"type": "json_schema", "json_schema": schema},
        max_tokens=60,
        temperature=0,
    )

    city = json.loads(completion.choices[0].message.content)
    assert set(city) == {"name", "capital"}
    seen(city)


def test_parsed_into_a_model(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    completion = openai_client.chat.completions.parse(
        model="smollm2", messages=PROMPT, response_format=City, max_tokens=60, temperature=0
    )

    assert isinstance(completion.choices[0].message.parsed, City)
    seen(completion.choices[0].message.parsed.model_dump())
