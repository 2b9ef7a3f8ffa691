from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.providers import forms
from tapemeter.providers.forms import read_form

TYPE = (("content-type", 'multipart/form-data; boundary="x y"'),)


def part(name: str, data: bytes, more: str = "") -> bytes:
    return f'--x y\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join([*parts, b"--x y--\r\n"])


def test_fields_are_texts_and_files_are_their_length() -> None:
    body = form(
        part("model", b"m"),
        part("prompt", "é\r\n".encode()),
        part("file", b"\x00\r\n\r\n--x", '; filename="a.mp3"\r\nContent-Type: audio/mpeg'),
        part("empty", b""),
    )

    assert read_form(TYPE, body) == {"model": "m", "prompt": "é\r\n", "file": {"bytes": 8}, "empty": ""}


def test_a_repeated_field_is_a_list() -> None:
    body = form(*(part("image[]", b"12", f'; filename="{n}.png"') for n in "abc"), part("a", b"1"), part("a", b"2"))

    assert read_form(TYPE, body) == {"image": [{"bytes": 2}] * 3, "a": ["1", "2"]}


def test_the_number_of_images_and_whether_to_stream_are_no_texts() -> None:
    assert read_form(TYPE, form(part("n", b"2"), part("stream", b"true"))) == {"n": 2, "stream": True}
    assert read_form(TYPE, form(part("n", b"two"), part("stream", b"1"))) == {"n": "two", "stream": "1"}
    assert read_form(TYPE, form(part("n", b"9" * 5_000))) == {"n": "9" * 5_000}


@pytest.mark.parametrize(
    "media",
    [
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=x",
        f"multipart/form-data; boundary={'x' * 300}",
    ],
)
def test_what_is_no_form_is_none(media: str) -> None:
    assert read_form((("content-type", media),), form(part("a", b"1"))) is None


def test_what_is_beyond_the_bounds_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "MOST_PARTS", 3)
    monkeypatch.setattr(forms, "LONGEST_TEXT", 4)

    found = read_form(TYPE, form(part("a", b"12345"), part("b", b"1"), part("c", b"1"), part("d", b"1")))

    assert found == {"b": "1", "c": "1"}


def test_a_form_that_is_cut_gives_what_came() -> None:
    assert read_form(TYPE, part("model", b"m") + part("prompt", b"hi")) == {"model": "m"}
    assert read_form(TYPE, b"nothing of it") == {}


@given(st.binary(max_size=80), st.lists(st.sampled_from([b"--x y", b"\r\n", b"\r\n\r\n", b'; name="a"']), max_size=8))
def test_any_bytes_are_read(data: bytes, marks: list[bytes]) -> None:
    found = read_form(TYPE, b"--x y" + data.join(marks))

    assert isinstance(found, dict)
