"""The clients that the examples talk to a model with: ordinary ones, nothing in them is made for testing."""

import os
from collections.abc import Iterator

import anthropic
import openai
import pytest

# The address is part of what is recorded, so it stays the same whether or not a model listens there.
BASE_URL = os.environ.get("EXAMPLE_BASE_URL", "http://127.0.0.1:8089")
API_KEY = os.environ.get("EXAMPLE_API_KEY", "loopback-key")


@pytest.fixture
def openai_client() -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key=API_KEY) as client:
        yield client


@pytest.fixture
def async_openai_client() -> openai.AsyncOpenAI:
    """Return a client that the test closes, since only the test has an event loop."""
    return openai.AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key=API_KEY)


@pytest.fixture
def anthropic_client() -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=BASE_URL, api_key=API_KEY) as client:
        yield client
