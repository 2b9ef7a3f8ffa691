"""Samples of Gemini's protocol, and of Anthropic's at Google's address."""

from __future__ import annotations

from typing import Any

from provider_forms import ARGUMENTS, CITY, SCHEMA, TOOL, TOOL_TEXTS, Sample, compact

from tapemeter.model import Usage

BODY: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {
            "role": "user",
            "parts": [{"text": "Grüezi"}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}],
        },
        {
            "role": "model",
            "parts": [
                {"text": "Hm.", "thought": True},
                {"functionCall": {"name": "weather", "args": CITY}, "thoughtSignature": "CpsB"},
            ],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"sky": "☀"}}}]},
        {"role": "user", "parts": [{"file_data": {"mime_type": "video/mp4", "file_uri": "gs://a/b"}}]},
    ],
    "tools": [{"functionDeclarations": [TOOL]}, {"googleSearch": {}}],
    "generationConfig": {"maxOutputTokens": 50, "candidateCount": 2, "responseSchema": SCHEMA},
}
PROMPT = ["Be brief.", "Grüezi", "Hm.", "weather", ARGUMENTS, "weather", '{"sky":"☀"}', *TOOL_TEXTS, compact(SCHEMA)]


def piece(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, **more.pop("candidate", {})}
    return {"candidates": [candidate], "modelVersion": "gemini-small-001", "responseId": "r7", **more}


SPENT = {
    "promptTokenCount": 80,
    "toolUsePromptTokenCount": 10,
    "cachedContentTokenCount": 64,
    "candidatesTokenCount": 32,
    "thoughtsTokenCount": 8,
    "totalTokenCount": 130,
}
CALL = {"functionCall": {"name": "weather", "args": CITY}}
EVENTS = [
    piece({"text": "Hm.", "thought": True}, usageMetadata={"promptTokenCount": 80, "thoughtsTokenCount": 8}),
    piece({"text": "Sonnig "}, usageMetadata=SPENT | {"candidatesTokenCount": 3, "totalTokenCount": 101}),
    piece({"text": "🌞"}),
    piece(CALL, candidate={"finishReason": "STOP", "index": 0}, usageMetadata=SPENT),
]


def generate(path: str, model: str, framing: str, **more: Any) -> Sample:
    return Sample(
        path=path.format("generateContent"),
        stream_path=path.format("streamGenerateContent"),
        body=BODY,
        model=model,
        framing=framing,
        prompt=PROMPT,
        surroundings=5 * 16 + 2 * 16 + 512 + 1024 + 20_000 + 1_048_576 + len("CpsB"),
        most=100,
        plain=piece(
            {"text": "Hm.", "thought": True},
            {"text": "Sonnig 🌞"},
            CALL,
            candidate={"finishReason": "STOP"},
            usageMetadata=SPENT,
        ),
        events=EVENTS,
        chars=len("Hm.") + len("Sonnig 🌞") + len("weather") + len(ARGUMENTS),
        usage=Usage(90, 40, cache_read_tokens=64, reasoning_tokens=8),
        answered={
            "model": "gemini-small-001",
            "response_id": "r7",
            "finish_reasons": ("STOP",),
            "tool_calls": 1,
        },
        provider="gcp.gemini",
        **more,
    )


GENERATE = generate("/v1beta/models/gemini-small:{}", "gemini-small", "list")
GENERATE_AS_EVENTS = generate("/v1beta/models/gemini-small:{}", "gemini-small", "events")
GENERATE_AT_VERTEX = generate(
    "/v1/projects/p/locations/l/publishers/google/models/gemini-small%40001:{}", "gemini-small@001", "list"
)

COUNT_TOKENS = Sample(
    path="/v1beta/models/gemini-small:countTokens",
    body={"contents": [{"parts": [{"text": "Grüezi"}]}]},
    model="gemini-small",
    provider="gcp.gemini",
    prompt=["Grüezi"],
    surroundings=-len("Grüezi".encode()),
    most=0,
    plain={"totalTokens": 9},
    events=[{"totalTokens": 9}],
    chars=0,
    usage=Usage(),
)

EMBEDDED = {"embeddings": [{"values": [0.25]}, {"values": [0.5]}], "usageMetadata": {"promptTokenCount": 9}}

EMBED = Sample(
    path="/v1beta/models/gemini-embed:batchEmbedContents",
    body={
        "requests": [
            {"model": "models/gemini-embed", "content": {"parts": [{"text": "Grüezi"}]}, "title": "Gruss"},
            {"model": "models/gemini-embed", "content": {"parts": [{"text": "Salü"}]}},
        ]
    },
    model="gemini-embed",
    provider="gcp.gemini",
    prompt=["Grüezi", "Gruss", "Salü"],
    surroundings=2 * 16,
    most=None,
    plain=EMBEDDED,
    events=[EMBEDDED],
    chars=0,
    usage=Usage(9, 0),
)

PREDICTED = {
    "predictions": [
        {"embeddings": {"values": [0.25], "statistics": {"token_count": 5, "truncated": False}}},
        {"embeddings": {"values": [0.5], "statistics": {"token_count": 4.0, "truncated": False}}},
    ]
}

PREDICT = Sample(
    path="/v1/projects/p/locations/l/publishers/google/models/text-embedding-small:predict",
    body={"instances": [{"content": "Grüezi", "title": "Gruss"}, {"content": "Salü"}]},
    origin="https://europe-west1-aiplatform.googleapis.com",
    model="text-embedding-small",
    provider="gcp.vertex_ai",
    prompt=["Grüezi", "Gruss", "Salü"],
    surroundings=2 * 16,
    most=None,
    plain=PREDICTED,
    events=[PREDICTED],
    chars=0,
    usage=Usage(9, 0),
)
