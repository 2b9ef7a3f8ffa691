"""One attempt at a call, from when it is asked for until it is settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tapemeter.budget.dimensions import Dimension, Scope
from tapemeter.values import Mutable, Value, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tapemeter.budget.dimensions import Amounts
    from tapemeter.budget.ledger import Balance, Reservation
    from tapemeter.budget.plan import Slot
    from tapemeter.budget.policy import Limit
    from tapemeter.budget.tally import Tally
    from tapemeter.cassette.mode import Mode
    from tapemeter.intent import CallRecord, Intent
    from tapemeter.job import Job, StepRun
    from tapemeter.providers.meter import Asked, Watch


RUN = "run"
"""The account of the run in every ledger."""


class Caller(Protocol):
    """Who makes a call, as far as its evidence tells: an owner."""

    @property
    def label(self) -> str:
        """What messages call it."""

    @property
    def nodeid(self) -> str:
        """The test that is running."""

    @property
    def markable(self) -> bool:
        """Whether it is that test, else it is a fixture."""

    @property
    def mode(self) -> Mode:
        """How its calls are answered."""

    @property
    def job(self) -> Job:
        """What its calls are booked on."""

    @property
    def usage(self) -> Tally:
        """What its own calls used."""

    @property
    def cassette_name(self) -> str:
        """The path of its cassette."""


class Booking(Value):
    """A slot that a call is booked on: the ledger's account of it, and when its time began."""

    slot: Slot
    account: str
    began: float
    """On the clock that `clock_is_run` names."""

    @property
    def clock_is_run(self) -> bool:
        """Whether its time is the run's, else it is the job's."""
        return self.slot.scope is Scope.RUN


class Attempt(Mutable):
    """One HTTP exchange that a program wants to make for a call."""

    caller: Caller
    job: Job
    record: CallRecord
    number: int
    """0 for the first attempt at the call."""
    asked: Asked
    digest: bytes
    """Of the request as the program made it: the same for a retry."""
    url: str
    host: str
    shown_digest: str
    """Of the request as it is written, for the evidence."""
    source: str
    """`replay`, `record` or `live`."""
    model: str | None
    """The model that was asked for, aliases resolved."""
    steps: tuple[StepRun, ...]
    bookings: tuple[Booking, ...]
    issued: float
    """When, on the job's clock."""
    intent: Intent | None = None
    """What its program says of the call; None for one that says nothing."""
    group: str | None = None
    """The group of models that it asks, where its program has such."""
    is_fallback: bool = False
    """Whether the program took another way than the one it wanted, for the reason that follows."""
    fallback_reason: str | None = None
    interaction: str | None = None
    """The stored key of the recording that answers it; None where there is none."""
    bound: Amounts = field(default_factory=dict)
    reservation: Reservation | None = None
    balances: Mapping[str, Balance] = field(default_factory=dict)
    """Those of its accounts once it is booked."""
    deadline: float | None = None
    """When it is to be cut, as `time.perf_counter` tells it; None where no limit says so."""
    deadline_limit: Limit | None = None
    idle: float | None = None
    """Seconds that a stream may pause; None where no limit says so."""
    idle_limit: Limit | None = None
    watch: Watch | None = None
    """Counts the answer's text while it passes, where a limit asks for that."""
    chars: int = 0
    settled: bool = False

    @property
    def step(self) -> str | None:
        """The path of the step it was made in."""
        return self.steps[-1].name if self.steps else None

    @property
    def words(self) -> str:
        """The call as a message names it; it shows nothing of what was asked."""
        what = f"{self.asked.operation} with {self.asked.model}" if self.asked.model else self.asked.operation
        return f"call {self.record.number}, {what} at {self.host}"

    def note_retryable(self) -> None:
        """Have the same request be another attempt at the call; a program that says what it means needs no guess."""
        if self.intent is None:
            self.job.retryable(self.digest, self.record)

    def limits(self, *dimensions: Dimension) -> Iterator[tuple[Booking, Limit]]:
        """Yield the limits on any of these dimensions, outermost first."""
        for booking in self.bookings:
            for limit in booking.slot.limits:
                if limit.dimension in dimensions:
                    yield booking, limit


def bookings(job: Job, steps: tuple[StepRun, ...], record: CallRecord, slots: Iterable[Slot]) -> Iterator[Booking]:
    """Yield where a call is booked: the run, its job, each of its steps, and itself."""
    for slot in slots:
        match slot.scope:
            case Scope.RUN:
                yield Booking(slot, slot.account(RUN), 0.0)
            case Scope.JOB:
                yield Booking(slot, slot.account(job.account), 0.0)
            case Scope.STEP:
                yield from (Booking(slot, slot.account(step.account), step.began) for step in steps)
            case Scope.CALL:
                yield Booking(slot, slot.account(f"call:{record.id}"), record.began)
