"""Makes a test of such a suite one of ours: in which mode its owner is, how it records, what it may reach.

| given | tests with the marker `vcr` |
|---|---|
| `--llm-mode=replay`, or LLM_MODE or ini | record mode `none`, whatever their configuration says |
| `--record-cassettes`, `--llm-mode=record` | `new_episodes`, whatever their configuration says |
| `--record-cassettes=all` | `all`, and what was not asked for again is dropped |
| LLM_MODE or ini `record` | `new_episodes` where neither --record-mode nor their configuration says anything |
| `live`, `off` | no cassettes |

A record mode on the command line decides among those that go with ours; one that contradicts it is a usage error.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tapemeter.cassette.mode import Mode
from tapemeter.network import AllowList
from tapemeter.pytest_plugin.fixtures import LIFECYCLE
from tapemeter.pytest_plugin.vcr_suites import marks, options
from tapemeter.settings import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tapemeter.errors import NetworkBlockedError
    from tapemeter.owner import Owner
    from tapemeter.pytest_plugin.lifecycle import Lifecycle
    from tapemeter.session import Session
    from tapemeter.settings import Settings


_FAKE_FILES = frozenset({"fs", "fs_class", "fs_module", "fs_session"})
"""Fixtures of pyfakefs, in whose tests a file is not to be found any more."""


class Recording(NamedTuple):
    """How a test records: VCR.py's record mode, or `rewrite`; None where it has no cassette at all."""

    mode: str | None
    drops_unused: bool = False

    @property
    def configuration(self) -> dict[str, Any]:
        """What of VCR.py's configuration it comes to."""
        return {"record_mode": self.mode, **({"drop_unused_requests": True} if self.drops_unused else {})}


def recording(settings: Settings, *, given: str | None, configured: str | None, default: str) -> Recording:
    """Return how a test records.

    `given` is what the command line says in the words of their plugin, `configured` what decides over `default`: for
    pytest-recording that is the configuration or a marker over the command line, for pytest-vcr the other way round.
    """
    mode, is_commanded = settings.mode, settings.mode_source is Source.COMMAND_LINE
    if mode in {Mode.LIVE, Mode.OFF}:
        return Recording(None)
    if mode in {Mode.REPLAY, Mode.VERIFY}:
        return Recording("none")
    if is_commanded and mode is not None:
        if given is not None:
            return Recording(given)
        return Recording("all", drops_unused=True) if mode is Mode.RECORD_ALL else Recording("new_episodes")
    if mode is Mode.RECORD and given is None and configured is None:
        return Recording("new_episodes")
    return Recording(configured or default)


def session_of(config: pytest.Config) -> Session | None:
    """Return the session that is under way; None where the plugin does nothing."""
    lifecycle: Lifecycle | None = config.pluginmanager.get_plugin(LIFECYCLE)
    return None if lifecycle is None else lifecycle.session


def first_mode(item: pytest.Item, mode: Mode | None) -> Mode | None:
    """Return in which mode a test begins, before its fixtures say more; None for one that is not of such a suite."""
    served = marks.served(item)
    if served is None:
        return None
    if not served.has_cassette:
        return Mode.OFF if mode is None else mode  # blocked, and else left alone
    return Mode.LIVE if options.is_off(item.config) else Mode.REPLAY


def begin(item: pytest.Item, owner: Owner, mode: Mode | None) -> None:
    """Leave a test's network open where its plugin would; where the session replays it is closed."""
    served = marks.served(item)
    if served is not None and mode is not Mode.REPLAY and item.get_closest_marker("llm_network") is None:
        owner.guarded = False


def settle(item: pytest.Item, how: Recording, *, exists: bool) -> None:
    """Have a test's owner tell how its cassette is used; `exists` is whether there is a file."""
    owner = _owner(item)
    if owner is None or owner.mode is Mode.VERIFY:
        return
    records = how.mode not in {"none", None} and not (how.mode == "once" and exists)
    owner.mode = Mode.LIVE if how.mode is None else Mode.RECORD if records else Mode.REPLAY
    job = owner.job
    if not job.touched and len(job.tests) == 1:
        job.clock.replays = owner.mode is Mode.REPLAY
        job.clock.enter()


@contextmanager
def used(item: pytest.Item, context: Any, *, shared: bool) -> Iterator[Any]:
    """Use a cassette while a test runs; gives it.

    It is written whether the test passes or not, unless its configuration has record_on_exception=False: then only if
    it passes. Where recordings that no call asked for are findings, they are told; at the end of the run for a cassette
    that is `shared`.
    """
    from tapemeter.pytest_plugin.vcr_suites.lazy import LazyCassette  # noqa: PLC0415 - it imports tapemeter.vcr

    lifecycle: Lifecycle = item.config.pluginmanager.get_plugin(LIFECYCLE)  # type: ignore[assignment]
    if not _FAKE_FILES.intersection(getattr(item, "fixturenames", ())):
        context.cls = LazyCassette
    cassette = context.__enter__()
    has_failed = True
    try:
        yield cassette
        has_failed = lifecycle.has_failed(item)
    finally:
        error = AssertionError(f"{item.nodeid} failed") if has_failed else None
        context.__exit__(None if error is None else type(error), error, None)
    if not has_failed and "unplayed" in lifecycle.session.settings.fail_on and cassette.write_protected:
        _judge(lifecycle, cassette, shared=shared)


def _judge(lifecycle: Lifecycle, cassette: Any, *, shared: bool) -> None:
    from tapemeter.pytest_plugin.lifecycle import unplayed_message  # noqa: PLC0415 - it imports this module

    places = [place + 1 for place in range(len(cassette)) if not cassette.play_counts[place]]
    path = os.path.relpath(cassette.path, lifecycle.session.root)
    if shared:
        lifecycle.session.findings.note_shared(path, places)
    elif places:
        pytest.fail(unplayed_message(path, places), pytrace=False)


def block(item: pytest.Item, hosts: Sequence[str]) -> None:
    """Hold a test back from the network, save from hosts that match one of the regular expressions."""
    owner = _owner(item)
    if owner is None:
        return
    matching = AllowList.matching(hosts)
    owner.allowed = matching.intersect(owner.allowed) if owner.guarded else matching
    owner.guarded = True
    owner.blocked_as = _disabled


def _disabled(error: NetworkBlockedError) -> RuntimeError:
    """Return what suites for pytest-recording expect in place of our own error, which is an OSError."""
    return RuntimeError(
        f"Network is disabled for host {error.host!r}\n"
        f"  it was {error.test or 'code that belongs to no running test'} that wanted to reach it\n"
        "  to allow it: @pytest.mark.block_network(allowed_hosts=[...]) or --allowed-hosts with regular expressions"
    )


def _owner(item: pytest.Item) -> Owner | None:
    lifecycle: Lifecycle | None = item.config.pluginmanager.get_plugin(LIFECYCLE)
    return None if lifecycle is None else lifecycle.owner_of(item)
