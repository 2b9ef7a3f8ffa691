from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import Request
from tapemeter.cassette.diff import ABSENT, Difference, differences, nearest
from tapemeter.cassette.match import Matcher

URL = "https://api.example/v1/chat/completions"


def asked(value: Any, url: str = URL) -> Request:
    return Request("POST", url, (("content-type", "application/json"),), json.dumps(value).encode())


def test_equal_requests_have_no_difference() -> None:
    assert differences(asked({"a": [1, 2.0]}), asked({"a": [1.0, 2]})) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 2}, Difference("a", "1", "2", "a")),
        ({"a": 1}, {"a": "1"}, Difference("a", "1", '"1"', "a")),
        ({"a": 1}, {"a": True}, Difference("a", "1", "true", "a")),
        ({"a": 0.5}, {"a": 1}, Difference("a", "0.5", "1", "a")),
        ({"a": 1}, {}, Difference("a", "1", ABSENT, "a")),
        ({}, {"a": None}, Difference("a", ABSENT, "null", "a")),
        ({"m": [{"c": "x"}]}, {"m": [{"c": "y"}]}, Difference("m[0].c", '"x"', '"y"', "m[*].c")),
        ({"m": [1]}, {"m": [1, 2]}, Difference("m[1]", ABSENT, "2", "m")),
        ({"odd.name": 1}, {"odd.name": 2}, Difference('["odd.name"]', "1", "2", '["odd.name"]')),
    ],
)
def test_a_difference_is_a_path_with_both_values(old: Any, new: Any, expected: Difference) -> None:
    assert differences(asked(old), asked(new)) == [expected]


names = st.text("abc.*[]' ", min_size=1, max_size=3).filter(lambda name: name != "*")
values = st.recursive(
    st.none() | st.integers(min_value=2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, values, max_size=3), st.dictionaries(names, values, max_size=3))
def test_ignoring_what_is_advised_makes_the_recording_match(old: Any, new: Any) -> None:
    found = differences(asked(old), asked(new))
    ignore = tuple(difference.ignore for difference in found if difference.ignore is not None)

    assert len(ignore) == len(found)
    matcher = Matcher(ignore=ignore)
    assert matcher.key(asked(old)) == matcher.key(asked(new))


def test_the_order_of_a_list_is_a_difference() -> None:
    assert differences(asked({"a": [1, 2]}), asked({"a": [2, 1]})) != []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://api.example:443/v1/chat/completions", [Difference("scheme", "https", "http")]),
        ("https://b.example/v1/chat/completions", [Difference("host", "api.example", "b.example")]),
        ("https://api.example:99/v1/chat/completions", [Difference("port", "443", "99")]),
        ("https://api.example/v2", [Difference("path", "/v1/chat/completions", "/v2")]),
        (URL + "?beta=1", [Difference("query beta", ABSENT, "1")]),
    ],
)
def test_the_line_is_compared_before_the_body_and_cannot_be_ignored(url: str, expected: list[Difference]) -> None:
    assert differences(asked({}), asked({}, url)) == expected


def test_repeated_query_parameters_are_compared() -> None:
    assert differences(asked({}, URL + "?x=1&x=2"), asked({}, URL + "?x=3&x=2")) != []


def test_bodies_of_other_kinds_are_described() -> None:
    (difference,) = differences(Request("POST", URL, (), b"\x00\x01"), asked({"a": 1}))

    assert difference.old.startswith("2 bytes")
    assert difference.new == 'json, {"a": 1}'


def test_a_missing_body_is_absent() -> None:
    (difference,) = differences(Request("POST", URL), asked({"a": 1}))

    assert difference.old == ABSENT


def test_bytes_of_the_same_length_are_told_apart() -> None:
    (difference,) = differences(Request("POST", URL, (), b"\x00"), Request("POST", URL, (), b"\x01"))

    assert difference.path == "body"
    assert difference.old != difference.new


def test_a_long_text_is_shown_around_its_difference() -> None:
    before, after = "a" * 5000, "b" * 5000
    (difference,) = differences(asked({"t": before + "OLD" + after}), asked({"t": before + "NEW" + after}))

    assert "aOLDb" in difference.old
    assert "aNEWb" in difference.new
    assert len(difference.old) < 100
    assert difference.old.startswith("…")
    assert difference.old.endswith("…")


def test_the_nearest_is_the_one_with_most_in_common() -> None:
    recorded = [asked({"m": "x", "t": "far", "n": 9}), asked({"m": "x", "t": "near", "n": 1}), asked({"m": "y"})]

    found = nearest(asked({"m": "x", "t": "near", "n": 2}), recorded)

    assert found == (1, [Difference("n", "1", "2", "n")])


def test_the_first_of_equally_near_ones_is_taken() -> None:
    found = nearest(asked({"n": 3}), [asked({"n": 1}), asked({"n": 2})])

    assert found is not None
    assert found[0] == 0


def test_without_recordings_nothing_is_near() -> None:
    assert nearest(asked({}), []) is None
