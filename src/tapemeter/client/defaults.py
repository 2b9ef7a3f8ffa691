"""What holds where neither a variable nor the config file says anything, as tables."""

from __future__ import annotations

from tapemeter.client.config import Alias, Group, ProviderKind, Wire

ADDRESSES = {Wire.OPENAI: "https://api.openai.com/v1", Wire.ANTHROPIC: "https://api.anthropic.com"}
"""Where the makers of the protocols serve them, for everyone who has a key."""

ADDRESS_VARIABLES = {Wire.OPENAI: "OPENAI_BASE_URL", Wire.ANTHROPIC: "ANTHROPIC_BASE_URL"}
KEY_VARIABLES = {Wire.OPENAI: "OPENAI_API_KEY", Wire.ANTHROPIC: "ANTHROPIC_API_KEY"}
"""What the makers' own SDKs read; a key from here goes to the maker's server alone."""

GROUPS = ("cheap", "main", "fallback")

_MODELS = {
    Wire.OPENAI: ("gpt-5.4-nano", "gpt-4.1-mini", "gpt-5.4-mini"),
    Wire.ANTHROPIC: ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-sonnet-5"),
}
"""The model of each group, by the names that the public price list has."""

ALIASES = {
    alias.name: alias
    for alias in (
        Alias("router", "cheap", "routing"),
        Alias("extractor", "cheap", "extraction"),
        Alias("summarizer", "cheap", "summary"),
        Alias("planner", "main", "planning"),
        Alias("executor", "main", "execution"),
        Alias("fallback", "fallback", "fallback"),
    )
}


def groups_of(provider: ProviderKind, wire: Wire, model: str | None) -> dict[str, Group]:
    """Return the groups that are there without a config file; `model`, where given, serves all of them.

    A gateway has groups of its own, so each is asked for by its name.
    """
    models = {ProviderKind.REAL: _MODELS[wire], ProviderKind.GATEWAY: GROUPS, ProviderKind.ECHO: ("echo",) * 3}[
        provider
    ]
    return {name: Group(name, model or each) for name, each in zip(GROUPS, models, strict=True)}
