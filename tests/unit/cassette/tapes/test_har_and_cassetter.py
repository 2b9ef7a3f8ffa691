"""HTTP archives as browsers save them, and the YAML and TOML of cassetter, as it writes them."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import yaml

from tapemeter.cassette.tapes import tape
from tapemeter.errors import CassetteFormatError


def entry(**changes: Any) -> dict[str, Any]:
    """An entry as a browser saves it, with fields of its request, response or itself changed."""
    whole: dict[str, Any] = {
        "startedDateTime": "2026-11-21T04:00:00.123Z",
        "time": 1500.5,
        "_initiator": {"type": "script"},
        "_priority": "High",
        "request": {
            "method": "POST",
            "url": "https://example.test/v1#part",
            "httpVersion": "http/2.0",
            "headers": [{"name": ":authority", "value": "example.test"}, {"name": "X", "value": "1"}],
            "queryString": [],
            "postData": {"mimeType": "application/json", "text": '{"a": 1}'},
        },
        "response": {
            "status": 200,
            "statusText": "OK",
            "headers": [
                {"name": "content-type", "value": "application/json"},
                {"name": "content-encoding", "value": "br"},
                {"name": "set-cookie", "value": "a"},
                {"name": "set-cookie", "value": "b"},
            ],
            "content": {"size": 8, "mimeType": "application/json", "text": '{"b": 2}'},
        },
        "cache": {},
        "timings": {"blocked": -1, "send": 1, "wait": 1000, "receive": 500.5},
    }
    for name, change in changes.items():
        whole[name] = {**whole[name], **change} if isinstance(change, dict) else change
    return whole


def archive(*entries: Any, **log: Any) -> tape.Tape:
    document = {"log": {"version": "1.2", "creator": {}, "pages": [{}], "entries": list(entries), **log}}
    return tape.parse(json.dumps(document).encode(), "a.har")


def test_an_entry_is_read_without_what_is_about_the_browser() -> None:
    found = archive(entry())

    (interaction,) = found.interactions
    assert interaction.request.as_vcr() == {
        "method": "POST",
        "uri": "https://example.test/v1",
        "headers": {"X": ["1"]},
        "body": b'{"a": 1}',
    }
    assert interaction.response.as_vcr() == {
        "status": {"code": 200, "message": "OK"},
        "headers": {"content-type": ["application/json"], "set-cookie": ["a", "b"]},
        "body": {"string": b'{"b": 2}'},
    }
    assert interaction.response.timing == (1.0, 1.5005)
    assert interaction.recorded == "2026-11-21T04:00:00Z"
    assert (found.form, found.notes) == ("HAR 1.2", ())


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ({"text": "//4=", "encoding": "base64"}, b"\xff\xfe"),
        ({"text": ""}, b""),
        ({"size": 0}, b""),
        ({"text": "é"}, "é".encode()),
    ],
)
def test_a_body_is_text_or_base64(content: dict[str, Any], body: bytes) -> None:
    whole = entry()
    whole["response"]["content"] = content

    assert archive(whole).interactions[0].response.body == body


@pytest.mark.parametrize(
    ("charset", "body"),
    [("iso-8859-1", b"\xe9"), ("utf-8", b"\xc3\xa9"), ("no-such", b"\xc3\xa9"), ("ascii", b"\xc3\xa9")],
)
def test_text_has_the_charset_of_its_type_where_that_can_be(charset: str, body: bytes) -> None:
    headers = [{"name": "Content-Type", "value": f"text/plain; charset={charset}"}]

    assert archive(entry(response={"headers": headers, "content": {"text": "é"}})).interactions[0].response.body == body


@pytest.mark.parametrize(
    ("posted", "body"),
    [
        (None, None),
        ({"mimeType": "x", "params": [{"name": "a", "value": "1 2"}, {"name": "b"}]}, b"a=1+2&b="),
        ({"mimeType": "x", "params": []}, None),
        ({"mimeType": "x", "text": "//4=", "encoding": "base64"}, b"\xff\xfe"),
        ({"mimeType": "x", "text": "//4=", "_encoding": "base64"}, b"\xff\xfe"),
    ],
)
def test_what_was_posted_is_text_or_fields(posted: Any, body: bytes | None) -> None:
    whole = entry()
    whole["request"]["postData"] = posted

    assert archive(whole).interactions[0].request.body == body


@pytest.mark.parametrize("fields", [{"time": -1}, {"time": None}, {"time": True}, {"time": 1e300}])
def test_a_time_that_is_none_is_unknown(fields: dict[str, Any]) -> None:
    assert archive(entry(**fields)).interactions[0].response.timing is None


def test_without_timings_the_headers_came_with_the_end() -> None:
    whole = entry()
    del whole["timings"]

    assert archive(whole).interactions[0].response.timing == (1.5005, 1.5005)


def test_what_cannot_be_kept_of_an_archive_is_said() -> None:
    whole = entry(response={"content": {"size": 90, "mimeType": "text/html"}})

    found = archive(whole, entry(response={"status": 0}), entry(request={"url": "wss://example.test/"}))

    assert len(found.interactions) == 1
    assert found.notes == (
        "1 requests were never answered, and are left out",
        "1 entries are no HTTP exchanges, and are left out",
        "1 answers were saved without their body, which stays empty: save the archive with its content",
    )


def test_an_archive_may_be_compressed() -> None:
    data = gzip.compress(json.dumps({"log": {"version": "1.3", "entries": [entry()]}}).encode())

    assert tape.parse(data, "a.har.gz").form == "HAR 1.3, gzip'd"


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (3, "an entry to be a mapping"),
        ({"request": {}}, "the response to be a mapping"),
        (entry(request={"url": None}), "the url to be a text"),
        (entry(response={"content": {"text": 3}}), "text of a body"),
        (entry(response={"content": {"text": "*", "encoding": "base64"}}), "said to be base64"),
    ],
)
def test_a_broken_entry_is_named(broken: Any, problem: str) -> None:
    with pytest.raises(CassetteFormatError, match=rf"a\.har: entry 2: .*{problem}"):
        archive(entry(), broken)


# cassetter

CASSETTER_YAML = """\
version: 1
interactions:
- request:
    method: POST
    uri: https://example.test/json?key=1
    headers:
      content-type:
      - application/json
    body:
      type: json
      content:
        m:
        - 1
        - 2.5
        - null
        "n": "no"
  response:
    status: 200
    headers:
      x-two:
      - "1"
      - "2"
    body:
      type: binary
      content: 00ff
  recorded_at: 2026-11-21T13:36:07.805243+00:00
- request:
    method: GET
    uri: https://example.test/none
    headers: {}
    body:
      type: none
  response:
    status: 404
    headers: {}
    body:
      type: text
      content: |+
        data: {"x":1}

  recorded_at: 2026-11-21T13:36:08.805243+00:00
"""
CASSETTER_TOML = """\
version = 1

[[interactions]]
recorded_at = "2026-11-21T13:36:07.827863+00:00"

[interactions.request]
method = "POST"
uri = "https://example.test/json?key=1"
body_type = "json"
body_content = '{"m":[1,2.5,null],"n":"no"}'

[interactions.request.headers]
content-type = ["application/json"]

[interactions.response]
status = 200
body_type = "binary"
body_content = "00ff"

[interactions.response.headers]
x-two = [
    "1",
    "2",
]

[[interactions]]
recorded_at = "2026-11-21T13:36:08.827863+00:00"

[interactions.request]
method = "GET"
uri = "https://example.test/none"
body_type = "none"

[interactions.response]
status = 404
body_type = "text"
body_content = \"\"\"
data: {"x":1}

\"\"\"
"""


@pytest.mark.parametrize(("text", "form"), [(CASSETTER_YAML, "cassetter YAML"), (CASSETTER_TOML, "cassetter TOML")])
def test_both_forms_of_cassetter_are_read_to_the_same(text: str, form: str) -> None:
    found = tape.parse(text.encode(), "a.yaml")

    first, second = found.interactions
    assert found.form == form
    assert "as cassetter replays them" in found.notes[0]
    assert json.loads(first.request.body or b"") == {"m": [1, 2.5, None], "n": "no"}
    assert first.request.headers == {"content-type": ["application/json"]}
    assert (first.response.status, first.response.body) == (200, b"\x00\xff")
    assert first.response.headers == {"x-two": ["1", "2"]}
    assert first.recorded == "2026-11-21T13:36:07Z"
    assert second.request.body is None
    assert (second.response.status, second.response.body) == (404, b'data: {"x":1}\n\n')


def test_recordings_that_are_no_http_are_counted() -> None:
    found = tape.parse((CASSETTER_YAML + "ws_interactions: [{}, {}]\n").encode(), "a.yaml")

    assert "2 of `ws_interactions`, which are no HTTP exchanges, cannot be kept" in found.notes


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("response", "body", "content"), "xyz", "hexadecimal"),
        (("response", "body", "type"), "other", "a body to be one of binary, json, none, text"),
        (("response", "status"), None, "the status to be"),
        (("request", "uri"), 3, "the uri to be"),
        (("response",), None, "the response to be a mapping"),
    ],
)
def test_what_is_wrong_in_a_tape_of_cassetter_is_named(path: tuple[str, ...], value: Any, problem: str) -> None:
    document = yaml.safe_load(CASSETTER_YAML)
    inner = document["interactions"][0]
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value

    with pytest.raises(CassetteFormatError, match=f"interaction 1: .*{problem}"):
        tape.parse(yaml.safe_dump(document).encode(), "a.yaml")


def test_json_that_is_none_is_refused_in_toml() -> None:
    with pytest.raises(CassetteFormatError, match=r"interaction 1: .*to be JSON"):
        tape.parse(CASSETTER_TOML.replace('"n":"no"}', '"n":').encode(), "a.toml")
