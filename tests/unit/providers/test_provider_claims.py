from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tapemeter import providers
from tapemeter.model import Request

LOCAL = "http://127.0.0.1:8080"
GOOGLE = "https://generativelanguage.googleapis.com/v1beta"
VERTEX = "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers"
BEDROCK = "https://bedrock-runtime.eu-west-1.amazonaws.com/model"


def post(url: str, body: object) -> Request:
    return Request("POST", url, (), json.dumps(body).encode())


@pytest.mark.parametrize(
    ("url", "protocol", "provider", "model"),
    [
        (f"{GOOGLE}/models/g:generateContent", "gemini_generate", "gcp.gemini", "g"),
        (f"{GOOGLE}/models/g:streamGenerateContent?alt=sse", "gemini_generate", "gcp.gemini", "g"),
        (f"{GOOGLE}/tunedModels/t:generateContent", "gemini_generate", "gcp.gemini", "t"),
        (f"{LOCAL}/v1beta/models/g:streamGenerateContent", "gemini_generate", "gcp.gemini", "g"),
        (f"{LOCAL}/v1beta/models/g:batchEmbedContents", "gemini_embed", "gcp.gemini", "g"),
        (f"{GOOGLE}/models/g:embedContent", "gemini_embed", "gcp.gemini", "g"),
        (f"{GOOGLE}/models/g:somethingNew", "unknown", "gcp.gemini", None),
        (f"{VERTEX}/google/models/g@001:generateContent", "gemini_generate", "gcp.vertex_ai", "g@001"),
        (f"{VERTEX}/google/models/text-embedding-5:predict", "gemini_predict", "gcp.vertex_ai", "text-embedding-5"),
        (f"{VERTEX}/google/models/imagen-4:predict", "unknown", "gcp.vertex_ai", None),
        (f"{VERTEX}/anthropic/models/c@1:rawPredict", "anthropic_messages", "gcp.vertex_ai", "c@1"),
        (f"{VERTEX}/anthropic/models/c@1:streamRawPredict", "anthropic_messages", "gcp.vertex_ai", "c@1"),
        (f"{VERTEX}/anthropic/models/count-tokens:rawPredict", "anthropic_count_tokens", "gcp.vertex_ai", "m"),
        (
            "https://aiplatform.eu.rep.googleapis.com/v1/p/publishers/google/models/g:countTokens",
            "gemini_count_tokens",
            "gcp.vertex_ai",
            "g",
        ),
        (f"{BEDROCK}/anthropic.c-v1%3A0/converse", "bedrock_converse", "aws.bedrock", "anthropic.c-v1:0"),
        (f"{BEDROCK}/a.b/converse-stream", "bedrock_converse", "aws.bedrock", "a.b"),
        (f"{BEDROCK}/a.b/invoke", "bedrock_invoke", "aws.bedrock", "a.b"),
        (f"{BEDROCK}/cohere.embed-v4%3A0/invoke", "bedrock_embed", "aws.bedrock", "cohere.embed-v4:0"),
        (f"{LOCAL}/bedrock/model/a.b/invoke-with-response-stream", "bedrock_invoke", "aws.bedrock", "a.b"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com/async-invoke", "unknown", "aws.bedrock", "m"),
        ("https://api.mistral.ai/v1/fim/completions", "openai_completions", "mistral_ai", "m"),
        ("https://api.mistral.ai/v1/agents/completions", "openai_chat", "mistral_ai", "m"),
        ("https://api.mistral.ai/v1/moderations", "mistral_moderations", "mistral_ai", "m"),
        ("https://api.mistral.ai/v1/classifications", "mistral_moderations", "mistral_ai", "m"),
        ("https://api.mistral.ai/v1/conversations", "unknown", "mistral_ai", "m"),
        ("https://api.openai.com/v1/moderations", "openai_moderations", "openai", "m"),
        ("https://api.cohere.com/v2/chat", "cohere_chat", "cohere", "m"),
        ("https://api.cohere.com/v1/embed", "cohere_embed", "cohere", "m"),
        ("https://api.cohere.com/v1/chat", "unknown", "cohere", "m"),
        (f"{LOCAL}/v2/rerank", "cohere_rerank", "cohere", "m"),
        ("https://api.voyageai.com/v1/rerank", "cohere_rerank", "voyageai", "m"),
        ("https://api.voyageai.com/v1/embeddings", "openai_embeddings", "voyageai", "m"),
        ("https://ollama.com/api/chat", "ollama_chat", "ollama", "m"),
        (f"{LOCAL}/api/generate", "ollama_generate", "ollama", "m"),
        (f"{LOCAL}/api/embeddings", "ollama_embed", "ollama", "m"),
        ("https://x.endpoints.huggingface.cloud/generate", "huggingface_generate", "huggingface", "m"),
        ("https://x.endpoints.huggingface.cloud/", "huggingface_generate", "huggingface", "m"),
        ("https://router.huggingface.co/v1/chat/completions", "openai_chat", "huggingface", "m"),
        ("https://router.huggingface.co/hf-inference/models/o/n", "unknown", "huggingface", "o/n"),
        (
            "https://mine.openai.azure.com/openai/deployments/d/images/generations",
            "openai_images",
            "azure.ai.openai",
            "d",
        ),
        ("https://mine.openai.azure.com/openai/deployments/d/audio/speech", "openai_speech", "azure.ai.openai", "d"),
        ("https://mine.services.ai.azure.com/models/chat/completions", "openai_chat", "azure.ai.inference", "m"),
    ],
)
def test_a_request_is_known_by_its_host_and_path(url: str, protocol: str, provider: str, model: str | None) -> None:
    named = {"model": "m"} if model == "m" else {}

    asked = providers.ask(post(url, named))

    assert asked is not None
    assert (asked.protocol, asked.provider, asked.model) == (protocol, provider, model)
    assert providers.claims(post(url, {})) is not None


@pytest.mark.parametrize(
    ("path", "body", "protocol"),
    [
        ("/v2/chat", {"model": "m", "messages": []}, "cohere_chat"),
        ("/generate", {"inputs": "hi"}, "huggingface_generate"),
        ("/generate_stream", {"inputs": "hi"}, "huggingface_generate"),
        ("/", {"inputs": "hi", "parameters": {}}, "huggingface_generate"),
        ("/rerank", {"model": "m", "query": "q", "input": ["a"]}, "cohere_rerank"),
    ],
)
def test_a_path_that_may_be_anybodys_counts_with_a_body_of_the_shape(
    path: str, body: dict[str, object], protocol: str
) -> None:
    request = post(f"{LOCAL}{path}", body)

    asked = providers.ask(request)

    assert providers.claims(request) is None
    assert providers.claims_body(request) == "unknown"
    assert asked is not None
    assert (asked.protocol, asked.provider) == (protocol, protocol.partition("_")[0])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/chat", {"text": "hi"}),
        ("/generate", {"inputs": ["hi"]}),
        ("/generate", {"report": "monthly"}),
        ("/generate", [{"inputs": "hi"}]),
        ("/", {"inputs": "hi"}),
        ("/other", {"inputs": "hi", "parameters": {}}),
        ("/rerank", {"model": "m", "query": "q"}),
        ("/serving/models/m:predict", {"instances": []}),
        ("/v1/ocr", {"model": "m", "document": {}}),
        ("/model/m/train", {"a": 1}),
    ],
)
def test_a_path_that_may_be_anybodys_is_not_claimed_without_it(path: str, body: object) -> None:
    request = post(f"{LOCAL}{path}", body)

    assert (providers.claims(request), providers.claims_body(request), providers.ask(request)) == (None, None, None)


def test_an_sdk_that_sends_its_header_to_a_known_path_is_of_the_protocol_of_the_path() -> None:
    request = Request("POST", f"{LOCAL}/v2/chat", (("x-stainless-lang", "python"),), b"{}")

    asked = providers.ask(request)

    assert asked is not None
    assert (asked.protocol, asked.provider) == ("cohere_chat", "cohere")


@pytest.mark.parametrize(
    ("url", "body", "streams"),
    [
        (f"{GOOGLE}/models/g:streamGenerateContent", {}, True),
        (f"{GOOGLE}/models/g:generateContent", {}, False),
        (f"{BEDROCK}/m/converse-stream", {}, True),
        (f"{BEDROCK}/m/invoke-with-response-stream", {}, True),
        (f"{BEDROCK}/m/invoke", {}, False),
        (f"{VERTEX}/anthropic/models/c:streamRawPredict", {}, True),
        (f"{LOCAL}/generate_stream", {"inputs": "hi"}, True),
        (f"{LOCAL}/api/chat", {}, True),
        (f"{LOCAL}/api/chat", {"stream": False}, False),
        (f"{LOCAL}/api/embed", {}, False),
    ],
)
def test_whether_it_streams_is_told_by_the_path_the_body_or_the_protocol(url: str, body: object, streams: bool) -> None:
    asked = providers.ask(post(url, body))

    assert asked is not None
    assert asked.streams is streams


@pytest.mark.parametrize(
    "tail",
    [
        b'event: message-end\ndata: {"type":"message-end"}\n\n',
        b'{"model":"m","message":{"content":""},"done":true,"done_reason":"stop"}\n',
        b'\x0b:event-type\x07\x00\x08metadata\x0d:content-type\x07\x00\x10application/json{"usage":{}}\x00\x00\x00\x00',
        b'{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0=","p":"ab"}\x00\x00\x00\x00',
    ],
)
def test_the_last_event_of_other_streams_says_that_they_are_over(tail: bytes) -> None:
    assert providers.is_finished(tail)


def test_what_a_model_says_does_not_end_its_stream() -> None:
    assert not providers.is_finished(json.dumps({"message": {"content": '{"done":true}'}, "done": False}).encode())


def test_rare_protocols_are_imported_when_they_are_met() -> None:
    code = (
        "import sys, tapemeter.providers as p; from tapemeter.model import Request; here = set(sys.modules);"
        "p.ask(Request('POST', 'http://127.0.0.1/api/chat', body=b'{}'));"
        "print(*sorted(set(sys.modules) - here), sep=',')"
    )

    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()

    assert printed == "tapemeter.providers.ollama"
