"""The life of one call: begin, answer, feed, finish. Read this first.

    claim     whose call is it, and is it one for us?            None: it goes its own way
    begin     redact, match, decide                              raises a Refusal, or returns the Call:
                with a `replay`, which the adapter plays, or without, and the adapter sends
    answer    the response's status and headers are there
    feed      a chunk is there; the caller gets the same bytes
    finish    the body ended, one way or another; exactly once   records

Plain functions: an adapter, sync or async, is a few lines around them.
"""

from __future__ import annotations

import itertools
import shlex
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from tapemeter import owner as owners
from tapemeter import providers
from tapemeter.cassette import volatile
from tapemeter.cassette.encoding import decode_chunks
from tapemeter.cassette.miss import miss
from tapemeter.cassette.mode import TABLE, Decision, Mode
from tapemeter.cassette.model import Fresh, Interaction
from tapemeter.errors import CassetteError, UnownedCall, UnreadableCassette
from tapemeter.model import Chunk, Ending, Headers, Request, Response, header, without_headers

if TYPE_CHECKING:
    from tapemeter.owner import Owner

_order = itertools.count()
_TAIL = 512


@dataclass(eq=False)
class Call:
    """One call under way, as the owner's cassette will remember it.

    `replay` is the answer to play; None where the call is to be sent. The rest is filled in by the functions
    below while a sent call is answered.
    """

    owner: Owner
    request: Request
    secrets: frozenset[bytes]
    replay: Response | None = None
    order: int = field(default_factory=lambda: next(_order))
    attempt: int = 0
    issued: float = field(default_factory=perf_counter)
    status: int = 0
    headers: Headers = ()
    first_byte: float = 0.0
    chunks: list[Chunk] = field(default_factory=list)
    finished: bool = False


def claim(head: Request) -> Owner | None:
    """Return the owner of a call from its request line and headers, or None for a request that is let through.

    What is a model call is claimed, and so is whatever else would leave the machine, since replay must answer
    it too. Requests to hosts that the test may reach, loopback above all, are left alone; one that might turn
    out to be a model call once its body is known is claimed for `begin` to decide. UnownedCall in replay for
    code that no running test started.
    """
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


def begin(owner: Owner, request: Request) -> Call | None:
    """Decide on a call that `claim` gave to an owner; None where the body shows that it is no call for us.

    Raises CassetteMiss where replay has no answer. Nothing has left by then.
    """
    __tracebackhide__ = True
    if not _is_ours(request, owner) and providers.claims_body(request) is None:
        return None
    redactor = owner.house.redactor
    secrets = redactor.secrets_of(request)
    attempt = _attempt(request.headers)
    redacted = redactor.request(replace(request, headers=volatile.of_request(request.headers)))
    call = Call(owner, redacted, secrets, attempt=attempt)
    cassette = owner.cassette
    try:
        key = cassette.matcher.key(redacted) if owner.mode.plays else ""
        recording = cassette.play(key) if owner.mode.plays else None
        replay = recording.interaction.response if recording is not None else None
    except CassetteError as error:
        unreadable = UnreadableCassette(str(error))
        owner.refusals.append(unreadable)
        raise unreadable from error
    match TABLE[owner.mode, replay is not None]:
        case Decision.PLAY:
            call.replay = replay
        case Decision.REFUSE:
            refusal = miss(
                redacted,
                key,
                cassette,
                test=owner.label,
                name=owner.cassette_name,
                markable=owner.markable,
                record=f"pytest {shlex.quote(owner.nodeid)} --record-cassettes",
            )
            owner.refusals.append(refusal)
            raise refusal
        case _:
            owner.pending[call.order] = partial(_abandon, call)
    return call


def answer(call: Call, status: int, headers: Headers) -> None:
    """Note that the response's status and headers arrived."""
    call.status, call.headers = status, headers
    call.first_byte = perf_counter() - call.issued


def feed(call: Call, data: bytes) -> None:
    """Note a chunk of the body, as it passes on its way to the caller."""
    call.chunks.append(Chunk(perf_counter() - call.issued, data))


def finish(call: Call, ending: Ending) -> None:
    """Note how the body ended, and keep the interaction; only the first word on a call counts.

    Where the owner has closed by then, its cassette has been written, and nothing is kept.
    """
    if call.finished:
        return
    call.finished = True
    call.owner.pending.pop(call.order, None)
    if not call.owner.mode.records or call.owner.closed:
        return
    response = Response(
        status=call.status,
        headers=call.headers,
        chunks=tuple(call.chunks),
        first_byte=call.first_byte,
        total=perf_counter() - call.issued,
        ending=_true_ending(call, ending),
    )
    response = call.owner.house.redactor.response(_legible(response), call.secrets)
    request = call.request
    interaction = Interaction(
        request=request,
        response=response,
        recorded=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        key=call.owner.cassette.matcher.stored_key(request),
    )
    call.owner.cassette.add(Fresh(interaction, call.order, call.attempt))


def drop(call: Call) -> None:
    """Forget a call that got no response: a connection error is not recorded."""
    call.finished = True
    call.owner.pending.pop(call.order, None)


def _abandon(call: Call) -> None:
    """End a call whose response its program neither read to the end nor closed."""
    if call.status:
        finish(call, Ending.ABANDONED)
    else:
        drop(call)


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
