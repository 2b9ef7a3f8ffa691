"""From a tape to a cassette: bodies are decoded, secrets hidden, what is lost is said, and answers stay the same."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapemeter.cassette import encoding, store
from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.tapes import shapes
from tapemeter.cassette.tapes.conversion import UNKNOWN_TIME
from tapemeter.cassette.tapes.convert import convert, prove
from tapemeter.cassette.tapes.tape import Tape, TapeInteraction, TapeRequest, TapeResponse, interactions_of
from tapemeter.errors import CassetteFormatError
from tapemeter.redact import Redactor
from tapemeter.values import replace

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://api.openai.com/v1/chat/completions"
KEY = "sk-proj-Zz81Yx72Ww63Vv54Uu45Tt36"
ZIPPED = gzip.compress(b"x", mtime=0)
JSON = {"Content-Type": ["application/json"]}
REDACTOR = Redactor((), {})


def exchange(body: bytes = b"{}", answer: bytes = b'{"b": 2}', **fields: Any) -> TapeInteraction:
    request = TapeRequest("POST", fields.pop("uri", URL), fields.pop("sent", JSON), body)
    return TapeInteraction(request, TapeResponse(**{"status": 200, "headers": JSON, "body": answer, **fields}))


def taped(*interactions: TapeInteraction, notes: tuple[str, ...] = ()) -> Tape:
    return Tape(interactions, notes, "VCR.py YAML")


def made(each: TapeInteraction) -> Any:
    return interactions_of(taped(each))[0]


# Bodies


def test_a_response_is_kept_as_a_recording_keeps_it() -> None:
    headers = {**JSON, "Content-Encoding": ["gzip"], "Date": ["Fri, 20 Nov 2026 10:00:00 GMT"], "X-Id": ["1", "2"]}

    interaction = made(exchange(answer=gzip.compress(b'{"b": 2}', mtime=0), headers=headers))

    assert interaction.response.body == b'{"b": 2}'
    assert interaction.response.decoded_from == "gzip"
    assert interaction.response.headers == (("content-type", "application/json"), ("x-id", "1"), ("x-id", "2"))
    assert interaction.recorded == "2026-11-20T10:00:00Z"
    assert interaction.key == ""


def test_a_request_keeps_its_bytes_and_the_headers_that_say_something() -> None:
    sent = {**JSON, "User-Agent": ["x"], "anthropic-version": ["2023-06-01"]}

    request = made(exchange(body=b'{ "a":1 }', sent=sent)).request

    assert request.body == b'{ "a":1 }'
    assert request.headers == (("content-type", "application/json"), ("anthropic-version", "2023-06-01"))


@pytest.mark.parametrize(
    ("headers", "answer", "body", "coding"),
    [
        ({"Content-Encoding": ["gzip"]}, b'{"plain": 1}', b'{"plain": 1}', None),
        ({"Content-Encoding": ["deflate"]}, zlib.compress(b"x"), b"x", "deflate"),
        ({"Content-Encoding": ["identity"]}, b"x", b"x", None),
        ({}, gzip.compress(b'{"b": 2}', mtime=0), b'{"b": 2}', "gzip"),
        (JSON, gzip.compress(b'{"b": 2}', mtime=0), b'{"b": 2}', "gzip"),
        ({"Content-Type": ["application/gzip"]}, ZIPPED, ZIPPED, None),
        ({"Content-Type": ["application/octet-stream"]}, ZIPPED, ZIPPED, None),
        ({}, b"\x1f\x8bnot really", b"\x1f\x8bnot really", None),
        ({"Content-Encoding": ["gzip"]}, b"", b"", None),
    ],
)
def test_a_body_is_decoded_by_what_it_is_and_not_only_by_what_its_header_says(
    headers: dict[str, list[str]], answer: bytes, body: bytes, coding: str | None
) -> None:
    response = made(exchange(answer=answer, headers=headers)).response

    assert (response.body, response.decoded_from) == (body, coding)
    assert not any(name == "content-encoding" for name, _ in response.headers)


def test_a_body_in_a_coding_that_cannot_be_removed_keeps_the_header_that_names_it() -> None:
    response = made(exchange(answer=b"\xff\xfe\xfd", headers={"content-encoding": ["mystery"]})).response

    assert (response.body, response.decoded_from) == (b"\xff\xfe\xfd", None)
    assert response.headers == (("content-encoding", "mystery"),)


def test_a_body_that_would_grow_beyond_the_bound_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "MAX_DECODED_BYTES", 1000)
    bomb = gzip.compress(b"0" * 100_000, mtime=0)

    assert made(exchange(answer=bomb, headers={"content-encoding": ["gzip"]})).response.body == bomb


# Times


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-21T13:36:07.805243+00:00", "2026-11-21T13:36:07Z"),
        ("2026-11-21T13:36:07.805Z", "2026-11-21T13:36:07Z"),
        ("2026-11-21T14:36:07+01:00", "2026-11-21T13:36:07Z"),
        ("2026-11-21 13:36:07", "2026-11-21T13:36:07Z"),
        ("Sat, 21 Nov 2026 13:36:07 GMT", "2026-11-21T13:36:07Z"),
        (1795268167, "2026-11-21T13:36:07Z"),
        (1795268167.9, "2026-11-21T13:36:07Z"),
        ("**REDACTED**", None),
        ("", None),
        ("9999", None),
        ("0001-01-01T00:00:00+14:00", None),
        (float("nan"), None),
        (1e300, None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_a_time_is_read_in_each_of_its_spellings(value: Any, expected: str | None) -> None:
    assert shapes.instant(value) == expected


@given(st.text(max_size=40) | st.floats() | st.integers())
def test_any_value_is_a_time_or_none(value: Any) -> None:
    found = shapes.instant(value)

    assert found is None or (len(found) == 20 and found.endswith("Z"))


@pytest.mark.parametrize(
    ("fields", "recorded"),
    [
        ({"answer": b'{"created": 1795268167}'}, "2026-11-21T13:36:07Z"),
        ({"answer": b'{"created_at": 1795268167.5}'}, "2026-11-21T13:36:07Z"),
        ({"answer": b'{"created": "yesterday"}'}, UNKNOWN_TIME),
        ({"answer": b'{"created": true}'}, UNKNOWN_TIME),
        ({"answer": b"{no json"}, UNKNOWN_TIME),
        ({"answer": b"[1]"}, UNKNOWN_TIME),
        ({"answer": gzip.compress(b"{}", mtime=0), "headers": {"Date": ["no date"]}}, UNKNOWN_TIME),
    ],
)
def test_when_it_was_recorded_comes_from_the_answer_where_no_header_tells(fields: Any, recorded: str) -> None:
    assert made(exchange(**fields)).recorded == recorded


def test_when_it_was_recorded_comes_from_the_tape_where_that_tells() -> None:
    each = replace(exchange(headers={"Date": ["Fri, 20 Nov 2026 10:00:00 GMT"]}), recorded="2026-01-01T00:00:00Z")

    assert made(each).recorded == "2026-01-01T00:00:00Z"


# Cassettes


def test_a_converted_tape_holds_no_secret() -> None:
    sent = {**JSON, "Authorization": [f"Bearer {KEY}"]}
    tape = taped(exchange(sent=sent, answer=json.dumps({"echo": KEY}).encode(), uri=f"{URL}?key={KEY}"))

    converted = convert(tape, REDACTOR, "a.yaml")

    assert "Zz81" not in converted.text
    assert "secrets, which are hidden (1 of 1)" in converted.lost


def test_a_secret_of_the_request_is_hidden_in_the_answer_whatever_it_looks_like() -> None:
    tape = taped(exchange(sent={"X-Api-Key": ["correct-horse-battery-staple"]}, answer=b"correct-horse-battery-staple"))

    assert "horse" not in convert(tape, REDACTOR, "a.yaml").text


def test_every_key_is_that_of_its_request() -> None:
    tape = taped(exchange(b'{"a": 1}'), exchange(b'{"a":1}'), exchange(b'{"a": 2}'))

    keys = [entry.key for entry in cassette_format.load(convert(tape, REDACTOR, "a.yaml").text, "a.yaml")]

    assert keys[0] == keys[1] != keys[2]
    assert all(keys)


def test_what_cannot_be_kept_is_said() -> None:
    stream = {"Content-Type": ["text/event-stream"], "Content-Encoding": ["gzip"]}
    tape = replace(
        taped(
            exchange(answer=gzip.compress(b"data: 1\n\n", mtime=0), headers=stream, message="Fine"),
            exchange(uri="**REDACTED**", headers={"Date": ["Fri, 20 Nov 2026 10:00:00 GMT"]}, timing=(0.5, 1.0)),
            notes=("a note",),
        ),
        metadata={"seed": 1},
    )

    converted = convert(tape, REDACTOR, "a.yaml")

    assert converted.kept == (
        "methods, URLs, statuses and bodies",
        "3 of 5 headers",
        "when it was recorded (1 of 2)",
        "how long answers took",
    )
    assert converted.lost == (
        "a note",
        "bodies as they were compressed (1 of 2): they are kept decoded",
        "headers that say nothing about the call (2)",
        "where the chunks of streams ended (1 of 2)",
        "how long answers took: they come at once",
        "when it was recorded (1 of 2): nothing tells",
        "reason phrases other than the usual (1 of 2)",
        "what VCR.py's get_metadata kept",
        "URLs that name no host, for which no call will ask (1 of 2)",
    )


def test_what_was_kept_whole_is_not_said_to_be_lost() -> None:
    each = exchange(headers={"X": ["1"]}, message="OK", timing=(0.5, 1.0))

    assert convert(taped(replace(each, recorded="2026-01-01T00:00:00Z")), REDACTOR, "a.yaml").lost == ()


def test_a_url_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(CassetteFormatError, match=r"a\.yaml: interaction 2: its URL cannot be read"):
        convert(taped(exchange(), exchange(uri="https://[::1/x")), REDACTOR, "a.yaml")


def test_an_empty_tape_becomes_an_empty_cassette() -> None:
    converted = convert(taped(), REDACTOR, "a.yaml")

    assert converted.text == cassette_format.dump(())
    assert (converted.kept, converted.lost) == ((), ())


# Proof


def proved(tape: Tape, text: str, folder: Path) -> tuple[str, ...]:
    path = folder / "cassette.yaml"
    store.write(path, text)
    return prove(tape, path, REDACTOR)


def test_a_converted_tape_answers_every_request_alike(tmp_path: Path) -> None:
    stream = {"Content-Type": ["text/event-stream"]}
    tape = taped(
        exchange(b'{"a": 1}', answer=b"first"),
        exchange(b'{"a": 1}', answer=b"second"),
        exchange(b"\xff", answer=b"\xfe", status=503),
        exchange(b"", answer=gzip.compress("data: é\n\n".encode()), headers={**stream, "content-encoding": ["gzip"]}),
        exchange(sent={"Authorization": [f"Bearer {KEY}"]}, answer=f"You said {KEY}.".encode()),
    )

    assert proved(tape, convert(tape, REDACTOR, "a.yaml").text, tmp_path) == ()


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        (exchange(b'{"a": 2}'), "interaction 1: its request finds no answer"),
        (exchange(b'{"a": 1}', answer=b"other"), "interaction 1: answered with another body"),
        (exchange(b'{"a": 1}', status=201), "interaction 1: answered with the status 201 in place of 200"),
    ],
)
def test_a_cassette_that_answers_otherwise_is_found_out(other: TapeInteraction, fault: str, tmp_path: Path) -> None:
    text = convert(taped(other), REDACTOR, "a.yaml").text

    assert fault in proved(taped(exchange(b'{"a": 1}')), text, tmp_path)


def test_answers_in_another_order_are_found_out(tmp_path: Path) -> None:
    one, two = exchange(answer=b"1"), exchange(answer=b"2")

    assert len(proved(taped(one, two), convert(taped(two, one), REDACTOR, "a.yaml").text, tmp_path)) == 2


def test_recordings_that_are_on_no_tape_and_broken_files_are_found_out(tmp_path: Path) -> None:
    text = convert(taped(exchange(), exchange()), REDACTOR, "a.yaml").text

    assert proved(taped(exchange()), text, tmp_path) == ("1 interactions that are not on the tape",)
    assert "cut" in proved(taped(exchange()), text[: len(text) // 2], tmp_path)[0]


_EXCHANGES = st.builds(
    exchange,
    body=st.binary(max_size=30) | st.text(max_size=30).map(str.encode),
    answer=st.binary(max_size=30) | st.text(max_size=30).map(str.encode) | st.binary(max_size=30).map(gzip.compress),
    status=st.sampled_from([200, 400, 503]),
    headers=st.sampled_from(
        [JSON, {}, {"content-encoding": ["gzip"]}, {"content-type": ["text/event-stream"]}, {"X": ["é", ""]}]
    ),
)


@given(st.lists(_EXCHANGES, max_size=4))
@settings(max_examples=30)
def test_whatever_was_recorded_is_answered_alike(
    tmp_path_factory: pytest.TempPathFactory, interactions: list[TapeInteraction]
) -> None:
    tape = taped(*interactions)

    assert proved(tape, convert(tape, REDACTOR, "a.yaml").text, tmp_path_factory.mktemp("proof")) == ()
