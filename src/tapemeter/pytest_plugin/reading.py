"""How options, environment and ini settings become `Settings`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter import settings
from tapemeter.pytest_plugin.options import RECORD, guard

if TYPE_CHECKING:
    import pytest

    from tapemeter.settings import Settings


def read(config: pytest.Config) -> Settings:
    """Return the session's settings; tapemeter's UsageError for what cannot be honoured."""
    mode, source = settings.read_mode(
        option=config.getoption("--llm-mode"),
        record=config.getoption(RECORD),
        environment=os.environ.get("LLM_MODE"),
        ini=config.getini("llm_mode"),
    )
    hosts = (*config.getoption("--llm-allow-host"), *config.getini("llm_allow_hosts"))
    if hosts:
        from tapemeter.network import AllowList  # noqa: PLC0415 - only where hosts are named

        AllowList.default().plus(hosts)
    max_age, max_age_source = settings.read_max_age(
        option=config.getoption("--llm-max-age"), ini=config.getini("llm_max_age")
    )
    fail_on = settings.parse_fail_on(config.getoption("--llm-fail-on"))
    # To fail on drift, drift has to be looked for.
    strict = config.getoption("--llm-strict") or config.getini("llm_strict")
    rules = tuple(config.getini("llm_redact"))
    if rules:
        from tapemeter.redact import Redactor  # noqa: PLC0415 - only a project with rules of its own

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
