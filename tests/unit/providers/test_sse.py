from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.providers import sse
from tapemeter.providers.sse import Events

NEWLINES = ["\n", "\r\n", "\r"]


def events(*pieces: bytes) -> list[bytes]:
    decoder = Events()
    return [event for piece in pieces for event in decoder.feed(piece)]


@pytest.mark.parametrize("newline", NEWLINES)
def test_the_data_of_each_event_is_returned(newline: str) -> None:
    stream = "event: a\ndata: one\nid: 7\n\n: ping\n\nretry: 5\n\ndata:two\n\n".replace("\n", newline)

    assert events(stream.encode()) == [b"one", b"two"]


def test_data_on_several_lines_is_one_text() -> None:
    assert events(b"data: one\ndata\ndata:  two\n\n") == [b"one\n\n two"]


def test_an_event_without_its_empty_line_has_not_happened() -> None:
    assert events(b"data: one\n\ndata: two\n") == [b"one"]


def test_only_a_field_of_that_very_name_is_data() -> None:
    assert events(b"database: one\n\ndatum: two\n\n data: three\n\nDATA: four\n\n") == []


def test_a_byte_order_mark_at_the_start_is_left_out() -> None:
    assert events(b"\xef\xbb", b"\xbfdata: one\n\n") == [b"one"]


def test_several_events_in_one_chunk_come_at_once() -> None:
    assert Events().feed(b"data: one\n\ndata: two\n\n") == [b"one", b"two"]


def test_an_event_comes_with_the_chunk_that_ends_it() -> None:
    decoder = Events()

    assert [decoder.feed(piece) for piece in (b"da", b"ta: one", b"\r", b"\n\r", b"\n")] == [[], [], [], [b"one"], []]


@given(
    st.lists(st.text(alphabet="ab: é\n", min_size=1, max_size=12), max_size=5),
    st.lists(st.sampled_from(NEWLINES), min_size=1, max_size=3),
    st.data(),
)
def test_it_does_not_matter_how_the_bytes_are_cut(texts: list[str], newlines: list[str], data: st.DataObject) -> None:
    newline = newlines[0]
    stream = "".join(
        "".join(f"data: {line}{newline}" for line in text.split("\n")) + newline for text in texts
    ).encode()
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]

    assert events(*pieces) == [text.encode() for text in texts]


@given(st.binary(max_size=80), st.integers(0, 80))
def test_any_bytes_are_taken(data: bytes, place: int) -> None:
    assert events(data[:place], data[place:]) == events(data)


def test_a_line_beyond_the_bound_is_left_out_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LONGEST", 10)
    decoder = Events()

    for _ in range(100):
        assert decoder.feed(b"data: " + b"x" * 20) == []
        assert len(decoder._line) <= 11

    assert decoder.feed(b"\n\ndata: two\n\n") == [b"two"]
    assert events(b"data: " + b"x" * 20 + b"\n\ndata: two\n\n") == [b"two"]


def test_an_event_beyond_the_bound_is_left_out_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LONGEST", 20)
    decoder = Events()

    for _ in range(100):
        assert decoder.feed(b"data: one\n") == []
        assert len(decoder._data) <= 2

    assert decoder.feed(b"\ndata: two\n\n") == [b"two"]
