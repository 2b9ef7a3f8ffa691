from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.providers import documents
from tapemeter.providers.documents import Documents

values = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)


def split(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


def taken(pieces: list[bytes]) -> list[object]:
    takes = Documents()
    return [json.loads(found) for piece in pieces for found in takes.feed(piece)]


@given(
    st.lists(values, max_size=4), st.sampled_from(["\n", "", " \r\n"]), st.lists(st.integers(min_value=0), max_size=8)
)
def test_objects_one_after_another_are_found_however_they_are_cut(
    given_: list[object], between: str, places: list[int]
) -> None:
    body = between.join(json.dumps(value) for value in given_).encode()

    assert taken(split(body, places)) == given_


@given(st.lists(values, max_size=4), st.sampled_from([None, 1]), st.lists(st.integers(min_value=0), max_size=8))
def test_the_elements_of_a_list_are_found_however_they_are_cut(
    given_: list[object], indent: int | None, places: list[int]
) -> None:
    body = json.dumps(given_, indent=indent, ensure_ascii=False).encode()

    assert taken(split(body, places)) == given_


def test_an_object_is_there_at_its_last_byte() -> None:
    takes = Documents()

    assert takes.feed(b'{"a": {"b": "}\\"}"}') == []
    assert takes.feed(b"}") == [b'{"a": {"b": "}\\"}"}}']


@pytest.mark.parametrize("body", [b"[[{}]]", b"}{}", b']["}"', b"{]", b'"{}"', b"[1, null]", b"{" * 50_000])
def test_what_is_no_object_at_the_top_is_passed_over(body: bytes) -> None:
    found = Documents().feed(body)

    assert found in ([], [b"{}"], [b"{]"])


def test_an_object_that_is_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LONGEST", 20)
    takes = Documents()
    body = b'{"a": "%s"}{"b": 1}' % (b"x" * 40)

    assert [found for start in range(len(body)) for found in takes.feed(body[start : start + 1])] == [b'{"b": 1}']


@given(st.binary(max_size=40), st.lists(st.integers(min_value=0), max_size=5))
def test_any_bytes_are_read_alike_however_they_are_cut(body: bytes, places: list[int]) -> None:
    takes = Documents()

    assert [found for piece in split(body, places) for found in takes.feed(piece)] == Documents().feed(body)
