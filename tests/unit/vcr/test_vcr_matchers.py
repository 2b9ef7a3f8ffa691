"""The matchers: what each compares, what it says, and that looking up by key finds what they find."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.vcr import matchers
from tapemeter.vcr.config import MATCHERS
from tapemeter.vcr.lookup import Lookup
from tapemeter.vcr.request import Request

JSON = {"Content-Type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def request(uri: str = "https://a.example/p", body: Any = b"", method: str = "POST", **headers: str) -> Request:
    return Request(method, uri, body, headers)


def with_headers(headers: dict[str, str], body: Any) -> Request:
    return Request("POST", "https://a.example/p", body, headers)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("method", request(method="GET")),
        ("uri", request("https://a.example/p?q=1")),
        ("url", request("https://a.example/p?q=1")),
        ("scheme", request("http://a.example/p")),
        ("host", request("https://b.example/p")),
        ("port", request("https://a.example:444/p")),
        ("path", request("https://a.example/r")),
        ("query", request("https://a.example/p?q=1")),
        ("headers", request(extra="1")),
        ("body", request(body=b"x")),
        ("raw_body", request(body=b"x")),
    ],
)
def test_a_matcher_tells_requests_apart_by_its_part_and_by_no_other(name: str, other: Request) -> None:
    matches = MATCHERS[name]
    assert matches(request(), request()) is None
    with pytest.raises(AssertionError):
        matches(request(), other)
    untouched = {
        "uri": {"method", "headers", "body", "raw_body"},
        "headers": {"method", "uri", "body", "raw_body"},
    }.get(name, {"headers"} if name != "headers" else set())
    for unaffected in untouched:
        assert MATCHERS[unaffected](request(), other) is None


def test_no_path_is_the_path_of_the_root() -> None:
    for name in ("path", "uri"):
        MATCHERS[name](request("https://a.example"), request("https://a.example/"))
        MATCHERS[name](request("https://a.example?a=b"), request("https://a.example/?a=b"))


def test_what_stands_behind_a_hash_does_not_count() -> None:
    MATCHERS["uri"](request("https://a.example/p#stream"), request("https://a.example/p"))
    MATCHERS["uri"](request("https://a.example#stream"), request("https://a.example/"))


def test_the_order_of_query_parameters_does_not_matter_to_query() -> None:
    MATCHERS["query"](request("https://a.example/?a=1&b=2"), request("https://a.example/?b=2&a=1"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (with_headers(JSON, b'{"a": 1, "b": 2}'), with_headers(JSON, b'{"b":2,"a":1}')),
        (with_headers(FORM, b"a=1&b=2"), with_headers(FORM, b"b=2&a=1")),
        (
            with_headers({"Transfer-Encoding": "chunked"}, b"2\r\nab\r\n0\r\n\r\n"),
            with_headers({"transfer-encoding": "chunked"}, b"ab"),
        ),
        (with_headers(JSON, {"a": 1}), with_headers(JSON, b'{"a":1}')),
        (with_headers({}, None), with_headers({}, b"")),
        (with_headers(JSON, b""), with_headers(JSON, None)),
    ],
    ids=["JSON", "form", "chunks", "a value", "nothing", "nothing of JSON"],
)
def test_bodies_that_say_the_same_match(first: Request, second: Request) -> None:
    matchers.body(first, second)
    matchers.body(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (with_headers(JSON, b'{"a": 1}'), with_headers(JSON, b'{"a": 2}')),
        (with_headers(JSON, b'{"a": 1}'), with_headers({}, b'{"a":1}')),
        (with_headers(JSON, b"{no json"), with_headers(JSON, b"{no JSON")),
        (with_headers({}, b"\xff\xfe"), with_headers({}, b"\xff\xfd")),
        (with_headers({}, None), with_headers({}, b"x")),
    ],
    ids=["a value", "another type", "no JSON", "no text", "nothing and something"],
)
def test_bodies_that_say_something_else_do_not(first: Request, second: Request) -> None:
    with pytest.raises(AssertionError, match=r"."):
        matchers.body(first, second)


def test_calls_of_xml_rpc_are_compared_as_values() -> None:
    headers = {"Content-Type": "text/xml", "User-Agent": "xmlrpclib"}
    call = "<?xml version='1.0'?><methodCall><methodName>m</methodName><params>{}</params></methodCall>"
    one, same = call.format(""), call.format("  ")
    matchers.body(with_headers(headers, one.encode()), with_headers(headers, same.encode()))


def test_what_differs_is_shown_in_few_lines() -> None:
    old = with_headers(JSON, json.dumps({str(number): number for number in range(100)}).encode())
    new = with_headers(JSON, json.dumps({str(number): -number for number in range(100)}).encode())
    with pytest.raises(AssertionError) as failed:
        matchers.body(new, old)
    assert "more lines" in str(failed.value)
    assert len(str(failed.value).splitlines()) < 30


def test_a_matcher_of_ones_own_returns_false_or_raises() -> None:
    def never(first: Any, second: Any) -> bool:
        return first is None or second is None

    def says(first: Any, second: Any) -> None:
        raise AssertionError(f"{first.method} is not it, nor is {second.method}")

    held, failed = matchers.get_matchers_results(request(), request(), [matchers.method, never, says])
    assert held == ["method"]
    assert failed == [("never", None), ("says", "POST is not it, nor is POST")]
    assert not matchers.requests_match(request(), request(), [never])
    assert matchers.requests_match(request(), request(), [matchers.method])


METHODS = st.sampled_from(["GET", "POST"])
URIS = st.sampled_from(
    ["http://a", "http://a/", "http://a/b", "http://a:81/b?x=1&y=2", "http://a/b?y=2&x=1", "https://a/b", "http://a#b"]
)
BODIES = st.sampled_from([None, b"", b'{"a":1}', b'{"a": 1}', b"x", {"a": 1}])
HEADERS = st.sampled_from([{}, JSON, {"X": "1"}])
REQUESTS = st.builds(Request, METHODS, URIS, BODIES, HEADERS)


def same_length(first: Any, second: Any) -> bool:
    return len(first.uri) == len(second.uri)


@given(
    st.lists(st.sampled_from([*MATCHERS.values(), same_length]), unique=True),
    st.lists(REQUESTS, max_size=8),
    REQUESTS,
)
def test_looking_up_finds_what_comparing_with_each_finds(
    match_on: list[matchers.Matcher], stored: list[Request], asked: Request
) -> None:
    lookup = Lookup(match_on)
    data: list[tuple[Any, Any]] = []
    for each in stored:
        data.append((each, None))
        expected = [place for place, (one, _) in enumerate(data) if matchers.requests_match(asked, one, match_on)]
        assert list(lookup.matching(asked, data)) == expected


def test_looking_up_notices_that_somebody_put_others_there() -> None:
    lookup = Lookup([matchers.method])
    data: list[tuple[Any, Any]] = [(request(method="GET"), None), (request(method="GET"), None)]
    assert list(lookup.matching(request(method="GET"), data)) == [0, 1]
    data[:] = [(request(method="POST"), None), (request(method="GET"), None)]
    assert list(lookup.matching(request(method="GET"), data)) == [1]
    data.clear()
    assert list(lookup.matching(request(method="GET"), data)) == []
