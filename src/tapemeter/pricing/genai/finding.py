"""Finds a model on the list: whose it is, by the provider's name, the address or the model's own, then which."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapemeter.pricing.genai.types import ModelInfo, Provider

_ROUTER = "litellm"
"""It may stand where a provider's name should, which is then before the model's."""


class Finder:
    """The list, asked like a `DataSnapshot` of genai-prices."""

    def __init__(self, providers: list[Provider]) -> None:
        self.providers = providers

    def find_provider_model(
        self, model_ref: str, provider: None, provider_id: str | None, provider_api_url: str | None
    ) -> tuple[Provider, ModelInfo]:
        """Return the provider and the model; LookupError where either is not on the list."""
        del provider  # whoever has found one need not ask for one
        name = model_ref.lower()
        if provider_id and provider_id.lower() == _ROUTER and "/" in name:
            before, _, after = name.partition("/")
            if before and self._named(before) is not None:
                provider_id, name = before, after
        found = self._provider(name, provider_id, provider_api_url)
        model = None if found is None else found.find_model(name, self.providers)
        if found is None or model is None:
            raise LookupError(name)
        return found, model

    def _provider(self, name: str, provider_id: str | None, url: str | None) -> Provider | None:
        if provider_id is not None:
            named = self._named(provider_id)
            if named is not None or provider_id.lower() != _ROUTER:
                return named
        if url is not None:
            return next((each for each in self.providers if re.match(each.api_pattern, url)), None)
        return next((each for each in self.providers if each.model_match and each.model_match.is_match(name)), None)

    def _named(self, provider_id: str) -> Provider | None:
        name = provider_id.lower().strip()
        for provider in self.providers:
            if provider.id == name:
                return provider
        named = (each for each in self.providers if each.provider_match and each.provider_match.is_match(name))
        return next(named, None)
