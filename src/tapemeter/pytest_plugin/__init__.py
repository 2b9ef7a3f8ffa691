"""The pytest plugin: hooks only. Nothing but pytest is imported before a session concerns itself with model calls."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.pytest_plugin import markers, options
from tapemeter.pytest_plugin.fixtures import (
    LIFECYCLE,
    _llm_seed,
    block_network,
    llm_cassette,
    llm_cassette_config,
)

if TYPE_CHECKING:
    from tapemeter.pytest_plugin.hooks import Hooks
    from tapemeter.session import Findings, Session

__all__ = ["_llm_seed", "block_network", "llm_cassette", "llm_cassette_config"]

SESSION: pytest.StashKey[Session] = pytest.StashKey()
HOOKS: pytest.StashKey[Hooks] = pytest.StashKey()
GATHERED: pytest.StashKey[Findings] = pytest.StashKey()
SHARED: pytest.StashKey[str] = pytest.StashKey()
_WORKER_KEY = "tapemeter"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register options and ini settings."""
    options.add(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Keep `--record-cassettes tests/` from taking the path for its value."""
    options.separate_record_value(early_config, parser, args)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; check the settings; start where a mode was given."""
    for line in markers.LINES:
        config.addinivalue_line("markers", line)
    if options.is_plain(config):
        return
    session = _session(config)
    if _is_active(session) and session.mode is not None:
        _start(config, session)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check all markers before the first test runs, and start if any test is ours."""
    ours = [item for item in items if markers.is_ours(item)]
    if ours:
        with _usage_errors():
            for item in ours:
                markers.check(item)
        session = _session(config)
        if _is_active(session):
            _start(config, session)
    if config.pluginmanager.has_plugin(LIFECYCLE):
        _seed(items)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take interception and guard down."""
    lifecycle = config.pluginmanager.unregister(name=LIFECYCLE)
    if lifecycle is not None:
        lifecycle.session.stop()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's findings to the controller; judge those that concern several tests."""
    config = session.config
    if hasattr(config, "workeroutput"):
        if SESSION in config.stash:
            config.workeroutput[_WORKER_KEY] = asdict(config.stash[SESSION].findings)
        return
    findings = _findings(config)
    if findings is not None and any(findings.shared.values()) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give all xdist workers one folder, in which they tell each other what they recorded."""
    if SHARED not in node.config.stash:
        folder = TemporaryDirectory(prefix="tapemeter-")
        node.config.stash[SHARED] = folder.name
        node.config.add_cleanup(folder.cleanup)
    node.workerinput[_WORKER_KEY] = node.config.stash[SHARED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in the findings of an xdist worker."""
    found = getattr(node, "workeroutput", {}).get(_WORKER_KEY)
    if found is not None:
        from tapemeter.session import Findings  # noqa: PLC0415 - a worker had something to say

        gathered = node.config.stash.setdefault(GATHERED, Findings())
        gathered.merge(Findings(**found))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was written, what was refused, and which shared recordings nobody asked for."""
    findings = _findings(config)
    if findings is None or not (findings.written or findings.blocked or any(findings.shared.values())):
        return
    from tapemeter.pytest_plugin import summary  # noqa: PLC0415 - most sessions have nothing to say

    summary.write(terminalreporter, findings)


def _findings(config: pytest.Config) -> Findings | None:
    gathered = config.stash.get(GATHERED, None)
    if gathered is not None:
        return gathered
    session = config.stash.get(SESSION, None)
    return session.findings if session is not None else None


def _session(config: pytest.Config) -> Session:
    if SESSION not in config.stash:
        from tapemeter.session import Session  # noqa: PLC0415 - a session without model calls does not pay for it

        with _usage_errors():
            shared = getattr(config, "workerinput", {}).get(_WORKER_KEY)
            config.stash[SESSION] = Session(
                options.read(config),
                lambda: _hooks(config).redaction_rules(),
                shared=None if shared is None else Path(shared),
            )
    return config.stash[SESSION]


def _is_active(session: Session) -> bool:
    from tapemeter.cassette.mode import Mode  # noqa: PLC0415
    from tapemeter.settings import Source  # noqa: PLC0415

    return session.mode is not Mode.OFF or session.settings.mode_source is not Source.COMMAND_LINE


def _start(config: pytest.Config, session: Session) -> None:
    if config.pluginmanager.has_plugin(LIFECYCLE):
        return
    from tapemeter.pytest_plugin.lifecycle import Lifecycle  # noqa: PLC0415

    with _usage_errors():
        session.start()
    config.pluginmanager.register(Lifecycle(session, _hooks(config)), LIFECYCLE)


def _hooks(config: pytest.Config) -> Hooks:
    if HOOKS not in config.stash:
        from tapemeter.pytest_plugin.hooks import Hooks  # noqa: PLC0415 - see _session

        config.stash[HOOKS] = hooks = Hooks()
        config.pluginmanager.register(hooks, "tapemeter-hooks")
    return config.stash[HOOKS]


def _seed(items: list[pytest.Item]) -> None:
    """Have each test below an overridden llm_cassette_config ask for it first."""
    for item in items:
        names = getattr(item, "fixturenames", None)
        if names is not None and _llm_seed.__name__ not in names and markers.has_config(item):
            names.insert(0, _llm_seed.__name__)


class _usage_errors:  # noqa: N801 - used as a context manager function
    """Turn tapemeter's own usage errors into pytest's, which end the run with one message."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        from tapemeter.errors import InterceptionError, UsageError  # noqa: PLC0415

        if isinstance(error, UsageError | InterceptionError):
            raise pytest.UsageError(f"tapemeter: {error}") from None
