"""The same server without an SDK, through httpx and httpx2, which are separate libraries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

CHAT = "/v1/chat/completions"


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


def body(**more: Any) -> dict[str, Any]:
    return {
        "model": "smollm2",
        "messages": [{"role": "user", "content": "Name a bird."}],
        "max_tokens": 8,
        **more,
    }


def test_one_off_post(library: Any, url: str, headers: dict[str, str], seen: Callable[[Any], None]) -> None:
    response = library.post(url + CHAT, json=body(), headers=headers)

    assert response.status_code == 200
    assert response.json()["choices"][0]["message"]["content"]
    seen(response.text)


def test_client_with_a_base_url(library: Any, url: str, headers: dict[str, str], seen: Callable[[Any], None]) -> None:
    with library.Client(base_url=url, headers=headers) as client:
        responses = [client.get("/v1/models"), client.post(CHAT, json=body()), client.post(CHAT, json=body())]

    assert [response.status_code for response in responses] == [200, 200, 200]
    seen([response.text for response in responses])


def test_raw_chunks_of_a_stream(library: Any, url: str, headers: dict[str, str], seen: Callable[[Any], None]) -> None:
    with (
        library.Client(headers=headers) as client,
        client.stream("POST", url + CHAT, json=body(stream=True)) as response,
    ):
        chunks = [chunk.decode() for chunk in response.iter_raw()]

    assert response.headers["content-type"] == "text/event-stream"
    assert len(chunks) > 2
    assert chunks[-1].endswith("data: [DONE]\n\n")
    seen(chunks)


def test_lines_of_a_stream_async(library: Any, url: str, headers: dict[str, str], seen: Callable[[Any], None]) -> None:
    async def read() -> list[str]:
        async with (
            library.AsyncClient(headers=headers) as client,
            client.stream("POST", url + CHAT, json=body(stream=True)) as response,
        ):
            return [line async for line in response.aiter_lines()]

    lines = asyncio.run(read())

    assert "data: [DONE]" in lines
    seen(lines)


def test_malformed_body(library: Any, url: str, headers: dict[str, str], seen: Callable[[Any], None]) -> None:
    response = library.post(url + CHAT, content=b'{"messages":', headers=headers)

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    seen(response.text)


def test_wrong_key(library: Any, url: str, seen: Callable[[Any], None]) -> None:
    response = library.post(url + CHAT, json=body(), headers={"Authorization": "Bearer not-the-key"})

    assert response.status_code == 401
    with pytest.raises(library.HTTPStatusError):
        response.raise_for_status()
    seen(response.text)


def test_openai_over_a_client_of_ones_own(
    library: Any, url: str, headers: dict[str, str], seen: Callable[[Any], None]
) -> None:
    key = headers["Authorization"].removeprefix("Bearer ")
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, http_client=library.Client()) as client:
        completion = client.chat.completions.create(**body())

    seen(completion.to_dict())
