"""A request and its answer in every wire protocol, with what is true of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import provider_samples_amazon as amazon
import provider_samples_google as google
import provider_samples_openai as openai
import provider_samples_others as others
from provider_forms import ARGUMENTS, SCHEMA, TOOL, TOOL_TEXTS, Sample, compact

from tapemeter.model import Usage


def chat_event(*choices: dict[str, Any], usage: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": "chatcmpl-7", "model": "gpt-small-2026", "choices": list(choices), "usage": usage}


def delta(index: int, reason: str | None = None, **said: Any) -> dict[str, Any]:
    return {"index": index, "delta": said, "finish_reason": reason}


CHAT_USAGE = {
    "prompt_tokens": 90,
    "completion_tokens": 40,
    "total_tokens": 130,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 8},
    "cost": 0.00125,
}

CHAT = Sample(
    path="/v1/chat/completions",
    body={
        "model": "gpt-small",
        "n": 2,
        "max_completion_tokens": 100,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "name": "anna", "content": [{"type": "text", "text": "Grüezi"}, {"type": "image_url"}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": ARGUMENTS}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "☀"},
        ],
        "tools": [{"type": "function", "function": TOOL}],
    },
    prompt=["Be brief.", "anna", "Grüezi", "weather", ARGUMENTS, "☀", *TOOL_TEXTS],
    surroundings=4 * 16 + 16 + 512 + 20_000,
    most=200,
    plain={
        "id": "chatcmpl-7",
        "model": "gpt-small-2026",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Sonnig 🌞", "reasoning_content": "Hm."},
                "finish_reason": "stop",
            },
            {
                "index": 1,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c2", "function": {"name": "weather", "arguments": ARGUMENTS}}],
                },
                "finish_reason": "tool_calls",
            },
        ],
        "usage": CHAT_USAGE,
    },
    events=[
        chat_event(delta(0, role="assistant", content="")),
        chat_event(delta(0, reasoning_content="Hm.")),
        chat_event(delta(1, tool_calls=[{"index": 0, "id": "c2", "function": {"name": "weather", "arguments": ""}}])),
        chat_event(delta(0, content="Sonnig ")),
        chat_event(delta(1, tool_calls=[{"index": 0, "function": {"arguments": ARGUMENTS[:7]}}])),
        chat_event(delta(1, tool_calls=[{"index": 0, "function": {"arguments": ARGUMENTS[7:]}}])),
        chat_event(delta(1, "tool_calls")),
        chat_event(delta(0, content="🌞")),
        chat_event(delta(0, "stop")),
        chat_event(usage=CHAT_USAGE),
    ],
    chars=len("Sonnig 🌞") + len("Hm.") + len("weather") + len(ARGUMENTS),
    usage=Usage(90, 40, cache_read_tokens=64, reasoning_tokens=8),
    answered={"model": "gpt-small-2026", "finish_reasons": ("stop", "tool_calls"), "tool_calls": 1},
)

RESPONSES_OUTPUT: list[dict[str, Any]] = [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Let me see"}]},
    {
        "type": "message",
        "content": [{"type": "output_text", "text": "Sonnig 🌞"}, {"type": "refusal", "refusal": "No"}],
    },
    {"type": "function_call", "name": "weather", "arguments": ARGUMENTS},
]
RESPONSES_ANSWER = {
    "id": "resp_7",
    "model": "gpt-small-2026",
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "output": RESPONSES_OUTPUT,
    "usage": {
        "input_tokens": 90,
        "input_tokens_details": {"cached_tokens": 64},
        "output_tokens": 40,
        "output_tokens_details": {"reasoning_tokens": 8},
        "total_tokens": 130,
    },
}

RESPONSES = Sample(
    path="/v1/responses",
    body={
        "model": "gpt-small",
        "instructions": "Be brief.",
        "max_output_tokens": 100,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Grüezi"}, {"type": "input_file"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"text": "Hm."}], "encrypted_content": "gAAA"},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": ARGUMENTS},
            {"type": "function_call_output", "call_id": "c1", "output": "☀"},
        ],
        "tools": [{"type": "function", **TOOL}, {"type": "web_search"}],
        "text": {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA}},
    },
    prompt=["Be brief.", "Grüezi", "Hm.", "weather", ARGUMENTS, "☀", *TOOL_TEXTS, "place", compact(SCHEMA)],
    surroundings=4 * 16 + 512 + 1024 + 20_000 + len("gAAA"),
    most=100,
    plain=RESPONSES_ANSWER,
    events=[
        {"type": "response.created", "response": {"id": "resp_7", "model": "gpt-small-2026", "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "Let me see"},
        {"type": "response.output_item.added", "output_index": 1, "item": {"type": "message", "content": []}},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "Sonnig "},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "🌞"},
        {"type": "response.output_text.done", "output_index": 1, "text": "Sonnig 🌞"},
        {"type": "response.refusal.delta", "output_index": 1, "delta": "No"},
        {
            "type": "response.output_item.added",
            "output_index": 2,
            "item": {"type": "function_call", "name": "weather", "arguments": ""},
        },
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": ARGUMENTS},
        {"type": "response.output_item.done", "output_index": 2, "item": RESPONSES_OUTPUT[2]},
        {"type": "response.completed", "response": RESPONSES_ANSWER},
    ],
    chars=len("Let me see") + len("Sonnig 🌞") + len("No") + len("weather") + len(ARGUMENTS),
    usage=Usage(90, 40, cache_read_tokens=64, reasoning_tokens=8),
    answered={"model": "gpt-small-2026", "finish_reasons": ("completed",), "tool_calls": 1},
)

COMPLETIONS = Sample(
    path="/v1/completions",
    body={"model": "old", "prompt": ["Grüezi", [1, 2, 3]], "suffix": "!", "max_tokens": 10, "n": 2, "best_of": 3},
    prompt=["Grüezi", "!"],
    surroundings=2 * 16 + 3,
    most=60,
    plain={
        "id": "cmpl-7",
        "model": "old-1",
        "choices": [{"index": 0, "text": "Sonnig 🌞", "finish_reason": "length"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
    },
    events=[
        {"id": "cmpl-7", "model": "old-1", "choices": [{"index": 0, "text": "Sonnig ", "finish_reason": None}]},
        {"id": "cmpl-7", "model": "old-1", "choices": [{"index": 0, "text": "🌞", "finish_reason": "length"}]},
        {"id": "cmpl-7", "model": "old-1", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}},
    ],
    chars=len("Sonnig 🌞"),
    usage=Usage(9, 4),
    answered={"model": "old-1", "finish_reasons": ("length",), "tool_calls": 0},
)

EMBEDDED = {
    "model": "embed-1",
    "data": [{"index": 0, "embedding": [0.25, -0.5]}],
    "usage": {"prompt_tokens": 9, "total_tokens": 9},
}

EMBEDDINGS = Sample(
    path="/v1/embeddings",
    body={"model": "embed", "input": ["Grüezi", "Salü"]},
    prompt=["Grüezi", "Salü"],
    surroundings=2 * 16,
    most=None,
    plain=EMBEDDED,
    events=[EMBEDDED],
    chars=0,
    usage=Usage(9, 0),
    answered={"model": "embed-1", "finish_reasons": (), "tool_calls": 0},
)

MESSAGES_BODY: dict[str, Any] = {
    "model": "claude-small",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Grüezi"}, {"type": "image", "source": {}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
                {"type": "redacted_thinking", "data": "EmwK"},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Zürich"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "☀"}]},
                {"type": "document", "title": "Notes", "source": {"type": "text", "data": "Föhn"}},
                {"type": "document", "source": {"type": "base64", "data": "JVBERi0="}},
            ],
        },
    ],
    "tools": [{"name": "weather", "description": TOOL["description"], "input_schema": SCHEMA}],
}
MESSAGES_PROMPT = ["Be brief.", "Grüezi", "Hm.", "weather", ARGUMENTS, "☀", "Notes", "Föhn", *TOOL_TEXTS]

MESSAGES = Sample(
    path="/v1/messages",
    body=MESSAGES_BODY,
    prompt=MESSAGES_PROMPT,
    surroundings=3 * 16 + 2 * 16 + 512 + 2 * 20_000 + len("EmwK"),
    most=100,
    plain={
        "id": "msg_7",
        "type": "message",
        "model": "claude-small-2026",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
            {"type": "text", "text": "Sonnig 🌞"},
            {"type": "tool_use", "id": "t2", "name": "weather", "input": {"city": "Zürich"}},
        ],
        "stop_reason": "tool_use",
        "usage": {
            "input_tokens": 6,
            "cache_creation_input_tokens": 20,
            "cache_read_input_tokens": 64,
            "output_tokens": 40,
        },
    },
    events=[
        {
            "type": "message_start",
            "message": {
                "id": "msg_7",
                "model": "claude-small-2026",
                "content": [],
                "usage": {
                    "input_tokens": 6,
                    "cache_creation_input_tokens": 20,
                    "cache_read_input_tokens": 64,
                    "output_tokens": 1,
                },
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "EqQB"}},
        {"type": "ping"},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Sonnig 🌞"}},
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "tool_use", "id": "t2", "name": "weather", "input": {}},
        },
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ""}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ARGUMENTS}},
        {"type": "content_block_stop", "index": 2},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 40, "input_tokens": None},
        },
        {"type": "message_stop"},
    ],
    chars=len("Hm.") + len("Sonnig 🌞") + len("weather") + len(ARGUMENTS),
    usage=Usage(90, 40, cache_read_tokens=64, cache_write_tokens=20),
    answered={"model": "claude-small-2026", "finish_reasons": ("tool_use",), "tool_calls": 1},
)

COUNT_TOKENS = Sample(
    path="/v1/messages/count_tokens",
    body=MESSAGES_BODY,
    prompt=MESSAGES_PROMPT,
    surroundings=-sum(len(text.encode()) for text in MESSAGES_PROMPT),
    most=None,
    plain={"input_tokens": 90},
    events=[{"input_tokens": 90}],
    chars=0,
    usage=Usage(),
    answered={"model": None, "finish_reasons": (), "tool_calls": 0},
)

BATCHES = Sample(
    path="/v1/messages/batches",
    body={"requests": [{"custom_id": name, "params": MESSAGES_BODY} for name in ("a", "b")]},
    model="claude-small",
    prompt=MESSAGES_PROMPT * 2,
    surroundings=2 * MESSAGES.surroundings,
    most=200,
    plain={"id": "msgbatch_7", "type": "message_batch", "processing_status": "in_progress"},
    events=[{"id": "msgbatch_7", "type": "message_batch", "processing_status": "in_progress"}],
    chars=0,
    usage=openai.UNKNOWN,
    answered={"model": None, "response_id": "msgbatch_7"},
    partial_chars=False,
)

PUBLISHED = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-small@20260101:"
WITHOUT_MODEL = {key: value for key, value in MESSAGES_BODY.items() if key != "model"}

SAMPLES = {
    "openai_chat": CHAT,
    "openai_responses": RESPONSES,
    "openai_completions": COMPLETIONS,
    "openai_embeddings": EMBEDDINGS,
    "openai_images": openai.IMAGES,
    "openai_speech": openai.SPEECH,
    "openai_transcriptions": openai.TRANSCRIPTIONS,
    "openai_translations": openai.TRANSLATIONS,
    "openai_moderations": openai.MODERATIONS,
    "anthropic_messages": MESSAGES,
    "anthropic_count_tokens": COUNT_TOKENS,
    "anthropic_batches": BATCHES,
    "gemini_generate": google.GENERATE,
    "gemini_count_tokens": google.COUNT_TOKENS,
    "gemini_embed": google.EMBED,
    "gemini_predict": google.PREDICT,
    "bedrock_converse": amazon.CONVERSE,
    "bedrock_invoke": amazon.INVOKE_ANTHROPIC,
    "bedrock_embed": amazon.EMBED,
    "bedrock_count_tokens": amazon.COUNT_TOKENS,
    "mistral_moderations": others.MODERATIONS,
    "mistral_ocr": openai.OCR,
    "cohere_chat": others.COHERE_CHAT,
    "cohere_embed": others.COHERE_EMBED,
    "cohere_rerank": others.COHERE_RERANK,
    "ollama_chat": others.OLLAMA_CHAT,
    "ollama_generate": others.OLLAMA_GENERATE,
    "ollama_embed": others.OLLAMA_EMBED,
    "huggingface_generate": others.HUGGING_FACE,
}
"""By protocol."""

VARIANTS = {
    "openai_chat agents": replace(CHAT, path="/v1/agents/completions"),
    "openai_chat Mistral at Vertex": replace(
        CHAT,
        path="/v1/projects/p/locations/l/publishers/mistralai/models/mistral-small:rawPredict",
        stream_path="/v1/projects/p/locations/l/publishers/mistralai/models/mistral-small:streamRawPredict",
        model="mistral-small",
    ),
    "openai_chat Azure": replace(
        CHAT,
        path="/openai/deployments/mine/chat/completions?api-version=1",
        body={key: value for key, value in CHAT.body.items() if key != "model"},
        model="mine",
    ),
    "openai_completions fill in the middle": others.FILL_IN,
    "openai_embeddings sum alone": replace(
        EMBEDDINGS, plain=EMBEDDED | {"usage": {"total_tokens": 9}}, events=[EMBEDDED | {"usage": {"total_tokens": 9}}]
    ),
    "openai_images edits": openai.IMAGES_WITHOUT_TOKENS,
    "openai_transcriptions Mistral": openai.TRANSCRIPTIONS_OF_MISTRAL,
    "anthropic_messages Vertex": replace(
        MESSAGES,
        path=f"{PUBLISHED}rawPredict",
        stream_path=f"{PUBLISHED}streamRawPredict",
        body=WITHOUT_MODEL,
        model="claude-small@20260101",
    ),
    "anthropic_count_tokens Vertex": replace(
        COUNT_TOKENS, path=PUBLISHED.replace("claude-small@20260101:", "count-tokens:rawPredict")
    ),
    "gemini_generate events": google.GENERATE_AS_EVENTS,
    "gemini_generate Vertex": google.GENERATE_AT_VERTEX,
    "bedrock_invoke Nova": amazon.INVOKE_NOVA,
    "bedrock_invoke Titan": amazon.INVOKE_TITAN,
    "bedrock_invoke Llama": amazon.INVOKE_LLAMA,
    "bedrock_invoke another": amazon.INVOKE_ANOTHER,
    "cohere_rerank tokens": others.RERANK_BY_TOKENS,
    "huggingface_generate root": replace(others.HUGGING_FACE, path="/", stream_path=""),
    "ollama_embed legacy": others.OLLAMA_EMBED_LEGACY,
}
"""More of some protocols, whose name is the first word."""

EVERY = SAMPLES | VARIANTS
