"""Declares command-line options, ini settings and markers, ours and those of pytest-recording and pytest-vcr.

Theirs are declared when every plugin is loaded, so that one that serves the same suites is named in an error of its
own, and not in one about an option that is there twice. An option of another plugin with the same name is left to it.

`reading` says what comes of ours, `vcr_suites.options` of theirs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.vcr import VCR

RECORD = "--record-cassettes"


def add(parser: pytest.Parser) -> None:
    """Register every option and ini setting of ours."""
    # Without `dest`, pytest would look through all options for another of that name, once for each.
    group = parser.getgroup("tapemeter", "language-model calls: record once, replay offline")
    group.addoption(
        "--llm-mode",
        dest="llm_mode",
        metavar="{replay,record,live,verify,off}",
        help="How model calls of every test are answered: replay (cassettes only, no network), record (what is "
        "missing), live (send, no cassettes), verify (send, and tell what is no longer as recorded), off. Also: env "
        "LLM_MODE, ini llm_mode.",
    )
    group.addoption(
        RECORD,
        dest="record_cassettes",
        nargs="?",
        const="missing",
        metavar="missing|all",
        help="Record model calls: those that have no recording yet (missing, the default), or everything anew (all).",
    )
    group.addoption(
        "--llm-cassette-dir",
        dest="llm_cassette_dir",
        metavar="DIR",
        help="Folder of the cassettes (default: cassettes/ at the root). Also: ini llm_cassette_dir.",
    )
    group.addoption(
        "--llm-allow-host",
        dest="llm_allow_host",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="A host that tests may reach besides loopback: a name, *.suffix, an address, or a network such as "
        "10.0.0.0/8. Repeatable. Also: ini llm_allow_hosts.",
    )
    group.addoption(
        "--llm-replay-speed",
        dest="llm_replay_speed",
        default="instant",
        metavar="{instant,recorded,N}",
        help="Pace of replayed answers and streams: at once, as recorded, or N times faster than recorded.",
    )
    group.addoption(
        "--llm-fail-on",
        dest="llm_fail_on",
        default="",
        metavar="LIST",
        help="Findings that fail the run, with commas: unplayed (recordings that no call asked for), warning (a budget "
        "that came near its limit), unpriced (calls of unknown price), stopped (jobs that a budget stopped, also where "
        "that was expected), drift (recordings of another request, or of another answer), stale (recordings that are "
        "too old), orphans (recordings and files that no test of a whole run needs).",
    )
    group.addoption(
        "--llm-strict",
        dest="llm_strict",
        metavar="{off,report,fail}",
        help="What is done about a test whose cassette answers another request than it was recorded for, because its "
        "matching is loose: nothing (off, the default), list it (report), or fail it (fail). Also: ini llm_strict.",
    )
    group.addoption(
        "--llm-max-age",
        dest="llm_max_age",
        metavar="AGE",
        help="How old recordings may be that answer a test: hours, days or weeks such as 36h, 90d or 12w, or any. "
        "Also: ini llm_max_age.",
    )
    group.addoption(
        "--llm-on-stale",
        dest="llm_on_stale",
        metavar="{warn,fail,record}",
        help="What is done about a recording that is older: list it (warn, the default), fail the test (fail), or, "
        "while recording, record its cassette anew (record). Also: ini llm_on_stale.",
    )
    group.addoption(
        "--llm-record-failed",
        dest="llm_record_failed",
        action="store_true",
        help="Keep what was recorded when the test failed, too.",
    )
    group.addoption(
        "--llm-budget-policy",
        dest="llm_budget_policy",
        metavar="PATH",
        help="File with the limits of every test's job and of the run. Also: env LLM_BUDGET_POLICY, ini "
        "llm_budget_policy.",
    )
    group.addoption(
        "--llm-report-dir",
        dest="llm_report_dir",
        metavar="DIR",
        help="Folder of the usage events and reports (default: .tapemeter/ at the root). Also: ini llm_report_dir.",
    )
    group.addoption(
        "--llm-network-guard",
        dest="llm_network_guard",
        metavar="{python,process,namespace}",
        help="What holds tests to the network that they may use: Python's sockets of this process (python, the "
        "default), those of its Python children and known clients and programs as well (process), or no network at "
        "all for whatever the session runs (namespace; Linux, in replay). Also: ini llm_network_guard.",
    )
    parser.addini(
        "llm_network_guard",
        "What holds tests to the network that they may use: python, process or namespace.",
        default="python",
    )
    parser.addini(
        "llm_vcr",
        "Whose suite it is, pytest-recording's or pytest-vcr's, where what the tests use does not tell.",
        default="",
    )
    parser.addini(
        "llm_network_guard_forward",
        "Ports of this machine's loopback that are to be reached from the namespace, too.",
        type="args",
        default=[],
    )
    parser.addini("llm_budget_policy", "File with the limits of every test's job and of the run.", default="")
    parser.addini(
        "llm_report_dir", "Folder of the usage events and reports, relative to the root.", default=".tapemeter"
    )
    parser.addini(
        "llm_prices", "File with prices and aliases of one's own; read where it exists.", default="llm_prices.yaml"
    )
    parser.addini(
        "llm_keep_responses",
        "Whether the evidence holds the text of answers, without secrets, besides its size and digest.",
        type="bool",
        default=True,
    )
    parser.addini(
        "llm_on_alarm",
        "Who is told at once when a budget nears its limit or stops a job: a URL, env:NAME, or a command, one a line.",
        type="linelist",
        default=[],
    )
    parser.addini(
        "llm_config",
        "File that says where the calls of the fixture llm go (default: llm.yaml, if that is there). Also: env "
        "LLM_CONFIG.",
        default="",
    )
    parser.addini("llm_mode", "How model calls of every test are answered: replay, record, live, verify or off.")
    parser.addini(
        "llm_strict", "What is done about a cassette that answers other requests: off, report or fail.", default=""
    )
    parser.addini("llm_max_age", "How old recordings may be: 36h, 90d, 12w, or any.", default="")
    parser.addini("llm_on_stale", "What is done about older recordings: warn, fail or record.", default="warn")
    parser.addini("llm_cassette_dir", "Folder of the cassettes, relative to the root.", default="cassettes")
    parser.addini("llm_allow_hosts", "Hosts that tests may reach besides loopback.", type="args", default=[])
    parser.addini(
        "llm_redact",
        "More secrets to hide, one rule a line: header:NAME, query:NAME, json:NAME, env:NAME or text:REGEX.",
        type="linelist",
        default=[],
    )


def separate_record_value(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Read a bare `--record-cassettes` as `=missing`, so that it does not swallow the path that follows it."""
    if RECORD not in args:
        return
    args[:] = [f"{RECORD}=missing" if argument == RECORD else argument for argument in args]
    early_config.known_args_namespace.file_or_dir = parser.parse_known_args(args).file_or_dir


def guard(config: pytest.Config) -> str:
    """Return the word that says which network guard is wanted; also before options are parsed for good."""
    early, given = config.known_args_namespace, getattr(config.option, "llm_network_guard", None)
    word: str = given or getattr(early, "llm_network_guard", None) or config.getini("llm_network_guard")
    return word.strip().lower()


def is_plain(config: pytest.Config) -> bool:
    """Whether nothing was given that needs checking or work at start: the common case, kept free of imports."""
    given = (
        config.getoption("--llm-mode"),
        config.getoption(RECORD),
        config.getoption("--llm-allow-host"),
        config.getoption("--llm-fail-on"),
        config.getoption("--llm-strict"),
        config.getoption("--llm-max-age"),
        config.getoption("--llm-on-stale"),
        config.getoption("--llm-budget-policy"),
        config.getini("llm_strict"),
        config.getini("llm_max_age"),
        os.environ.get("LLM_MODE"),
        os.environ.get("LLM_BUDGET_POLICY"),
        config.getini("llm_budget_policy"),
        config.getini("llm_mode"),
        config.getini("llm_allow_hosts"),
        config.getini("llm_redact"),
        config.getini("llm_on_alarm"),
        guard(config) != "python",
    )
    return not any(given) and config.getoption("--llm-replay-speed") == "instant"


MARKERS = (
    (
        "llm_cassette(name=None, *, mode=None, ignore=(), match_on=None, repeat=False, max_age=None): replay the "
        "test's model calls from its cassette. name: a path below the cassette folder, to share one; mode: replay, "
        "record, live, verify or off; ignore: paths in the JSON body that need not match; "
        "match_on: parts to compare, or changes such as '-host'; repeat: the last recording of a request may answer "
        "again; max_age: how old recordings may be, such as '90d'."
    ),
    (
        "llm_network(allow=[...]): hosts that the test may reach besides loopback; an empty list closes loopback and "
        "unix sockets, too."
    ),
    (
        "llm_budget(policy=None, **limits): limits that hold for the test besides those of the run. policy: the path "
        "of a policy file; limits: dimensions of the job such as calls=3 or cost_usd='0.10', and call=, step=, run= "
        "with a mapping of dimensions."
    ),
    "llm_job(name): book the calls of all tests with this name on one job.",
    (
        "expect_stopped_budget(limit=None, scope=None, after_calls=None): pass only if a budget stops the job of the "
        "test: which limit, of which scope, after how many calls."
    ),
)


# Suites for pytest-recording and pytest-vcr

VCR_MARKERS = (
    (
        "vcr(*cassettes): answer the test's requests from its cassette in VCR.py's format, and from the cassettes that "
        "are named. Other arguments are VCR.py's configuration, over that of the fixture vcr_config."
    ),
    "default_cassette(name): the test's own cassette for the marker vcr.",
    (
        "block_network(allowed_hosts=None): let the test reach no host, except to record for the marker vcr. "
        "allowed_hosts: regular expressions of hosts that it may reach."
    ),
    "allowed_hosts(hosts): what block_network allows, where neither it nor --allowed-hosts names any.",
)

RECORD_MODES = ("once", "new_episodes", "none", "all", "rewrite")
"""What pytest-recording takes; VCR.py itself and pytest-vcr know all but the last."""

RIVALS = {
    "pytest_recording.plugin": "pytest-recording",
    "pytest_vcr": "pytest-vcr",
    "cassetter.pytest_plugin": "cassetter",
}
"""Plugins that serve the same marker: the module, and the package to uninstall."""

_CHOICES = RECORD_MODES[:-1]
_WITH_VALUE = ("--record-mode", "--allowed-hosts", "--vcr-record", "--vcr-record-mode")
OPTIONS: dict[str, dict[str, Any]] = {
    "--record-mode": {
        "dest": "record_mode",
        "choices": RECORD_MODES,
        "help": "How tests with the marker vcr record: none (the default), once, new_episodes, all, rewrite.",
    },
    "--block-network": {
        "dest": "block_network",
        "action": "store_true",
        "help": "Let no test reach the network, except to record for the marker vcr.",
    },
    "--allowed-hosts": {
        "dest": "allowed_hosts",
        "metavar": "REGEXES",
        "help": "Hosts that may be reached where the network is blocked: regular expressions, with commas.",
    },
    "--disable-recording": {
        "dest": "disable_recording",
        "action": "store_true",
        "help": "Ignore the marker vcr: no cassettes, calls are sent.",
    },
    "--vcr-record": {
        "choices": _CHOICES,
        "dest": "vcr_record",
        "help": "How tests with the marker vcr record in suites for pytest-vcr.",
    },
    "--vcr-record-mode": {
        "choices": _CHOICES,
        "dest": "deprecated_vcr_record",
        "help": "The same; the name that pytest-vcr gave up.",
    },
    "--disable-vcr": {
        "action": "store_true",
        "dest": "disable_vcr",
        "help": "Neither play nor record cassettes in suites for pytest-vcr.",
    },
}

DECLARED: pytest.StashKey[frozenset[str]] = pytest.StashKey()


class RecordingHook:
    """The hook of pytest-recording, as its suites implement it."""

    def __dir__(self) -> list[str]:
        return ["pytest_recording_configure"]

    @staticmethod
    def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:
        """Configure the VCR object of a marked test: register a serializer, matcher or persister, set its attributes.

        Called before each marked test's cassette is opened, with an object of its own.
        """


def is_late(manager: pytest.PytestPluginManager) -> bool:
    """Whether a conftest loads the plugin, so that `pytest_load_initial_conftests` was called before it came."""
    return any(map(is_conftest, manager.get_plugins()))


def is_conftest(plugin: object) -> bool:
    """Whether a plugin is a module that is called so."""
    return (getattr(plugin, "__file__", None) or "").endswith(f"{os.sep}conftest.py")


def declare(config: pytest.Config, parser: pytest.Parser) -> None:
    """Register options and hook; pytest's UsageError where a plugin is active that serves the same marker."""
    refuse_rivals(config.pluginmanager)
    config.pluginmanager.add_hookspecs(RecordingHook())  # type: ignore[arg-type] # an object will do
    group = parser.getgroup("tapemeter-vcr", "suites written for pytest-recording or pytest-vcr")
    taken = set(_taken(parser))
    free = {name: given for name, given in OPTIONS.items() if taken.isdisjoint((name, given["dest"]))}
    for name, given in free.items():
        group.addoption(name, default=given.get("action") and False, **given)
    config.stash[DECLARED] = frozenset(free)


def declare_early(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Do the same before conftests are loaded; the value of an option is no path to look for them in."""
    declare(config, parser)
    if any(argument in _WITH_VALUE for argument in args):
        config.known_args_namespace.file_or_dir = parser.parse_known_args(args).file_or_dir


def _taken(parser: pytest.Parser) -> Iterator[str]:
    """Yield the names and the destinations of all options so far."""
    for group in (*parser._groups, parser._anonymous):  # noqa: SLF001 - no public way to see what is registered
        for option in group.options:
            yield from option.names()
            yield option.dest


def refuse_rivals(manager: pytest.PytestPluginManager) -> None:
    """Raise pytest's UsageError that names an active plugin which serves the same marker, and how to go on."""
    for name, plugin in manager.list_name_plugin():
        package = RIVALS.get(getattr(plugin, "__name__", ""))
        if package is not None:
            raise pytest.UsageError(
                f"tapemeter: {package} is active too, and both would serve the marker vcr. Switch it off with "
                f"-p no:{name} on the command line or in addopts, or with pip uninstall {package}. "
                f"To keep it, switch this plugin off with -p no:tapemeter"
            )


def given(config: pytest.Config, name: str) -> Any:
    """Return the value of one of the options; None where it was not given, or where it is another plugin's."""
    if name not in config.stash.get(DECLARED, ()):
        return None
    return config.getoption(name) or None


def says_whose_suite(config: pytest.Config) -> bool:
    """Whether ini or an option says for which of the two a suite was written."""
    return bool(config.getini("llm_vcr")) or any(given(config, name) for name in OPTIONS)
