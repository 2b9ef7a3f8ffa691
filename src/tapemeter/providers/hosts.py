"""Whose models answer at a host, by OpenTelemetry's names where it has one."""

from __future__ import annotations

import re
from functools import lru_cache

_PROVIDERS = {
    "anthropic.com": "anthropic",
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "models.ai.azure.com": "azure.ai.inference",
    "cerebras.ai": "cerebras",
    "cohere.ai": "cohere",
    "cohere.com": "cohere",
    "deepinfra.com": "deepinfra",
    "api.deepseek.com": "deepseek",
    "fireworks.ai": "fireworks",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.groq.com": "groq",
    "huggingface.co": "huggingface",
    "endpoints.huggingface.cloud": "huggingface",
    "mistral.ai": "mistral_ai",
    "ollama.com": "ollama",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "openai.com": "openai",
    "openrouter.ai": "openrouter",
    "perplexity.ai": "perplexity",
    "together.ai": "together",
    "together.xyz": "together",
    "voyageai.com": "voyageai",
    "api.x.ai": "x_ai",
}
"""By host, or a domain above it."""

_REGIONAL = (
    (re.compile(r"^bedrock-runtime(-fips)?\."), "aws.bedrock"),
    (re.compile(r"(^|[.-])aiplatform(\.\w+\.rep)?\.googleapis\.com$"), "gcp.vertex_ai"),
)
"""Hosts that carry the name of a region."""


@lru_cache(256)
def provider_of(host: str) -> str | None:
    """Return whose models answer at a host (lower case); None where that is not known, as on the own machine."""
    domain = host
    while domain:
        found = _PROVIDERS.get(domain)
        if found is not None:
            return found
        domain = domain.partition(".")[2]
    if host.endswith((".googleapis.com", ".amazonaws.com", ".amazonaws.com.cn")):
        return next((provider for pattern, provider in _REGIONAL if pattern.search(host)), None)
    return None
