"""Reads what was given of the options of pytest-recording and pytest-vcr, which `pytest_plugin.options` declares."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tapemeter.pytest_plugin.options import OPTIONS, given

if TYPE_CHECKING:
    import pytest

    from tapemeter.settings import Settings

_OF_RECORDING = ("--record-mode", "--block-network", "--allowed-hosts", "--disable-recording")


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
            f"{ours} ({source}) and the record mode {word!r} (--record-mode or --vcr-record, on the command line "
            f"or in addopts) contradict each other; write one of them, or {' or '.join(_GOES_WITH[mode.value])}"
        )
    if mode.reads and is_off(config):
        raise UsageError(
            f"{ours} ({source}) uses cassettes, and --disable-recording or --disable-vcr uses none; write one of them"
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
