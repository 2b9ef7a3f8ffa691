from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tapemeter import yaml_reader
from tapemeter.cassette import yaml_writer
from tapemeter.cassette.body import decode_body, encode_body, encode_text
from tapemeter.errors import CassetteFormatError

VALUE: dict[str, Any] = {
    "model": "m",
    "text": "Größe 😀\n",
    "list": [1, 2.5, -0.0, 1e-05, None, True],
    "empty": [{}, []],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
LAYOUTS = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "separators": st.sampled_from([None, (",", ":"), (", ", ": "), (" ,", ": ")]),
        "indent": st.sampled_from([None, 0, 2, 4]),
    }
)


def through_a_file(form: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = yaml_reader.load(yaml_writer.dump(form))
    return read


@settings(deadline=None)
@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"\xef\xbb\xbf{}")
@example(b'{"a":1,"a":1}')
@example(b'{"a":NaN}')
@example(b'["\\ud800"]')
@example(b"[" * 100_000)
@example(b'{"":[]}\r\n')
@example(b"[1]\n\n")
@example(b"[" + b"9" * 5000 + b"]")
@example(b"[-0,1E5,0.10,1e400]")
def test_every_body_comes_back_to_the_byte(data: bytes) -> None:
    assert decode_body(through_a_file(encode_body(data))) == data
    assert decode_body(through_a_file(encode_text(data))) == data


@settings(deadline=None)
@given(JSON, LAYOUTS, st.sampled_from(["", "\n", "\r\n", " "]))
def test_json_in_any_writing_comes_back_to_the_byte(value: Any, layout: dict[str, Any], end: str) -> None:
    data = (json.dumps(value, **layout) + end).encode("utf-8", "surrogatepass")
    assert decode_body(through_a_file(encode_body(data))) == data


@pytest.mark.parametrize(
    ("layout", "style"),
    [
        ({"separators": (",", ":"), "ensure_ascii": False}, None),
        ({"separators": (",", ":")}, "compact-ascii"),
        ({"ensure_ascii": False}, "spaced"),
        ({}, "spaced-ascii"),
        ({"indent": 2, "ensure_ascii": False}, "indent-2"),
        ({"indent": 2}, "indent-2-ascii"),
    ],
)
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_usual_way_of_writing_json_is_named(layout: dict[str, Any], style: str | None, end: str) -> None:
    form = encode_body((json.dumps(VALUE, **layout) + end).encode())
    named = (style or "compact") + "+newline" if end else style
    assert form == ({"json": VALUE, "json_style": named} if named else {"json": VALUE})


def test_an_empty_body_has_no_form() -> None:
    assert encode_body(b"") == {}
    assert decode_body({}) == b""


@pytest.mark.parametrize(
    "text",
    [
        '"a string"',
        "12",
        "null",
        '{"a": 1,"b":2}',
        '{"a":1,"a":1}',
        '{"a":1.10}',
        '{"a":1e5}',
        '{"a":NaN}',
        '{"a":"\\ud800"}',
        '{"' + "k" * 200 + '":1}',
        '{"a\\nb":1}',
        "[" * 62 + "]" * 62,
        "[" * 5000 + "]" * 5000,
        '{"a":',
        "data: {}\r\n\r\n",
        "[1]\n\n",
        "\x1b[0m red, and much that can be read",
    ],
)
def test_what_json_would_not_give_back_stays_text(text: str) -> None:
    assert encode_body(text.encode()) == {"text": text}


def test_json_within_the_bound_of_depth_is_json() -> None:
    assert "json" in encode_body(b"[" * 60 + b"]" * 60)


def test_bytes_are_base64_in_lines() -> None:
    form = encode_body(bytes(range(256)))
    assert all(len(line) <= 76 for line in form["base64"].split("\n"))
    assert yaml_writer.dump(form).startswith("base64: |-\n  AAEC")
    assert encode_body(b"\x00\x01") == {"base64": "AAE="}


def test_an_edited_json_body_is_written_in_its_style() -> None:
    assert decode_body({"json": {"a": [1]}, "json_style": "spaced+newline"}) == b'{"a": [1]}\n'
    assert decode_body({"json": None}) == b"null"


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"json": {}, "text": ""}, "json and text"),
        ({"text": "", "json_style": "spaced"}, "json_style"),
        ({"json": {}, "json_style": "pretty"}, "pretty"),
        ({"json": {}, "json_style": "+newline"}, "newline"),
        ({"json": {}, "json_style": None}, "None"),
        ({"text": 1}, "quotes"),
        ({"text": None}, "quotes"),
        ({"text": "\ud800"}, "surrogate"),
        ({"base64": ["AA=="]}, "quotes"),
        ({"base64": "AA="}, "base64"),
        ({"base64": "A*=="}, "base64"),
        ({"base64": "ä"}, "base64"),
        ({"yaml": ""}, "yaml"),
    ],
)
def test_a_malformed_form_is_refused(form: dict[str, Any], word: str) -> None:
    with pytest.raises(CassetteFormatError, match=word):
        decode_body(form)
