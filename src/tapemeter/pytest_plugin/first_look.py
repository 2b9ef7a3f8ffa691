"""Checks the markers of tests before the first one runs, once one of them says anything to this plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.pytest_plugin import markers, serving
from tapemeter.pytest_plugin.fixtures import SEED, overrides
from tapemeter.pytest_plugin.vcr_suites import marks
from tapemeter.pytest_plugin.vcr_suites import options as vcr_options

if TYPE_CHECKING:
    import pytest


def check(config: pytest.Config, items: list[pytest.Item], *, uses_vcr: bool) -> None:
    """Check all markers, and start if any test is ours; pytest's UsageError for a wrong marker.

    `uses_vcr` is whether anything in the session has imported `vcr`.
    """
    with serving.usage_errors():
        marks.find(config, items)
    if uses_vcr:
        for item in items:
            if not markers.is_ours(item):
                marks.leave_to_program(item)
    ours = [item for item in items if markers.is_ours(item)]
    if not ours:
        return
    with serving.usage_errors():
        for item in ours:
            markers.check(item)
    served = serving.of(config)
    served.tell_progress()
    with serving.usage_errors():
        vcr_options.check(config, served.session.settings)
    if served.is_active:
        served.start()
    if served.is_open:
        _seed(ours)


def _seed(items: list[pytest.Item]) -> None:
    """Have each test for which a fixture of ours is overridden ask for it first."""
    for item in items:
        names = getattr(item, "fixturenames", None)
        if names is not None and SEED not in names and overrides(item):
            names.insert(0, SEED)
