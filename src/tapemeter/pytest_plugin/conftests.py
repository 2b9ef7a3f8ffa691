"""What conftests tell of the plugin that a suite was written for: pytest-vcr's has fixtures that build on others."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from tapemeter.pytest_plugin.options import is_conftest

if TYPE_CHECKING:
    import pytest

OF_PYTEST_VCR_ALONE = frozenset({"vcr_cassette", "vcr_cassette_name"})
"""Fixtures that pytest-vcr alone has."""


def tell(config: pytest.Config) -> bool:
    """Whether a conftest has or asks for a fixture in a way that suites for pytest-vcr do."""
    return any(_tells(plugin) for plugin in config.pluginmanager.get_plugins() if is_conftest(plugin))


def _tells(conftest: Any) -> bool:
    """Whether a conftest has or asks for one of the fixtures, or has or asks for `vcr` in a wider scope."""
    for name, value in vars(conftest).items():
        function = _fixture_function(value)
        if function is None:
            continue
        asked = _arguments(function)
        if name in OF_PYTEST_VCR_ALONE or OF_PYTEST_VCR_ALONE & asked:
            return True
        if (name == "vcr" or "vcr" in asked) and _scope(value) not in {None, "function"}:
            return True
    return False


def _fixture_function(value: Any) -> Any:
    """Return the function of a fixture, in the forms that pytest 8 and later have; None for what is no fixture."""
    if hasattr(value, "_fixture_function_marker"):
        return value._fixture_function  # noqa: SLF001 - no public way to see a fixture in a module
    if hasattr(value, "_pytestfixturefunction"):
        wrapped = getattr(value, "__pytest_wrapped__", None)
        return value if wrapped is None else wrapped.obj
    return None


def _scope(value: Any) -> Any:
    marker = getattr(value, "_fixture_function_marker", None) or value._pytestfixturefunction  # noqa: SLF001 - see above
    return marker.scope


def _arguments(function: Any) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return set()
