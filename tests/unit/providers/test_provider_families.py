"""What is peculiar to one protocol; what holds of all is in the contract."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tapemeter import providers
from tapemeter.model import Chunk, Ending, Headers, Quality, Request, Response, Usage
from tapemeter.providers.meter import Answered, Asked

JSON = (("content-type", "application/json"),)
EVENTS = (("content-type", "text/event-stream"),)
LOCAL = "http://127.0.0.1:8080"

GEMINI = Asked("gemini_generate", "generate_content", "gcp.gemini", "m", prompt_chars=41)
INVOKE = Asked("bedrock_invoke", "chat", "aws.bedrock", "m", prompt_chars=41)
EMBED = Asked("bedrock_embed", "embeddings", "aws.bedrock", "m", prompt_chars=41)
COHERE = Asked("cohere_chat", "chat", "cohere", "m", prompt_chars=41)
OLLAMA = Asked("ollama_chat", "chat", "ollama", "m", prompt_chars=41)
HUGGING_FACE = Asked("huggingface_generate", "text_completion", "huggingface", None, prompt_chars=41)
HEARD = Asked("openai_transcriptions", "transcription", "openai", "m")
SPEECH = Asked("openai_speech", "speech", "openai", "m", prompt_chars=41)


def answered(asked: Asked, value: object, headers: Headers = JSON, ending: Ending = Ending.COMPLETE) -> Answered:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return providers.answered(asked, Response(200, headers, (Chunk(0.1, body),), ending=ending), keeps_text=True)


def asked(path: str, body: dict[str, Any]) -> Asked:
    found = providers.ask(Request("POST", f"{LOCAL}{path}", JSON, json.dumps(body).encode()))
    assert found is not None
    return found


# Gemini


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"promptTokenCount": 9, "totalTokenCount": 9}, Usage(9, 0)),
        ({"promptTokenCount": 9, "thoughtsTokenCount": 7}, Usage(9, 7, reasoning_tokens=7)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 4, "toolUsePromptTokenCount": 20}, Usage(29, 4)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 4, "cachedContentTokenCount": 8}, Usage(9, 4, 8)),
        ({"candidatesTokenCount": 4}, Usage(11, 4, quality=Quality.ESTIMATED)),
    ],
)
def test_what_gemini_does_not_tell_of_its_output_is_none(usage: dict[str, int], expected: Usage) -> None:
    assert answered(GEMINI, {"candidates": [], "usageMetadata": usage}).usage == expected


def test_a_prompt_that_gemini_blocks_is_filtered_and_measured() -> None:
    found = answered(GEMINI, {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}})

    assert (found.error_type, found.finish_reasons, found.usage) == ("content_filter", ("SAFETY",), Usage(9, 0))


def test_a_list_of_geminis_that_is_cut_counts_what_came() -> None:
    came = {"candidates": [{"content": {"parts": [{"text": "Hello"}]}}], "usageMetadata": {"promptTokenCount": 9}}
    body = b"[" + json.dumps(came).encode() + b'\n,\n{"cand'

    found = answered(GEMINI, body, ending=Ending.BROKEN)

    assert (found.text, found.usage) == ("Hello", Usage(9, 2, quality=Quality.PARTIAL))


def test_arguments_that_gemini_streams_belong_to_one_call() -> None:
    def call(**given: Any) -> dict[str, Any]:
        return {"candidates": [{"content": {"parts": [{"functionCall": given}]}}]}

    found = answered(
        GEMINI,
        [
            call(name="f", willContinue=True),
            call(partialArgs=[{"jsonPath": "$.city", "stringValue": "Zü"}], willContinue=True),
            call(partialArgs=[{"jsonPath": "$.city", "stringValue": "rich"}, {"numberValue": 7}]),
        ],
    )

    assert (found.text, found.tool_calls) == ("fZürich7", 1)


def test_an_image_from_gemini_is_counted() -> None:
    parts = [{"text": "Here"}, {"inlineData": {"mimeType": "image/png", "data": "iVBO"}}]

    found = answered(GEMINI, {"candidates": [{"content": {"parts": parts}}]})

    assert (found.counts, found.usage.quality) == ((("images", 1),), Quality.UNKNOWN)


@pytest.mark.parametrize(
    ("part", "bound"),
    [
        ({"inline_data": {"mime_type": "image/png", "data": "AAAA"}}, 20_000),
        ({"inlineData": {"mimeType": "text/plain", "data": "AAAA"}}, 4),
        ({"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}, 1_048_576),
        ({"fileData": {"fileUri": "gs://a"}}, 1_048_576),
        ({"executableCode": {"language": "PYTHON", "code": "1+1"}}, 3),
        ({"codeExecutionResult": {"outcome": "OK", "output": "2"}}, 1),
        (
            {"functionResponse": {"name": "f", "response": {}, "parts": [{"inlineData": {"mimeType": "image/png"}}]}},
            20_017,
        ),
    ],
)
def test_the_bound_of_geminis_parts(part: dict[str, Any], bound: int) -> None:
    assert asked("/v1beta/models/g:generateContent", {"contents": [{"parts": [part]}]}).input_bound == 16 + bound


def test_gemini_is_asked_in_either_spelling() -> None:
    tool = {"name": "f", "parameters": {"a": 1}, "response": {"b": 2}}
    camel = {
        "contents": [{"parts": [{"text": "hi"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [{"functionDeclarations": [tool]}],
        "generationConfig": {"maxOutputTokens": 5, "responseJsonSchema": {"c": 3}},
    }
    snake = {
        "contents": camel["contents"],
        "system_instruction": camel["systemInstruction"],
        "tools": [{"function_declarations": [tool]}],
        "generation_config": {"max_output_tokens": 5, "response_json_schema": {"c": 3}},
    }

    assert asked("/models/g:generateContent", camel) == asked("/models/g:generateContent", snake)
    assert asked("/models/g:generateContent", camel).prompt_chars == len("hiBe brief.f") + 3 * 7


# Bedrock

TOLD = (
    *JSON,
    ("x-amzn-bedrock-input-token-count", "9"),
    ("x-amzn-bedrock-output-token-count", "4"),
    ("x-amzn-bedrock-cache-read-input-token-count", "5"),
)


def test_the_headers_of_bedrock_tell_what_the_body_does_not() -> None:
    assert answered(INVOKE, {"outputs": [{"text": "Hello"}]}, TOLD).usage == Usage(14, 4, cache_read_tokens=5)
    assert answered(EMBED, {"embeddings": [[0.25]]}, TOLD).usage == Usage(14, 0, cache_read_tokens=5)


def test_the_body_comes_before_the_headers_of_bedrock() -> None:
    message = {
        "type": "message",
        "content": [],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 2},
    }

    assert answered(INVOKE, message, TOLD).usage == Usage(7, 2)


@pytest.mark.parametrize("figure", ["", "x", "-1", "1.5", "9" * 5_000, "²"])
def test_a_header_of_bedrock_that_is_no_count_is_absent(figure: str) -> None:
    headers = (*JSON, ("x-amzn-bedrock-input-token-count", figure))

    assert answered(INVOKE, {"completion": "Hello you"}, headers).usage == Usage(11, 3, quality=Quality.ESTIMATED)


def test_the_last_event_of_bedrock_tells_what_the_others_did_not() -> None:
    metrics = {"inputTokenCount": 9, "outputTokenCount": 4, "cacheWriteInputTokenCount": 3}
    event = {"text": "Hello", "amazon-bedrock-invocationMetrics": metrics}

    found = answered(INVOKE, b"data: " + json.dumps(event).encode() + b"\n\n", EVENTS, Ending.ABANDONED)

    assert (found.text, found.usage) == ("Hello", Usage(12, 4, cache_write_tokens=3))


@pytest.mark.parametrize(
    ("block", "chars", "bound"),
    [
        ({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://a"}}}}, 0, 1_048_576),
        ({"guardContent": {"text": {"text": "hi"}}}, 2, 2),
        ({"guardContent": {"image": {"source": {}}}}, 0, 20_000),
        ({"reasoningContent": {"redactedContent": "AAAA"}}, 0, 4),
        ({"searchResult": {"source": "https://a", "title": "T", "content": [{"text": "hi"}]}}, 12, 12),
        ({"document": {"name": "n", "source": {"content": [{"text": "hi"}]}}}, 3, 3),
        ({"document": {"name": "n"}}, 1, 1 + 1_048_576),
    ],
)
def test_the_parts_of_a_conversation_with_bedrock(block: dict[str, Any], chars: int, bound: int) -> None:
    found = asked("/model/m/converse", {"messages": [{"role": "user", "content": [block]}]})

    assert (found.prompt_chars, found.input_bound) == (chars, 16 + bound)


def test_a_tool_of_amazons_own_has_its_bound() -> None:
    tools = [{"systemTool": {"name": "nova_grounding"}}, {"cachePoint": {"type": "default"}}]

    found = asked("/model/m/converse", {"messages": [], "toolConfig": {"tools": tools}})

    assert found.input_bound == 512 + 1024 + len("nova_grounding")


def test_what_bedrock_cites_is_text_of_its_answer() -> None:
    content = [{"citationsContent": {"content": [{"text": "Hello"}], "citations": [{"title": "T"}]}}]
    converse = Asked("bedrock_converse", "chat", "aws.bedrock", "m")

    assert answered(converse, {"output": {"message": {"content": content}}}).text == "Hello"


# Mistral, and pictures at Vertex


def test_a_moderation_that_tells_its_tokens_is_measured() -> None:
    asked_ = Asked("mistral_moderations", "moderation", "mistral_ai", "m")

    assert answered(asked_, {"results": [], "usage": {"prompt_tokens": 9}}).usage == Usage(9, 0)


def test_a_film_to_be_embedded_is_bounded_by_the_largest_context() -> None:
    url = "https://us-central1-aiplatform.googleapis.com/v1/publishers/google/models/multimodalembedding@001:predict"
    body = {"instances": [{"text": "hi", "video": {"gcsUri": "gs://a"}}]}

    found = providers.ask(Request("POST", url, JSON, json.dumps(body).encode()))

    assert found is not None
    assert (found.protocol, found.input_bound) == ("gemini_predict", 16 + 2 + 1_048_576)


# Cohere


def test_what_cohere_worked_on_counts_where_it_bills_nothing() -> None:
    tokens = {"tokens": {"input_tokens": 9, "output_tokens": 4}}

    assert answered(COHERE, {"id": "c", "message": {}, "usage": tokens}).usage == Usage(9, 4)


def test_an_error_at_the_end_of_coheres_stream_is_told() -> None:
    event = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "internal"}}

    found = answered(COHERE, b"data: " + json.dumps(event).encode() + b"\n\n", EVENTS)

    assert (found.error_type, found.finish_reasons) == ("server_error", ("ERROR",))


# Ollama


def test_an_answer_of_ollama_is_read_as_lines_whatever_its_type() -> None:
    lines = b'{"message":{"content":"Hello "}}\n{"message":{"content":"you"},"done":true,"eval_count":4}\n'

    for headers in ((), JSON, (("content-type", "application/x-ndjson"),), (("content-type", "text/plain"),)):
        found = answered(OLLAMA, lines, headers)
        assert (found.text, found.usage) == ("Hello you", Usage(11, 4, quality=Quality.ESTIMATED))


def test_an_error_of_ollama_in_the_midst_of_a_stream_is_told() -> None:
    found = answered(OLLAMA, b'{"message":{"content":"Hello"}}\n{"error":"the model runner has stopped"}\n')

    assert (found.error_type, found.usage) == ("server_error", Usage(11, 2, quality=Quality.PARTIAL))


# Hugging Face


def test_the_headers_of_hugging_face_tell_what_the_body_does_not() -> None:
    headers = (*JSON, ("x-prompt-tokens", "9"), ("x-generated-tokens", "4"))

    assert answered(HUGGING_FACE, {"generated_text": "Hello"}, headers).usage == Usage(9, 4)
    assert answered(HUGGING_FACE, [{"generated_text": "Hello"}], headers).usage == Usage(9, 4)
    assert answered(HUGGING_FACE, {"generated_text": "Hello"}).usage == Usage(11, 2, quality=Quality.ESTIMATED)


# Sound


@pytest.mark.parametrize("media", ["text/plain; charset=utf-8", "text/vtt"])
def test_a_transcription_may_be_nothing_but_its_text(media: str) -> None:
    body = "1\n00:00 --> 00:01\nGrüezi 🌞\n".encode()
    headers = (("content-type", media),)
    watch = providers.watch(HEARD, 200, headers)

    found = answered(HEARD, body, headers)

    assert (found.text, found.usage) == (body.decode(), Usage(quality=Quality.UNKNOWN))
    assert [watch.feed(body[place : place + 1]) for place in range(len(body))][-1] == len(body.decode())


def test_sound_is_not_read() -> None:
    sound = b'ID3\ndata: {"usage": {"input_tokens": 9, "output_tokens": 9}}\n\n'
    headers = (("content-type", "audio/mpeg"),)

    assert answered(SPEECH, sound, headers).usage == Usage(quality=Quality.UNKNOWN)
    assert providers.watch(SPEECH, 200, headers).feed(sound) == 0


@pytest.mark.parametrize(
    ("size", "bound"), [(0, 20_000), (320_000, 20_000), (1_600_000, 100_000), (30_000_000, 1_048_576)]
)
def test_a_recording_is_bounded_by_its_bytes(size: int, bound: int) -> None:
    prompt = providers.Prompt()

    prompt.recording(size)

    assert prompt.bound == bound


# Gateways


def test_a_gateway_tells_who_served_the_call() -> None:
    headers = (*JSON, ("x-litellm-model-group", "main"), ("x-litellm-model-group", "other"))

    found = answered(COHERE, {"id": "c"}, headers)

    assert (found.gateway_group, found.gateway_model) == ("main", None)


# Batches


def test_a_batch_names_a_model_only_if_its_requests_share_one() -> None:
    def batch(*models: str) -> Asked:
        requests = [{"params": {"model": model, "max_tokens": 5, "messages": []}} for model in models]
        return asked("/v1/messages/batches", {"requests": requests})

    assert (batch("a", "a").model, batch("a", "b").model) == ("a", None)
    assert (batch("a", "b").max_output_tokens, batch().max_output_tokens) == (10, None)
