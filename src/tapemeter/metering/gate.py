"""Whether the limits hold: sets amounts aside, watches time and text, and stops the job that is over.

The ledger keeps what is counted, the clocks tell the time. Every function that finds a limit broken returns the
BudgetStopped that tells the program so, and has stopped the job by then.
"""

from __future__ import annotations

import json
import threading
from time import perf_counter
from typing import TYPE_CHECKING

from tapemeter.budget import stop as stops
from tapemeter.budget.dimensions import Dimension, Scope, to_units
from tapemeter.budget.ledger import Account, Excess
from tapemeter.errors import BudgetStopped
from tapemeter.metering.attempt import RUN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tapemeter.budget.dimensions import Amounts
    from tapemeter.budget.ledger import Balance, Ledger
    from tapemeter.budget.policy import Limit
    from tapemeter.clock import RunClock
    from tapemeter.job import Job
    from tapemeter.metering.attempt import Attempt, Booking
    from tapemeter.metering.evidence import Sink

_FLOWING = (Dimension.RESPONSE_CHARS, Dimension.TOTAL_CHARS)
_TIMED = (Dimension.WALL_SECONDS, Dimension.IDLE_STREAM_SECONDS)
_SCOPES = tuple(Scope)
_Late = tuple["Booking", "Limit", int, int]
"""A limit on time that would not hold, and where; what was used of it, and what is asked for."""


class Gate:
    """The limits of one run in one process. Safe for threads."""

    def __init__(self, *, ledger: Ledger, sink: Sink, run: RunClock) -> None:
        self.ledger = ledger
        self.run = run
        self._sink = sink
        self._flowing: dict[str, int] = {}
        """Characters of answers under way, by account."""
        self.stopped: set[str] = set()
        """The names of jobs of which a call was refused or cut."""
        self._lock = threading.RLock()  # a finaliser may end one call while another is booked

    def reserve(self, attempt: Attempt, amounts: Amounts) -> BudgetStopped | None:
        """Set amounts aside; the stop, where a limit on what is counted or on time does not allow it."""
        # One at a time in a job, so that what was let through before a stop is the same in every replay.
        with attempt.job.gate:
            if attempt.job.stop is not None:
                return _refusal(attempt, attempt.job.stop)
            return self._reserve(attempt, amounts, self._too_late(attempt, None, 0.0))

    def spend(self, attempt: Attempt, amounts: Amounts, end: float, *, pause: float) -> BudgetStopped | None:
        """Book what a replayed call used; the stop, where a limit on what is counted or on time does not allow it.

        `end` is when it ends on the job's clock, `pause` the longest of its stream.
        """
        with attempt.job.gate:
            if attempt.job.stop is not None:
                return _refusal(attempt, attempt.job.stop)
            late = self._too_late(attempt, end, pause)
            if late is not None:  # it is not booked; which limit says so first is the same question
                return self._reserve(attempt, amounts, late)
            spent = self.ledger.spend(amounts, _accounts(attempt))
            if isinstance(spent, Excess):
                return self._refuse_excess(attempt, spent, None)
            attempt.balances = spent
            attempt.job.let_through(attempt.record)
            return None

    def _reserve(self, attempt: Attempt, amounts: Amounts, late: _Late | None) -> BudgetStopped | None:
        note = {"call_id": attempt.record.id, "job": attempt.job.name, "test": attempt.caller.nodeid}
        held = self.ledger.reserve(amounts, _accounts(attempt), note=json.dumps(note))
        if isinstance(held, Excess):
            return self._refuse_excess(attempt, held, late)
        attempt.reservation = held
        if late is not None:
            self.release(attempt)
            return self._refuse_late(attempt, late)
        attempt.job.let_through(attempt.record)
        return None

    def _refuse_excess(self, attempt: Attempt, excess: Excess, late: _Late | None) -> BudgetStopped:
        """Stop the job for what is counted, or for time, whichever limit is further out."""
        booking = next(booking for booking in attempt.bookings if booking.account == excess.account)
        if late is not None and _SCOPES.index(late[0].slot.scope) < _SCOPES.index(booking.slot.scope):
            return self._refuse_late(attempt, late)
        limit, used, asked = booking.slot.counted[excess.dimension], excess.used, excess.asked
        return self.stop(attempt, limit, stops.REFUSED, used=used, asked=asked, reserved=excess.reserved)

    def _refuse_late(self, attempt: Attempt, late: _Late) -> BudgetStopped:
        _, limit, used, asked = late
        return self.stop(attempt, limit, stops.REFUSED, used=used, asked=asked)

    def _too_late(self, attempt: Attempt, end: float | None, pause: float) -> _Late | None:
        """Return the outermost limit on time that an attempt breaks, with what was used and what it asks for."""
        for booking, limit in attempt.limits(*_TIMED):
            if limit.dimension is Dimension.IDLE_STREAM_SECONDS:
                longest = to_units(limit.dimension, pause)
                if longest > limit.value:
                    return booking, limit, 0, longest
                continue
            # A replayed call stands where it was recorded, so that parallel calls may come in any order.
            at = self.clock(attempt, booking) + (0.0 if end is None else attempt.issued - attempt.job.clock.now())
            began = attempt.record.began if booking.slot.scope is Scope.CALL else booking.began
            used = to_units(limit.dimension, max(0.0, at - began))
            asked = 0 if end is None else to_units(limit.dimension, end - attempt.issued)
            if used >= limit.value or used + asked > limit.value:
                return booking, limit, used, asked
        return None

    def set_deadlines(self, attempt: Attempt) -> None:
        """Work out when an attempt that is about to be sent is to be cut."""
        now = perf_counter()
        for booking, limit in attempt.limits(*_TIMED):
            seconds = limit.value / 10**6
            if limit.dimension is Dimension.IDLE_STREAM_SECONDS:
                if attempt.idle is None or seconds < attempt.idle:
                    attempt.idle, attempt.idle_limit = seconds, limit
                continue
            due = now + seconds - (self.clock(attempt, booking) - booking.began)
            if attempt.deadline is None or due < attempt.deadline:
                attempt.deadline, attempt.deadline_limit = due, limit

    def clock(self, attempt: Attempt, booking: Booking) -> float:
        """Return the time by which a booking goes."""
        clock = attempt.job.clock
        return self.run.now(replays=clock.replays) if booking.clock_is_run else clock.now()

    def release(self, attempt: Attempt) -> None:
        """Give back what was set aside for an attempt that did not happen."""
        if attempt.reservation is not None:
            self.ledger.settle(attempt.reservation, {})

    def flow(self, attempt: Attempt, chars: int) -> None:
        """Count text of answers under way, or, below zero, no longer."""
        with self._lock:
            for booking in attempt.bookings:
                self._flowing[booking.account] = self._flowing.get(booking.account, 0) + chars

    def chunk(self, attempt: Attempt, data: bytes) -> BudgetStopped | None:
        """Count the text of a piece that passes; the stop, where a limit does not allow it."""
        if attempt.watch is None:
            return None
        chars = attempt.watch.feed(data)
        gained, attempt.chars = chars - attempt.chars, chars
        if gained:
            self.flow(attempt, gained)
        for booking, limit in attempt.limits(*_FLOWING):
            balance = self.ledger.balance(booking.account)
            used, reserved = balance.used.get(limit.dimension, 0), balance.reserved.get(limit.dimension, 0)
            flowing = self._flowing.get(booking.account, 0)
            if used + reserved + flowing > limit.value:
                return self.stop(attempt, limit, stops.CUT, used=used, asked=flowing, reserved=reserved)
        return None

    def expired(self, attempt: Attempt, *, paused: float) -> BudgetStopped | None:
        """Return the stop of an attempt whose deadline has come, or whose stream `paused` too long; else None."""
        now = perf_counter()
        if attempt.deadline is not None and attempt.deadline_limit is not None and now >= attempt.deadline:
            limit = attempt.deadline_limit
            booking = next(booking for booking, found in attempt.limits(limit.dimension) if found is limit)
            used = to_units(limit.dimension, self.clock(attempt, booking) - booking.began)
            return self.stop(attempt, limit, stops.CUT, used=used, asked=0)
        if attempt.idle is not None and attempt.idle_limit is not None and paused >= attempt.idle:
            used = to_units(attempt.idle_limit.dimension, paused)
            return self.stop(attempt, attempt.idle_limit, stops.CUT, used=used, asked=0)
        return None

    def trip(self, attempt: Attempt, used: Amounts, balances: Mapping[str, Balance]) -> BudgetStopped | None:
        """Return the stop of an attempt that used more than a limit allows, once that is booked."""
        for booking in attempt.bookings:
            for dimension, limit in booking.slot.counted.items():
                total = balances[booking.account].used.get(dimension, 0)
                if total > limit.value:
                    own = used.get(dimension, 0)
                    return self.stop(attempt, limit, stops.TRIPPED, used=total - own, asked=own)
        return None

    def stop(
        self, attempt: Attempt, limit: Limit, what: str, *, used: int, asked: int, reserved: int = 0, remedy: str = ""
    ) -> BudgetStopped:
        """Stop the job of an attempt, unless it is stopped already, and return what tells the program."""
        job = attempt.job
        stop = stops.Stop(
            over=limit,
            what=what,
            used_units=used,
            reserved_units=reserved,
            asked_units=asked,
            call=attempt.words,
            call_id=attempt.record.id,
            after_calls=job.calls_let_through - attempt.record.let_through,
            remedy=remedy,
        )
        self.end(job, stop, step=attempt.step, test=attempt.caller.nodeid, model=attempt.asked.model)
        return _refusal(attempt, job.stop or stop)

    def end(self, job: Job, stop: stops.Stop, *, step: str | None, test: str | None, model: str | None) -> None:
        """Stop a job, with evidence; only the first stop of a job counts."""
        self.stopped.add(job.name)
        if not job.end(stop):
            return
        self._sink.write(
            "stop",
            {
                "job": job.name,
                "step": step,
                "test": test,
                "model": model,
                "replayed": job.clock.replays,
                **stop.as_event(),
            },
        )
        if stop.over.scope is Scope.RUN and not stop.remedy:  # else the run has something left
            self.ledger.stop(RUN, stop.brief)


def _accounts(attempt: Attempt) -> list[Account]:
    return [Account(booking.account, booking.slot.most) for booking in attempt.bookings]


def _refusal(attempt: Attempt, stop: stops.Stop) -> BudgetStopped:
    return BudgetStopped(
        stop.sentence,
        test=attempt.caller.label,
        scope=stop.scope,
        limit=stop.limit,
        used=stop.used,
        value=stop.value,
    )
