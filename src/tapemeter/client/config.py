"""Where a program's model calls go: typed, frozen, and with keys that do not print."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tapemeter.client.secret import Secret


class ProviderKind(StrEnum):
    """Which way calls take."""

    REAL = "real"
    GATEWAY = "gateway"
    ECHO = "echo"


class Wire(StrEnum):
    """The protocol that a server speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that a call may take: to connect, to its first chunk, between two chunks, and in all. None: no limit."""

    connect: float | None = 10.0
    first_chunk: float | None = 60.0
    idle: float | None = 60.0
    total: float | None = 600.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How often one call is tried in all, and the bounds of the seconds between two tries.

    A server's `Retry-After` is heeded up to `longest_wait`; beyond that the call fails at once.
    """

    attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 30.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server: its address up to and without the path of an operation, its protocol and its key.

    `key_name` is the environment variable that the key came from, for messages.
    """

    base_url: str
    wire: Wire = Wire.OPENAI
    api_key: Secret | None = None
    key_name: str = "LLM_API_KEY"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of aliases: the model that serves it, and where, if that is not where all others are."""

    name: str
    model: str
    endpoint: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class Alias:
    """A name by which a program asks for a model: for a purpose (`category`), served by a group."""

    name: str
    group: str
    category: str


@dataclass(frozen=True, slots=True)
class Circuit:
    """When a group is left alone: after so many failures in a row, for so many seconds."""

    failures: int = 3
    cool_down: float = 30.0


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """All that `LlmService` needs to know.

    `endpoint` is the server of LLM_PROVIDER=real, `gateway` that of LLM_PROVIDER=gateway. `groups` and `aliases` are
    those of the config file, over the built-in ones. `fallbacks` are groups that are tried in order where the
    one asked for fails. `source` is the config file, None where there is none.
    """

    provider: ProviderKind = ProviderKind.REAL
    endpoint: Endpoint | None = None
    gateway: Endpoint | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: Retries = field(default_factory=Retries)
    circuit: Circuit = field(default_factory=Circuit)
    groups: Mapping[str, Group] = field(default_factory=dict)
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    default_group: str = "main"
    fallbacks: tuple[str, ...] = ("fallback",)
    mode: str | None = None
    prices: Path | None = None
    source: Path | None = None
