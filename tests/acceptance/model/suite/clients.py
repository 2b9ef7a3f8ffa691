"""The suite's conftest: clients of the model, and a place to note what each test received.

`MODEL_URL` and `MODEL_KEY` say where the model is. What tests pass to `seen` is appended to the file named by
`SEEN`, one JSON line for each test, so that a recording can be compared with its replay to the last byte.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def url() -> str:
    return os.environ["MODEL_URL"]


@pytest.fixture
def headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {os.environ['MODEL_KEY']}"}


@pytest.fixture
def openai_client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=os.environ["MODEL_KEY"]) as client:
        yield client


@pytest.fixture
def async_openai_client(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=os.environ["MODEL_KEY"])


@pytest.fixture
def anthropic_client(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key=os.environ["MODEL_KEY"]) as client:
        yield client


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], None]]:
    noted: list[Any] = []
    yield noted.append
    with Path(os.environ["SEEN"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"test": request.node.nodeid, "seen": noted}) + "\n")
