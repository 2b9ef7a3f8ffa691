"""The plugin object of a session that a mode, or a test of ours, calls for: how that is made, started and ended.

It is registered where one of the two is there, and where workers of xdist may tell of such tests.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.pytest_plugin import WATCH, options
from tapemeter.pytest_plugin.fixtures import LIFECYCLE

if TYPE_CHECKING:
    from tapemeter.findings import Findings
    from tapemeter.pytest_plugin.ending import Ending
    from tapemeter.pytest_plugin.hooks import Hooks
    from tapemeter.session import Session

PLUGIN = "tapemeter-serving"
"""The name under which it is registered."""
_WORKER_KEY = "tapemeter"


def of(config: pytest.Config) -> Serving:
    """Return the plugin object, which is registered if it was not."""
    known: Serving | None = config.pluginmanager.get_plugin(PLUGIN)
    if known is None:
        known = Serving(config)
        config.pluginmanager.register(known, PLUGIN)
    return known


class Serving:
    """What serves model calls in one pytest session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._session: Session | None = None
        self._gathered: Findings | None = None
        """What the workers of xdist have found."""
        self._shared: dict[str, str] | None = None
        """What the workers of xdist have in common with this process."""
        self._ended: Ending | None = None
        self._hooks: Hooks | None = None
        self._making_hooks = threading.RLock()
        """Calls of several threads may be the first to ask for them."""

    def __dir__(self) -> list[str]:
        return [name for name in vars(Serving) if name.startswith("pytest_")]

    # How it begins

    @property
    def session(self) -> Session:
        """The session, which is made when it is first asked for; pytest's UsageError where it cannot be."""
        if self._session is None:
            from tapemeter.pytest_plugin.reading import read  # noqa: PLC0415 - not before it is known that there is one
            from tapemeter.session import Session, new_run  # noqa: PLC0415 - as above

            config = self._config
            with usage_errors():
                settings = read(config)
                given = getattr(config, "workerinput", {}).get(_WORKER_KEY) or self._shared
                process = getattr(config, "workerinput", {}).get("workerid", "main")
                run = new_run(settings, shared=given, process=process, receivers=lambda: self._our_hooks().receivers())
                self._session = Session(settings, run, self._redaction_rules)
        return self._session

    @property
    def is_active(self) -> bool:
        """Whether it does anything: not where the command line says that it is off."""
        from tapemeter.cassette.mode import Mode  # noqa: PLC0415 - as above
        from tapemeter.settings import Source  # noqa: PLC0415

        return self.session.mode is not Mode.OFF or self.session.settings.mode_source is not Source.COMMAND_LINE

    @property
    def is_open(self) -> bool:
        """Whether it has started."""
        return self._session is not None and self._session.is_open

    def begin(self) -> None:
        """Check the settings, and start where a mode was given."""
        if self.session.mode is not None and self.is_active:
            self.start()

    def tell_progress(self) -> None:
        """Have verbose output say what tests record; not where all replay, since that is asked for each test."""
        manager, name = self._config.pluginmanager, "tapemeter-progress"
        replays = self._session is not None and self._session.mode == "replay"
        if not replays and not manager.has_plugin(name):
            manager.register(Progress(), name)

    def start(self) -> None:
        """Start, once."""
        config, session = self._config, self.session
        if session.is_open:
            return
        with usage_errors():
            session.start(runs_code=hasattr(config, "workerinput") or getattr(config.option, "dist", "no") == "no")
        if config.option.collectonly:
            return
        from tapemeter.pytest_plugin.lifecycle import Lifecycle  # noqa: PLC0415 - only where tests are run

        config.pluginmanager.register(Lifecycle(session, self._our_hooks), LIFECYCLE)

    def register_providers(self) -> None:
        """Have the wire protocols of conftests and plugins read, until the session ends."""
        wires = self._our_hooks().wires() if self.is_open and self._has_hook("llm_providers") else ()
        if wires:
            from tapemeter import providers  # noqa: PLC0415 - only a project with protocols of its own

            with usage_errors():
                self._config.add_cleanup(providers.register(wires).undo)

    def _redaction_rules(self) -> list[str]:
        return self._our_hooks().redaction_rules() if self._has_hook("llm_redact") else []

    def _has_hook(self, name: str) -> bool:
        """Whether any plugin or conftest might implement a hook of ours."""
        return any(hasattr(plugin, name) for plugin in self._config.pluginmanager.get_plugins())

    def _our_hooks(self) -> Hooks:
        with self._making_hooks:
            if self._hooks is None:
                from tapemeter.pytest_plugin.hooks import PLUGIN, Hooks  # noqa: PLC0415 - most never ask for them

                self._hooks = hooks = Hooks()
                self._config.pluginmanager.register(hooks, PLUGIN)
            return self._hooks

    # Workers of xdist

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Make the xdist workers one run: with one id, and one folder in which they share ledger and recordings."""
        if self._shared is None:
            from pathlib import Path  # noqa: PLC0415 - as what follows, only where there are workers
            from tempfile import TemporaryDirectory  # noqa: PLC0415

            from tapemeter.run import new_run_id  # noqa: PLC0415

            folder = TemporaryDirectory(prefix="tapemeter-")
            self._config.add_cleanup(folder.cleanup)
            run_id = new_run_id() if self._session is None else self._session.run.share(Path(folder.name))
            self._shared = {"folder": folder.name, "run_id": run_id}
        node.workerinput[_WORKER_KEY] = self._shared

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take in the findings of an xdist worker."""
        found = getattr(node, "workeroutput", {}).get(_WORKER_KEY)
        if found is not None:
            from tapemeter.findings import Findings  # noqa: PLC0415 - a worker had something to say

            self._gathered = self._gathered or Findings()
            self._gathered.merge(Findings(**found))

    # What is said while it goes on

    def pytest_report_header(self, config: pytest.Config) -> str | None:
        """Say which network guard was asked for, where that is not the default."""
        word = options.guard(config)
        return None if word == "python" else f"network guard: {word}"

    # How it ends

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand a worker's findings to the controller; end the run with its report, and judge what it says."""
        config, own = self._config, self._session
        lifecycle = config.pluginmanager.get_plugin(LIFECYCLE)
        if lifecycle is not None:
            lifecycle.finish()
        if hasattr(config, "workeroutput"):
            if own is not None:
                own.end_alarms()
                own.gather()
                own.findings.dropped = config.stash[WATCH].dropped
                own.run.close()
                config.workeroutput[_WORKER_KEY] = vars(own.findings)
            return
        if own is None and self._gathered is None:
            return
        own = self.session
        own.end_alarms()
        own.gather()
        findings = own.findings if self._gathered is None else self._gathered
        if not (any(vars(findings).values()) or own.run.has_evidence or own.settings.fail_on):
            return
        from tapemeter.pytest_plugin import ending, whole  # noqa: PLC0415 - a session without calls pays for neither

        suite = whole.judge(session, findings)
        self._ended = ending.end(own, findings, session.exitstatus, suite=suite)
        session.exitstatus = self._ended.exit_status

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was written, what was refused, which shared recordings nobody asked for, and what was used."""
        if self._ended is None or not self._ended.says_anything:
            return
        from tapemeter.pytest_plugin import summary  # noqa: PLC0415 - most sessions have nothing to say

        summary.write(terminalreporter, self._ended)
        self._ended = None  # else its report is looked through whenever pytest collects garbage from here on

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Take interception and guard down."""
        if self._session is not None:
            config.pluginmanager.unregister(name=LIFECYCLE)
            self._session.stop()


class Progress:
    """The plugin object that says, in verbose output, what a test recorded; where none records, it is not there."""

    def __dir__(self) -> list[str]:
        return ["pytest_report_teststatus"]

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Say what a test recorded."""
        if report.when != "teardown" or not report.passed or not report.user_properties:  # modules' reports have none
            return None
        recorded = dict(report.user_properties)
        if not str(recorded.get("llm_mode", "")).startswith("record"):
            return None
        from tapemeter.pytest_plugin import summary  # noqa: PLC0415 - only while recording

        return "", "", summary.progress(recorded)


class usage_errors:  # noqa: N801 - used as a context manager function
    """Turn tapemeter's own usage errors into pytest's, which end the run with one message."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            return
        from tapemeter.errors import InterceptionError, PolicyError, UsageError  # noqa: PLC0415 - most often none

        if isinstance(error, UsageError | InterceptionError | PolicyError):
            raise pytest.UsageError(f"tapemeter: {error}") from None
