"""Moves the session into a network namespace, as early as pytest allows, or ends it with the reason why not."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tapemeter import settings
from tapemeter.cassette.mode import Mode
from tapemeter.errors import UsageError
from tapemeter.isolation import namespace

if TYPE_CHECKING:
    import argparse

    import pytest


def move(config: pytest.Config, given: argparse.Namespace) -> None:
    """Move this process, or start it anew where its threads are in the way; UsageError where neither can be.

    `given` are the options, as far as they are known. Where the process was moved before, as a worker is by being the
    child of one that was, nothing is done.
    """
    if given.help or given.version:
        return
    mode, source = settings.read_mode(
        option=given.llm_mode,
        record=None if given.record_cassettes is None else "missing",
        environment=os.environ.get("LLM_MODE"),
        ini=config.getini("llm_mode"),
    )
    if mode is Mode.OFF and source == settings.Source.COMMAND_LINE:  # then nothing is done about the network either
        return
    settings.check_namespace(mode, (*given.llm_allow_host, *config.getini("llm_allow_hosts")))
    ports = settings.parse_ports(config.getini("llm_network_guard_forward"))
    if namespace.threads() > 1 and not namespace.is_isolated() and _is_the_command(config):
        capturing = config.pluginmanager.getplugin("capturemanager")
        if capturing is not None:
            capturing.stop_global_capturing()  # what it starts anew is to have the real output
        namespace.start_again([sys.executable, *sys.orig_argv[1:]], ports)
    try:
        namespace.enter(ports)
    except namespace.NamespaceRefused as error:
        raise UsageError(namespace.refusal(error)) from None


def _is_the_command(config: pytest.Config) -> bool:
    """Whether pytest is what this process was started for, so that starting it anew does nothing else a second time."""
    return list(config.invocation_params.args) == sys.argv[1:] and len(sys.orig_argv) > 1
