"""Command-line options and ini settings, and how they become `Settings`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from tapemeter.settings import Settings

_RECORD = "--record-cassettes"


def add(parser: pytest.Parser) -> None:
    """Register every option and ini setting."""
    group = parser.getgroup("tapemeter", "language-model calls: record once, replay offline")
    group.addoption(
        "--llm-mode",
        metavar="{replay,record,live,verify,off}",
        help="How model calls of every test are answered: replay (cassettes only, no network), record (what is "
        "missing), live (send, no cassettes), verify (send, and tell what is no longer as recorded), off. Also: env "
        "LLM_MODE, ini llm_mode.",
    )
    group.addoption(
        _RECORD,
        nargs="?",
        const="missing",
        metavar="missing|all",
        help="Record model calls: those that have no recording yet (missing, the default), or everything anew (all).",
    )
    group.addoption(
        "--llm-cassette-dir",
        metavar="DIR",
        help="Folder of the cassettes (default: cassettes/ at the root). Also: ini llm_cassette_dir.",
    )
    group.addoption(
        "--llm-allow-host",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="A host that tests may reach besides loopback: a name, *.suffix, an address, or a network such as "
        "10.0.0.0/8. Repeatable. Also: ini llm_allow_hosts.",
    )
    group.addoption(
        "--llm-replay-speed",
        default="instant",
        metavar="{instant,recorded,N}",
        help="Pace of replayed answers and streams: at once, as recorded, or N times faster than recorded.",
    )
    group.addoption(
        "--llm-fail-on",
        default="",
        metavar="LIST",
        help="Findings that fail the run, with commas: unplayed (recordings that no call asked for), warning (a budget "
        "that came near its limit), unpriced (calls of unknown price), stopped (jobs that a budget stopped, also where "
        "that was expected), drift (recordings of another request, or of another answer), stale (recordings that are "
        "too old), orphans (recordings and files that no test of a whole run needs).",
    )
    group.addoption(
        "--llm-strict",
        metavar="{off,report,fail}",
        help="What is done about a test whose cassette answers another request than it was recorded for, because its "
        "matching is loose: nothing (off, the default), list it (report), or fail it (fail). Also: ini llm_strict.",
    )
    group.addoption(
        "--llm-max-age",
        metavar="AGE",
        help="How old recordings may be that answer a test: hours, days or weeks such as 36h, 90d or 12w, or any. "
        "Also: ini llm_max_age.",
    )
    group.addoption(
        "--llm-on-stale",
        metavar="{warn,fail,record}",
        help="What is done about a recording that is older: list it (warn, the default), fail the test (fail), or, "
        "while recording, record its cassette anew (record). Also: ini llm_on_stale.",
    )
    group.addoption(
        "--llm-record-failed",
        action="store_true",
        help="Keep what was recorded when the test failed, too.",
    )
    group.addoption(
        "--llm-budget-policy",
        metavar="PATH",
        help="File with the limits of every test's job and of the run. Also: env LLM_BUDGET_POLICY, ini "
        "llm_budget_policy.",
    )
    group.addoption(
        "--llm-report-dir",
        metavar="DIR",
        help="Folder of the usage events and reports (default: .tapemeter/ at the root). Also: ini llm_report_dir.",
    )
    group.addoption(
        "--llm-network-guard",
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
    if _RECORD not in args:
        return
    args[:] = [f"{_RECORD}=missing" if argument == _RECORD else argument for argument in args]
    early_config.known_args_namespace.file_or_dir = parser.parse_known_args(args).file_or_dir


def read(config: pytest.Config) -> Settings:
    """Return the session's settings; tapemeter's UsageError for what cannot be honoured."""
    from tapemeter import settings  # noqa: PLC0415 - see the plugin's start-up budget
    from tapemeter.network import AllowList  # noqa: PLC0415

    mode, source = settings.read_mode(
        option=config.getoption("--llm-mode"),
        record=config.getoption(_RECORD),
        environment=os.environ.get("LLM_MODE"),
        ini=config.getini("llm_mode"),
    )
    hosts = (*config.getoption("--llm-allow-host"), *config.getini("llm_allow_hosts"))
    AllowList.default().plus(hosts)
    max_age, max_age_source = settings.read_max_age(
        option=config.getoption("--llm-max-age"), ini=config.getini("llm_max_age")
    )
    fail_on = settings.parse_fail_on(config.getoption("--llm-fail-on"))
    # To fail on drift, drift has to be looked for.
    strict = config.getoption("--llm-strict") or config.getini("llm_strict")
    rules = tuple(config.getini("llm_redact"))
    if rules:
        from tapemeter.redact import Redactor  # noqa: PLC0415 - as above

        Redactor(rules)
    return settings.Settings(
        root=config.rootpath,
        cassette_dir=_folder(config, "llm-cassette-dir"),
        mode=mode,
        mode_source=source,
        allow_hosts=hosts,
        replay_speed=settings.parse_speed(config.getoption("--llm-replay-speed")),
        fail_on=fail_on,
        record_failed=config.getoption("--llm-record-failed"),
        redact=rules,
        report_dir=_folder(config, "llm-report-dir"),
        budget_policy=_policy(config),
        prices=_prices(config),
        keep_responses=config.getini("llm_keep_responses"),
        on_alarm=tuple(config.getini("llm_on_alarm")),
        guard=settings.parse_guard(guard(config)),
        strict=settings.parse_strict(strict or ("report" if "drift" in fail_on else "off")),
        max_age=max_age,
        max_age_source=max_age_source,
        on_stale=settings.parse_on_stale(config.getoption("--llm-on-stale") or config.getini("llm_on_stale")),
    )


def _folder(config: pytest.Config, name: str) -> Path:
    """Return a folder: an option is relative to where pytest was called, ini to the root."""
    option = config.getoption(f"--{name}")
    if option:
        return Path(os.path.normpath(config.invocation_params.dir / option))
    return Path(os.path.normpath(config.rootpath / config.getini(name.replace("-", "_"))))


def _policy(config: pytest.Config) -> Path | None:
    """Return the policy file; one of the environment is relative to where pytest was called, as an option is."""
    given = config.getoption("--llm-budget-policy") or os.environ.get("LLM_BUDGET_POLICY")
    if given:
        return Path(os.path.normpath(config.invocation_params.dir / given))
    ini = config.getini("llm_budget_policy")
    return Path(os.path.normpath(config.rootpath / ini)) if ini else None


def _prices(config: pytest.Config) -> Path | None:
    path = config.rootpath / config.getini("llm_prices")
    return path if path.is_file() else None


def guard(config: pytest.Config) -> str:
    """Return the word that says which network guard is wanted; also before options are parsed for good."""
    early, given = config.known_args_namespace, getattr(config.option, "llm_network_guard", None)
    word: str = given or getattr(early, "llm_network_guard", None) or config.getini("llm_network_guard")
    return word.strip().lower()


def is_plain(config: pytest.Config) -> bool:
    """Whether nothing was given that needs checking or work at start: the common case, kept free of imports."""
    given = (
        config.getoption("--llm-mode"),
        config.getoption(_RECORD),
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
