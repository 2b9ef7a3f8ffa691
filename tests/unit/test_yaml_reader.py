from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tapemeter import yaml_reader
from tapemeter.yaml_reader import YamlError

LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n"


@pytest.fixture(params=["libyaml", "pure Python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pure Python":
        monkeypatch.delattr(yaml, "CBaseLoader")


def fault(text: str, **options: Any) -> YamlError:
    with pytest.raises(YamlError) as caught:
        yaml_reader.load(text, **options)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("a:", {"a": None}),
        ("~", None),
        ("[null, true, false]", [None, True, False]),
        ("[0, -1, 10, 1.5, -0.0, 1e5, 1.0e-05, 1E+2]", [0, -1, 10, 1.5, -0.0, 1e5, 1e-05, 100.0]),
        ("[yes, No, on, True, NULL, y]", ["yes", "No", "on", "True", "NULL", "y"]),
        ("[2024-01-01, 1:30, 0x1F, 0o7, 1_000]", ["2024-01-01", "1:30", "0x1F", "0o7", "1_000"]),
        ("[007, +1, .5, 5., .inf, .nan]", ["007", "+1", ".5", "5.", ".inf", ".nan"]),
        ("['1', \"true\", '']", ["1", "true", ""]),
        ("a: |\n  1\n", {"a": "1\n"}),
        ("a: >\n  1\n  2\n", {"a": "1 2\n"}),
        ("<<: {a: 1}\n", {"<<": {"a": 1}}),
        ("--- {a: [1, {b: c}]}\n...\n", {"a": [1, {"b": "c"}]}),
        ("a: 1\r\nb: |\r\n  x\r\n  y\r\n", {"a": 1, "b": "x\ny\n"}),
        ("\ufeffa: 1\n", {"a": 1}),
    ],
)
def test_scalars_mean_what_json_would_have_them_mean(text: str, value: Any) -> None:
    assert repr(yaml_reader.load(text)) == repr(value)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        (LAUGHS, 1, "anchors"),
        ("a: 1\nb: *a\n", 2, ""),
        ("a: 1\n&k b: 1\n", 2, "anchors"),
        ("- !!python/object/apply:os.system [id]\n", 1, "tag"),
        ("- 1\n- !!python/name:os.system\n", 2, "tag"),
        ("- !!str 1\n", 1, "tag"),
        ("- ! 1\n", 1, "tag"),
        ("- 1\n- !x {a: 1}\n", 2, "tag"),
        ("!!binary a: 1\n", 1, "tag"),
        ("a: 1\n--- \nb: 2\n", 2, "second document"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "twice"),
        ('a: 1\n"a": 2\n', 2, "twice"),
        ("a: 1\n200: x\n", 2, '"200"'),
        ("true: x\n", 1, "string"),
        ("? [a]\n: b\n", 1, "string"),
        ("? {a: b}\n: b\n", 1, "string"),
        ("a: 1\n? \n: b\n", 2, "string"),
        ("a: 1\nb: " + "9" * 5000, 2, "digits"),
        ("a: 1\nb: -0." + "9" * 5000, 2, "digits"),
        ("a: 1e999\n", 1, "too large"),
        ("a: 1\nb: [1\nc: 2\n", None, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML"),
        ("a: 1\nb: \x00\n", 2, "U+0000"),
        ("a: 1\nb: 😀 \ufffe\n", 2, "U+FFFE"),
        ("a: 1\nb: \ud800\n", 2, "U+D800"),
        ('a: "\\x"\n', 1, "not YAML"),
        ("a: b: c\n", 1, "not YAML"),
        ("%YAML 3.0\n--- a\n", None, "not YAML"),
    ],
)
def test_what_is_not_plain_data_is_a_fault_at_its_line(text: str, line: int | None, word: str) -> None:
    error = fault(text)
    assert line is None or error.line == line
    assert word in error.problem


@pytest.mark.parametrize("text", ["[" * 10**6, "{a: " * 10**5, "- " * 10**4, "[" * 65 + "]" * 65])
def test_depth_is_bound(text: str) -> None:
    assert "containers" in fault(text).problem


def test_the_deepest_value_allowed_is_read() -> None:
    depth = yaml_reader.MAX_DEPTH
    assert yaml_reader.load("[" * depth + "]" * depth)


def test_lines_count_from_the_given_first_line() -> None:
    assert fault("- a: 1\n  a: 2\n", first_line=41).line == 42
    assert fault("- [\n", first_line=41).line in {41, 42}


def test_lines_are_kept_for_every_value() -> None:
    lines: dict[yaml_reader.Place, int] = {}
    yaml_reader.load("a: 1\nb:\n- c: 2\n  d:\n    e\n- f\n", first_line=10, lines=lines)
    assert lines == {
        (): 10,
        ("a",): 10,
        ("b",): 11,
        ("b", 0): 12,
        ("b", 0, "c"): 12,
        ("b", 0, "d"): 13,
        ("b", 1): 15,
    }


@settings(deadline=None)
@given(st.text() | st.text(st.sampled_from(list("ab:-?[]{},&*!|>'\"%#~ \n\t019"))))
def test_any_text_is_plain_data_or_a_format_fault(text: str) -> None:
    try:
        value = yaml_reader.load(text)
    except YamlError:
        return
    assert_json_like(value)


def assert_json_like(value: Any) -> None:
    match value:
        case dict():
            for key, item in value.items():
                assert type(key) is str
                assert_json_like(item)
        case list():
            for item in value:
                assert_json_like(item)
        case _:
            assert value is None or type(value) in {bool, int, float, str}
