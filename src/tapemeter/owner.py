"""Whose call it is: each call belongs to the test, or the fixture of wider scope, that runs it.

An owner is bound in two ways. The process has a stack of owners that are running: a test, and above it a
fixture that is being set up or torn down for it. And a context variable follows the code that an owner starts:
into tasks by Python's own rules, into threads and executors by `intercept.threads`. The variable tells who
started the code, the stack who runs now:

    variable says           the call belongs to
    nothing                 who runs now
    an open owner           that owner
    a fixture in use        who runs now (a client or a thread that the fixture provides)
    a closed owner          nobody: it was left over

Most tests of most suites call no model, so an owner is little more than a name until it does: its job and its
cassette are made when somebody first asks for them.
"""

from __future__ import annotations

import os
import shlex
import threading
from contextvars import ContextVar
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Protocol

    from tapemeter.budget.stop import Stop
    from tapemeter.budget.tally import Tally
    from tapemeter.cassette.cassette import Cassette
    from tapemeter.cassette.drift import Drifts
    from tapemeter.cassette.mode import Mode, OnStale, Strict
    from tapemeter.clock import JobClock
    from tapemeter.errors import NetworkBlockedError, Refusal
    from tapemeter.job import Job
    from tapemeter.metering.meter import Meter
    from tapemeter.network import AllowList
    from tapemeter.redact import Redactor

    class House(Protocol):
        """What all owners of a session share."""

        @property
        def mode(self) -> Mode | None:
            """The mode that holds for every test; None where only marked tests are concerned."""

        @property
        def is_live(self) -> bool:
            """Whether live was asked for, so that no cassette is read or written."""

        def note_unowned(self, what: str) -> None:
            """Note a model call that went out unrecorded, since it belongs to no running test."""

        @property
        def redactor(self) -> Redactor:
            """What hides secrets."""

        @property
        def replay_speed(self) -> float | None:
            """How much faster than recorded answers are replayed; None for at once."""

        @property
        def strict(self) -> Strict:
            """What is done about recordings that answer other requests than they were recorded for."""

        @property
        def on_stale(self) -> OnStale:
            """What is done about recordings that are older than they may be."""

        @property
        def root(self) -> Path:
            """The folder that paths in messages are relative to."""

        @property
        def meter(self) -> Meter:
            """What books every model call."""


class State(Enum):
    """Where an owner is in its life."""

    OPEN = "open"
    IN_USE = "in use"
    """A fixture of wider scope between its set-up and its tear-down."""
    CLOSED = "closed"


_making = threading.RLock()
"""Held while a part is made, since the first to ask for it may be several threads."""


class Owner:
    """A test or a fixture of wider scope, with its mode, its cassette and what was refused to it."""

    markable = True
    """Whether a marker reaches it, as it does a test."""
    hooked = True
    """Whether hooks of conftests hold for it, as they do for tests and fixtures."""
    shared = False
    """Whether other tests may use the same cassette."""
    blocked_as: Callable[[NetworkBlockedError], Exception] | None = None
    """What its code gets in place of the network guard's error."""
    stale_before = ""
    """Recordings from before this moment are too old; empty where none is."""
    _cassette: Cassette | None = None
    _usage: Tally | None = None

    def __init__(
        self,
        label: str,
        *,
        house: House,
        mode: Mode,
        clock: JobClock,
        job: Job | None,
        make_job: Callable[[], Job],
        make_cassette: Callable[[Path], Cassette],
        find_path: Callable[[], Path],
        find_allowed: Callable[[], AllowList],
        guarded: bool,
        nodeid: str,
    ) -> None:
        self.label = label
        self.nodeid = nodeid
        self.house = house
        self.mode = mode
        self.clock = clock
        """The clock of its job, which there is before the job."""
        self._job, self._make_job = job, make_job
        self._make_cassette, self._find_path = make_cassette, find_path
        self._find_allowed = find_allowed
        self.guarded = guarded
        """Whether everything else is refused."""
        self.state = State.OPEN
        self.refusals: list[Refusal] = []
        self.pending: dict[int, Callable[[], None]] = {}
        """How to end each call that was sent and has not ended, by its order."""
        self.stale: list[str] = []
        """When the recordings that were played though they were too old had been made."""

    def __repr__(self) -> str:
        return f"<Owner {self.label} {self.mode} {self.state.value}>"

    @property
    def closed(self) -> bool:
        """Whether its turn is over for good."""
        return self.state is State.CLOSED

    # What is made when it is needed

    @property
    def job(self) -> Job:
        """What its calls are booked on."""
        if self._job is None:
            with _making:
                if self._job is None:
                    self._job = self._make_job()
        return self._job

    @property
    def has_job(self) -> bool:
        """Whether anybody has asked for its job, as the first call does."""
        return self._job is not None

    @property
    def stop(self) -> Stop | None:
        """Why a budget stopped its job; None where none did."""
        return None if self._job is None else self._job.stop

    @property
    def cassette(self) -> Cassette:
        """Its cassette."""
        if self._cassette is None:
            with _making:
                if self._cassette is None:
                    self._cassette = self._make_cassette(self.path)
        return self._cassette

    @property
    def has_cassette(self) -> bool:
        """Whether anybody has asked for its cassette; until then there is nothing in it that is not on file."""
        return self._cassette is not None

    @cached_property
    def path(self) -> Path:
        """Where its cassette lies."""
        return self._find_path()

    @cached_property
    def allowed(self) -> AllowList:
        """Hosts that its code may reach: model calls aside, what goes there is none of our business."""
        return self._find_allowed()

    @property
    def usage(self) -> Tally:
        """What its own calls used; others may be booked on the same job."""
        if self._usage is None:
            from tapemeter.budget.tally import Tally  # noqa: PLC0415 - only owners whose code calls

            with _making:
                if self._usage is None:
                    self._usage = Tally()
        return self._usage

    @cached_property
    def recorded_by(self) -> str:
        """What records it, as a message advises."""
        return f"pytest {shlex.quote(self.nodeid)} --record-cassettes"

    @cached_property
    def drift(self) -> Drifts:
        """Where its recordings are not what was asked or answered now; evidence at its end."""
        from tapemeter.cassette.drift import Drifts  # noqa: PLC0415 - most owners never look

        return Drifts()

    @property
    def has_drifted(self) -> bool:
        """Whether there is anything of that."""
        return "drift" in vars(self) and bool(self.drift)

    @cached_property
    def cassette_name(self) -> str:
        """The cassette's path as messages show it, relative to the root where it lies below it."""
        path, root = self.path, self.house.root
        text, above = str(path), f"{root}{os.sep}"
        if text.startswith(above):  # which is told in a tenth of the time
            return text[len(above) :]
        return str(path.relative_to(root)) if path.is_relative_to(root) else text


_bound: ContextVar[Owner | None] = ContextVar("tapemeter_owner", default=None)
_running: list[Owner] = []
_houses: list[House] = []


def current() -> Owner | None:
    """Return whose call it would be if one were made here and now; a closed owner for code that was left over."""
    bound = _bound.get()
    if bound is None or bound.state is State.IN_USE:
        return _running[-1] if _running else None
    return bound


def running() -> Owner:
    """Return whose call it would be if one were made here and now; LookupError where it would be nobody's."""
    owner = current()
    if owner is None or owner.closed:
        raise LookupError("nobody's turn")
    return owner


def house() -> House | None:
    """Return the innermost session that is under way, None where there is none."""
    return _houses[-1] if _houses else None


def open_house(new: House) -> None:
    """Make a session the innermost one."""
    _houses.append(new)


def close_house(old: House) -> None:
    """End a session; calls belong to the one around it again, if there is one."""
    _houses.remove(old)


def bind(owner: Owner | None) -> Owner | None:
    """Let the code that runs from here on belong to an owner; return whom it belonged to."""
    before = _bound.get()
    _bound.set(owner)
    return before


def bound() -> Owner | None:
    """Return to whom the running code was bound, whatever became of it."""
    return _bound.get()


def enter(owner: Owner) -> None:
    """Make an owner the one that runs now."""
    owner.state = State.OPEN
    _running.append(owner)
    _bound.set(owner)


def leave(owner: Owner, state: State) -> None:
    """End an owner's turn; who ran before it runs again."""
    owner.state = state
    if owner in _running:
        _running.remove(owner)
    _bound.set(_running[-1] if _running else None)
