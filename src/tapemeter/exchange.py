"""The life of one call: begin, answer, feed, finish. Read this first.

    claim     whose call is it, and is it one for us?            None: it goes its own way
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
import shlex
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from tapemeter import owner as owners
from tapemeter import providers
from tapemeter.budget.dimensions import Dimension
from tapemeter.budget.policy import OnStop
from tapemeter.cassette import volatile
from tapemeter.cassette.encoding import decode_chunks
from tapemeter.cassette.miss import miss
from tapemeter.cassette.mode import TABLE, Decision, Mode
from tapemeter.cassette.model import Fresh, Interaction
from tapemeter.errors import BudgetStopped, CassetteError, PartialRecording, UnownedCall, UnreadableCassette
from tapemeter.model import (
    STREAM_TYPES,
    Chunk,
    Ending,
    Headers,
    Request,
    Response,
    header,
    media_type,
    without_headers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapemeter.errors import CassetteMiss
    from tapemeter.metering import Attempt
    from tapemeter.owner import Owner

_order = itertools.count()
_own_ports: set[int] = set()
"""Ports on loopback at which we take requests ourselves."""
_TAIL = 512
_AMAZONS_ATTEMPT = re.compile(r"attempt=(\d{1,4})\b")
"""In the header `amz-sdk-request`, counted from 1."""


@dataclass(eq=False)
class Call:
    """One call under way, as the owner's cassette will remember it.

    `replay` is the answer to play; None where the call is to be sent. `metered` is its budget's side; None for what
    is no model call. `since_entered` is when it was issued, in seconds since its test began. The rest is filled in by
    the functions below while a sent call is answered.
    """

    owner: Owner
    request: Request
    secrets: frozenset[bytes]
    metered: Attempt | None = None
    replay: Response | None = None
    order: int = field(default_factory=lambda: next(_order))
    attempt: int = 0
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
    def is_stream(self) -> bool:
        """Whether what comes is a stream whose pieces mean something to the reader."""
        return media_type(self.headers) in STREAM_TYPES


def claim(head: Request) -> Owner | None:
    """Return the owner of a call from its request line and headers, or None for a request that is let through.

    What is a model call is claimed, and so is whatever else would leave the machine, since replay must answer
    it too. Requests to hosts that the test may reach, loopback above all, are left alone; one that might turn
    out to be a model call once its body is known is claimed for `begin` to decide. UnownedCall in replay for
    code that no running test started.
    """
    if _own_ports and head.port in _own_ports and _is_local(head):
        return None  # what comes of it there is claimed then
    owner = owners.current()
    if owner is None or owner.closed:
        _refuse_unowned(head, owner)
        return None
    if owner.mode is Mode.OFF or header(head.headers, "upgrade") is not None:
        return None  # what becomes a WebSocket is no exchange of one answer; the network guard judges it
    if _is_ours(head, owner):
        return owner
    may_be_ours = head.method == "POST" and head.content_type.endswith("json")
    return owner if may_be_ours else None


def own(port: int) -> Callable[[], None]:
    """Leave requests to a server of our own on loopback alone; return what undoes it."""
    _own_ports.add(port)
    return lambda: _own_ports.discard(port)


def begin(owner: Owner, request: Request, *, attempt: int = 0) -> Call | None:
    """Decide on a call that `claim` gave to an owner; None where the body shows that it is no call for us.

    `attempt` is how often the client tried the same before, where it knows more than the request's headers say.
    Raises CassetteMiss where replay has no answer, BudgetStopped where a limit does not hold. Nothing has left by
    then.
    """
    __tracebackhide__ = True
    if not _is_ours(request, owner) and providers.claims_body(request) is None:
        return None
    redactor = owner.house.redactor
    secrets = redactor.secrets_of(request)
    attempt = attempt or _attempt(request.headers)
    redacted = redactor.request(replace(request, headers=volatile.of_request(request.headers)))
    call = Call(owner, redacted, secrets, attempt=attempt, since_entered=owner.job.clock.since_entered())
    cassette = owner.cassette
    try:
        key = cassette.matcher.key(redacted) if owner.mode.plays else ""
        recording = cassette.play(key) if owner.mode.plays else None
        interaction = recording.interaction if recording is not None else None
    except CassetteError as error:
        unreadable = UnreadableCassette(str(error))
        owner.refusals.append(unreadable)
        raise unreadable from error
    call.metered = owner.house.meter.open(owner, request, redacted, again=attempt > 0)
    match TABLE[owner.mode, interaction is not None]:
        case Decision.PLAY if interaction is not None and recording is not None:
            stopped = _overcome_again(call, request, interaction.retried)
            stopped = stopped or _play(call, interaction, again=recording.plays > 1)
        case Decision.REFUSE:
            stopped = owner.house.meter.miss(call.metered) if call.metered is not None else None
            if stopped is None:
                raise _missed(owner, redacted, key)
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
    ending = _true_ending(call, ending)
    response = _keep(call, ending)
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
    if call.metered is None:
        return
    stopped = _expired(call) if isinstance(error, Exception) else None
    if stopped is not None:
        _keep(call, Ending.CUT)
    call.owner.house.meter.fail(call.metered, stopped or error, perf_counter() - call.issued)
    _raise(call, stopped)


def _overcome_again(call: Call, request: Request, statuses: tuple[int, ...]) -> BudgetStopped | None:
    """Book the attempts that the client had to make before it got its answer; replay spares it from making them."""
    meter = call.owner.house.meter
    for status in statuses:
        if call.metered is None:
            break
        stopped = meter.play(call.metered, Response(status), issued=None, recorded="")
        if stopped is not None:
            return stopped
        call.metered = meter.open(call.owner, request, call.request, again=True)
    return None


def _play(call: Call, interaction: Interaction, *, again: bool) -> BudgetStopped | None:
    """Book what was recorded, and have it played; the stop, where a limit does not allow it."""
    response = interaction.response
    if call.metered is not None:
        issued = None if again else interaction.issued
        meter = call.owner.house.meter
        stopped = meter.play(call.metered, response, issued=issued, recorded=interaction.recorded)
        if stopped is not None:
            return stopped
    _check_playable(call.owner, response)
    call.replay = response
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
    legible = _legible(
        Response(
            status=call.status,
            headers=call.headers,
            chunks=tuple(call.chunks),
            first_byte=call.first_byte,
            total=perf_counter() - call.issued,
            ending=ending,
        )
    )
    owner = call.owner
    written = owner.house.redactor.response(legible, call.secrets)
    if not owner.mode.records or owner.closed:
        return written
    interaction = Interaction(
        request=call.request,
        response=written,
        recorded=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        key=owner.cassette.matcher.stored_key(call.request),
        issued=call.since_entered,
    )
    owner.cassette.add(Fresh(interaction, call.order, call.attempt))
    return written


def _abandon(call: Call) -> None:
    """End a call whose response its program neither read to the end nor closed."""
    if call.status:
        finish(call, Ending.ABANDONED)
    else:
        drop(call)


def _missed(owner: Owner, redacted: Request, key: str) -> CassetteMiss:
    refusal = miss(
        redacted,
        key,
        owner.cassette,
        test=owner.label,
        name=owner.cassette_name,
        markable=owner.markable,
        record=f"pytest {shlex.quote(owner.nodeid)} --record-cassettes",
    )
    owner.refusals.append(refusal)
    return refusal


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


def _refuse_unowned(head: Request, left_over: Owner | None) -> None:
    """Refuse a call that belongs to no running test where replay is in force; let it through elsewhere."""
    house = owners.house()
    mode = left_over.mode if left_over is not None else house.mode if house is not None else None
    if mode is not Mode.REPLAY or (providers.claims(head) is None and _is_local(head)):
        return
    if left_over is not None:
        who = f"code that {left_over.label} started and left running; join its threads and tasks before it ends"
    else:
        who = "no running test; make it inside a test or a fixture, so that it has a cassette"
    raise UnownedCall(f"{head.method} {head.host}{head.path} was refused in replay: it comes from {who}")


def _is_local(head: Request) -> bool:
    from tapemeter.network import AllowList  # noqa: PLC0415 - only for calls that nobody owns

    return AllowList.default().allows(head.host, head.port)


def _is_ours(head: Request, owner: Owner) -> bool:
    if providers.claims(head) is not None:
        return True
    # Replay must answer whatever else would leave, too; so it is recorded, unless the test forbids that it leaves.
    taped = owner.mode is Mode.REPLAY or (owner.mode.records and not owner.guarded)
    return taped and not owner.allowed.allows(head.host, head.port)


def _attempt(headers: Headers) -> int:
    count = header(headers, "x-stainless-retry-count") or "0"
    nth = _AMAZONS_ATTEMPT.match(header(headers, "amz-sdk-request") or "")
    if nth is not None:
        return max(0, int(nth[1]) - 1)
    return int(count) if count.isdecimal() else 0


def _true_ending(call: Call, ending: Ending) -> Ending:
    """Return COMPLETE for a stream that was left after the event that says it is over."""
    if ending not in {Ending.ABANDONED, Ending.CANCELLED}:
        return ending
    tail = b"".join(chunk.data for chunk in call.chunks[-4:])[-_TAIL:]
    length = header(call.headers, "content-length")
    whole = length is not None and length.isdecimal() and sum(len(c.data) for c in call.chunks) >= int(length)
    return Ending.COMPLETE if whole or providers.is_finished(tail) else ending


def _legible(response: Response) -> Response:
    """Return a response as a cassette keeps it: without content coding where it can be removed, without noise."""
    headers = response.headers
    if len(response.chunks) == 1 and not response.is_stream:
        # A body that came whole is written without a list of its pieces.
        response = replace(response, chunks=(Chunk(response.total, response.chunks[0].data),))
    coding = header(headers, "content-encoding")
    if coding and coding.lower() != "identity":
        decoded = decode_chunks(response.chunks, coding)
        if decoded is not None:
            response = replace(response, chunks=decoded, decoded_from=coding)
        else:
            kept = tuple(pair for pair in headers if pair[0] == "content-encoding")
            return replace(response, headers=(*volatile.of_response(response.status, headers), *kept))
    return replace(
        response,
        headers=without_headers(volatile.of_response(response.status, headers), ["content-encoding"]),
    )
