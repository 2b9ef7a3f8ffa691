"""Which requests are of which wire protocol, as a table.

The rows of a path are found by its last segment, or what follows a colon in it, so that it does not matter how many
protocols there are.
"""

from __future__ import annotations

from tapemeter.values import Value


class Row(Value):
    """Which requests are of a protocol: those whose path ends so, or fits the patterns if there are any.

    A group `model` of the pattern is the model. `tells` says that no other request looks so, whatever its host and
    body; a row that does not tell counts for what is known to be a model call. `streams` says that the answer is a
    stream whatever the body says.
    """

    name: str
    ends: str = ""
    path: str | None = None
    host: str | None = None
    tells: bool = True
    streams: bool = False


_GOOGLE = r"/(?:models|tunedModels|endpoints)/(?P<model>[^/:]+):\w+$"
_ANTHROPIC_AT_GOOGLE = r"/publishers/anthropic/models/(?P<model>[^/:]+):\w+$"
_MISTRAL_AT_GOOGLE = r"/publishers/mistralai/models/(?P<model>[^/:]+):\w+$"
_BEDROCK = r"(?:^|/)model/(?P<model>[^/]+)/[\w-]+$"
_BEDROCK_EMBED = r"(?:^|/)model/(?P<model>[^/]*embed[^/]*)/[\w-]+$"
_MISTRAL_HOST = r"(^|\.)mistral\.ai$"


def _row(name: str, path: str, *, host: str | None = None, tells: bool = True, streams: bool = False) -> Row:
    return Row(name, path=path, host=host, tells=tells, streams=streams)


ROWS: dict[str, tuple[Row, ...]] = {
    "completions": (
        Row("openai_chat", "/chat/completions"),
        Row("openai_chat", "/agents/completions"),
        Row("openai_completions", "/completions"),
    ),
    "responses": (Row("openai_responses", "/responses"),),
    "messages": (Row("anthropic_messages", "/v1/messages"),),
    "count_tokens": (Row("anthropic_count_tokens", "/v1/messages/count_tokens"),),
    "batches": (Row("anthropic_batches", "/v1/messages/batches"),),
    "embeddings": (Row("ollama_embed", "/api/embeddings"), Row("openai_embeddings", "/embeddings")),
    "generations": (Row("openai_images", "/images/generations"),),
    "edits": (Row("openai_images", "/images/edits"),),
    "variations": (Row("openai_images", "/images/variations"),),
    "speech": (Row("openai_speech", "/audio/speech"),),
    "transcriptions": (Row("openai_transcriptions", "/audio/transcriptions"),),
    "translations": (Row("openai_translations", "/audio/translations"),),
    "moderations": (
        _row("mistral_moderations", "/moderations$", host=_MISTRAL_HOST, tells=False),
        Row("openai_moderations", "/moderations"),
    ),
    "classifications": (_row("mistral_moderations", "/classifications$", host=_MISTRAL_HOST, tells=False),),
    "ocr": (Row("mistral_ocr", "/v1/ocr", tells=False),),
    ":generateContent": (_row("gemini_generate", _GOOGLE),),
    ":streamGenerateContent": (_row("gemini_generate", _GOOGLE, streams=True),),
    ":countTokens": (_row("gemini_count_tokens", _GOOGLE),),
    ":embedContent": (_row("gemini_embed", _GOOGLE),),
    ":batchEmbedContents": (_row("gemini_embed", _GOOGLE),),
    ":predict": (_row("gemini_predict", r"/models/(?P<model>[^/:]*embedding[^/:]*):predict$", tells=False),),
    ":rawPredict": (
        _row("anthropic_count_tokens", r"/publishers/anthropic/models/count-tokens(@[^/:]*)?:rawPredict$"),
        _row("anthropic_messages", _ANTHROPIC_AT_GOOGLE),
        _row("openai_chat", _MISTRAL_AT_GOOGLE),
    ),
    ":streamRawPredict": (
        _row("anthropic_messages", _ANTHROPIC_AT_GOOGLE, streams=True),
        _row("openai_chat", _MISTRAL_AT_GOOGLE, streams=True),
    ),
    "converse": (_row("bedrock_converse", _BEDROCK),),
    "converse-stream": (_row("bedrock_converse", _BEDROCK, streams=True),),
    "invoke": (_row("bedrock_embed", _BEDROCK_EMBED), _row("bedrock_invoke", _BEDROCK)),
    "invoke-with-response-stream": (_row("bedrock_invoke", _BEDROCK, streams=True),),
    "count-tokens": (_row("bedrock_count_tokens", _BEDROCK),),
    "chat": (Row("ollama_chat", "/api/chat"), Row("cohere_chat", "/v2/chat", tells=False)),
    "embed": (
        Row("ollama_embed", "/api/embed"),
        Row("cohere_embed", "/v2/embed"),
        Row("cohere_embed", "/v1/embed", tells=False),
    ),
    "rerank": (Row("cohere_rerank", "/rerank", tells=False),),
    "generate": (
        Row("ollama_generate", "/api/generate"),
        Row("huggingface_generate", "/generate", tells=False),
    ),
    "generate_stream": (Row("huggingface_generate", "/generate_stream", tells=False, streams=True),),
    "": (_row("huggingface_generate", "^/$", tells=False),),
}
"""Tried in order, by the last segment of a path, or by what follows its colon."""
