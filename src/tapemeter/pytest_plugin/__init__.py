"""The pytest plugin: its hooks, and before all else how the rest of it is found.

Nothing but pytest is imported before a session concerns itself with model calls.
"""

# ruff: noqa: E402 - what is ours is imported when it is known how to find it
from __future__ import annotations

import sys
import threading
from importlib.machinery import PathFinder
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

    from tapemeter.findings import Findings
    from tapemeter.pytest_plugin.ending import Ending
    from tapemeter.pytest_plugin.hooks import Hooks
    from tapemeter.session import Session


class OwnFinder:
    """Finds our modules as Python does, before pytest finds them.

    pytest marks all modules of a plugin for the rewriting of their assertions, and reads and hashes the source of each
    in every session. Ours have none to rewrite.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Find a module of this package; None for any other."""
        del target
        return PathFinder.find_spec(name, path) if name.startswith("tapemeter.") else None


sys.meta_path.insert(0, OwnFinder)

from tapemeter.pytest_plugin import collected, markers, options
from tapemeter.pytest_plugin.calling import llm, llm_aliases, llm_echo
from tapemeter.pytest_plugin.fixtures import (
    LIFECYCLE,
    _llm_seed,
    block_network,
    llm_budget_policy,
    llm_cassette,
    llm_cassette_config,
    llm_job,
    llm_usage,
)
from tapemeter.pytest_plugin.proxying import _llm_proxy_server, llm_proxy
from tapemeter.pytest_plugin.vcr_suites import imports as vcr_imports
from tapemeter.pytest_plugin.vcr_suites import marks, style
from tapemeter.pytest_plugin.vcr_suites import options as vcr_options
from tapemeter.pytest_plugin.vcr_suites.fixtures import (
    _vcr_marker,
    _vcr_network,
    _vcr_of_module,
    allowed_hosts,
    default_cassette_name,
    disable_recording,
    record_mode,
    vcr,
    vcr_cassette,
    vcr_cassette_dir,
    vcr_cassette_name,
    vcr_config,
    vcr_markers,
)

__all__ = [
    "_llm_proxy_server",
    "_llm_seed",
    "_vcr_marker",
    "_vcr_network",
    "_vcr_of_module",
    "allowed_hosts",
    "block_network",
    "default_cassette_name",
    "disable_recording",
    "llm",
    "llm_aliases",
    "llm_budget_policy",
    "llm_cassette",
    "llm_cassette_config",
    "llm_echo",
    "llm_job",
    "llm_proxy",
    "llm_usage",
    "record_mode",
    "vcr",
    "vcr_cassette",
    "vcr_cassette_dir",
    "vcr_cassette_name",
    "vcr_config",
    "vcr_markers",
]

SESSION: pytest.StashKey[Session] = pytest.StashKey()
HOOKS: pytest.StashKey[Hooks] = pytest.StashKey()
GATHERED: pytest.StashKey[Findings] = pytest.StashKey()
SHARED: pytest.StashKey[dict[str, str]] = pytest.StashKey()
ENDING: pytest.StashKey[Ending] = pytest.StashKey()
_MAKING_HOOKS = threading.RLock()
"""Calls of several threads may be the first to ask for them."""
_WORKER_KEY = "tapemeter"
NOT_RUN = "tapemeter-not-run"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Register options and ini settings; those of other plugins' suites when it is known that these are not there."""
    options.add(parser)
    if vcr_options.is_late(pluginmanager):
        config: Any = pluginmanager.get_plugin("pytestconfig")
        vcr_options.declare(config, parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Keep `--record-cassettes tests/` from taking the path for its value; leave the network if that is asked for.

    Every plugin is loaded by now, so one that serves the same suites is refused by its name.
    """
    vcr_options.declare_early(early_config, parser, args)
    vcr_imports.watch(early_config)
    options.separate_record_value(early_config, parser, args)
    if options.guard(early_config) == "namespace":
        from tapemeter.pytest_plugin import moving  # noqa: PLC0415 - only for this guard

        with _usage_errors():
            moving.move(early_config, early_config.known_args_namespace)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; check the settings; start where a mode was given."""
    for line in (*markers.LINES, *marks.LINES):
        config.addinivalue_line("markers", line)
    vcr_imports.watch(config)
    style.named(config)
    config.stash[collected.WATCH] = watch = collected.Watch()
    config.pluginmanager.register(watch, "tapemeter-watch")
    if options.is_plain(config):
        return
    if options.guard(config) == "namespace":
        from tapemeter.pytest_plugin import moving  # noqa: PLC0415 - as above

        with _usage_errors():
            moving.move(config, config.option)  # where a conftest loaded the plugin, this is the first that it hears
    session = _session(config)
    if _is_active(session) and session.mode is not None:
        _start(config, session)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check all markers before the first test runs, and start if any test is ours."""
    with _usage_errors():
        marks.find(config, items)
    if vcr_imports.is_used(config):
        for item in items:
            if not markers.is_ours(item):
                marks.leave_to_program(item)
    ours = [item for item in items if markers.is_ours(item)]
    if ours:
        with _usage_errors():
            for item in ours:
                markers.check(item)
        session = _session(config)
        with _usage_errors():
            vcr_options.check(config, session.settings)
        if _is_active(session):
            _start(config, session)
    if SESSION in config.stash and config.stash[SESSION].is_open:
        _seed(items)
        _register_providers(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take interception and guard down."""
    if SESSION in config.stash:
        config.pluginmanager.unregister(name=LIFECYCLE)
        config.pluginmanager.unregister(name=NOT_RUN)
        config.stash[SESSION].stop()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's findings to the controller; end the run with its report, and judge what it says."""
    config = session.config
    lifecycle = config.pluginmanager.get_plugin(LIFECYCLE)
    if lifecycle is not None:
        lifecycle.finish()
    if hasattr(config, "workeroutput"):
        if SESSION in config.stash:
            config.stash[SESSION].end_alarms()
            config.stash[SESSION].gather()
            config.stash[SESSION].findings.dropped = config.stash[collected.WATCH].dropped
            config.stash[SESSION].run.close()
            config.workeroutput[_WORKER_KEY] = vars(config.stash[SESSION].findings)
        return
    if SESSION not in config.stash and GATHERED not in config.stash:
        return
    _session(config).end_alarms()
    _session(config).gather()
    if not _has_found_something(config):
        return
    from tapemeter.pytest_plugin import ending, whole  # noqa: PLC0415 - a session without model calls pays for neither

    suite = whole.judge(session, _findings(config))
    config.stash[ENDING] = ended = ending.end(_session(config), _findings(config), session.exitstatus, suite=suite)
    session.exitstatus = ended.exit_status


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Make the xdist workers one run: with one id, and one folder in which they share ledger and recordings."""
    if SHARED not in node.config.stash:
        from tapemeter.run import new_run_id  # noqa: PLC0415 - see _session

        folder = TemporaryDirectory(prefix="tapemeter-")
        node.config.add_cleanup(folder.cleanup)
        session = node.config.stash.get(SESSION, None)
        run_id = new_run_id() if session is None else session.run.share(Path(folder.name))
        node.config.stash[SHARED] = {"folder": folder.name, "run_id": run_id}
    node.workerinput[_WORKER_KEY] = node.config.stash[SHARED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in the findings of an xdist worker."""
    found = getattr(node, "workeroutput", {}).get(_WORKER_KEY)
    if found is not None:
        from tapemeter.findings import Findings  # noqa: PLC0415 - a worker had something to say

        gathered = node.config.stash.setdefault(GATHERED, Findings())
        gathered.merge(Findings(**found))


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which network guard was asked for, where that is not the default."""
    word = options.guard(config)
    return None if word == "python" else f"network guard: {word}"


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Say, in verbose output, what a test recorded."""
    if report.when != "teardown" or not report.passed or not report.user_properties:  # modules' reports have none
        return None
    recorded = dict(report.user_properties)
    if not str(recorded.get("llm_mode", "")).startswith("record"):
        return None
    from tapemeter.pytest_plugin import summary  # noqa: PLC0415 - only while recording

    return "", "", summary.progress(recorded)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was written, what was refused, which shared recordings nobody asked for, and what was used."""
    ended = config.stash.get(ENDING, None)
    if ended is None or not ended.says_anything:
        return
    from tapemeter.pytest_plugin import summary  # noqa: PLC0415 - most sessions have nothing to say

    summary.write(terminalreporter, ended)


def _has_found_something(config: pytest.Config) -> bool:
    """Whether a session has anything to tell or to judge at its end."""
    session, findings = _session(config), _findings(config)
    told = findings is not None and any(vars(findings).values())
    return told or session.run.has_evidence or bool(session.settings.fail_on)


def _findings(config: pytest.Config) -> Findings | None:
    gathered = config.stash.get(GATHERED, None)
    if gathered is not None:
        return gathered
    session = config.stash.get(SESSION, None)
    return session.findings if session is not None else None


def _session(config: pytest.Config) -> Session:
    if SESSION not in config.stash:
        from tapemeter.session import Session, new_run  # noqa: PLC0415 - a session without model calls does not pay

        with _usage_errors():
            settings = options.read(config)
            given = getattr(config, "workerinput", {}).get(_WORKER_KEY) or config.stash.get(SHARED, None)
            process = getattr(config, "workerinput", {}).get("workerid", "main")
            run = new_run(settings, shared=given, process=process, receivers=lambda: _hooks(config).receivers())
            config.stash[SESSION] = Session(settings, run, lambda: _redaction_rules(config))
    return config.stash[SESSION]


def _redaction_rules(config: pytest.Config) -> list[str]:
    return _hooks(config).redaction_rules() if _has_hook(config, "llm_redact") else []


def _is_active(session: Session) -> bool:
    from tapemeter.cassette.mode import Mode  # noqa: PLC0415
    from tapemeter.settings import Source  # noqa: PLC0415

    return session.mode is not Mode.OFF or session.settings.mode_source is not Source.COMMAND_LINE


def _start(config: pytest.Config, session: Session) -> None:
    if session.is_open:
        return
    with _usage_errors():
        session.start(runs_code=hasattr(config, "workerinput") or getattr(config.option, "dist", "no") == "no")
    if config.option.collectonly:
        return
    from tapemeter.pytest_plugin.lifecycle import Lifecycle  # noqa: PLC0415 - only where tests are run
    from tapemeter.pytest_plugin.not_run import NotRun  # noqa: PLC0415

    config.pluginmanager.register(Lifecycle(session, lambda: _hooks(config)), LIFECYCLE)
    config.pluginmanager.register(NotRun(session), NOT_RUN)


def _register_providers(config: pytest.Config) -> None:
    """Have the wire protocols of conftests and plugins read, until the session ends."""
    wires = _hooks(config).wires() if _has_hook(config, "llm_providers") else ()
    if wires:
        from tapemeter import providers  # noqa: PLC0415 - only a project with protocols of its own

        with _usage_errors():
            config.add_cleanup(providers.register(wires).undo)


def _has_hook(config: pytest.Config, name: str) -> bool:
    """Whether any plugin or conftest might implement a hook of ours."""
    return any(hasattr(plugin, name) for plugin in config.pluginmanager.get_plugins())


def _hooks(config: pytest.Config) -> Hooks:
    with _MAKING_HOOKS:
        if HOOKS not in config.stash:
            from tapemeter.pytest_plugin.hooks import Hooks  # noqa: PLC0415 - most sessions never ask for them

            config.stash[HOOKS] = hooks = Hooks()
            config.pluginmanager.register(hooks, "tapemeter-hooks")
        return config.stash[HOOKS]


def _seed(items: list[pytest.Item]) -> None:
    """Have each test for which a fixture of ours is overridden ask for it first."""
    for item in items:
        names = getattr(item, "fixturenames", None)
        if names is not None and _llm_seed.__name__ not in names and markers.overrides(item):
            names.insert(0, _llm_seed.__name__)


class _usage_errors:  # noqa: N801 - used as a context manager function
    """Turn tapemeter's own usage errors into pytest's, which end the run with one message."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            return
        from tapemeter.errors import InterceptionError, PolicyError, UsageError  # noqa: PLC0415

        if isinstance(error, UsageError | InterceptionError | PolicyError):
            raise pytest.UsageError(f"tapemeter: {error}") from None
