"""Every wire protocol that there is a parser for, by the path of its requests and by its name."""

from __future__ import annotations

from tapemeter.providers.anthropic_messages import COUNT_TOKENS, MESSAGES
from tapemeter.providers.openai_chat import CHAT_COMPLETIONS
from tapemeter.providers.openai_embeddings import EMBEDDINGS
from tapemeter.providers.openai_legacy import COMPLETIONS
from tapemeter.providers.openai_responses import RESPONSES_API
from tapemeter.providers.unknown import UNKNOWN

BY_PATH = (
    ("/chat/completions", CHAT_COMPLETIONS),
    ("/responses", RESPONSES_API),
    ("/v1/messages", MESSAGES),
    ("/v1/messages/count_tokens", COUNT_TOKENS),
    ("/embeddings", EMBEDDINGS),
    ("/completions", COMPLETIONS),
)
"""Tried in order: what the path of a request ends with. Each is claimed by a rule in claims."""

BY_NAME = {wire.name: wire for wire in (*(wire for _, wire in BY_PATH), UNKNOWN)}
