"""What tests of a light start share: the modules of ours that pytest loads in every session."""

from __future__ import annotations

PLUGIN = frozenset(
    {
        "tapemeter",
        "tapemeter.pytest_plugin",
        "tapemeter.pytest_plugin.fixtures",
        "tapemeter.pytest_plugin.options",
    }
)
"""Whoever adds one says why: it costs every session."""
