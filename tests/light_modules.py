"""What tests of a light start share: the modules of ours that pytest loads in every session."""

from __future__ import annotations

PLUGIN = frozenset(
    {
        "tapemeter",
        "tapemeter.pytest_plugin",
        "tapemeter.pytest_plugin.calling",
        "tapemeter.pytest_plugin.collected",
        "tapemeter.pytest_plugin.fixtures",
        "tapemeter.pytest_plugin.markers",
        "tapemeter.pytest_plugin.options",
        "tapemeter.pytest_plugin.proxying",
        "tapemeter.pytest_plugin.vcr_suites",
        "tapemeter.pytest_plugin.vcr_suites.fixtures",
        "tapemeter.pytest_plugin.vcr_suites.imports",
        "tapemeter.pytest_plugin.vcr_suites.marks",
        "tapemeter.pytest_plugin.vcr_suites.options",
        "tapemeter.pytest_plugin.vcr_suites.style",
    }
)
"""Whoever adds one says why: it costs every session."""
