"""How the calls of a test are answered, and what is done about recordings that answer another request or are old."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """How the calls of a test are answered."""

    REPLAY = "replay"
    """From the cassette only; a miss is refused."""
    RECORD = "record"
    """From the cassette where it can, else sent and recorded."""
    RECORD_ALL = "record-all"
    """Sent and recorded anew, whatever the cassette has."""
    LIVE = "live"
    """Sent; cassettes are neither read nor written."""
    VERIFY = "verify"
    """Sent, and the answer compared with the recording; cassettes are read, not written."""
    OFF = "off"
    """The plugin does nothing."""

    @property
    def plays(self) -> bool:
        """Whether recordings are read and played."""
        return self in _PLAY

    @property
    def reads(self) -> bool:
        """Whether recordings are read, to be played or to be compared with."""
        return self in _READ

    @property
    def records(self) -> bool:
        """Whether answers are written to the cassette."""
        return self in _RECORD


# To name a mode takes Python longer than to look for one, and every test asks several times.
_PLAY = frozenset({Mode.REPLAY, Mode.RECORD})
_READ = _PLAY | {Mode.VERIFY}
_RECORD = frozenset({Mode.RECORD, Mode.RECORD_ALL})


class Strict(StrEnum):
    """What is done about a recording that answers another request than it was recorded for."""

    OFF = "off"
    REPORT = "report"
    FAIL = "fail"


class OnStale(StrEnum):
    """What is done about a recording that is older than it may be."""

    WARN = "warn"
    FAIL = "fail"
    RECORD = "record"
    """Record its cassette anew, where the mode is to record what is missing; else as WARN."""
