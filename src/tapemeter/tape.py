"""What answers a call, and what remembers it: one seam for both kinds of cassette.

    own     the cassette of the call's owner, in our format; found by key
    lent    a cassette of VCR.py's making, while a program holds it open; found by VCR.py's matchers

A tape says how it answers (`find`), what is raised where it cannot (`missed`), and takes what was sent (`keep`);
`exchange` does everything else, alike for both. See docs/decisions/0013-one-seam-for-both-kinds-of-cassette.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from tapemeter import lending
from tapemeter.cassette import age
from tapemeter.cassette.mode import Mode, OnStale, Strict
from tapemeter.cassette.model import Fresh, Interaction
from tapemeter.values import Value

if TYPE_CHECKING:
    from tapemeter.budget.tally import Tally
    from tapemeter.cassette.cassette import Recording
    from tapemeter.cassette.model import Reply
    from tapemeter.job import Job
    from tapemeter.metering.attempt import Caller
    from tapemeter.model import Request, Response
    from tapemeter.owner import Owner


class Asked(Value):
    """A request as its program made it, and as it may be written: without secrets and without noise."""

    request: Request
    redacted: Request
    secrets: frozenset[bytes]
    attempt: int = 0
    """How often its client has sent it before."""


class Found(Value):
    """How a tape answers a call: in which mode, and with what.

    `reply` has the key under which a file would keep it. `replay` is what the client gets where that is not the
    reply's own response, as where it decompresses by itself. A call that is `aside` is none for the tape: it may leave
    where the network rules allow it.
    """

    mode: Mode
    reply: Reply | None = None
    again: bool = False
    """Whether the reply has been given before."""
    replay: Response | None = None
    aside: bool = False


class Kept(Value):
    """A call that was sent and has ended: the response as it came, and as it may be written."""

    asked: Asked
    came: Response
    written: Response
    recorded: str
    issued: float
    order: int


class Tape(Protocol):
    """What answers the calls of an owner, and remembers them."""

    @property
    def owner(self) -> Owner:
        """Whose calls they are."""

    def find(self, asked: Asked) -> Found:
        """Say how a call is answered; a reply that is found counts as played. CassetteError if unreadable."""

    def caller(self, found: Found) -> Caller:
        """Return who calls, as the evidence tells it."""

    def missed(self, asked: Asked) -> BaseException:
        """Return what to raise for a call that is refused."""

    def keep(self, kept: Kept) -> None:
        """Remember a call, if that is the mode."""


class Lendable(lending.InUse, Protocol):
    """A cassette of another kind, as what answers an owner's calls."""

    def tape(self, owner: Owner) -> Tape:
        """Return it as the tape of an owner's call."""


class OwnTape(Value):
    """The cassette that an owner has of its own."""

    owner: Owner

    def find(self, asked: Asked) -> Found:
        """See Tape."""
        owner = self.owner
        cassette = owner.cassette
        if owner.mode is Mode.RECORD and owner.stale_before:
            _renew(owner)
        if not owner.mode.reads:
            return Found(owner.mode)
        key = cassette.matcher.key(asked.redacted)
        again = owner.mode is Mode.VERIFY and asked.attempt > 0
        recording = cassette.played_last(key) if again else cassette.play(key)
        if recording is None:
            return Found(owner.mode)
        if owner.mode.plays:
            _note(owner, asked, recording)
        return Found(owner.mode, recording.reply, again=recording.plays > 1)

    def caller(self, found: Found) -> Caller:
        """See Tape."""
        del found
        return self.owner

    def missed(self, asked: Asked) -> BaseException:
        """See Tape."""
        from tapemeter.cassette.miss import miss  # noqa: PLC0415 - what it needs to look for the nearest is not small

        owner = self.owner
        refusal = miss(
            asked.redacted,
            owner.cassette.matcher.key(asked.redacted),
            owner.cassette,
            test=owner.label,
            name=owner.cassette_name,
            markable=owner.markable,
            hooked=owner.hooked,
            record=owner.recorded_by,
        )
        owner.refusals.append(refusal)
        return refusal

    def keep(self, kept: Kept) -> None:
        """See Tape."""
        owner, redacted = self.owner, kept.asked.redacted
        if not owner.mode.records or owner.closed:
            return
        interaction = Interaction(
            request=redacted,
            response=kept.written,
            recorded=kept.recorded,
            key=owner.cassette.matcher.stored_key(redacted),
            issued=kept.issued,
        )
        owner.cassette.add(Fresh(interaction, kept.order, kept.asked.attempt))


def _renew(owner: Owner) -> None:
    """Have all of a cassette recorded anew in which a recording is too old, if that is what is to be done."""
    if owner.house.on_stale is not OnStale.RECORD:
        return
    if any(age.is_stale(each.reply.recorded, owner.stale_before) for each in owner.cassette.recordings):
        owner.mode = owner.cassette.mode = Mode.RECORD_ALL
    owner.stale_before = ""  # what is left to play is not too old


def _note(owner: Owner, asked: Asked, recording: Recording) -> None:
    """Note of a recording that is about to answer that it is too old, or was made for another request."""
    recorded = recording.reply.recorded
    if age.is_stale(recorded, owner.stale_before):
        owner.stale.append(recorded)
    matcher = owner.cassette.matcher
    if owner.house.strict is not Strict.OFF and not matcher.is_default:
        from tapemeter.cassette import drift  # noqa: PLC0415 - only who wants to know pays for it

        # What a test says need not match is no drift; what is not compared at all is.
        drift.note(owner, matcher.comparable(asked.redacted), matcher.comparable(recording.request))


class LentCaller(Value):
    """An owner as the caller of a call that another cassette than its own answers."""

    owner: Owner
    mode: Mode
    cassette_name: str

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.owner.label

    @property
    def nodeid(self) -> str:
        """The test that is running."""
        return self.owner.nodeid

    @property
    def markable(self) -> bool:
        """Whether it is that test, else it is a fixture."""
        return self.owner.markable

    @property
    def job(self) -> Job:
        """What its calls are booked on."""
        return self.owner.job

    @property
    def usage(self) -> Tally:
        """What its own calls used."""
        return self.owner.usage


def of(owner: Owner) -> Tape:
    """Return the tape that answers an owner's call made here and now."""
    lent = lending.in_use()
    return OwnTape(owner) if lent is None else cast("Lendable", lent).tape(owner)
