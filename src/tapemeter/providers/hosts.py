"""Whose models answer at a host, by OpenTelemetry's names where it has one."""

from __future__ import annotations

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
    "mistral.ai": "mistral_ai",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "openai.com": "openai",
    "openrouter.ai": "openrouter",
    "perplexity.ai": "perplexity",
    "together.ai": "together",
    "together.xyz": "together",
    "api.x.ai": "x_ai",
}
"""By host, or a domain above it."""


def provider_of(host: str) -> str | None:
    """Return whose models answer at a host (lower case); None where that is not known, as on the own machine."""
    while host:
        found = _PROVIDERS.get(host)
        if found is not None:
            return found
        host = host.partition(".")[2]
    return None
