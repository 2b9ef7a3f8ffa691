"""Finds the implementations of our hooks in conftests and plugins, and calls them.

pytest itself only looks for names that begin with `pytest_`, so ours have a plugin manager of their own, which is
shown every plugin that pytest registers. As with pytest's hooks, a conftest speaks for the tests below its folder.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from tapemeter.pytest_plugin import hookspecs

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapemeter.alarms import Receiver
    from tapemeter.model import Request
    from tapemeter.providers import Wire

PLUGIN = "tapemeter-hooks"
"""The name under which the finder is registered with pytest."""

NAMES = ("llm_normalize_request", "llm_on_alarm", "llm_providers", "llm_redact")


class Hooks:
    """Our hooks in one pytest run."""

    def __init__(self) -> None:
        self._manager = _Manager("tapemeter")
        self._manager.add_hookspecs(hookspecs)

    def pytest_plugin_registered(self, plugin: object) -> None:
        """Take in a plugin that implements one of our hooks."""
        if any(inspect.isroutine(getattr(plugin, name, None)) for name in NAMES):
            self._manager.register(plugin)

    def wires(self) -> list[Wire]:
        """Return the wire protocols of every `llm_providers`."""
        return [wire for wires in self._manager.hook.llm_providers() for wire in wires or ()]

    def redaction_rules(self) -> list[str]:
        """Return the rules of every `llm_redact`."""
        return [rule for rules in self._manager.hook.llm_redact() for rule in rules or ()]

    def receivers(self) -> list[Receiver]:
        """Return who is told of alarms: every `llm_on_alarm`, if there is any."""
        from tapemeter.alarms import Receiver  # noqa: PLC0415 - only a session that raises an alarm

        hook = self._manager.hook.llm_on_alarm
        return [Receiver("hook llm_on_alarm", lambda alarm: hook(alarm=alarm))] if hook.get_hookimpls() else []

    def normalizer(self, path: Path) -> Callable[[Request], Request] | None:
        """Return what normalises the requests of a test at `path`; None where no hook concerns it."""
        elsewhere = [plugin for plugin in self._manager.get_plugins() if not _concerns(plugin, path)]
        hook = self._manager.subset_hook_caller("llm_normalize_request", elsewhere)
        if not hook.get_hookimpls():
            return None

        def normalize(request: Request) -> Request:
            found: Request | None = hook(request=request)
            return request if found is None else found

        return normalize


class _Manager(pluggy.PluginManager):
    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        """Accept a plain function of the right name, decorated with `pytest.hookimpl` or not."""
        function = getattr(plugin, name) if name in NAMES else None
        return getattr(function, "pytest_impl", {}) if inspect.isroutine(function) else None


def _concerns(plugin: object, path: Path) -> bool:
    file = getattr(plugin, "__file__", None)
    if file is None or Path(file).name != "conftest.py":
        return True
    return path.is_relative_to(Path(file).parent)
