"""Samples of Cohere's, Ollama's, Hugging Face's and Mistral's protocols."""

from __future__ import annotations

from typing import Any

from provider_forms import ARGUMENTS, CITY, SCHEMA, TOOL, TOOL_TEXTS, Sample, compact

from tapemeter.model import Quality, Usage

BILLED = {
    "billed_units": {"input_tokens": 30, "output_tokens": 40},
    "tokens": {"input_tokens": 90.0, "output_tokens": 44.0},
    "cached_tokens": 20,
}
CALLED = {"id": "weather_1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}


def delta(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    event: dict[str, Any] = {"type": kind, "delta": {"message": message}}
    return event if index is None else event | {"index": index}


COHERE_CHAT = Sample(
    path="/v2/chat",
    body={
        "model": "command-small",
        "max_tokens": 100,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Grüezi"}, {"type": "image_url"}]},
            {"role": "assistant", "tool_plan": "Look.", "tool_calls": [CALLED]},
            {
                "role": "tool",
                "tool_call_id": "weather_1",
                "content": [{"type": "document", "document": {"data": "☀"}}],
            },
        ],
        "documents": ["Föhn", {"data": {"title": "Chur"}}],
        "tools": [{"type": "function", "function": TOOL}],
        "response_format": {"type": "json_object", "json_schema": SCHEMA},
    },
    prompt=[
        *("Be brief.", "Grüezi", "Look.", "weather", ARGUMENTS, '{"data":"☀"}', "Föhn", '{"data":{"title":"Chur"}}'),
        *(*TOOL_TEXTS, compact(SCHEMA)),
    ],
    surroundings=4 * 16 + 16 + 3 * 16 + 512 + 20_000,
    most=100,
    plain={
        "id": "c7",
        "finish_reason": "TOOL_CALL",
        "message": {
            "role": "assistant",
            "tool_plan": "Look.",
            "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Sonnig 🌞"}],
            "tool_calls": [CALLED],
        },
        "usage": BILLED,
    },
    events=[
        {"id": "c7", **delta("message-start", role="assistant", content=[], tool_plan="", tool_calls=[])},
        delta("tool-plan-delta", tool_plan="Look."),
        delta("content-start", 0, content={"type": "thinking", "thinking": ""}),
        delta("content-delta", 0, content={"thinking": "Hm."}),
        {"type": "content-end", "index": 0},
        delta("content-start", 1, content={"type": "text", "text": ""}),
        delta("content-delta", 1, content={"text": "Sonnig "}),
        delta("content-delta", 1, content={"text": "🌞"}),
        {"type": "content-end", "index": 1},
        delta("tool-call-start", 0, tool_calls=CALLED | {"function": {"name": "weather", "arguments": ""}}),
        delta("tool-call-delta", 0, tool_calls={"function": {"arguments": ARGUMENTS[:4]}}),
        delta("tool-call-delta", 0, tool_calls={"function": {"arguments": ARGUMENTS[4:]}}),
        {"type": "tool-call-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": BILLED}},
    ],
    chars=len("Look.") + len("Hm.") + len("Sonnig 🌞") + len("weather") + len(ARGUMENTS),
    usage=Usage(30, 40, cache_read_tokens=20),
    answered={"response_id": "c7", "finish_reasons": ("TOOL_CALL",), "tool_calls": 1},
)

EMBEDDED = {"id": "e7", "embeddings": {"float": [[0.25]]}, "meta": {"billed_units": {"input_tokens": 9}}}

COHERE_EMBED = Sample(
    path="/v2/embed",
    body={
        "model": "embed-small",
        "texts": ["Grüezi"],
        "images": ["data:image/png;base64,iVBO"],
        "inputs": [{"content": [{"type": "text", "text": "Salü"}]}],
    },
    prompt=["Grüezi", "Salü"],
    surroundings=2 * 16 + 20_000,
    most=None,
    plain=EMBEDDED,
    events=[EMBEDDED],
    chars=0,
    usage=Usage(9, 0),
    answered={"response_id": "e7"},
)

RANKED = {"id": "r7", "results": [{"index": 0, "relevance_score": 0.5}]}
SEARCHED = RANKED | {"meta": {"billed_units": {"search_units": 1}}}
RERANK_BODY = {"model": "rerank-small", "query": "Où ?", "documents": ["Grüezi", {"text": "Salü"}]}

COHERE_RERANK = Sample(
    path="/v2/rerank",
    body=RERANK_BODY,
    prompt=["Où ?", "Grüezi", '{"text":"Salü"}'],
    surroundings=2 * 16 + len("Où ?".encode()),
    most=0,
    plain=SEARCHED,
    events=[SEARCHED],
    chars=0,
    usage=Usage(quality=Quality.UNKNOWN),
    answered={"counts": (("search_units", 1),)},
    partial_chars=False,
)

COUNTED = RANKED | {"model": "rerank-1", "usage": {"total_tokens": 9}}

RERANK_BY_TOKENS = Sample(
    path="/v1/rerank",
    body=RERANK_BODY,
    prompt=["Où ?", "Grüezi", '{"text":"Salü"}'],
    surroundings=2 * 16 + len("Où ?".encode()),
    most=0,
    plain=COUNTED,
    events=[COUNTED],
    chars=0,
    usage=Usage(9, 0),
    answered={"model": "rerank-1"},
)

FIGURES = {"done": True, "done_reason": "stop", "total_duration": 7, "prompt_eval_count": 90, "eval_count": 40}


def line(*, done: bool = False, **said: Any) -> dict[str, Any]:
    return {
        "model": "llama-small",
        "created_at": "2026-01-01T00:00:00Z",
        **said,
        **(FIGURES if done else {"done": False}),
    }


OLLAMA_CALL = {"function": {"name": "weather", "arguments": CITY}}

OLLAMA_CHAT = Sample(
    path="/api/chat",
    framing="lines",
    body={
        "model": "llama-small",
        "stream": False,
        "messages": [
            {"role": "user", "content": "Grüezi", "images": ["iVBO"]},
            {"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [OLLAMA_CALL]},
            {"role": "tool", "tool_name": "weather", "content": "☀"},
        ],
        "tools": [{"type": "function", "function": TOOL}],
        "format": SCHEMA,
        "options": {"num_predict": 100, "temperature": 0},
    },
    prompt=["Grüezi", "Hm.", "weather", ARGUMENTS, "weather", "☀", *TOOL_TEXTS, compact(SCHEMA)],
    surroundings=3 * 16 + 16 + 512 + 20_000,
    most=100,
    plain=line(
        done=True,
        message={"role": "assistant", "content": "Sonnig 🌞", "thinking": "Hm.", "tool_calls": [OLLAMA_CALL]},
    ),
    events=[
        line(message={"role": "assistant", "content": "", "thinking": "Hm."}),
        line(message={"role": "assistant", "content": "Sonnig "}),
        line(message={"role": "assistant", "content": "🌞"}),
        line(message={"role": "assistant", "content": "", "tool_calls": [OLLAMA_CALL]}),
        line(done=True, message={"role": "assistant", "content": ""}),
    ],
    chars=len("Hm.") + len("Sonnig 🌞") + len("weather") + len(ARGUMENTS),
    usage=Usage(90, 40),
    answered={"model": "llama-small", "finish_reasons": ("stop",), "tool_calls": 1},
)

OLLAMA_GENERATE = Sample(
    path="/api/generate",
    framing="lines",
    body={
        "model": "llama-small",
        "stream": False,
        "prompt": "Grüezi",
        "suffix": "!",
        "system": "Be brief.",
        "images": ["iVBO"],
        "context": [1, 2, 3],
        "format": "json",
        "options": {"num_predict": -1},
    },
    prompt=["Be brief.", "Grüezi", "!"],
    surroundings=16 + 20_000 + 16 + 3,
    most=None,
    plain=line(done=True, response="Sonnig 🌞", thinking="Hm.", context=[1, 2, 3, 4]),
    events=[
        line(response="", thinking="Hm."),
        line(response="Sonnig "),
        line(response="🌞"),
        line(done=True, response="", context=[1, 2, 3, 4]),
    ],
    chars=len("Hm.") + len("Sonnig 🌞"),
    usage=Usage(90, 40),
    answered={"model": "llama-small", "finish_reasons": ("stop",), "tool_calls": 0},
)

OLLAMA_EMBEDDED = {"model": "embed-small", "embeddings": [[0.25]], "total_duration": 7, "prompt_eval_count": 9}

OLLAMA_EMBED = Sample(
    path="/api/embed",
    body={"model": "embed-small", "input": ["Grüezi", "Salü"]},
    prompt=["Grüezi", "Salü"],
    surroundings=2 * 16,
    most=None,
    plain=OLLAMA_EMBEDDED,
    events=[OLLAMA_EMBEDDED],
    chars=0,
    usage=Usage(9, 0),
    answered={"model": "embed-small"},
)

OLLAMA_EMBED_LEGACY = Sample(
    path="/api/embeddings",
    body={"model": "embed-small", "prompt": "Grüezi"},
    prompt=["Grüezi"],
    surroundings=16,
    most=None,
    plain={"embedding": [0.25]},
    events=[{"embedding": [0.25]}],
    chars=0,
    usage=Usage(2, 0, quality=Quality.ESTIMATED),
)

DETAILS = {"finish_reason": "eos_token", "generated_tokens": 4, "seed": None}


def token(text: str, *, special: bool = False, **more: Any) -> dict[str, Any]:
    said = {"id": 7, "text": text, "logprob": -0.5, "special": special}
    return {"index": 1, "token": said, "generated_text": None, "details": None, **more}


HUGGING_FACE = Sample(
    path="/generate",
    stream_path="/generate_stream",
    body={
        "inputs": "Grüezi ![](https://a/b.png)",
        "parameters": {
            "max_new_tokens": 50,
            "best_of": 2,
            "details": True,
            "grammar": {"type": "json", "value": SCHEMA},
        },
    },
    prompt=["Grüezi ![](https://a/b.png)", compact(SCHEMA)],
    surroundings=16 + 20_000,
    most=100,
    plain={"generated_text": "Sonnig 🌞", "details": DETAILS | {"prefill": [{"id": 1}] * 9, "tokens": []}},
    events=[
        token("Sonnig "),
        token("🌞"),
        token("</s>", special=True, generated_text="Sonnig 🌞", details=DETAILS | {"input_length": 9}),
    ],
    chars=len("Sonnig 🌞"),
    usage=Usage(9, 4),
    answered={"finish_reasons": ("eos_token",)},
)

FILL_IN = Sample(
    path="/v1/fim/completions",
    body={"model": "code-small", "prompt": "def é(", "suffix": "return", "max_tokens": 10},
    prompt=["def é(", "return"],
    surroundings=16,
    most=10,
    plain={
        "id": "f7",
        "model": "code-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x):"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
    },
    events=[
        {
            "id": "f7",
            "model": "code-1",
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": "x"}, "finish_reason": None}],
        },
        {
            "id": "f7",
            "model": "code-1",
            "choices": [{"index": 0, "delta": {"content": "):"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
        },
    ],
    chars=3,
    usage=Usage(9, 4),
    answered={"model": "code-1", "finish_reasons": ("stop",)},
)

JUDGED = {"id": "m7", "model": "moderation-1", "results": [{"categories": {}}]}

MODERATIONS = Sample(
    path="/v1/chat/moderations",
    origin="https://api.mistral.ai",
    provider="mistral_ai",
    body={
        "model": "moderation",
        "input": [[{"role": "user", "content": "Grüezi"}], {"role": "user", "content": "Salü"}],
    },
    prompt=["Grüezi", "Salü"],
    surroundings=2 * 16,
    most=0,
    plain=JUDGED,
    events=[JUDGED],
    chars=0,
    usage=Usage(3, 0, quality=Quality.ESTIMATED),
    answered={"model": "moderation-1"},
)
