"""The join to `exchange`: a cassette of VCR.py's kind as the tape that answers a call. See `tapemeter.tape`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter.cassette.match import Matcher
from tapemeter.cassette.mode import Mode, Strict
from tapemeter.cassette.model import Reply
from tapemeter.model import Ending
from tapemeter.tape import Found, LentCaller
from tapemeter.values import Value, replace
from tapemeter.vcr import forms
from tapemeter.vcr.errors import CannotOverwriteExistingCassetteException
from tapemeter.vcr.record_mode import RecordMode
from tapemeter.vcr.secrets import Secrets

if TYPE_CHECKING:
    from tapemeter.owner import Owner
    from tapemeter.tape import Asked, Kept
    from tapemeter.vcr.cassette import Cassette

_RECORDED = {Ending.COMPLETE, Ending.ABANDONED}
"""How a body must have ended to be recorded; VCR.py records nothing of a call that failed either."""


class VcrTape(Value):
    """A cassette as the tape of an owner's call."""

    owner: Owner
    cassette: Cassette

    def find(self, asked: Asked) -> Found:
        """See Tape. A request that the hooks drop is none for the cassette."""
        cassette, owner = self.cassette, self.owner
        request = cassette.filter_request(forms.request_of(asked.request))
        if not request:
            return Found(Mode.LIVE, aside=True)
        mode = self._mode()
        if not cassette.plays or (mode is Mode.VERIFY and asked.attempt):
            return Found(mode)
        with cassette.lock:
            place = cassette.take(request)
            if place is None:  # what we wrote has no secrets
                clean = Secrets(owner.house.redactor, asked.request).out_of_request(request)
                place = None if clean is request else cassette.take(clean)
            if place is None:
                return Found(mode)
            again = cassette.play_counts[place] > 1
        interaction, replay = forms.played(*cassette.data[place], str(cassette.path))
        if owner.house.strict is not Strict.OFF:
            from tapemeter.cassette import drift  # noqa: PLC0415 - only who wants to know pays for it

            drift.note(owner, forms.kept_of(request), interaction.request, cassette=self._name())
        reply = replace(Reply.of(interaction), key=Matcher().stored_key(interaction.request))
        return Found(mode, reply, again=again, replay=replay)

    def caller(self, found: Found) -> LentCaller:
        """See Tape."""
        return LentCaller(self.owner, found.mode, self._name())

    def missed(self, asked: Asked) -> BaseException:
        """See Tape. What VCR.py raises is an exception, which suites expect."""
        shown = self.owner.house.redactor.request(asked.request)
        return CannotOverwriteExistingCassetteException(cassette=self.cassette, failed_request=forms.request_of(shown))

    def keep(self, kept: Kept) -> None:
        """See Tape. What ends when the cassette is no longer in use is written at once."""
        cassette = self.cassette
        if kept.came.ending not in _RECORDED or not self._mode().records:
            return
        request, response = forms.request_of(kept.asked.request), forms.response_of(kept.came)
        cassette.admit(request, response, Secrets(self.owner.house.redactor, kept.asked.request))
        if cassette.is_over:
            cassette._save()  # noqa: SLF001 - VCR.py's own name for it

    def _mode(self) -> Mode:
        """Return the mode that the record mode comes to; that of the session may narrow it."""
        cassette = self.cassette
        if self.owner.house.mode is Mode.VERIFY:
            return Mode.VERIFY
        if self.owner.house.mode is Mode.REPLAY or cassette.write_protected:
            return Mode.REPLAY
        return Mode.RECORD_ALL if cassette.record_mode == RecordMode.ALL else Mode.RECORD

    def _name(self) -> str:
        path, root = Path(str(self.cassette.path)).absolute(), self.owner.house.root
        return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
