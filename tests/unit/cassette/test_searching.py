from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.cassette.model import Interaction
from tapemeter.cassette.searching import LONGEST_PATTERN, LONGEST_PIECE, Hit, Search, texts
from tapemeter.errors import UsageError
from tapemeter.model import Chunk, Request, Response

JSON = (("content-type", "application/json"),)
STREAM = (("content-type", "text/event-stream"),)


def said(body: Any, answer: Any = b"", headers: tuple[tuple[str, str], ...] = JSON) -> Interaction:
    request = Request("POST", "https://h.test/v1/chat/completions", JSON, _bytes(body))
    return Interaction(request, Response(200, headers, (Chunk(0.1, _bytes(answer)),)), "2026-01-01T00:00:00Z", "k")


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def test_every_text_has_the_path_at_which_it_stands() -> None:
    body = {"model": "m", "messages": [{"content": [{"text": "a\nb"}]}, {"content": "c"}], "odd.name": "d"}
    assert list(texts(said(body, {"choices": [{"text": "e"}]}), "request")) == [
        ("request.model", "m"),
        ("request.messages[0].content[0].text", "a\nb"),
        ("request.messages[1].content", "c"),
        ('request["odd.name"]', "d"),
    ]


def test_the_line_in_a_text_is_told() -> None:
    search = Search("needle")
    hits = list(search.hits(said({"input": "hay\nhay needle\nneedle"}, {"text": "a needle"})))
    assert hits == [
        Hit("request.input", 2, "hay needle"),
        Hit("request.input", 3, "needle"),
        Hit("response.text", 1, "a needle"),
    ]
    assert [hit.where for hit in search.hits(said({"input": "needle"}, {"text": "needle"}), ("response",))] == [
        "response.text"
    ]


def test_escapes_are_decoded_and_streams_folded() -> None:
    events = b"".join(
        b"data: " + json.dumps({"choices": [{"delta": {"content": piece}}]}).encode() + b"\n\n"
        for piece in ("Zü", "rich")
    )
    call = said(b'{"input": "Z\\u00fcrich"}', events, STREAM)
    assert [hit.where for hit in Search("Zürich").hits(call)] == [
        "request.input",
        "response.choices[0].message.content",
    ]


def test_a_body_that_is_no_json_is_one_text_and_one_that_is_no_text_none() -> None:
    assert [hit.where for hit in Search("plain").hits(said(b"plain text", b"\xff plain"))] == ["request.body"]
    assert list(Search("x").hits(said(b"", b""))) == []


def test_a_pattern_is_plain_text_unless_it_is_said_to_be_an_expression() -> None:
    call = said({"input": "a+b (c) aab"})
    assert [hit.text for hit in Search("a+b (").hits(call)] == ["a+b (c) aab"]
    assert list(Search("a.b(").hits(call)) == []
    assert len(list(Search(r"a+b\b", regex=True).hits(call))) == 1
    assert list(Search("A+B").hits(call)) == []
    assert len(list(Search("A+B", ignore_case=True).hits(call))) == 1


@pytest.mark.parametrize(
    ("pattern", "regex"), [("", False), ("x" * (LONGEST_PATTERN + 1), False), ("(", True), ("a{99999999999}", True)]
)
def test_a_pattern_that_is_none_is_wrong_usage(pattern: str, regex: bool) -> None:
    with pytest.raises(UsageError, match="the pattern"):
        Search(pattern, regex=regex)


@given(st.integers(0, 3 * LONGEST_PIECE), st.booleans())
def test_what_stands_in_a_long_line_is_found_wherever_it_is(place: int, regex: bool) -> None:
    line = "." * place + "needle" + "." * (3 * LONGEST_PIECE - place)
    [hit] = Search("needle", regex=regex).hits(said({"input": line}))
    assert "needle" in hit.text
    assert len(hit.text) < 200


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_every_text_of_any_json_is_found(value: Any) -> None:
    def strings(found: Any) -> list[str]:
        if isinstance(found, str):
            return [found]
        inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else []
        return [text for each in inner for text in strings(each)]

    body = json.dumps({"x": value}).encode()
    found = [text for _, text in texts(said(body), "request")]
    assert found == strings(json.loads(body))


def test_lists_in_lists_in_lists_are_searched() -> None:
    body = b'{"a": ' + b"[" * 900 + b'"needle"' + b"]" * 900 + b"}"
    assert len(list(Search("needle").hits(said(body)))) == 1
