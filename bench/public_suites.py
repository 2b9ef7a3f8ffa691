"""The public suites that are run under their own plugin and under ours: what they are, and what they need.

Tests and tapes are in the source distributions. What a suite needs is what its own `test` group asks for, pinned.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """A suite with tapes of VCR.py's kind, in the source distribution of a package."""

    name: str
    package: str
    version: str
    plugin: str
    """What it was written for: pytest-recording or pytest-vcr."""
    needs: tuple[str, ...]
    bare: tuple[str, ...] = ()
    """What is installed without looking at what it needs in turn."""
    arguments: tuple[str, ...] = ("tests",)
    is_bare: bool = False
    """Whether the package itself is installed in that way."""
    imports_vcr: bool = False
    """Whether its conftests import VCR.py: then it stays installed, else it is not there under ours."""
    environment: tuple[tuple[str, str], ...] = ()


_OPENLLMETRY = (
    "opentelemetry-sdk==1.45.2",
    "opentelemetry-api==1.45.2",
    "pytest==8.4.2",
    "pytest-recording==0.13.4",
    "vcrpy==8.5.0",
)
_CONTRIB = ("opentelemetry-sdk==1.45.2", "opentelemetry-test-utils==0.29b0", "pytest==8.4.2", "pytest-vcr==1.0.2")
_LANGCHAIN = (
    *("freezegun==1.5.5", "httpx==0.28.1", "jsonpatch", "langchain-protocol>=0.0.20", "langsmith>=0.14.9,<1"),
    *("numpy<3", "orjson", "ormsgpack", "pytest==9.2.0", "pytest-asyncio==1.5.0", "pytest-benchmark==5.3.1"),
    *("pytest-codspeed==5.0.4", "pytest-mock==3.17.0", "pytest-recording==0.14.1", "pytest-retry==1.7.0"),
    *("pytest-socket==0.8.1", "pytest-xdist>=3.8", "pyyaml", "syrupy==5.5.3", "tenacity", "uuid-utils", "vcrpy==8.5.0"),
    *("xxhash",),
)
_LANGCHAIN_BARE = (
    *("langchain==1.4.9", "langchain-core==1.8.2", "langchain-tests==1.1.9", "langgraph==1.2.22"),
    *("langgraph-checkpoint>=4.3,<5", "langgraph-prebuilt>=1.1,<1.2", "langgraph-sdk>=0.4.6,<0.5"),
)
"""These ask for the newest certificates; tests from tapes do without."""
_LANGCHAIN_ARGUMENTS = ("tests/integration_tests", "-m", "vcr", "--record-mode=none", "--benchmark-disable")

SUITES = (
    Suite(
        "OpenAI (OpenLLMetry)",
        "opentelemetry-instrumentation-openai",
        "0.62.4",
        "pytest-recording",
        ("openai[datalib]==1.99.7", "pytest-asyncio==0.23.8", "requests>=2.31,<3", *_OPENLLMETRY),
    ),
    Suite(
        "Anthropic (OpenLLMetry)",
        "opentelemetry-instrumentation-anthropic",
        "0.62.4",
        "pytest-recording",
        ("anthropic[bedrock]==0.86.0", "pytest-asyncio==0.23.8", *_OPENLLMETRY),
    ),
    Suite(
        "Bedrock (OpenLLMetry)",
        "opentelemetry-instrumentation-bedrock",
        "0.62.4",
        "pytest-recording",
        ("boto3==1.37.3", "aioboto3==14.3.0", "aiobotocore==2.22.0", "pytest-asyncio==0.26.0", *_OPENLLMETRY),
    ),
    Suite(
        "Cohere (OpenLLMetry)",
        "opentelemetry-instrumentation-cohere",
        "0.62.4",
        "pytest-recording",
        ("cohere>=5.18,<6", "pytest-asyncio==1.5.0", *_OPENLLMETRY),
    ),
    Suite(
        "Groq (OpenLLMetry)",
        "opentelemetry-instrumentation-groq",
        "0.62.4",
        "pytest-recording",
        ("groq>=1.2", "pytest-asyncio==0.23.8", *_OPENLLMETRY),
    ),
    Suite(
        "Mistral (OpenLLMetry)",
        "opentelemetry-instrumentation-mistralai",
        "0.62.4",
        "pytest-recording",
        ("mistralai>=1,<2", "pytest-asyncio==1.3.0", *_OPENLLMETRY),
    ),
    Suite(
        "LangChain (OpenLLMetry)",
        "opentelemetry-instrumentation-langchain",
        "0.62.4",
        "pytest-recording",
        (
            *("anthropic>=0.75,<0.83", "boto3>=1.35.49,<2", "langchain>=1,<2", "langchain-anthropic>=1,<2"),
            *("langchain-aws>=1,<2", "langchain-classic>=1,<2", "langchain-cohere>=0.5,<0.6"),
            *("langchain-community>=0.4,<0.5", "langchain-huggingface>=1,<2", "langchain-openai>=1,<2"),
            *("langchain-text-splitters>=1,<2", "langchainhub>=0.1.21,<0.2", "langgraph>=1,<2", "openai>=1.52.2,<3"),
            *("opentelemetry-instrumentation-bedrock==0.62.4", "opentelemetry-instrumentation-openai==0.62.4"),
            *("pydantic>=2.10.5,<3", "pytest-asyncio==1.3.0"),
            *_OPENLLMETRY,
        ),
    ),
    Suite(
        "OpenAI (OpenTelemetry)",
        "opentelemetry-instrumentation-openai-v2",
        "2.4b0",
        "pytest-vcr",
        (
            *("httpx==0.27.2", "openai==2.26.0", "opentelemetry-util-genai==0.4b0", "pydantic==2.12.5"),
            *("pytest-asyncio==0.23.8", "pyyaml", "vcrpy==8.5.0"),
            *_CONTRIB,
        ),
    ),
    Suite(
        "Botocore, Bedrock (OpenTelemetry)",
        "opentelemetry-instrumentation-botocore",
        "0.66b2",
        "pytest-vcr",
        ("boto3==1.44.5", "moto==5.2.5", "pyyaml", "vcrpy==8.5.0", *_CONTRIB),
        arguments=("tests/test_botocore_bedrock.py",),
    ),
    Suite(
        "langchain-openai",
        "langchain-openai",
        "1.7.4",
        "pytest-recording",
        ("openai==3.54.0", "pytest-cov==4.1.0", "tiktoken", *_LANGCHAIN),
        bare=_LANGCHAIN_BARE,
        is_bare=True,
        arguments=(
            *_LANGCHAIN_ARGUMENTS,
            "--no-cov",
            "--ignore=tests/integration_tests/chat_models/test_azure_standard.py",
        ),
        imports_vcr=True,
        environment=(("OPENAI_API_KEY", "none"),),
    ),
    Suite(
        "langchain-anthropic",
        "langchain-anthropic",
        "1.7.10",
        "pytest-recording",
        ("anthropic>=0.120", "blockbuster>=1.5.5,<1.6", "defusedxml", "pytest-timeout", *_LANGCHAIN),
        bare=_LANGCHAIN_BARE,
        is_bare=True,
        arguments=_LANGCHAIN_ARGUMENTS,
        imports_vcr=True,
        environment=(("ANTHROPIC_API_KEY", "none"),),
    ),
)
