"""Whether a session ran all of its suite, so that its evidence tells which recordings nobody needs any more.

A session that was a selection, that failed or that ended early says nothing of what it did not run. Of a test that was
skipped, its cassette is left out; where the name of that is not known, the session was not whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tapemeter.pytest_plugin import WATCH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tapemeter.findings import Findings

LISTED = 1000
"""Cassettes that the evidence lists; a session that left out more was not whole."""

_RAN = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
_HIDES_FILES = ("--ignore", "--ignore-glob")


class Suite(NamedTuple):  # which is made faster than a dataclass, at the end of every session that we serve
    """How much of its suite a session ran; `reasons` say why not all of it, `left_out` are cassettes.

    `skipped` is how many tests of ours were skipped.
    """

    reasons: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    skipped: int = 0

    @property
    def whole(self) -> bool:
        """Whether every test that there is was run or skipped, and none failed."""
        return not self.reasons

    def as_json(self) -> dict[str, Any]:
        """Return it as the evidence has it."""
        return {
            "whole": self.whole,
            "reasons": list(self.reasons),
            "left_out": list(self.left_out),
            "skipped": self.skipped,
        }


def judge(session: pytest.Session, findings: Findings | None) -> Suite:
    """Return how much of its suite a session ran, at its end."""
    left_out = tuple(sorted(set(findings.left_out))) if findings is not None else ()
    reasons = tuple(_reasons(session, findings, len(left_out)))
    return Suite(reasons, left_out[:LISTED], 0 if findings is None else findings.skipped)


def _reasons(session: pytest.Session, findings: Findings | None, left_out: int) -> Iterator[str]:
    config = session.config
    if (paths := _chosen(config)) is not None:
        yield f"it was of {paths}"
    watch = config.stash[WATCH]
    dropped = max(watch.dropped, 0 if findings is None else findings.dropped)
    if dropped:
        yield f"{dropped} of its tests {'was' if dropped == 1 else 'were'} deselected"
    if getattr(config.option, "lf", False):
        yield "it was of the tests that failed last (--last-failed)"
    if hidden := [word for word in _words(config) if word.partition("=")[0] in _HIDES_FILES]:
        yield f"it left files out ({hidden[0].partition('=')[0]})"
    failed = session.testsfailed
    if failed:
        yield f"{failed} of its tests or modules failed"
    if session.shouldstop or session.shouldfail or session.exitstatus not in _RAN:
        yield "it did not run to its end"
    if watch.skipped:
        yield "a module of it was skipped as a whole"
    unnamed = 0 if findings is None else findings.unnamed
    if unnamed:
        yield f"{unnamed} of its tests, whose cassettes a fixture names, {'was' if unnamed == 1 else 'were'} skipped"
    if left_out > LISTED:
        yield f"it left {left_out} cassettes out, since their tests were skipped"


def _chosen(config: pytest.Config) -> str | None:
    """Return the paths that were given, where they are not the whole suite; those of a folder that pytest began in."""
    sources = config.ArgsSource
    if config.args_source is sources.TESTPATHS:
        return None
    here = config.invocation_params.dir
    words = [str(here)] if config.args_source is sources.INVOCATION_DIR else config.args
    given = [(here / word).resolve() for word in words if "::" not in word]
    if len(given) == len(words) and all(any(root.is_relative_to(path) for path in given) for root in _roots(config)):
        return None
    shown = ", ".join(words[:3])
    return f"{shown} and more" if len(words) > 3 else shown  # noqa: PLR2004 - enough to see which


def _roots(config: pytest.Config) -> list[Path]:
    """Return where the whole suite lies: what ini `testpaths` names, else the root."""
    root = config.rootpath
    named = [path.resolve() for pattern in config.getini("testpaths") for path in sorted(root.glob(pattern))]
    return named or [root.resolve()]


def _words(config: pytest.Config) -> tuple[str, ...]:
    return tuple(map(str, config.invocation_params.args))
