"""The forms in which VCR.py's versions, stubs and users' serializers left recordings, and what is read of each."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tapemeter.cassette.tapes import tape
from tapemeter.cassette.tapes.model import NoTapeError
from tapemeter.errors import CassetteFormatError

if TYPE_CHECKING:
    from pathlib import Path

    from tapemeter.cassette.tapes.model import Tape, TapeInteraction, TapeRequest, TapeResponse

URL = "https://api.openai.com/v1/chat/completions"
TAIL = "version: 1\n"


def parse(text: str | bytes) -> Tape:
    return tape.parse(text.encode() if isinstance(text, str) else text, "a.yaml")


def only(text: str | bytes) -> TapeInteraction:
    (interaction,) = parse(text).interactions
    return interaction


def document(**changes: Any) -> dict[str, Any]:
    """A tape as VCR.py writes it, with fields of its request or response changed or, where None is `...`, left out."""
    request = {"method": "POST", "uri": URL, "body": '{"a": 1}', "headers": {"Accept": ["*/*"]}}
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": ["application/json"]},
        "body": {"string": '{"b": 2}'},
    }
    sides = {"request": request, "response": response}
    for side, fields in changes.items():
        merged = {**sides[side], **fields}
        sides[side] = {name: value for name, value in merged.items() if value is not ...}
    return {"interactions": [sides], "version": 1}


def asked(**fields: Any) -> TapeRequest:
    return only(yaml.safe_dump(document(request=fields))).request


def answered(**fields: Any) -> TapeResponse:
    return only(yaml.safe_dump(document(response=fields))).response


def raw_body(lines: str) -> bytes | None:
    """The body of a request that is written as `lines` of YAML."""
    return only(
        f"interactions:\n- request:\n    method: POST\n    uri: {URL}\n    headers: {{}}\n    body: {lines}\n"
        "  response: {status: {code: 200, message: OK}, headers: {}, body: {string: ''}}\n" + TAIL
    ).request.body


# The whole


@pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps], ids=["YAML", "JSON"])
def test_what_vcr_py_writes_is_read_as_it_is(write: Any) -> None:
    found = parse(write(document()))

    interaction = found.interactions[0]
    assert interaction.request.as_vcr() == {
        "method": "POST",
        "uri": URL,
        "body": b'{"a": 1}',
        "headers": {"Accept": ["*/*"]},
    }
    assert interaction.response.as_vcr() == {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": ["application/json"]},
        "body": {"string": b'{"b": 2}'},
    }
    assert found.notes == ()


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (yaml.safe_dump(document()).encode(), "VCR.py YAML"),
        (json.dumps(document()).encode(), "VCR.py JSON"),
        (b"\xef\xbb\xbf" + json.dumps(document()).encode(), "VCR.py JSON"),
        (yaml.safe_dump(document()).encode("utf-16"), "VCR.py YAML"),
        (gzip.compress(yaml.safe_dump(document()).encode()), "VCR.py YAML, gzip'd"),
        (gzip.compress(json.dumps(document()).encode()), "VCR.py JSON, gzip'd"),
    ],
)
def test_a_form_is_known_by_its_content(data: bytes, form: str) -> None:
    found = parse(data)

    assert found.form == form
    assert found.interactions[0].response.body == b'{"b": 2}'


def test_a_gzip_file_may_have_several_members() -> None:
    text = yaml.safe_dump(document()).encode()

    found = parse(gzip.compress(text[:40]) + gzip.compress(text[40:]) + b"\0" * 7)

    assert len(found.interactions) == 1


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml.gz"
    path.write_bytes(gzip.compress(yaml.safe_dump(document()).encode()))

    assert tape.read(path) == tape.read(str(path)) == parse(path.read_bytes())


def test_lists_of_requests_and_of_responses_are_joined_in_order() -> None:
    pairs = [document(request={"uri": f"{URL}/{number}"}, response={"status": number}) for number in (200, 201)]
    sides = [pair["interactions"][0] for pair in pairs]
    text = yaml.safe_dump({"requests": [s["request"] for s in sides], "responses": [s["response"] for s in sides]})

    found = parse(text)

    assert [(i.request.uri[-3:], i.response.status) for i in found.interactions] == [("200", 200), ("201", 201)]
    assert found.form == "VCR.py YAML (requests and responses)"


def test_metadata_is_kept() -> None:
    assert parse(yaml.safe_dump({**document(), "metadata": {"seed": 7}})).metadata == {"seed": 7}


def test_an_empty_file_is_a_tape_of_nothing_and_says_so() -> None:
    found = parse(" \n")

    assert found.interactions == ()
    assert "empty" in found.notes[0]


def test_a_tape_without_its_last_line_says_that_it_may_be_cut() -> None:
    found = parse(yaml.safe_dump(document()).removesuffix(TAIL))

    assert len(found.interactions) == 1
    assert "may have been cut" in found.notes[0]


def test_the_list_that_versions_before_1_wrote_is_read() -> None:
    found = parse(
        "- request: !!python/object:vcr.request.Request\n"
        "    body: a=b\n"
        "    headers: !!python/object/apply:__builtin__.frozenset\n"
        "    - - !!python/tuple [Accept, '*/*']\n"
        "    host: example.test\n    method: GET\n    path: /x?y=1\n    port: 8080\n    protocol: http\n"
        "  response:\n"
        "    body: {string: !!python/unicode 'hello'}\n"
        '    headers: ["Content-Type: text/plain\\r\\n", "X: 1\\r\\n", "X: 2\\r\\n"]\n'
        "    status: {code: 200, message: OK}\n"
    )

    (interaction,) = found.interactions
    assert interaction.request.uri == "http://example.test:8080/x?y=1"
    assert interaction.request.headers == {"Accept": ["*/*"]}
    assert interaction.response.headers == {"Content-Type": ["text/plain"], "X": ["1", "2"]}
    assert interaction.response.body == b"hello"


def test_the_usual_port_is_not_written_into_a_uri() -> None:
    fields = {"uri": ..., "protocol": "https", "host": "example.test", "port": 443, "path": "/x"}

    assert asked(**fields).uri == "https://example.test/x"


# Bodies of requests


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, None),
        ("", b""),
        ("é", "é".encode()),
        (b"\xff\x00", b"\xff\x00"),
        ({"model": "m", "n": 1}, b'{"model": "m", "n": 1}'),
        ([{"a": None}], b'[{"a": null}]'),
        ({}, b"{}"),
    ],
)
def test_a_body_of_a_request_becomes_the_bytes_that_were_sent(body: Any, expected: bytes | None) -> None:
    assert asked(body=body).body == expected


def test_a_body_that_is_missing_is_none() -> None:
    assert asked(body=...).body is None


def test_fields_that_a_client_was_given_for_a_form_become_a_form() -> None:
    sent = asked(body={"a": "1 2", "b": ["x", "y"]}, headers={"content-type": "application/x-www-form-urlencoded"})

    assert sent.body == b"a=1+2&b=x&b=y"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("!!binary |\n      //4=\n", b"\xff\xfe"),
        ("!!python/unicode 'a'", b"a"),
        ("!!python/str 'a'", b"a"),
        (
            "!!python/object/new:_io.BytesIO\n      state: !!python/tuple [!!binary //4=, 2, null]",
            b"\xff\xfe",
        ),
        ("!!python/object/new:_io.BytesIO {state: [text, 0, null]}", b"text"),
        ("!!python/object/new:_io.BytesIO {}", b""),
        ("!!python/object/apply:builtins.iter\n      args:\n      - [one, !!binary dHdv]\n      state: 0\n", b"onetwo"),
        ("!!python/object/apply:builtins.iter\n      args: !!python/tuple [!!binary dHdv]\n", b"two"),
        ("!!python/object/apply:builtins.iter\n      - [one, two]\n", b"onetwo"),
        ("!!python/object/apply:builtins.iter {}", b""),
    ],
)
def test_objects_of_python_become_the_bytes_they_held(lines: str, expected: bytes) -> None:
    assert raw_body(lines) == expected


def test_a_parsed_body_becomes_json_on_either_side_and_that_is_said() -> None:
    found = parse(
        yaml.safe_dump(
            document(
                request={"body": ..., "parsed_body": {"model": "m", "t": 1.0}},
                response={"body": ..., "parsed_body": [1, None, "é"]},
            )
        )
    )

    (interaction,) = found.interactions
    assert json.loads(interaction.request.body or b"") == {"model": "m", "t": 1.0}
    assert json.loads(interaction.response.body) == [1, None, "é"]
    assert "their own bytes are not on the tape" in found.notes[0]


def test_a_parsed_body_that_is_text_and_not_json_stays_text() -> None:
    response = answered(body={}, parsed_body="data: {}\n\n", headers={"content-type": ["text/event-stream"]})

    assert response.body == b"data: {}\n\n"


def test_numbers_and_words_in_a_parsed_body_mean_what_yaml_1_1_says() -> None:
    text = "{a: 1e3, b: 1.5e+3, c: yes, d: 0x1F, e: 017, f: 1_000, g: ~, h: -.5, i: 2026-11-21, j: 1:30, k: .inf}"
    body = raw_body(f"{text}\n    parsed_body: null")

    assert body is not None
    expected = yaml.safe_load(text) | {"i": "2026-11-21", "j": "1:30"}
    assert json.loads(body) == expected


# Responses


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"body": {}}, b""),
        ({"body": None}, b""),
        ({"body": ...}, b""),
        ({"body": {"string": None}}, b""),
        ({"body": {"string": b"\xff"}}, b"\xff"),
        ({"body": {"string": "é", "encoding": "utf-8"}}, "é".encode()),
        ({"body": {"base64_string": "//4="}}, b"\xff\xfe"),
        ({"body": "plain"}, b"plain"),
        ({"body": ..., "content": "text"}, b"text"),
        ({"body": ..., "content": b"\xff"}, b"\xff"),
    ],
)
def test_a_body_of_a_response_is_found_under_each_of_its_names(fields: dict[str, Any], body: bytes) -> None:
    assert answered(**fields).body == body


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"status": {"code": 404, "message": "Not Found"}}, 404, "Not Found"),
        ({"status": {"code": 404, "message": None}}, 404, None),
        ({"status": {"code": "404"}}, 404, None),
        ({"status": 404}, 404, None),
        ({"status": ..., "status_code": 404, "http_version": "HTTP/1.1"}, 404, None),
    ],
)
def test_a_status_is_read_with_or_without_its_phrase(fields: dict[str, Any], status: int, message: str | None) -> None:
    response = answered(**fields)

    assert (response.status, response.message) == (status, message)


def test_the_address_that_an_answer_came_from_is_kept() -> None:
    assert answered(url="https://example.test/moved").as_vcr()["url"] == "https://example.test/moved"
    assert "url" not in answered().as_vcr()


# Headers


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"A": ["1", "2"]}, {"A": ["1", "2"]}),
        ({"A": "1"}, {"A": ["1"]}),
        ({"A": [b"\xe9"]}, {"A": ["é"]}),
        ({"A": [1, True, None]}, {"A": ["1", "true", ""]}),
        ({"A": []}, {"A": []}),
        ([["A", "1"], ["B", "2"], ["A", "3"]], {"A": ["1", "3"], "B": ["2"]}),
        (None, {}),
    ],
)
def test_headers_are_read_in_each_of_their_spellings(headers: Any, expected: dict[str, list[str]]) -> None:
    assert asked(headers=headers).headers == expected
    assert answered(headers=headers).headers == expected


@pytest.mark.parametrize("name", ["multidict._multidict.istr", "multidict._multidict_py.istr", "multidict._istr.istr"])
def test_a_name_of_a_header_may_be_a_string_without_case(name: str) -> None:
    found = only(
        f"interactions:\n- request:\n    method: POST\n    uri: {URL}\n    body: null\n    headers:\n"
        f"      ? !!python/object/apply:{name}\n      - Accept\n      : - text/plain\n"
        "  response: {status: {code: 200, message: OK}, headers: {}, body: {string: ''}}\n" + TAIL
    )

    assert found.request.headers == {"Accept": ["text/plain"]}


def test_what_is_anchored_is_read_wherever_it_is_referred_to() -> None:
    text = (
        "interactions:\n- request: &ask\n    method: GET\n    uri: https://example.test/\n    headers: &h {A: ['1']}\n"
        "    body: null\n  response: {status: {code: 200}, headers: *h, body: {string: x}}\n"
        "- request: {<<: *ask, method: PUT}\n  response: {status: {code: 201}, headers: *h, body: {string: y}}\n" + TAIL
    )

    first, second = parse(text).interactions
    assert (first.request.method, second.request.method) == ("GET", "PUT")
    assert second.request.uri == "https://example.test/"
    assert second.response.headers == {"A": ["1"]}


def test_what_is_handed_to_a_callback_can_be_changed_without_touching_the_tape() -> None:
    interaction = only(yaml.safe_dump(document()))

    interaction.request.as_vcr()["headers"]["Accept"].append("x")
    interaction.response.as_vcr()["headers"].clear()

    assert interaction == only(yaml.safe_dump(document()))


# What is no tape


@pytest.mark.parametrize("text", ["a: 1", "- 1", "just words", "[]", "{}", '{"log": 1}', "[tool.x]\na = 1\n", "3"])
def test_what_is_no_tape_at_all_is_told_apart_from_a_broken_one(text: str) -> None:
    with pytest.raises(NoTapeError, match="no tape"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("interactions:\n- request: {method: GET}\n" + TAIL, 2, "interaction 1 has no response: .* cut"),
        ("interactions: 3\n" + TAIL, 1, "expected `interactions` to be a list, found a number"),
        ("requests: []\nresponses: [1]\n", 2, "0 requests and 1 responses"),
        ("interactions:\n- 7\n", 2, "no request"),
        ('{"interactions": [,]}', 1, "not JSON"),
        ("interactions: [\n", 2, "not YAML"),
        ("interactions: \x07\n", 1, r"U\+0007"),
        ("version = 1\n[[interactions]\n", None, "not TOML"),
        ("interactions: []\n---\nb: 2\n", 2, "second document"),
    ],
)
def test_a_broken_tape_is_refused_with_its_line(text: str, line: int | None, problem: str) -> None:
    with pytest.raises(CassetteFormatError, match=problem) as caught:
        parse(text)

    assert caught.value.path == "a.yaml"
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("side", "fields", "problem"),
    [
        ("request", {"method": ...}, "the method to be a text, found nothing"),
        ("request", {"uri": 3}, "the uri to be a text, found a number"),
        ("request", {"headers": 3}, "the headers to be a list, found a number"),
        ("request", {"headers": {"A": {"b": "c"}}}, "value of a header to be a text, found a mapping"),
        ("request", {"headers": ["no line"]}, "list of pairs"),
        ("request", {"body": {"a": b"x"}}, "what JSON can hold"),
        ("response", {"status": ...}, "status to be a number from 100 to 999, found nothing"),
        ("response", {"status": {"code": 99}}, "status to be"),
        ("response", {"status": {"code": True}}, "status to be"),
        ("response", {"body": {"other": "x"}}, r"the body of the response to be \{string"),
        ("response", {"body": {"base64_string": "*"}}, "said to be base64"),
    ],
)
def test_a_part_that_is_wrong_is_named_with_its_interaction(side: str, fields: dict[str, Any], problem: str) -> None:
    whole = document()
    whole["interactions"] += document(**{side: fields})["interactions"]

    with pytest.raises(CassetteFormatError, match=f"interaction 2: .*{problem}") as caught:
        parse(yaml.safe_dump(whole))

    assert caught.value.line is not None
    assert yaml.safe_dump(whole).splitlines()[caught.value.line - 1].startswith("- request")


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(CassetteFormatError, match="no UTF-8 text") as caught:
        parse(b"interactions:\n\xff\n")

    assert caught.value.line == 2
