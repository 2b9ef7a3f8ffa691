from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import UsageError
from tapemeter.cassette.paths import generalised, parse, remove, show

names = st.text(min_size=1).filter(lambda name: '"' not in name and name != "*")
steps = st.lists(names | st.integers(min_value=0, max_value=999), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model", ("model",)),
        ("metadata.request_id", ("metadata", "request_id")),
        ("messages[0].content", ("messages", 0, "content")),
        ("messages[*].id", ("messages", "*", "id")),
        ("tools[*].function.description", ("tools", "*", "function", "description")),
        ("*.id", ("*", "id")),
        ("[0][1]", (0, 1)),
        ('metadata["odd.name"].x', ("metadata", "odd.name", "x")),
        ("metadata['odd name']", ("metadata", "odd name")),
        ("$.model", ("model",)),
        ("$[0]", (0,)),
        ("x-y_z:1", ("x-y_z:1",)),
    ],
)
def test_a_path_is_read_as_it_is_documented(text: str, expected: tuple[str | int, ...]) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", ".", "$", "$.", "a.", "a..b", ".a", "a[", "a[]", "a[x]", "a[-1]", "a[0", "a]b", "a b", 'a["b]', "[0]a"]
)
def test_what_is_no_path_is_a_usage_error_that_says_where(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read at"):
        parse(text)


@given(steps)
def test_a_path_that_was_shown_can_be_read(path: list[str | int]) -> None:
    assert parse(show(path)) == tuple(path)


def test_an_advised_path_names_every_element() -> None:
    assert generalised(["messages", 3, "content", 0]) == "messages[*].content[*]"
    assert generalised(["a[0]", 1]) == '["a[0]"][*]'


VALUE = {"a": {"id": 1, "x": 2}, "b": {"id": 3}, "list": [{"id": 4, "x": 5}, {"x": 6}, 7]}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.id", {**VALUE, "a": {"x": 2}}),
        ("*.id", {"a": {"x": 2}, "b": {}, "list": VALUE["list"]}),
        ("list[*].x", {**VALUE, "list": [{"id": 4}, {}, 7]}),
        ("list[1]", {**VALUE, "list": [{"id": 4, "x": 5}, None, 7]}),
        ("list[*]", {**VALUE, "list": [None, None, None]}),
        ("list", {"a": VALUE["a"], "b": VALUE["b"]}),
        ("absent.id", VALUE),
        ("a.id.deeper", VALUE),
        ("list[9].x", VALUE),
        ("list.x", VALUE),
        ("a[0]", VALUE),
    ],
)
def test_removing_takes_out_what_the_path_names_and_nothing_else(path: str, expected: Any) -> None:
    value = copy.deepcopy(VALUE)

    remove(value, parse(path))

    assert value == expected
