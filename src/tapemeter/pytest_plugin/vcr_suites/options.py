"""Declares the options of pytest-recording and pytest-vcr, refuses to run beside them, and reads what was given.

They are declared when every plugin is loaded, so that one of the others is named in an error of its own, and not in
one about an option that is there twice. An option of another plugin with the same name is left to it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.settings import Settings

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
        "choices": RECORD_MODES,
        "help": "How tests with the marker vcr record: none (the default), once, new_episodes, all, rewrite.",
    },
    "--block-network": {
        "action": "store_true",
        "help": "Let no test reach the network, except to record for the marker vcr.",
    },
    "--allowed-hosts": {
        "metavar": "REGEXES",
        "help": "Hosts that may be reached where the network is blocked: regular expressions, with commas.",
    },
    "--disable-recording": {"action": "store_true", "help": "Ignore the marker vcr: no cassettes, calls are sent."},
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
_OF_RECORDING = ("--record-mode", "--block-network", "--allowed-hosts", "--disable-recording")

_DECLARED: pytest.StashKey[frozenset[str]] = pytest.StashKey()


def is_late(manager: pytest.PytestPluginManager) -> bool:
    """Whether a conftest loads the plugin, so that `pytest_load_initial_conftests` was called before it came."""
    return any(map(is_conftest, manager.get_plugins()))


def is_conftest(plugin: object) -> bool:
    """Whether a plugin is a module that is called so."""
    return os.path.basename(getattr(plugin, "__file__", None) or "") == "conftest.py"  # noqa: PTH119 - of 30 plugins


def declare(config: pytest.Config, parser: pytest.Parser) -> None:
    """Register options and hook; pytest's UsageError where a plugin is active that serves the same marker."""
    refuse_rivals(config.pluginmanager)
    from tapemeter.pytest_plugin.vcr_suites import hookspecs  # noqa: PLC0415 - imports nothing, but needs no import

    config.pluginmanager.add_hookspecs(hookspecs)
    group = parser.getgroup("tapemeter-vcr", "suites written for pytest-recording or pytest-vcr")
    taken = set(_names(parser))
    declared = []
    for name, attributes in OPTIONS.items():
        if name in taken:
            continue
        try:
            group.addoption(name, default=attributes.get("action") and False, **attributes)
        except ValueError:  # another option has the same destination
            continue
        declared.append(name)
    config.stash[_DECLARED] = frozenset(declared)


def declare_early(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Do the same before conftests are loaded; the value of an option is no path to look for them in."""
    declare(config, parser)
    if any(argument in _WITH_VALUE for argument in args):
        config.known_args_namespace.file_or_dir = parser.parse_known_args(args).file_or_dir


def _names(parser: pytest.Parser) -> Iterator[str]:
    for group in (*parser._groups, parser._anonymous):  # noqa: SLF001 - no public way to see what is registered
        for option in group.options:
            yield from option.names()


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
    if name not in config.stash.get(_DECLARED, ()):
        return None
    return config.getoption(name) or None


def is_for_recording(config: pytest.Config) -> bool:
    """Whether an option of pytest-recording was given."""
    return any(given(config, name) for name in _OF_RECORDING)


def is_for_pytest_vcr(config: pytest.Config) -> bool:
    """Whether an option of pytest-vcr was given."""
    return any(given(config, name) for name in OPTIONS if name not in _OF_RECORDING)


def record_mode(config: pytest.Config) -> str | None:
    """Return the record mode of the command line; None where there is none."""
    word: str | None = (
        given(config, "--record-mode") or given(config, "--vcr-record") or given(config, "--vcr-record-mode")
    )
    return word


def blocks_network(config: pytest.Config) -> bool:
    """Whether no test may reach the network."""
    return bool(given(config, "--block-network"))


def is_off(config: pytest.Config) -> bool:
    """Whether the cassettes of such suites are not to be used."""
    return bool(given(config, "--disable-recording") or given(config, "--disable-vcr"))


def check(config: pytest.Config, settings: Settings) -> None:
    """Raise UsageError for options of theirs and of ours that contradict each other."""
    from tapemeter.errors import UsageError  # noqa: PLC0415 - only where there is something to check
    from tapemeter.settings import Source  # noqa: PLC0415

    if is_for_recording(config) and is_for_pytest_vcr(config):
        raise UsageError("options of pytest-recording and of pytest-vcr are both given; write those of one of them")
    mode, word, source = settings.mode, record_mode(config), settings.mode_source
    if mode is None or source is None:
        return
    ours = _RECORD_ALL if mode.value == "record-all" else f"mode {mode.value}"
    if word is not None and word not in _GOES_WITH[mode.value]:
        if mode.value == "record" and source is not Source.COMMAND_LINE:
            return  # what the command line says more exactly
        raise UsageError(
            f"{ours} ({source.value}) and the record mode {word!r} (--record-mode or --vcr-record, on the command line "
            f"or in addopts) contradict each other; write one of them, or {' or '.join(_GOES_WITH[mode.value])}"
        )
    if mode.reads and is_off(config):
        raise UsageError(
            f"{ours} ({source.value}) uses cassettes, and --disable-recording or --disable-vcr uses none; write one of "
            "them"
        )


_RECORD_ALL = "--record-cassettes=all"
_GOES_WITH = {
    "replay": ("none",),
    "record": ("once", "new_episodes"),
    "record-all": ("all", "rewrite"),
    "verify": ("none",),
    "live": ("none",),
    "off": ("none",),
}
"""The record modes that mean the same as a mode of ours, are a kind of it, or say nothing against it."""


def suffix_limit() -> int:
    """Return how long a file's name may be, in characters, as pytest-recording reckons it."""
    try:
        return os.pathconf(".", "PC_NAME_MAX")
    except (AttributeError, ValueError, OSError):
        return 255
