"""Samples of Bedrock's protocols."""

from __future__ import annotations

from typing import Any

from provider_forms import ARGUMENTS, CITY, SCHEMA, TOOL_TEXTS, Sample, compact

from tapemeter.model import Usage

ARN = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.small-v1:0"
ESCAPED = "arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Feu.small-v1%3A0"

SPENT = {
    "inputTokens": 6,
    "outputTokens": 40,
    "totalTokens": 130,
    "cacheReadInputTokens": 64,
    "cacheWriteInputTokens": 20,
}

CONVERSE = Sample(
    path=f"/model/{ESCAPED}/converse",
    stream_path=f"/model/{ESCAPED}/converse-stream",
    model=ARN,
    provider="aws.bedrock",
    framing="frames",
    body={
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "Grüezi"},
                    {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
                    {"document": {"format": "pdf", "name": "Notes", "source": {"bytes": "JVBERi0="}}},
                    {"document": {"format": "txt", "name": "Wind", "source": {"text": "Föhn"}}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "EqQB"}}},
                    {"toolUse": {"toolUseId": "t1", "name": "weather", "input": CITY}},
                ],
            },
            {
                "role": "user",
                "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "☀"}, {"json": {"c": 20}}]}}],
            },
        ],
        "inferenceConfig": {"maxTokens": 100, "temperature": 0},
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "weather", "description": TOOL_TEXTS[1], "inputSchema": {"json": SCHEMA}}},
                {"cachePoint": {"type": "default"}},
            ]
        },
        "outputConfig": {
            "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "s", "schema": compact(SCHEMA)}}}
        },
    },
    prompt=[
        *("Be brief.", "Grüezi", "Notes", "Wind", "Föhn", "Hm.", "weather", ARGUMENTS, "☀", '{"c":20}'),
        *(*TOOL_TEXTS, "s", compact(SCHEMA)),
    ],
    surroundings=3 * 16 + 2 * 16 + 512 + 20_000 + 1_048_576 + len("EqQB"),
    most=100,
    plain={
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "EqQB"}}},
                    {"text": "Sonnig 🌞"},
                    {"toolUse": {"toolUseId": "t2", "name": "weather", "input": CITY}},
                ],
            }
        },
        "stopReason": "tool_use",
        "usage": SPENT,
        "metrics": {"latencyMs": 7},
    },
    events=[
        {"messageStart": {"role": "assistant", "p": "abc"}},
        {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "Hm."}}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"reasoningContent": {"signature": "EqQB"}}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"text": "Sonnig "}, "contentBlockIndex": 1}},
        {"contentBlockDelta": {"delta": {"text": "🌞"}, "contentBlockIndex": 1}},
        {"contentBlockStop": {"contentBlockIndex": 1}},
        {
            "contentBlockStart": {
                "start": {"toolUse": {"toolUseId": "t2", "name": "weather"}},
                "contentBlockIndex": 2,
            }
        },
        {"contentBlockDelta": {"delta": {"toolUse": {"input": ARGUMENTS[:5]}}, "contentBlockIndex": 2}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": ARGUMENTS[5:]}}, "contentBlockIndex": 2}},
        {"contentBlockStop": {"contentBlockIndex": 2}},
        {"messageStop": {"stopReason": "tool_use"}},
        {"metadata": {"usage": SPENT, "metrics": {"latencyMs": 7}}},
    ],
    chars=len("Hm.") + len("Sonnig 🌞") + len("weather") + len(ARGUMENTS),
    usage=Usage(90, 40, cache_read_tokens=64, cache_write_tokens=20),
    answered={"finish_reasons": ("tool_use",), "tool_calls": 1},
)


def invoke(model: str, **more: Any) -> Sample:
    return Sample(
        path=f"/model/{model}/invoke",
        stream_path=f"/model/{model}/invoke-with-response-stream",
        model=model,
        provider="aws.bedrock",
        framing="chunks",
        **more,
    )


METRICS = {"inputTokenCount": 9, "outputTokenCount": 4, "invocationLatency": 7, "firstByteLatency": 3}

INVOKE_ANTHROPIC = invoke(
    "anthropic.small-v1:0",
    body={
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Grüezi"}],
    },
    prompt=["Grüezi"],
    surroundings=16,
    most=100,
    plain={
        "id": "msg_7",
        "type": "message",
        "model": "claude-small",
        "content": [{"type": "text", "text": "Sonnig 🌞"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 9, "output_tokens": 4},
    },
    events=[
        {
            "type": "message_start",
            "message": {"id": "msg_7", "model": "claude-small", "usage": {"input_tokens": 9, "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Sonnig 🌞"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS},
    ],
    chars=len("Sonnig 🌞"),
    usage=Usage(9, 4),
    answered={"model": "claude-small", "response_id": "msg_7", "finish_reasons": ("end_turn",)},
)

INVOKE_NOVA = invoke(
    "amazon.nova-small-v1:0",
    body={
        "schemaVersion": "messages-v1",
        "system": [{"text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"text": "Grüezi"}]}],
        "inferenceConfig": {"max_new_tokens": 100},
    },
    prompt=["Be brief.", "Grüezi"],
    surroundings=16,
    most=100,
    plain={
        "output": {"message": {"role": "assistant", "content": [{"text": "Sonnig 🌞"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13, "cacheReadInputTokenCount": 5},
    },
    events=[
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Sonnig "}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"text": "🌞"}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {
            "metadata": {"usage": {"inputTokens": 9, "outputTokens": 4, "cacheReadInputTokenCount": 5}},
            "amazon-bedrock-invocationMetrics": METRICS,
        },
    ],
    chars=len("Sonnig 🌞"),
    usage=Usage(14, 4, cache_read_tokens=5),
    answered={"finish_reasons": ("end_turn",)},
)

INVOKE_TITAN = invoke(
    "amazon.titan-text-small-v1",
    body={"inputText": "Grüezi", "textGenerationConfig": {"maxTokenCount": 100}},
    prompt=["Grüezi"],
    surroundings=16,
    most=100,
    plain={
        "inputTextTokenCount": 9,
        "results": [{"tokenCount": 4, "outputText": "Sonnig 🌞", "completionReason": "FINISH"}],
    },
    events=[
        {
            "outputText": "Sonnig ",
            "index": 0,
            "totalOutputTextTokenCount": None,
            "completionReason": None,
            "inputTextTokenCount": 9,
        },
        {
            "outputText": "🌞",
            "index": 0,
            "totalOutputTextTokenCount": 4,
            "completionReason": "FINISH",
            "inputTextTokenCount": 9,
            "amazon-bedrock-invocationMetrics": METRICS,
        },
    ],
    chars=len("Sonnig 🌞"),
    usage=Usage(9, 4),
    answered={"finish_reasons": ("FINISH",)},
)

INVOKE_LLAMA = invoke(
    "meta.llama-small-v1:0",
    body={"prompt": "Grüezi", "max_gen_len": 100, "images": ["iVBO"]},
    prompt=["Grüezi"],
    surroundings=16 + 20_000,
    most=100,
    plain={
        "generation": "Sonnig 🌞",
        "prompt_token_count": 9,
        "generation_token_count": 4,
        "stop_reason": "stop",
    },
    events=[
        {"generation": "Sonnig ", "prompt_token_count": 9, "generation_token_count": 1, "stop_reason": None},
        {"generation": "🌞", "prompt_token_count": None, "generation_token_count": 3, "stop_reason": None},
        {
            "generation": "",
            "prompt_token_count": None,
            "generation_token_count": 4,
            "stop_reason": "stop",
            "amazon-bedrock-invocationMetrics": METRICS,
        },
    ],
    chars=len("Sonnig 🌞"),
    usage=Usage(9, 4),
    answered={"finish_reasons": ("stop",)},
)

OTHER_BODY = {"messages": [{"role": "user", "content": "Grüezi"}], "max_tokens": 100}
OTHER_ANSWER = {"content": "Sonnig 🌞", "amazon-bedrock-invocationMetrics": METRICS}

INVOKE_ANOTHER = invoke(
    "another.small-v1:0",
    body=OTHER_BODY,
    prompt=["user", "Grüezi"],
    surroundings=16 + len(compact(OTHER_BODY).encode()) - len("userGrüezi".encode()),
    most=100,
    plain=OTHER_ANSWER,
    events=[{"content": "Sonnig "}, {"content": "🌞", "amazon-bedrock-invocationMetrics": METRICS}],
    chars=len("Sonnig 🌞"),
    usage=Usage(9, 4),
)

TITAN_EMBEDDED = {"embedding": [0.25], "inputTextTokenCount": 9}

EMBED = Sample(
    path="/model/amazon.titan-embed-text-v2:0/invoke",
    body={"inputText": "Grüezi"},
    model="amazon.titan-embed-text-v2:0",
    provider="aws.bedrock",
    prompt=["Grüezi"],
    surroundings=16 + len("{}"),
    most=None,
    plain=TITAN_EMBEDDED,
    events=[TITAN_EMBEDDED],
    chars=0,
    usage=Usage(9, 0),
)

COUNT_TOKENS = Sample(
    path="/model/anthropic.small-v1:0/count-tokens",
    body={"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "Grüezi"}]}]}}},
    model="anthropic.small-v1:0",
    provider="aws.bedrock",
    prompt=["Grüezi"],
    surroundings=-len("Grüezi".encode()),
    most=0,
    plain={"inputTokens": 9},
    events=[{"inputTokens": 9}],
    chars=0,
    usage=Usage(),
)
