"""The SDKs that are tried, and what is to be said of those that do not work."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Disguise:
    """The forms, by a pattern, in which a stop and a miss come out as errors of the SDK, and why."""

    forms: str
    stop: str
    miss: str
    reason: str


@dataclass(frozen=True)
class Sdk:
    """An SDK: its program in `programs`, the distribution whose version counts, the tox environment that has it.

    `unsupported` says why, by the operation and form as in `chat - async`, where one does not work; it must not, then.
    """

    program: str
    distribution: str
    title: str
    environment: str = "clients"
    unsupported: dict[str, str] = field(default_factory=dict)
    disguise: Disguise | None = None
    library: str = ""
    """The HTTP library, where the tests cannot see it."""

    @property
    def path(self) -> Path:
        return HERE / "programs" / f"ask_{self.program}.py"

    def comes_out(self, kind: str, form: str) -> str:
        """Return the name of the error that a `stop` or a `miss` is to the program."""
        if self.disguise is not None and re.fullmatch(self.disguise.forms, form):
            return self.disguise.stop if kind == "stop" else self.disguise.miss
        return "BudgetStopped" if kind == "stop" else "CassetteMiss"

    @property
    def seen(self) -> Path:
        """Where what the tests saw is kept, as JSON."""
        return HERE / "seen" / f"{self.program}.json"


SDKS = {
    sdk.program: sdk
    for sdk in (
        Sdk("openai", "openai", "OpenAI"),
        Sdk("openai_aiohttp", "openai", "OpenAI, with `DefaultAioHttpClient`"),
        Sdk("anthropic", "anthropic", "Anthropic"),
        Sdk("google_genai", "google-genai", "Google Gen AI"),
        Sdk("mistralai", "mistralai", "Mistral"),
        Sdk("cohere", "cohere", "Cohere"),
        Sdk("groq", "groq", "Groq"),
        Sdk("ollama", "ollama", "Ollama"),
        Sdk("boto3", "boto3", "boto3 (Bedrock)"),
        Sdk("huggingface_hub", "huggingface-hub", "Hugging Face Hub"),
        Sdk("voyageai", "voyageai", "Voyage"),
        Sdk(
            "langchain_openai",
            "langchain-openai",
            "LangChain's OpenAI",
            disguise=Disguise(
                "chat model - async",
                "AttributeError",
                "AttributeError",
                "`ainvoke` takes the refusal for an answer, and fails with an `AttributeError`, which names what was "
                "refused in a note; the test stops or fails as it should",
            ),
        ),
        Sdk("pydantic_ai", "pydantic-ai-slim", "Pydantic AI"),
        Sdk("openai_agents", "openai-agents", "OpenAI Agents"),
        Sdk("instructor", "instructor", "Instructor", "clients-openai2"),
        Sdk(
            "dspy",
            "dspy",
            "DSPy with its own client, behind [the proxy](../how-to/other-languages.md#dspy)",
            "clients-openai2",
            disguise=Disguise(
                ".*",
                "LMBillingError",
                "LMProviderError",
                "the proxy refuses with an HTTP error, which DSPy raises as its own `LMBillingError` or "
                "`LMProviderError`, without trying again",
            ),
            library="sockets of its own",
        ),
        Sdk("litellm", "litellm", "LiteLLM", "clients-openai2"),
    )
}
"""By the name of the program."""
