"""What of a server's words is shown: no key, whole or in part, and nothing long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.client.quoting import LONGEST, quoted
from tapemeter.client.secret import Secret

KEY = "sk-loopback-" + "4fq9" * 6
SECRET = Secret(KEY)
TELLING = KEY[:16]


@pytest.mark.parametrize("before", [0, 200, 270, 285, 299, 300, 9_960, 9_985, 9_999, 10_000])
@pytest.mark.parametrize("blank", [" ", "x"])
def test_no_cut_leaves_a_part_of_the_key(before: int, blank: str) -> None:
    shown = quoted(f"{blank * before}{KEY} is not known", SECRET)
    assert TELLING not in shown
    assert KEY[:8] not in shown
    assert len(shown) <= LONGEST


@pytest.mark.parametrize("end", ["", "...", "…", '"', ")"])
def test_a_key_that_the_server_cut_is_hidden(end: str) -> None:
    assert TELLING not in quoted(f"no such key: {KEY[:20]}{end} was given", SECRET)
    assert quoted(f"no such key: '{KEY[:20]}' was given", SECRET) == "no such key: '***' was given"


def test_a_key_of_others_is_hidden_by_its_shape() -> None:
    other = "sk-proj-" + "Ab3dEf6h" * 5
    assert other not in quoted(f"upstream: Incorrect API key provided: {other}.", SECRET)
    assert other not in quoted(f"upstream: Incorrect API key provided: {other}.", None)


def test_a_short_key_is_hidden_as_a_whole() -> None:
    assert quoted("the key abc is wrong", Secret("abc")) == "the key *** is wrong"


def test_words_are_one_line_without_control_characters() -> None:
    assert quoted("  one\r\n two\tthree\x1b[31m red\x00 ", None) == "one two three [31m red"


def test_what_is_long_is_cut_with_a_mark() -> None:
    assert quoted("x" * 301, None) == "x" * 299 + "…"
    assert quoted("x" * 300, None) == "x" * 300


@given(st.text(max_size=400), st.integers(0, 400))
def test_the_key_shows_nowhere_in_any_words(words: str, place: int) -> None:
    shown = quoted(words[:place] + KEY + words[place:], SECRET)
    assert TELLING not in shown
    assert len(shown) <= LONGEST
