"""What a mode does with a hit and with a miss: one table, and nothing decides elsewhere."""

from __future__ import annotations

from enum import StrEnum

from tapemeter.cassette.mode import Mode


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
