from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.providers.whole import Whole

nested = st.recursive(
    st.none() | st.integers() | st.text(alphabet='ab\\"{}[]é', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='a\\"}', max_size=3), inner),
    max_leaves=8,
)
documents = st.lists(nested, max_size=3) | st.dictionaries(st.text(max_size=3), nested, max_size=3)


@given(documents, st.sampled_from([None, 2]), st.booleans(), st.lists(st.integers(min_value=0), max_size=10))
def test_a_body_is_returned_with_its_last_bracket_and_not_before(
    document: Any, indent: int | None, ascii_only: bool, places: list[int]
) -> None:
    body = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    edges = sorted(place % len(body) for place in places)
    whole = Whole(1_000_000)

    for start, end in zip([0, *edges], [*edges, len(body) - 1], strict=True):
        assert whole.feed(body[start:end]) is None

    assert whole.feed(body[-1:]) == body


def test_blank_space_may_come_first() -> None:
    whole = Whole(100)

    assert whole.feed(b"\n") is None
    assert whole.feed(b" \r\n") is None
    assert whole.feed(b"{}\n") == b"\n \r\n{}\n"


def test_a_body_beyond_the_bound_is_given_up_and_not_kept() -> None:
    whole = Whole(10)

    assert whole.feed(b'{"a": "b') is None
    assert whole.feed(b'cdefgh"') is None
    assert whole._body is None
    assert whole.feed(b"}") is None


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_any_bytes_are_taken(pieces: list[bytes]) -> None:
    whole = Whole(1_000)

    for piece in pieces:
        whole.feed(piece)


@pytest.mark.parametrize("body", [b"1", b"null", b'"text"'])
def test_a_value_without_brackets_is_no_answer(body: bytes) -> None:
    assert Whole(100).feed(body) is None
