"""The time of a job and of a run, by which wall-time limits go.

Live, it is the time that passes. In replay it is the time that the calls took when they were recorded, waits between
them included: each recording knows how long after its test's start it was issued, so a call stands at the same
moment in every replay, whatever order parallel calls come in. A recording that does not know follows on the
latest one before it.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from time import perf_counter


class RunClock:
    """Seconds since a run began, in this process: those that passed, and those that replayed calls had taken.

    `today` is when it began, by which the age of recordings goes: UTC, now where nothing is given.
    """

    def __init__(self, today: datetime | None = None) -> None:
        self.today = today or datetime.now(UTC)
        self._began = perf_counter()
        self._replayed = 0.0
        self._lock = threading.RLock()

    @property
    def replayed(self) -> float:
        """Seconds that the replayed calls of all jobs had taken, where they overlapped counted once."""
        return self._replayed

    @property
    def passed(self) -> float:
        """Seconds that a run has taken that also sends: what passed, and what replay saved."""
        return perf_counter() - self._began + self._replayed

    def now(self, *, replays: bool) -> float:
        """Return the time of the run as a job sees it that replays, or one that sends."""
        return self._replayed if replays else self.passed

    def add(self, seconds: float) -> None:
        """Count seconds that a replayed call had taken."""
        with self._lock:
            self._replayed += seconds


class JobClock:
    """Seconds since a job began. `replays` is whether it only ever goes by recorded durations. Safe for threads."""

    def __init__(self, run: RunClock, *, replays: bool) -> None:
        self.run = run
        self.replays = replays
        self._began = perf_counter()
        self._replayed = 0.0
        self._base = 0.0
        self._lock = threading.RLock()
        self._paused: float | None = None

    def now(self) -> float:
        """Return the time."""
        if self.replays:
            return self._replayed
        until = perf_counter() if self._paused is None else self._paused
        return until - self._began + self._replayed

    def enter(self) -> None:
        """Begin the turn of one of the job's tests: recordings count from here, and time passes again."""
        self.resume()
        self._base = self._replayed if self.replays else self.now()

    def pause(self) -> None:
        """Let no time pass, until `resume`: the turn is over, or somebody else has it."""
        with self._lock:
            if self._paused is None:
                self._paused = perf_counter()

    def resume(self) -> None:
        """Let time pass again."""
        with self._lock:
            if self._paused is not None:
                self._began += perf_counter() - self._paused
                self._paused = None

    def since_entered(self) -> float:
        """Return the seconds since the running test began, as a recording keeps them."""
        return self.now() - self._base

    def span(self, issued: float | None, total: float) -> tuple[float, float]:
        """Return from when to when a recorded call goes, without having it go yet.

        Where others are sent, it goes now at the earliest, and no earlier than it did.
        """
        now = self.now()
        if issued is None:
            return now, now + total
        start = self._base + issued
        if not self.replays:
            start = max(now, start)
        return start, start + total

    def play(self, end: float) -> None:
        """Have a replayed call go until `end`."""
        with self._lock:
            gained = end - self.now()
            if gained > 0:
                self._replayed += gained
                self.run.add(gained)
