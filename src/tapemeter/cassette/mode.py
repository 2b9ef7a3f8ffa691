"""What a mode does with a hit and with a miss: one table, and nothing decides elsewhere."""

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
        return self in {Mode.REPLAY, Mode.RECORD}

    @property
    def reads(self) -> bool:
        """Whether recordings are read, to be played or to be compared with."""
        return self.plays or self is Mode.VERIFY

    @property
    def records(self) -> bool:
        """Whether answers are written to the cassette."""
        return self in {Mode.RECORD, Mode.RECORD_ALL}


class Decision(StrEnum):
    """What becomes of one call."""

    PLAY = "play"
    SEND = "send"
    REFUSE = "refuse"


TABLE: dict[tuple[Mode, bool], Decision] = {  # by mode, and whether the cassette has a hit
    (Mode.REPLAY, True): Decision.PLAY,
    (Mode.REPLAY, False): Decision.REFUSE,
    (Mode.RECORD, True): Decision.PLAY,
    (Mode.RECORD, False): Decision.SEND,
    (Mode.RECORD_ALL, True): Decision.SEND,
    (Mode.RECORD_ALL, False): Decision.SEND,
    (Mode.LIVE, True): Decision.SEND,
    (Mode.LIVE, False): Decision.SEND,
    (Mode.VERIFY, True): Decision.SEND,
    (Mode.VERIFY, False): Decision.SEND,
}


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
