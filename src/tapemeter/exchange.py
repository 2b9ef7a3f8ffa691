"""The life of one call: begin, answer, feed, finish. Read this first.

    claim     whose call is it, and is it one for us?            None: it goes its own way (`claiming`)
    begin     redact, match, decide, reserve                     raises a Refusal, or returns the Call:
                with a `replay`, which the adapter plays, or without, and the adapter sends
    patience  how long the adapter may wait for what comes next
    answer    the response's status and headers are there
    feed      a chunk is there; the caller gets the same bytes   raises BudgetStopped: the stream is to be cut
    finish    the body ended, one way or another; exactly once   settles, records
    drop      there was no response                              settles

Plain functions: an adapter, sync or async, is a few lines around them.
"""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from tapemeter import claiming, lending, providers
from tapemeter import tape as tapes
from tapemeter.budget.dimensions import Dimension
from tapemeter.budget.policy import OnStop
from tapemeter.cassette import legible, volatile
from tapemeter.cassette.decision import TABLE, Decision
from tapemeter.cassette.mode import Mode
from tapemeter.errors import BudgetStopped, CassetteError, PartialRecording, UnreadableCassette
from tapemeter.model import (
    STREAM_TYPES,
    Chunk,
    Ending,
    Headers,
    Request,
    Response,
    header,
    media_type,
)
from tapemeter.tape import Asked, Kept
from tapemeter.values import Mutable, field

if TYPE_CHECKING:
    from tapemeter.cassette.model import Reply
    from tapemeter.metering.attempt import Attempt, Caller
    from tapemeter.owner import Owner
    from tapemeter.tape import Found, Tape

_order = itertools.count()
_AMAZONS_ATTEMPT = re.compile(r"attempt=(\d{1,4})\b")
"""In the header `amz-sdk-request`, counted from 1."""


class Call(Mutable):
    """One call under way, as its tape will remember it.

    `caller` is who calls, as the evidence tells it. `replay` is the answer to play; None where the call is to be sent.
    `metered` is its budget's side; None for what is no model call. `since_entered` is when it was issued, in seconds
    since its test began. The rest is filled in by the functions below while a sent call is answered.
    """

    tape: Tape
    asked: Asked
    caller: Caller
    found: Found | None = None
    metered: Attempt | None = None
    replay: Response | None = None
    order: int = field(default_factory=lambda: next(_order))
    issued: float = field(default_factory=perf_counter)
    since_entered: float = 0.0
    status: int = 0
    headers: Headers = ()
    first_byte: float = 0.0
    heard: float = field(default_factory=perf_counter)
    """When something last came."""
    chunks: list[Chunk] = field(default_factory=list)
    finished: bool = False

    @property
    def owner(self) -> Owner:
        """Whose call it is."""
        return self.tape.owner

    @property
    def request(self) -> Request:
        """The request as it may be written."""
        return self.asked.redacted

    @property
    def is_stream(self) -> bool:
        """Whether what comes is a stream whose pieces mean something to the reader."""
        return media_type(self.headers) in STREAM_TYPES


def begin(owner: Owner, request: Request, *, attempt: int = 0) -> Call | None:
    """Decide on a call that `claiming.claim` gave to an owner; None where the body shows that it is no call for us.

    `attempt` is how often the client tried the same before, where it knows more than the request's headers say.
    Raises CassetteMiss where replay has no answer, BudgetStopped where a limit does not hold. Nothing has left by
    then.
    """
    __tracebackhide__ = True
    if not claiming.is_ours(request, owner) and providers.claims_body(request) is None and lending.in_use() is None:
        return None
    redactor = owner.house.redactor
    secrets = redactor.secrets_of(request)
    attempt = attempt or _attempt(request.headers)
    redacted = redactor.request(request.with_headers(volatile.of_request(request.headers)), secrets)
    tape = tapes.of(owner)
    asked = Asked(request, redacted, secrets, attempt)
    call = Call(tape, asked, tape.owner, since_entered=owner.job.clock.since_entered())
    try:
        found = call.found = tape.find(asked)
        reply = found.reply
    except CassetteError as error:
        unreadable = UnreadableCassette(str(error))
        owner.refusals.append(unreadable)
        raise unreadable from error
    if found.aside and owner.guarded and not owner.allowed.allows(request.host, request.port):
        return None  # the network guard refuses it
    call.caller = tape.caller(found)
    call.metered = _metered(call, request, again=attempt > 0)
    match TABLE[found.mode, reply is not None]:
        case Decision.PLAY if reply is not None:
            stopped = _overcome_again(call, request, reply.retried)
            stopped = stopped or _play(call, found, reply)
        case Decision.REFUSE:
            stopped = owner.house.meter.miss(call.metered) if call.metered is not None else None
            if stopped is None:
                raise tape.missed(asked)
        case _:
            stopped = _send(call)
    if stopped is not None:
        call.replay = _refused(call, stopped)
    return call


def patience(call: Call) -> float | None:
    """Return for how many seconds the next part of a response may be waited for; None for as long as it takes."""
    metered = call.metered
    if metered is None or (metered.deadline is None and metered.idle is None):
        return None
    now = perf_counter()
    left = [] if metered.deadline is None else [metered.deadline - now]
    if metered.idle is not None and call.is_stream:
        left.append(metered.idle - (now - call.heard))
    return max(0.0, min(left)) if left else None


def answer(call: Call, status: int, headers: Headers) -> None:
    """Note that the response's status and headers arrived."""
    call.status, call.headers = status, headers
    call.heard = perf_counter()
    call.first_byte = call.heard - call.issued
    if call.metered is not None:
        call.owner.house.meter.headers(call.metered, status, headers)


def feed(call: Call, data: bytes) -> None:
    """Note a chunk of the body, as it passes on its way to the caller; BudgetStopped where it is to go no further."""
    call.heard = perf_counter()
    call.chunks.append(Chunk(call.heard - call.issued, data))
    if call.metered is not None:
        _raise(call, call.owner.house.meter.gate.chunk(call.metered, data) or _expired(call))


def expire(call: Call) -> None:
    """Raise BudgetStopped where a wait came to nothing because a limit on time was reached."""
    _raise(call, _expired(call))


def finish(call: Call, ending: Ending) -> None:
    """Note how the body ended, settle the call and keep the interaction; only the first word on a call counts.

    BudgetStopped where a whole answer turns out to be over a limit. Where the owner has closed by then, its cassette
    has been written, and nothing is kept.
    """
    if call.finished:
        return
    call.finished = True
    call.owner.pending.pop(call.order, None)
    ending = legible.true_ending(ending, call.headers, call.chunks)
    response = _keep(call, ending)
    _verify(call, response)
    if call.metered is None:
        return
    stopped = call.owner.house.meter.settle(call.metered, response)
    if stopped is not None and ending is Ending.COMPLETE and not _answers_stops(call):
        _raise(call, stopped)
    elif stopped is not None:
        call.owner.refusals.append(stopped)


def drop(call: Call, error: BaseException | None = None) -> None:
    """Settle a call that got no response; BudgetStopped where a deadline was why.

    A connection error is not recorded; what a deadline cut is, so that replay stops at the same call.
    """
    if call.finished:
        return
    call.finished = True
    call.owner.pending.pop(call.order, None)
    _verify(call, None)
    if call.metered is None:
        return
    stopped = _expired(call) if isinstance(error, Exception) else None
    if stopped is not None:
        _keep(call, Ending.CUT)
    call.owner.house.meter.fail(call.metered, stopped or error, perf_counter() - call.issued)
    _raise(call, stopped)


def _metered(call: Call, request: Request, *, again: bool) -> Attempt | None:
    """Return the attempt that a call is, with the recording that was found for it; None for what is no model call."""
    metered = call.owner.house.meter.open(call.caller, request, call.request, again=again)
    if metered is not None and call.found is not None and call.found.reply is not None:
        metered.interaction = call.found.reply.key
    return metered


def _overcome_again(call: Call, request: Request, statuses: tuple[int, ...]) -> BudgetStopped | None:
    """Book the attempts that the client had to make before it got its answer; replay spares it from making them."""
    meter = call.owner.house.meter
    for status in statuses:
        if call.metered is None:
            break
        stopped = meter.play(call.metered, Response(status), issued=None, recorded="")
        if stopped is not None:
            return stopped
        call.metered = _metered(call, request, again=True)
    return None


def _play(call: Call, found: Found, reply: Reply) -> BudgetStopped | None:
    """Book what was recorded, and have it played; the stop, where a limit does not allow it."""
    response = reply.response
    if call.metered is not None:
        issued = None if found.again else reply.issued
        meter = call.owner.house.meter
        stopped = meter.play(call.metered, response, issued=issued, recorded=reply.recorded)
        if stopped is not None:
            return stopped
    _check_playable(call.owner, response)
    call.replay = found.replay or response
    return None


def _send(call: Call) -> BudgetStopped | None:
    """Set aside what a call may use that is about to be sent; the stop, where a limit does not allow it."""
    stopped = call.owner.house.meter.send(call.metered) if call.metered is not None else None
    if stopped is None:
        call.owner.pending[call.order] = partial(_abandon, call)
    elif stopped.limit == Dimension.WALL_SECONDS:
        _keep(call, Ending.CUT)  # replay cannot know by itself that it was late
    return stopped


def _keep(call: Call, ending: Ending) -> Response:
    """Return the response as it is written, without secrets; record it where that is the mode."""
    came = Response(
        status=call.status,
        headers=call.headers,
        chunks=tuple(call.chunks),
        first_byte=call.first_byte,
        total=perf_counter() - call.issued,
        ending=ending,
    )
    written = call.owner.house.redactor.response(legible.response(came), call.asked.secrets)
    recorded = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    call.tape.keep(Kept(call.asked, came, written, recorded, call.since_entered, call.order))
    return written


def _verify(call: Call, response: Response | None) -> None:
    """In mode verify, note where an answer, or that there was none, is not what was recorded.

    What was found at an earlier attempt is forgotten: its program never saw that answer.
    """
    found, metered = call.found, call.metered
    if found is None or found.mode is not Mode.VERIFY:
        return
    from tapemeter.cassette.verifying import verify  # noqa: PLC0415 - only this mode

    recorded = None if found.reply is None else found.reply.response
    if metered is not None:
        recorded = call.owner.drift.attempted(metered.record.id, recorded)
    drifted = verify(
        recorded,
        response,
        asked=None if metered is None else metered.asked,
        call=None if metered is None else metered.record.id,
        cassette=call.caller.cassette_name,
    )
    if drifted is not None:
        call.owner.drift.add(drifted)


def _abandon(call: Call) -> None:
    """End a call whose response its program neither read to the end nor closed."""
    if call.status:
        finish(call, Ending.ABANDONED)
    else:
        drop(call)


def _check_playable(owner: Owner, response: Response) -> None:
    """Refuse a recording of which nothing had come when a budget cut it."""
    if response.status == 0:
        refusal = PartialRecording(
            "the recording holds no answer: a budget cut the call before one came, and lets it through now; "
            "record the test again with --record-cassettes=all"
        )
        owner.refusals.append(refusal)
        raise refusal


def _refused(call: Call, stopped: BudgetStopped) -> Response:
    """Raise a stop, or return the answer that tells it, as the policy wants."""
    if call.metered is None or not _answers_stops(call):
        _raise(call, stopped)
        raise stopped
    call.owner.refusals.append(stopped)
    return providers.refused(call.metered.asked, str(stopped))


def _answers_stops(call: Call) -> bool:
    return call.owner.job.plan.on_stop is OnStop.HTTP_402


def _expired(call: Call) -> BudgetStopped | None:
    if call.metered is None:
        return None
    paused = perf_counter() - call.heard if call.is_stream else 0.0
    return call.owner.house.meter.gate.expired(call.metered, paused=paused)


def _raise(call: Call, stopped: BudgetStopped | None) -> None:
    __tracebackhide__ = True
    if stopped is not None:
        call.owner.refusals.append(stopped)
        raise stopped


def _attempt(headers: Headers) -> int:
    count = header(headers, "x-stainless-retry-count") or "0"
    nth = _AMAZONS_ATTEMPT.search(header(headers, "amz-sdk-request") or "")
    if nth is not None:
        return max(0, int(nth[1]) - 1)
    return int(count) if count.isdecimal() else 0
