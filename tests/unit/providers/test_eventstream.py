from __future__ import annotations

import json
from base64 import b64encode
from itertools import pairwise
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.providers import eventstream
from tapemeter.providers.eventstream import Frames


def text(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + b"\x07" + len(value.encode()).to_bytes(2, "big") + value.encode()


def message(head: bytes, payload: bytes) -> bytes:
    prelude = (16 + len(head) + len(payload)).to_bytes(4, "big") + len(head).to_bytes(4, "big")
    prelude += crc32(prelude).to_bytes(4, "big")
    return prelude + head + payload + crc32(prelude + head + payload).to_bytes(4, "big")


def event(kind: str, value: object) -> bytes:
    return message(text(":message-type", "event") + text(":event-type", kind), json.dumps(value).encode())


DELTA = event("contentBlockDelta", {"delta": {"text": "Sonnig 🌞"}})
CHUNK = event("chunk", {"bytes": b64encode(b'{"outputText": "Sonnig"}').decode(), "p": "ab"})


def test_an_event_is_an_object_that_is_named_after_its_type() -> None:
    assert Frames().feed(DELTA) == [{"contentBlockDelta": {"delta": {"text": "Sonnig 🌞"}}}]


def test_a_chunk_is_the_event_of_the_model_that_it_holds() -> None:
    assert Frames().feed(CHUNK) == [{"outputText": "Sonnig"}]


@pytest.mark.parametrize("held", [None, 7, "no base64!", "AAA", b64encode(b"[1]").decode(), b64encode(b"{").decode()])
def test_a_chunk_that_holds_no_event_is_passed_over(held: object) -> None:
    assert Frames().feed(event("chunk", {"bytes": held}) + CHUNK) == [{"outputText": "Sonnig"}]


def test_errors_are_told_as_elsewhere() -> None:
    head = text(":message-type", "exception") + text(":exception-type", "throttlingException")
    broken = text(":message-type", "error") + text(":error-code", "InternalError") + text(":error-message", "Gone.")

    assert Frames().feed(message(head, b'{"message": "Slow down."}') + message(broken, b"")) == [
        {"error": {"type": "throttlingException", "message": "Slow down."}},
        {"error": {"type": "InternalError", "message": "Gone."}},
    ]


@pytest.mark.parametrize(
    "other",
    [
        b"\x01a\x00",
        b"\x01a\x02\x07",
        b"\x01a\x04\x00\x00\x00\x07",
        b"\x01a\x05" + b"\x00" * 8,
        b"\x01a\x06\x00\x02xy",
        b"\x01a\x08" + b"\x00" * 8,
        b"\x01a\x09" + b"\x00" * 16,
    ],
)
def test_headers_of_other_types_are_passed_over(other: bytes) -> None:
    head = other + text(":message-type", "event") + other + text(":event-type", "metadata")

    assert Frames().feed(message(head, b'{"usage": {}}')) == [{"metadata": {"usage": {}}}]


@pytest.mark.parametrize("head", [b"\x05a", b"\x01a\x63", b"\x01a\x07\xff\xff", b"\xff"])
def test_headers_that_cannot_be_read_leave_the_rest(head: bytes) -> None:
    assert Frames().feed(message(head, b"{}") + CHUNK)[-1] == {"outputText": "Sonnig"}


def test_a_message_whose_checksum_does_not_hold_counts() -> None:
    assert Frames().feed(DELTA[:-4] + b"\0\0\0\0") == Frames().feed(DELTA)


def test_after_a_prelude_whose_checksum_does_not_hold_nothing_is_read() -> None:
    takes = Frames()
    spoilt = DELTA[:8] + b"\0\0\0\0" + DELTA[12:]

    assert takes.feed(DELTA + spoilt + DELTA) == Frames().feed(DELTA)
    assert takes.feed(DELTA) == []


def test_a_message_that_is_too_long_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventstream, "LONGEST", len(CHUNK))
    longer = event("contentBlockDelta", {"delta": {"text": "x" * 500}})
    takes = Frames()

    assert takes.feed(CHUNK + longer[:12]) == [{"outputText": "Sonnig"}]
    assert takes.feed(longer[12:] + CHUNK) == []


@pytest.mark.parametrize("lengths", [(16, 4), (15, 0), (12, 0), (0, 0), (2**32 - 1, 0)])
def test_lengths_that_cannot_be_end_the_reading(lengths: tuple[int, int]) -> None:
    prelude = b"".join(length.to_bytes(4, "big") for length in lengths)
    takes = Frames()

    assert takes.feed(prelude + crc32(prelude).to_bytes(4, "big") + b"\0" * 8) == []
    assert takes.feed(DELTA) == []


@given(st.lists(st.sampled_from([DELTA, CHUNK]), max_size=4), st.lists(st.integers(min_value=0), max_size=10))
def test_messages_are_found_however_they_are_cut(messages: list[bytes], places: list[int]) -> None:
    body = b"".join(messages)
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    takes = Frames()

    found = [event for start, end in pairwise(edges) for event in takes.feed(body[start:end])]

    assert found == Frames().feed(body)
    assert len(found) == len(messages)


@given(st.binary(max_size=60), st.binary(max_size=20), st.binary(max_size=30))
def test_any_bytes_are_read(data: bytes, head: bytes, payload: bytes) -> None:
    found: list[dict[str, Any]] = Frames().feed(message(head, payload) + data)

    assert all(isinstance(value, dict) for value in found)
