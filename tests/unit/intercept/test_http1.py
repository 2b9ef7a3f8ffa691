"""HTTP/1.1 as bytes: what is taken off the wire is the content, and Python's own parser reads what is put on it."""

from __future__ import annotations

import http.client
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.intercept.http1 import HOLD, Chunked, Plain, framed, unframed, wire
from tapemeter.model import Chunk, Ending, Response

if TYPE_CHECKING:
    from tapemeter.intercept.http1 import Body

PIECES = st.lists(st.binary(min_size=1, max_size=30), max_size=8)
CUTS = st.lists(st.integers(1, 7), max_size=40)
TYPES = st.sampled_from(["text/event-stream", "application/json"])


def in_parts(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut bytes anywhere."""
    parts = []
    for size in cuts:
        parts.append(data[:size])
        data = data[size:]
    return [part for part in [*parts, data] if part]


def taken(body: Body, parts: list[bytes]) -> list[bytes]:
    return [piece for part in parts for piece in body.take(part)]


def answer(pieces: list[bytes], kind: str, ending: Ending = Ending.COMPLETE, status: int = 200) -> Response:
    chunks = tuple(Chunk(float(place), data) for place, data in enumerate(pieces))
    return Response(status, (("content-type", kind), ("x-own", "1")), chunks, ending=ending)


def parsed(data: bytes) -> http.client.HTTPResponse:
    class Socket:
        def makefile(self, *_: object) -> io.BytesIO:
            return io.BytesIO(data)

    response = http.client.HTTPResponse(Socket())  # type: ignore[arg-type]
    response.begin()
    return response


# Off the wire


@given(PIECES, CUTS, st.sampled_from([b"", b";name=value"]), st.sampled_from([b"", b"x-trailer: 1\r\n"]))
def test_chunks_are_pieces_however_they_are_read(
    pieces: list[bytes], cuts: list[int], extension: bytes, trailer: bytes
) -> None:
    framed_body = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    body = Chunked()

    got = taken(body, in_parts(framed_body + b"0\r\n" + trailer + b"\r\n", cuts))

    assert got == pieces
    assert body.is_over
    assert body.end()
    assert body.rest() == b""


@given(PIECES.filter(bool), CUTS)
def test_a_body_in_chunks_that_breaks_off_is_not_over_and_keeps_what_had_come(
    pieces: list[bytes], cuts: list[int]
) -> None:
    whole = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    body = Chunked()

    got = taken(body, in_parts(whole[:-3], cuts))

    assert b"".join([*got, body.rest()]) == b"".join(pieces)[:-1]
    assert (body.is_over, body.end(), body.rest()) == (False, False, b"")


@given(st.binary(max_size=60), CUTS)
def test_whatever_calls_itself_chunks_is_survived(data: bytes, cuts: list[int]) -> None:
    body = Chunked()

    got = taken(body, in_parts(data, cuts))

    assert sum(map(len, got)) + len(body.rest()) <= len(data)


def test_the_line_of_a_chunks_size_is_bounded() -> None:
    body = Chunked()

    assert taken(body, [b"1" * HOLD] * 50) == []
    assert len(body._line) <= HOLD


@given(st.binary(max_size=90), CUTS)
def test_a_body_of_known_length_is_over_when_it_is_there(data: bytes, cuts: list[int]) -> None:
    gathered, told = Plain(len(data), gather=True), Plain(len(data), gather=False)
    parts = in_parts(data, cuts)

    assert taken(gathered, parts) == ([data] if data else [])
    assert taken(told, parts) == parts
    assert gathered.is_over
    assert told.is_over


def test_a_body_of_unknown_length_is_over_when_the_connection_is() -> None:
    body = Plain(None, gather=True)

    assert taken(body, [b"one", b"two"]) == []
    assert (body.is_over, body.end(), body.is_over, body.rest()) == (False, True, True, b"onetwo")


def test_a_body_that_is_too_short_may_not_end() -> None:
    body = Plain(9, gather=False)

    assert taken(body, [b"short"]) == [b"short"]
    assert (body.is_over, body.end()) == (False, False)


def test_what_is_gathered_is_passed_on_before_it_is_much() -> None:
    body = Plain(None, gather=True)

    assert taken(body, [b"x" * (HOLD - 1)]) == []
    assert [len(piece) for piece in taken(body, [b"y"])] == [HOLD]


@given(PIECES)
def test_a_body_that_was_sent_in_chunks_is_read_as_its_content(pieces: list[bytes]) -> None:
    framed_body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

    assert unframed(framed_body) == b"".join(pieces)


# On the wire


@given(PIECES, TYPES)
def test_an_answer_that_is_played_is_what_the_librarys_own_parser_reads(pieces: list[bytes], kind: str) -> None:
    replay = answer(pieces, kind)
    response = parsed(b"".join(part for _, part in wire(replay, 0.0)))

    assert (response.status, response.getheader("x-own"), response.read()) == (200, "1", b"".join(pieces))
    assert bool(response.chunked) == replay.is_stream
    assert response.isclosed()


@pytest.mark.parametrize("status", [101, 204, 304])
def test_answers_that_can_have_no_body_are_sent_without(status: int) -> None:
    replay = answer([b"none"], "application/json", status=status)

    assert [part.partition(b"\r\n\r\n")[2] for _, part in wire(replay, 0.0)] == [b""]
    assert [name for name, _ in framed(replay)] == ["content-type", "x-own"]


@pytest.mark.parametrize("ending", [ending for ending in Ending if ending is not Ending.COMPLETE])
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
def test_a_body_that_did_not_end_well_just_ends(ending: Ending, kind: str) -> None:
    response = parsed(b"".join(part for _, part in wire(answer([b"one", b"two"], kind, ending), 0.0)))

    assert response.read1() == b"one"
    assert response.read1() == b"two"
    with pytest.raises(http.client.IncompleteRead):
        response.read()


def test_the_framing_it_was_recorded_with_does_not_count() -> None:
    headers = (("content-length", "999"), ("transfer-encoding", "gzip"), ("connection", "close"), ("x-own", "1"))
    replay = Response(200, headers, (Chunk(0.0, b"four"),))

    assert framed(replay) == (("x-own", "1"), ("content-length", "4"))


def test_parts_are_due_at_the_recorded_pace_times_the_speed() -> None:
    replay = answer([b"a", b"b", b"c"], "text/event-stream")

    assert [due for due, _ in wire(replay, 2.0)] == [0.0, 0.0, 0.5, 1.0, 0.0]
    assert {due for due, _ in wire(replay, 0.0)} == {0.0}


@given(st.text(max_size=30), st.text(st.characters(exclude_characters=":"), min_size=1, max_size=10))
def test_a_header_from_a_cassette_stays_one_header(value: str, name: str) -> None:
    replay = Response(200, (("x-first", "1"), (name, value), ("x-last", "1")))
    (head,) = [part for _, part in wire(replay, 0.0)]

    lines = head.split(b"\r\n")
    assert len(lines) == 7  # status, three, the length, and two for the end
    assert b"\n" not in b"".join(lines)
    assert b"\r" not in b"".join(lines)
