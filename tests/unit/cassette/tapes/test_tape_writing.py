"""VCR.py's form and HTTP archives, as written here: others read them to the same, and so do we."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.model import Interaction
from tapemeter.cassette.tapes import ours, tape
from tapemeter.cassette.tapes.har_writer import dump_har
from tapemeter.cassette.tapes.tape import TapeInteraction, TapeRequest, TapeResponse, dump_vcr
from tapemeter.errors import UsageError
from tapemeter.model import Chunk, Request, Response

_HEADERS = st.dictionaries(
    st.text("abcXYZ-", min_size=1, max_size=8), st.lists(st.text(max_size=8), min_size=1, max_size=2), max_size=3
)
_BYTES = st.binary(max_size=40) | st.text(max_size=40).map(str.encode)
_EXCHANGES = st.builds(
    TapeInteraction,
    st.builds(
        TapeRequest,
        method=st.sampled_from(["GET", "POST"]),
        uri=st.sampled_from(["https://example.test/a?b=c", "http://127.0.0.1:8080/é"]),
        headers=_HEADERS,
        body=st.none() | _BYTES,
    ),
    st.builds(
        TapeResponse,
        status=st.integers(100, 599),
        message=st.none() | st.text(max_size=8),
        headers=_HEADERS,
        body=_BYTES,
        url=st.none() | st.just("https://example.test/b"),
    ),
)


# VCR.py


@given(st.lists(_EXCHANGES, max_size=3))
@settings(max_examples=40)
def test_what_is_written_in_the_form_of_vcr_py_is_read_back(interactions: list[TapeInteraction]) -> None:
    found = tape.parse(dump_vcr(interactions).encode(), "a.yaml")

    assert list(found.interactions) == interactions
    assert found.notes == ()


@given(st.lists(_EXCHANGES, max_size=3))
@settings(max_examples=40)
def test_the_json_form_holds_the_same_or_is_refused(interactions: list[TapeInteraction]) -> None:
    try:
        text = dump_vcr(interactions, "json")
    except UsageError as error:
        assert "no UTF-8 text" in str(error)  # noqa: PT017 - either outcome is right
        return
    assert list(tape.parse(text.encode(), "a.json").interactions) == interactions


@given(st.lists(_EXCHANGES, max_size=3))
@settings(max_examples=40)
def test_vcr_py_reads_what_is_written_to_the_same(interactions: list[TapeInteraction]) -> None:
    """By the steps of VCR.py's own loader, which hands this document on as it is, but for texts that become bytes."""
    document = yaml.safe_load(dump_vcr(interactions))

    assert list(document) == ["interactions", "version"]
    for item, each in zip(document["interactions"], interactions, strict=True):
        assert _as_loaded(item["request"], "body") == each.request.as_vcr()
        response = dict(item["response"], body=_as_loaded(item["response"]["body"], "string"))
        assert response == each.response.as_vcr()


def _as_loaded(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields[name]
    return {**fields, name: value.encode() if isinstance(value, str) else value}


def test_vcr_py_itself_reads_what_is_written() -> None:
    serialize = pytest.importorskip("vcr.serialize", reason="VCR.py is not installed")
    serializers = pytest.importorskip("vcr.serializers.yamlserializer")
    interaction = TapeInteraction(
        TapeRequest("POST", "https://example.test/", {"A": ["1"]}, b"\xff"),
        TapeResponse(200, "OK", {"B": ["1", "2"]}, "é".encode()),
    )

    requests, responses, *_ = serialize.deserialize(dump_vcr([interaction], metadata={"a": 1}), serializers)

    assert requests[0].body == b"\xff"
    assert responses == [interaction.response.as_vcr()]


def test_metadata_is_written_where_there_is_some() -> None:
    assert yaml.safe_load(dump_vcr([], metadata={"seed": 3}))["metadata"] == {"seed": 3}
    assert "metadata" not in yaml.safe_load(dump_vcr([], metadata={}))


def test_what_two_interactions_share_is_written_out() -> None:
    request, response = TapeRequest("GET", "https://example.test/", {"A": ["1"]}), TapeResponse(200)

    assert "&id" not in dump_vcr([TapeInteraction(request, response)] * 2)


# HTTP archives


def interaction(body: bytes = b'{"a": 1}', answer: bytes = b"{}", **fields: Any) -> Interaction:
    request = Request("POST", "https://example.test/v1?a=1&b=%20&c", (("content-type", "application/json"),), body)
    response = Response(
        **{
            "status": 200,
            "headers": (("content-type", "application/json"), ("x", "1"), ("x", "2")),
            "chunks": (Chunk(1.5, answer),),
            "first_byte": 0.25,
            "total": 1.5,
            **fields,
        }
    )
    return Interaction(request, response, "2026-11-21T04:00:00Z", "k")


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_PAIRS = [{"name": str, "value": str}]
_ARCHIVE: dict[str, Any] = {
    "log": {
        "version": re.compile(r"1\.2"),
        "creator": {"name": str, "version": str},
        "entries": [
            {
                "startedDateTime": _TIME,
                "time": float,
                "request": {
                    "method": str,
                    "url": str,
                    "httpVersion": str,
                    "cookies": _PAIRS,
                    "headers": _PAIRS,
                    "queryString": _PAIRS,
                    "postData?": {"mimeType": str, "text": str, "_encoding?": str},
                    "headersSize": int,
                    "bodySize": int,
                },
                "response": {
                    "status": int,
                    "statusText": str,
                    "httpVersion": str,
                    "cookies": _PAIRS,
                    "headers": _PAIRS,
                    "content": {"size": int, "mimeType": str, "text": str, "encoding?": str},
                    "redirectURL": str,
                    "headersSize": int,
                    "bodySize": int,
                },
                "cache": {},
                "timings": {"send": float, "wait": float, "receive": float},
            }
        ],
    }
}
"""HAR 1.2: all that it demands, and of what it allows what we write; a question mark for what may be absent."""


def check(value: Any, form: Any, where: str = "har") -> None:
    match form:
        case dict():
            wanted = {name.removesuffix("?"): inner for name, inner in form.items()}
            must = {name for name in form if not name.endswith("?")}
            assert must <= value.keys() <= wanted.keys(), where
            for name, each in value.items():
                check(each, wanted[name], f"{where}.{name}")
        case [inner]:
            assert isinstance(value, list), where
            for each in value:
                check(each, inner, where)
        case re.Pattern():
            assert form.fullmatch(value), where
        case _ if form is float:
            assert isinstance(value, (int, float)), where
            assert value >= 0, where
        case _:
            assert type(value) is form, where


def archived(*interactions: Interaction) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(dump_har(interactions, "1.0"))
    return document


@given(
    st.lists(
        st.builds(
            interaction,
            body=_BYTES,
            answer=_BYTES,
            status=st.sampled_from([200, 404, 799]),
            headers=st.sampled_from([(), (("location", "/x"),)]),
            first_byte=st.floats(0, 100),
            total=st.floats(0, 100),
        ),
        max_size=3,
    )
)
def test_an_archive_is_what_har_1_2_says(interactions: list[Interaction]) -> None:
    document = archived(*interactions)

    check(document, _ARCHIVE)
    for entry in document["log"]["entries"]:
        assert entry["time"] == pytest.approx(sum(entry["timings"].values()), abs=0.01)
        assert entry["request"]["queryString"] == [
            {"name": "a", "value": "1"},
            {"name": "b", "value": " "},
            {"name": "c", "value": ""},
        ]


def test_an_archive_tells_bytes_from_text() -> None:
    document = archived(interaction(b"\xff", b"\xfe"), interaction("é".encode(), "ü".encode()))

    binary, text = document["log"]["entries"]
    assert binary["request"]["postData"] == {"mimeType": "application/json", "text": "/w==", "_encoding": "base64"}
    assert base64.b64decode(binary["response"]["content"]["text"]) == b"\xfe"
    assert binary["response"]["content"]["encoding"] == "base64"
    assert text["request"]["postData"]["text"] == "é"
    assert text["response"]["content"] == {"size": 2, "mimeType": "application/json", "text": "ü"}


def test_an_archive_holds_nothing_that_a_terminal_would_obey() -> None:
    assert dump_har([interaction(answer="\x1b[2J\x9b".encode())], "1.0").isascii()


@given(st.lists(st.builds(interaction, body=_BYTES, answer=_BYTES), max_size=3))
def test_an_archive_is_read_back_with_its_times(interactions: list[Interaction]) -> None:
    found = tape.parse(dump_har(interactions, "1.0").encode(), "a.har")

    assert found.form == "HAR 1.2"
    assert found.interactions == tuple(map(ours.tape_interaction, interactions))


def test_a_cassette_is_read_as_a_tape_too() -> None:
    text = cassette_format.dump([interaction()])
    found = tape.parse(text.encode(), "a.yaml")

    assert found.form == "tapemeter"
    assert tape.parse(text.replace("format: tape", "format: 'tape").replace("/1", "/1'", 1).encode(), "a.yaml") == found
    assert found.interactions == (ours.tape_interaction(interaction()),)
    assert found.interactions[0].response.headers["x"] == ["1", "2"]
