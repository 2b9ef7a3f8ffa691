"""The pytest plugin: the hooks that every session has, and before all else how the rest of it is found.

Nothing but what pytest has to know of is imported before a session concerns itself with model calls; `serving` follows
then.
"""

# ruff: noqa: E402, PLC0415 - what is ours is imported when it is known how to find it, and most of it when it is needed
from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from importlib.machinery import ModuleSpec

    from tapemeter.pytest_plugin.vcr_suites.imports import VcrImports


class Finder:
    """Finds our modules as Python does, before pytest finds them, and has `vcr_suites.imports` serve those of VCR.py.

    pytest marks all modules of a plugin for the rewriting of their assertions, and reads and hashes the source of each
    in every session. Ours have none to rewrite.
    """

    def __init__(self, *, serves_vcr: bool) -> None:
        self._serves_vcr = serves_vcr
        self._imports: VcrImports | None = None

    def install(self) -> None:
        """Find what is imported from now on, and serve what was imported before."""
        sys.meta_path.insert(0, self)
        if self._serves_vcr and "vcr" in sys.modules:
            self._serve()

    def undo(self) -> None:
        """Put everything back; what stayed would keep all of pytest alive until the interpreter is nearly gone."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        if self._imports is not None:
            self._imports.undo()

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """Find a module of this package, or what is served as one of VCR.py's; None for any other."""
        if name.startswith("tapemeter."):
            return PathFinder.find_spec(name, path)
        if self._serves_vcr and (name == "vcr" or name.startswith("vcr.")):
            return self._serve().find_spec(name, path, target)
        return None

    @property
    def vcr_is_used(self) -> bool:
        """Whether anything in the session imports VCR.py."""
        return self._imports is not None and self._imports.is_used

    def _serve(self) -> VcrImports:
        if self._imports is None:
            from tapemeter.pytest_plugin.vcr_suites.imports import VcrImports

            self._imports = VcrImports()
            self._imports.install(sys.meta_path.index(self) + 1)
        return self._imports


FINDER: pytest.StashKey[Finder] = pytest.StashKey()

_first = Finder(serves_vcr=False)
_first.install()
from tapemeter.pytest_plugin import fixtures, options
from tapemeter.pytest_plugin.fixtures import *  # noqa: F403 - as pytest finds them, by name

_first.undo()


def __dir__() -> list[str]:
    """Name what pytest has to look at: it takes a while to look at a name and find that it is neither."""
    return [*fixtures.__all__, *(name for name in globals() if name.startswith("pytest_"))]


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Register options and ini settings; those of other plugins' suites when it is known that these are not there."""
    options.add(parser)
    if options.is_late(pluginmanager):
        config: Any = pluginmanager.get_plugin("pytestconfig")
        options.declare(config, parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Keep `--record-cassettes tests/` from taking the path for its value; leave the network if that is asked for.

    Every plugin is loaded by now, so one that serves the same suites is refused by its name.
    """
    options.declare_early(early_config, parser, args)
    _find(early_config)
    options.separate_record_value(early_config, parser, args)
    if options.guard(early_config) == "namespace":
        from tapemeter.pytest_plugin import moving, serving

        with serving.usage_errors():
            moving.move(early_config, early_config.known_args_namespace)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; check the settings; start where a mode was given."""
    for line in (*options.MARKERS, *options.VCR_MARKERS):
        config.addinivalue_line("markers", line)
    _find(config)
    if config.getini("llm_vcr"):
        from tapemeter.pytest_plugin.vcr_suites import style

        style.named(config)
    config.stash[WATCH] = watch = Watch()
    config.pluginmanager.register(watch, "tapemeter-watch")
    is_plain = options.is_plain(config)
    if not is_plain or hasattr(config.hook, "pytest_configure_node"):  # or workers of xdist may have something to say
        from tapemeter.pytest_plugin import serving

        served = serving.of(config)
        if not is_plain:
            if options.guard(config) == "namespace":
                from tapemeter.pytest_plugin import moving

                with serving.usage_errors():
                    moving.move(config, config.option)  # where a conftest loaded the plugin, it is the first to hear
            served.begin()
        served.tell_progress()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check all markers before the first test runs, and start if any test is ours."""
    uses_vcr = config.stash[FINDER].vcr_is_used
    if uses_vcr or options.given(config, "--block-network") or any(map(_Telling().says, items)):
        from tapemeter.pytest_plugin import first_look

        first_look.check(config, items, uses_vcr=uses_vcr)
    served = config.pluginmanager.get_plugin("tapemeter-serving")
    if served is not None:
        served.register_providers()


class _Telling:
    """A first look at tests, without what it takes to read their markers."""

    def __init__(self) -> None:
        self._places: dict[int, bool] = {}
        """What the classes and modules say for all of their tests."""

    def says(self, item: pytest.Item) -> bool:
        """Whether any marker or fixture that a test has is one of those that this plugin knows."""
        place = item.parent or item
        told = self._places.get(id(place))
        if told is None:
            told = self._places[id(place)] = _is_marked(place.iter_markers()) or bool(fixtures.overrides(item))
        return told or _is_marked(item.own_markers) or not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


_MARKERS = frozenset(line.partition("(")[0] for line in (*options.MARKERS, *options.VCR_MARKERS))
_FIXTURES = frozenset(fixtures.__all__)


def _is_marked(markers: Iterable[pytest.Mark]) -> bool:
    return any(marker.name in _MARKERS for marker in markers)


def _find(config: pytest.Config) -> None:
    """Install the finder of a session, before its conftests are loaded where that is possible.

    Nothing of VCR.py's is served where the mode is off.
    """
    if FINDER in config.stash:
        return
    given = getattr(config.known_args_namespace, "llm_mode", None) or os.environ.get("LLM_MODE")
    word: str = given or config.getini("llm_mode") or ""
    config.stash[FINDER] = finder = Finder(serves_vcr=word.strip().lower() != "off")
    finder.install()
    config.add_cleanup(finder.undo)


# What a session leaves out


class Watch:
    """The plugin object that notes what a session leaves out while it collects; `whole` judges what that means."""

    def __init__(self) -> None:
        self.dropped = 0
        """Tests that were collected and then left out, as by -k."""
        self.skipped = 0
        """Modules that were skipped as a whole."""

    def __dir__(self) -> list[str]:
        return ["pytest_collection_modifyitems", "pytest_collectreport"]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Count what other plugins take away, whether they tell of it or not."""
        collected = len(items)
        result = yield
        self.dropped = max(0, collected - len(items))
        return result

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a module that was skipped; under xdist its workers report it, each once."""
        self.skipped += report.skipped


WATCH: pytest.StashKey[Watch] = pytest.StashKey()
