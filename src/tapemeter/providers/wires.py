"""Every wire protocol that there is a parser for, by its requests and by its name.

What is rare is imported when a request or an answer of it comes along.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from tapemeter.providers import own
from tapemeter.providers.anthropic_messages import COUNT_TOKENS, MESSAGES
from tapemeter.providers.openai_chat import CHAT_COMPLETIONS
from tapemeter.providers.openai_embeddings import EMBEDDINGS
from tapemeter.providers.openai_legacy import COMPLETIONS
from tapemeter.providers.openai_responses import RESPONSES_API
from tapemeter.providers.rows import ROWS, Row
from tapemeter.providers.unknown import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.model import Request
    from tapemeter.providers.wire import Wire

_COMMON = (CHAT_COMPLETIONS, RESPONSES_API, MESSAGES, COUNT_TOKENS, EMBEDDINGS, COMPLETIONS, UNKNOWN)

_RARE = {
    "openai_images": "openai_images:IMAGES",
    "openai_speech": "openai_audio:SPEECH",
    "openai_transcriptions": "openai_audio:TRANSCRIPTIONS",
    "openai_translations": "openai_audio:TRANSLATIONS",
    "openai_moderations": "openai_moderations:MODERATIONS",
    "anthropic_batches": "anthropic_batches:BATCHES",
    "gemini_generate": "gemini_generate:GENERATE",
    "gemini_count_tokens": "gemini_embed:COUNT_TOKENS",
    "gemini_embed": "gemini_embed:EMBED",
    "gemini_predict": "gemini_embed:PREDICT",
    "bedrock_converse": "bedrock_converse:CONVERSE",
    "bedrock_invoke": "bedrock_invoke:INVOKE",
    "bedrock_embed": "bedrock_invoke:EMBED",
    "bedrock_count_tokens": "bedrock_invoke:COUNT_TOKENS",
    "mistral_moderations": "mistral:MODERATIONS",
    "mistral_ocr": "mistral:OCR",
    "cohere_chat": "cohere_chat:CHAT",
    "cohere_embed": "cohere_embed:EMBED",
    "cohere_rerank": "cohere_embed:RERANK",
    "ollama_chat": "ollama:CHAT",
    "ollama_generate": "ollama:GENERATE",
    "ollama_embed": "ollama:EMBED",
    "huggingface_generate": "huggingface:GENERATE",
}
"""Module and attribute of each protocol that is not imported from the start."""


_here = {wire.name: wire for wire in _COMMON}
"""Those that are imported."""


class _ByName(Mapping[str, "Wire"]):
    """The protocols of the package by their names; a rare one is imported when it is asked for."""

    def __getitem__(self, name: str) -> Wire:
        found = _here.get(name)
        if found is None:
            module, _, attribute = _RARE[name].partition(":")
            _here[name] = found = getattr(import_module(f"tapemeter.providers.{module}"), attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter((*(wire.name for wire in _COMMON), *_RARE))

    def __len__(self) -> int:
        return len(_COMMON) + len(_RARE)


BY_NAME: Mapping[str, Wire] = _ByName()


def named(name: str) -> Wire:
    """Return the protocol of a name, those that were registered included; the unknown one where there is none."""
    return _here.get(name) or own.named(name) or BY_NAME.get(name, UNKNOWN)


_OWN = Row("own")


def find(request: Request) -> tuple[Wire, Row, str | None] | None:
    """Return the protocol of a request, the row it was found by, and the model that its path names.

    None where no protocol is known. The model is as it stands in the path, percent-encoded.
    """
    path = request.path
    if own.ANY:
        found = own.find(request.host, path)
        if found is not None:
            return found[0], _OWN, found[1]
    last = path[path.rfind("/") + 1 :]
    rows = ROWS.get(last)
    if rows is None:
        rows = ROWS.get(last[last.rfind(":") :], ())
    for row in rows:
        if row.path is None:
            if path.endswith(row.ends):
                return _here.get(row.name) or BY_NAME[row.name], row, None
        elif row.host is None or re.search(row.host, request.host):
            match = re.search(row.path, path)
            if match is not None:
                return BY_NAME[row.name], row, match.groupdict().get("model")
    return None
