"""Books every attempt of a run, stops jobs that are over a limit, and writes the evidence."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tapemeter import intent as intents
from tapemeter import providers
from tapemeter.budget import stop as stops
from tapemeter.budget.dimensions import EXACT, Dimension, from_units, plain, to_units
from tapemeter.errors import BudgetStopped
from tapemeter.metering import amounts as sums
from tapemeter.metering.attempt import Attempt, bookings
from tapemeter.metering.evidence import Answer, call_event
from tapemeter.model import Cost, Ending, Quality, Usage
from tapemeter.pricing import priced_names
from tapemeter.providers.meter import Answered
from tapemeter.values import replace

if TYPE_CHECKING:
    from tapemeter.budget.dimensions import Amounts
    from tapemeter.budget.policy import Limit
    from tapemeter.events.artifacts import Artifacts, Kept
    from tapemeter.metering.attempt import Caller
    from tapemeter.metering.evidence import Sink
    from tapemeter.metering.gate import Gate
    from tapemeter.model import Headers, Request, Response
    from tapemeter.pricing import Prices

_RETRIED = frozenset({408, 409, 429})
_SERVER_ERROR = 500
_FAILED = 400
_OUTCOMES = {
    Ending.ABANDONED: "abandoned",
    Ending.CANCELLED: "cancelled",
    Ending.TIMEOUT: "timeout",
    Ending.BROKEN: "broken",
    Ending.CUT: "cut",
}
_GATEWAY = "gateway"
"""The source of a cost that is the gateway's figure."""
_UNPRICED = (
    "the price of {model} is unknown and the policy says unknown_cost: refuse; give the model a price in the price "
    "file, or choose unknown_cost: assume_max or ignore"
)


class Meter:
    """The meter of one run in one process. Safe for threads. Without `artifacts` no answer's text is kept."""

    def __init__(self, *, gate: Gate, prices: Prices, sink: Sink, artifacts: Artifacts | None = None) -> None:
        self.gate = gate
        self.prices = prices
        self.sink = sink
        self._artifacts = artifacts
        self._today = datetime.now(UTC)
        self._warned: set[tuple[str, Dimension]] = set()

    # The life of an attempt

    def open(self, caller: Caller, request: Request, shown: Request, *, again: bool) -> Attempt | None:
        """Return the attempt that a request is; None where it is no model call.

        `request` is as the program made it, `shown` as it is written.
        """
        asked = providers.ask(request)
        if asked is None:
            return None
        job = caller.job
        job.touched = True
        digest = _digest(request)
        intent = intents.current()
        record, number = job.call(digest, again=again, intent=intent)
        model = None if asked.model is None else self.prices.resolve(asked.model)
        steps = job.steps
        return Attempt(
            caller=caller,
            job=job,
            record=record,
            number=number,
            asked=asked,
            digest=digest,
            url=shown.url,
            host=shown.host,
            shown_digest=f"sha256:{(digest if _is_same(request, shown) else _digest(shown)).hex()}",
            source="replay" if caller.mode.plays else "record" if caller.mode.records else "live",
            model=model,
            steps=steps,
            bookings=tuple(
                bookings(
                    job, steps, record, job.plan.slots(model, asked.model, *(() if intent is None else (intent.alias,)))
                )
            ),
            issued=job.clock.now(),
            intent=intent,
            group=None if intent is None else intent.group,
            is_fallback=intent is not None and intent.is_fallback,
            fallback_reason=None if intent is None else intent.fallback_reason,
        )

    def play(
        self, attempt: Attempt, response: Response, *, issued: float | None, recorded: str
    ) -> BudgetStopped | None:
        """Book what was recorded as used, or stop the job; nothing has been given to the program by then."""
        attempt.source = "replay"
        answered = self._answered(attempt, response)
        cost = self._cost(attempt, answered, _moment(recorded) or self._today)
        try:
            used = sums.actual(attempt, answered, cost, self.prices)
        except sums.UnknownPriceError:
            return self._stop_unpriced(attempt)
        attempt.bound = used
        attempt.issued, end = attempt.job.clock.span(issued, response.total)
        if attempt.number == 0:
            attempt.record.began = attempt.issued
        stopped = self.gate.spend(attempt, used, end, pause=_longest_pause(response))
        if stopped is not None:
            return self._refused(attempt, stopped)
        attempt.job.clock.play(end)
        status = response.status
        answer = Answer(
            answered=answered,
            status=status,
            digest=f"sha256:{hashlib.sha256(response.body).hexdigest()}",
            duration=response.total,
            first_chunk=response.chunks[0].at if response.chunks else None,
            cost=cost,
            today_usd=self._cost(attempt, answered, self._today).usd,
            kept=self._kept(answered),
        )
        self._book(attempt, used, answer, _outcome(response))
        if _is_retried(status):
            attempt.note_retryable()
        return None

    def send(self, attempt: Attempt) -> BudgetStopped | None:
        """Set an upper bound aside and work out deadlines, or stop the job; nothing has been sent by then."""
        attempt.source = "record" if attempt.caller.mode.records else "live"
        try:
            attempt.bound = sums.bound(attempt, self.prices, self._today)
        except sums.UnknownPriceError:
            return self._stop_unpriced(attempt)
        stopped = self.gate.reserve(attempt, attempt.bound)
        if stopped is not None:
            return self._refused(attempt, stopped)
        self.gate.set_deadlines(attempt)
        return None

    def miss(self, attempt: Attempt) -> BudgetStopped | None:
        """Note a call that has no recording; a budget that would have stopped it when it was recorded stops it now."""
        with suppress(sums.UnknownPriceError):
            attempt.bound = sums.bound(attempt, self.prices, self._today)
        stopped = self.gate.reserve(attempt, attempt.bound)
        if stopped is not None:
            return self._refused(attempt, stopped)
        self.gate.release(attempt)
        attempt.job.hold_back(attempt.record)
        attempt.settled = True
        self._write(attempt, "missed")
        return None

    def headers(self, attempt: Attempt, status: int, headers: Headers) -> None:
        """Note that an answer begins."""
        if status < _FAILED and any(attempt.limits(Dimension.RESPONSE_CHARS, Dimension.TOTAL_CHARS)):
            attempt.watch = providers.watch(attempt.asked, status, headers)

    def settle(self, attempt: Attempt, response: Response) -> BudgetStopped | None:
        """Book what an attempt that was sent used; the stop, where that is over a limit.

        `response` is as it is written, without secrets, so that replay counts alike.
        """
        if attempt.settled:
            return None
        answered = self._answered(attempt, response)
        cost = self._cost(attempt, answered, self._today)
        try:
            used = sums.actual(attempt, answered, cost, self.prices)
        except sums.UnknownPriceError:  # it had a price when it was sent, and the model that answered has none
            used = sums.actual(attempt, answered, replace(cost, usd=_reserved_usd(attempt)), self.prices)
        answer = Answer(
            answered=answered,
            status=response.status,
            digest=f"sha256:{hashlib.sha256(response.body).hexdigest()}",
            duration=response.total,
            first_chunk=response.chunks[0].at if response.chunks else None,
            cost=cost,
            today_usd=cost.usd,
            kept=self._kept(answered),
        )
        if _is_retried(response.status):
            attempt.note_retryable()
        self._book(attempt, used, answer, _outcome(response))
        self._note_overruns(attempt, used)
        return self.gate.trip(attempt, used, attempt.balances)

    def fail(self, attempt: Attempt, error: BaseException | None, duration: float) -> None:
        """Book an attempt that got no response; what the server did with it is not known.

        `error` is what the client says of it, None where nobody waited for the response.
        """
        if attempt.settled:
            return
        unknown = Usage(quality=Quality.UNKNOWN)
        answered = Answered(usage=unknown, error_type=None if error is None else type(error).__name__)
        used = {
            Dimension.CALLS: int(attempt.number == 0),
            Dimension.ATTEMPTS: 1,
            Dimension.PROMPT_CHARS: attempt.asked.prompt_chars,
            Dimension.TOTAL_CHARS: attempt.asked.prompt_chars,
        }
        attempt.note_retryable()
        cost = Cost(None, Quality.UNKNOWN)
        outcome = "abandoned" if error is None else "cut" if isinstance(error, BudgetStopped) else "failed"
        self._book(attempt, used, Answer(answered, 0, "", duration, None, cost, None), outcome)

    def _stop_unpriced(self, attempt: Attempt) -> BudgetStopped:
        _, limit = next(attempt.limits(Dimension.COST_USD))
        remedy = _UNPRICED.format(model=attempt.asked.model)
        return self._refused(attempt, self.gate.stop(attempt, limit, stops.REFUSED, used=0, asked=0, remedy=remedy))

    def _refused(self, attempt: Attempt, stopped: BudgetStopped) -> BudgetStopped:
        self._write(attempt, "refused")
        return stopped

    # Booking

    def _book(self, attempt: Attempt, used: Amounts, answer: Answer, outcome: str) -> None:
        attempt.settled = True
        if attempt.chars:
            self.gate.flow(attempt, -attempt.chars)
        if attempt.reservation is not None:
            attempt.balances = self.gate.ledger.settle(attempt.reservation, used)
        job, priced = attempt.job, answer.cost.usd is not None
        attempt.caller.usage.add(used, model=None, step=None, priced=priced)
        job.usage.add(used, model=attempt.asked.model, step=attempt.step, priced=priced)
        for step in attempt.steps:
            step.usage.add(used, model=attempt.asked.model, step=None, priced=priced)
        self._write(attempt, outcome, answer)
        self._warn(attempt)

    def _note_overruns(self, attempt: Attempt, used: Amounts) -> None:
        for booking, limit in attempt.limits(*attempt.bound):
            amount, bound = used.get(limit.dimension, 0), attempt.bound.get(limit.dimension, 0)
            if amount > bound and limit.dimension not in {Dimension.RESPONSE_CHARS, Dimension.TOTAL_CHARS}:
                self.sink.write(
                    "overrun",
                    {
                        "job": attempt.job.name,
                        "call_id": attempt.record.id,
                        "scope": booking.slot.scope.value,
                        "dimension": limit.dimension.value,
                        "bound": plain(limit.dimension, bound),
                        "actual": plain(limit.dimension, amount),
                    },
                )

    def _warn(self, attempt: Attempt) -> None:
        share = attempt.job.plan.warn_at
        if share is None:
            return
        for booking in attempt.bookings:
            balance = attempt.balances.get(booking.account)
            for limit in booking.slot.limits:
                if limit.dimension is Dimension.IDLE_STREAM_SECONDS:
                    continue
                if limit.dimension is Dimension.WALL_SECONDS:
                    used = to_units(limit.dimension, max(0.0, self.gate.clock(attempt, booking) - booking.began))
                else:
                    used = 0 if balance is None else balance.used.get(limit.dimension, 0)
                key = (booking.account, limit.dimension)
                if limit.value and used >= EXACT.multiply(share, Decimal(limit.value)) and key not in self._warned:
                    self._warned.add(key)
                    self.sink.write("warning", _warning(attempt, limit, used))

    # Evidence

    def _answered(self, attempt: Attempt, response: Response) -> Answered:
        return providers.answered(attempt.asked, response, keeps_text=self._artifacts is not None)

    def _kept(self, answered: Answered) -> Kept | None:
        return None if self._artifacts is None or not answered.text else self._artifacts.keep(answered.text)

    def _cost(self, attempt: Attempt, answered: Answered, at: datetime) -> Cost:
        """Return what an answer cost by one's own prices, or where these say nothing, by the gateway's figure.

        One's own price is that of the first of `priced_names` that has one.
        """
        provider, usage = attempt.asked.provider, answered.usage
        own = Cost(None, Quality.UNKNOWN)
        names = priced_names(attempt.model, answered.model, group=answered.gateway_group, served=answered.gateway_model)
        for model in names or (None,):
            own = self.prices.cost(usage, model=model, provider=provider, url=attempt.url, at=at)
            if own.usd is not None:
                break
        if own.usd is None and answered.gateway_usd is not None:
            return Cost(answered.gateway_usd, Quality.MEASURED, _GATEWAY)
        return own

    def _write(self, attempt: Attempt, outcome: str, answer: Answer | None = None) -> None:
        self.sink.write("call", call_event(attempt, outcome, answer))


def _digest(request: Request) -> bytes:
    head = f"{request.method} {request.url}\n".encode(errors="surrogateescape")
    return hashlib.sha256(head + request.body).digest()


def _is_same(request: Request, shown: Request) -> bool:
    """Whether nothing had to be hidden in what the digest is of."""
    return request.url == shown.url and request.body == shown.body and request.method == shown.method


def _is_retried(status: int) -> bool:
    return status in _RETRIED or status >= _SERVER_ERROR


def _outcome(response: Response) -> str:
    return _OUTCOMES.get(response.ending) or ("error" if response.status >= _FAILED else "ok")


def _longest_pause(response: Response) -> float:
    """Return the longest time for which a recorded stream said nothing once it had begun, in seconds."""
    if not response.is_stream:
        return 0.0
    times = [response.first_byte, *(chunk.at for chunk in response.chunks)]
    if response.ending is not Ending.COMPLETE:
        times.append(response.total)
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


def _moment(recorded: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(recorded)
    return None


def _reserved_usd(attempt: Attempt) -> Decimal:
    return from_units(Dimension.COST_USD, attempt.bound.get(Dimension.COST_USD, 0))


def _warning(attempt: Attempt, limit: Limit, used: int) -> dict[str, Any]:
    return {
        "job": attempt.job.name,
        "scope": limit.scope.value,
        "dimension": limit.dimension.value,
        "limit": plain(limit.dimension, limit.value),
        "used": plain(limit.dimension, used),
        "replayed": attempt.job.clock.replays,
        "fraction": float(attempt.job.plan.warn_at or 0),
        "source": limit.source,
    }
