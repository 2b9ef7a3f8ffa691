from __future__ import annotations

import json

import pytest

from tapemeter import providers
from tapemeter.model import Request


def request(url: str, body: object = None, **headers: str) -> Request:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request("POST", url, pairs, b"" if body is None else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("https://api.openai.com/v1/chat/completions", "openai"),
        ("https://api.openai.com/anything/new", "openai"),
        ("https://mine.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "openai"),
        ("http://127.0.0.1:8080/v1/responses", "openai"),
        ("http://127.0.0.1:8080/v1/embeddings", "openai"),
        ("http://127.0.0.1:8080/v1/models", "openai"),
        ("http://127.0.0.1:8080/v1/models/some-model", "openai"),
        ("http://127.0.0.1:8080/v1/audio/transcriptions", "openai"),
        ("https://api.anthropic.com/v1/messages", "anthropic"),
        ("http://127.0.0.1:8080/v1/messages", "anthropic"),
        ("http://127.0.0.1:8080/v1/messages/count_tokens", "anthropic"),
        ("http://127.0.0.1:8080/v1/messages/batches/b1/results", "anthropic"),
        ("https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent?alt=sse", "gemini"),
        ("https://europe-west1-aiplatform.googleapis.com/v1/projects/p", "gemini"),
        ("http://127.0.0.1:8080/v1beta/models/g:generateContent", "gemini"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com/anything", "bedrock"),
        ("http://127.0.0.1:8080/model/m/converse-stream", "bedrock"),
        ("http://127.0.0.1:11434/api/chat", "ollama"),
        ("https://api.cohere.com/v2/chat", "cohere"),
    ],
)
def test_a_model_call_is_known_by_host_or_path(url: str, protocol: str) -> None:
    assert providers.claims(request(url)) == protocol


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:8080/health",
        "http://127.0.0.1:8080/v1/messages-of-the-day",
        "http://127.0.0.1:8080/v1/models/a/b/c",
        "http://127.0.0.1:8080/chat/completions/old",
        "https://openai.com.example.org/",
        "https://notopenai.com/",
        "https://example.com/?next=/v1/chat/completions",
    ],
)
def test_what_only_looks_alike_is_none(url: str) -> None:
    assert providers.claims(request(url)) is None


def test_an_sdk_is_known_by_its_header_whatever_it_asks() -> None:
    assert providers.claims(request("http://127.0.0.1:8080/new/thing", x_stainless_lang="python")) == "sdk"


@pytest.mark.parametrize("field", ["messages", "prompt", "input", "contents", "inputs"])
def test_a_body_that_names_a_model_and_says_something_to_it_is_one(field: str) -> None:
    assert providers.claims_body(request("http://127.0.0.1/", {"model": "m", field: "hello"})) == "unknown"


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"model": "m"},
        {"prompt": "hello"},
        {"model": 3, "prompt": "hello"},
        {"model": {"name": "m"}, "messages": []},
        [{"model": "m", "prompt": "hello"}],
        {"car": {"model": "m", "prompt": "hello"}},
    ],
)
def test_other_bodies_are_none(body: object) -> None:
    assert providers.claims_body(request("http://127.0.0.1/", body)) is None


@pytest.mark.parametrize(
    "body", [b'{"model": "m", "prompt": ', b'"model"', b"\xff" + b'"model"', b'"model"' + b"[" * 100_000]
)
def test_bodies_that_are_no_json_are_none(body: bytes) -> None:
    assert providers.claims_body(Request("POST", "http://127.0.0.1/", body=body)) is None


def test_a_body_of_unusual_size_is_not_read() -> None:
    body = json.dumps({"model": "m", "prompt": "x" * 8 * 1024 * 1024}).encode()

    assert providers.claims_body(Request("POST", "http://127.0.0.1/", body=body)) is None


@pytest.mark.parametrize(
    ("tail", "finished"),
    [
        (b"data: [DONE]\n\n", True),
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', True),
        (b"event: response.completed\ndata: {}\n\n", True),
        (b'data: {"choices": []}\n\n', False),
        (b"", False),
    ],
)
def test_the_last_event_of_a_stream_says_that_it_is_over(tail: bytes, finished: bool) -> None:
    assert providers.is_finished(tail) is finished
