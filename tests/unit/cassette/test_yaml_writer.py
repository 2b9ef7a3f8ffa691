from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tapemeter import yaml_reader
from tapemeter.cassette import yaml_writer, yaml_written

STRINGS = st.text(st.characters(exclude_categories=["Cs"]))
TRICKY = st.text(st.sampled_from(list("ab01.:-#'\"\\ \t\n\r&*!|>%@`?{}[],=<~\x85\xa0\u2028\ufeff\ufffe\x00\x7f😀")))
KEYS = (STRINGS | TRICKY).map(lambda key: key.replace("\n", " ")[: yaml_writer.MAX_KEY])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | STRINGS
VALUES = st.recursive(
    SCALARS | TRICKY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)

# What YAML 1.1 or 1.2 readers take for something else than a string.
AMBIGUOUS = [
    *("", "~", "null", "Null", "NULL", "true", "True", "false", "yes", "Yes", "NO", "no", "on"),
    *("Off", "y", "N"),
    *("1", "-1", "+1", "0", "007", "0o7", "0x1F", "0b1", "1_000", "1.5", ".5", "5.", "1e5"),
    *("1.0e-05", "-.inf"),
    *(".inf", ".NaN", "nan", "190:20:30", "1:30", "2024-01-01", "2024-01-01T00:00:00Z", "=", "<<"),
    *("-", "?", ":"),
    *("---", "...", "- a", "? a", ": a", "a: b", "a:", "a #b", "#a", " a", "a ", "\ta", "a\t"),
    *("&a", "*a", "!a"),
    *("|", ">", "%a", "@a", "`a", "[a", "{a", "]", "}", ",", "'a", '"a', "\\a", "!!str a"),
    *("a\u2028b", "\u3000"),
]  # fmt: skip


def everywhere(value: Any) -> list[Any]:
    """The value at the top, in lists and in mappings, alone and with neighbours."""
    return [
        value,
        [value],
        [[value, 1], value, 2],
        {"a": value, "b": 1},
        {"a": [value, 1]},
        [{"a": value, "b": [value]}],
    ]


def assert_read_alike(value: Any) -> None:
    text = yaml_writer.dump(value)
    assert repr(yaml.load(text, Loader=yaml.CSafeLoader)) == repr(value)
    assert repr(yaml.load(text, Loader=yaml.SafeLoader)) == repr(value)
    assert repr(yaml_reader.load(text)) == repr(value)
    if value and isinstance(value, dict | list):
        assert repr(yaml_written.load(text)) == repr(value)


@settings(deadline=None)
@given(VALUES)
def test_every_reader_gives_back_what_was_written(value: Any) -> None:
    assert_read_alike(value)


@settings(deadline=None)
@given(TRICKY)
@example("a\n  \nb\n\n")
@example("  a\nb")
@example("\ta\nb")
@example("\n\na\n \n")
@example("---\n...\n# x\n- y: z")
@example("\n")
def test_a_string_survives_wherever_it_stands(text: str) -> None:
    for value in everywhere(text):
        assert_read_alike(value)


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_a_string_that_looks_like_something_else_is_quoted(text: str) -> None:
    for value in [*everywhere(text), {text: text}]:
        assert_read_alike(value)
    assert yaml_writer.dump(text).startswith('"')


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "gpt-4o",
        "http://127.0.0.1:8080/v1?a=b&c#d",
        "text/event-stream; charset=utf-8",
        "Привет, мир",
        "No, it isn't.",
    ],
)
def test_an_ordinary_string_is_plain(text: str) -> None:
    assert yaml_writer.dump({"a": text}) == f"a: {text}\n"


def test_the_layout_is_blocks_with_lists_at_the_indent_of_their_key() -> None:
    value = {
        "model": "m",
        "messages": [{"role": "user", "content": "one\ntwo\n"}, {"role": "tool", "content": [[1, 2.5], []]}],
        "options": {"stop": None, "stream": True, "rate": 1e-05, "empty": {}},
    }
    assert yaml_writer.dump(value) == (
        "model: m\n"
        "messages:\n"
        "- role: user\n"
        "  content: |\n"
        "    one\n"
        "    two\n"
        "- role: tool\n"
        "  content:\n"
        "  - - 1\n"
        "    - 2.5\n"
        "  - []\n"
        "options:\n"
        "  stop: null\n"
        "  stream: true\n"
        "  rate: 1.0e-05\n"
        "  empty: {}\n"
    )


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a\nb", "|-"),
        ("a\nb\n", "|"),
        ("a\nb\n\n", "|+"),
        (" a\nb", "|2-"),
        ("\na\n", "|2"),
        ("a  \nb", "|-"),
    ],
)
def test_a_text_of_several_lines_is_a_literal_block(text: str, mark: str) -> None:
    assert yaml_writer.dump({"a": text}).splitlines()[0] == f"a: {mark}"


@pytest.mark.parametrize("text", ["a\r\nb", "a\n\x00", "a\n\x1b[0m", "a\n\u2028", "\ufeffa\n", "\n", " \n\t"])
def test_a_text_that_a_block_cannot_carry_is_quoted(text: str) -> None:
    assert yaml_writer.dump(text).startswith('"')


def test_emoji_stand_as_themselves() -> None:
    assert yaml_writer.dump(["😀 👩‍👩‍👧"]) == '- "😀 👩‍👩‍👧"\n'


def test_a_long_string_stays_on_one_line() -> None:
    text = "word " * 50_000 + "end"
    assert yaml_writer.dump({"a": text}).count("\n") == 1
    assert_read_alike({"a": text, "b": [text, text + ":"]})


@pytest.mark.parametrize(
    "key", ["k" * yaml_writer.MAX_KEY, "\x01" * yaml_writer.MAX_KEY, "😀" * yaml_writer.MAX_KEY, ""]
)
def test_the_longest_key_can_still_be_read(key: str) -> None:
    assert_read_alike([{key: {key: 1}}])


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        "\ud800",
        "a\n\udfff",
        {"\ud800": 1},
        {1: 1},
        {None: 1},
        {"a\nb": 1},
        {"k" * (yaml_writer.MAX_KEY + 1): 1},
        10**yaml_reader.MAX_DIGITS,
        10**5000,
        b"bytes",
        (1,),
        object(),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_no_reader_would_give_back_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        yaml_writer.dump([value])


def test_depth_is_bound_as_in_the_reader() -> None:
    value: Any = []
    for _ in range(yaml_reader.MAX_DEPTH - 1):
        value = [value]
    assert_read_alike(value)
    with pytest.raises(ValueError, match="containers"):
        yaml_writer.dump([value])
    with pytest.raises(ValueError, match="containers"):
        yaml_writer.dump(value, depth=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a: 1",
        "a: 1\n\n",
        "a: 1\nb\n",
        "a: [1]\n",
        "a: {b: 1}\n",
        'a: "b" # c\n',
        'a: "b\n',
        "a:\nb: 1\n",
        "a: 1\n b: 2\n",
        "a: |3\n   b\n",
        "a: >\n  b\n",
        "- a\nb: 1\n",
        "a: 1x\n",
        '"a" : 1\n',
    ],
)
def test_what_the_writer_would_not_write_is_not_read_as_if_it_had(text: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        yaml_written.load(text)
