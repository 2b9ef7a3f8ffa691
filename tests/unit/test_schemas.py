from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tapemeter import schemas
from tapemeter.schemas import Problem, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHIPPED = sorted(path.stem for path in Path(schemas.__file__).parent.glob("*.json"))
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, Any], Any], list[Problem]]]:
    """Check a value against a schema given on the spot; the fast way must agree."""

    def problems(schema: dict[str, Any], value: Any) -> list[Problem]:
        monkeypatch.setattr(schemas, "schema", lambda name: schema)
        schemas._validator.cache_clear()
        found = schemas.problems(value, "on the spot")
        assert schemas.valid(value, "on the spot") == (found == [])
        return found

    yield problems
    schemas._validator.cache_clear()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_schema_is_one_and_says_what_it_is_for(name: str) -> None:
    schema = schemas.schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize(
    ("schema", "value", "expected", "found"),
    [
        ({"type": "integer", "minimum": 0}, -1, "a whole number, 0 or more", "-1"),
        ({"type": "integer", "minimum": 0, "maximum": 9}, 10, "a whole number, 0 or more, at most 9", "10"),
        ({"type": ["integer", "null"], "minimum": 0}, "x", "a whole number, 0 or more, or null", '"x"'),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 1, "a number, above 0, below 1", "1"),
        ({"type": "integer"}, 3.0, "a whole number", "3.0"),
        ({"type": "integer"}, True, "a whole number", "true"),
        ({"type": "number"}, float("nan"), "a number", "nan"),
        ({"type": "number"}, float("inf"), "a number", "inf"),
        ({"type": "number"}, False, "a number", "false"),
        ({"type": "boolean"}, 0, "true or false", "0"),
        ({"type": "string", "minLength": 1}, "", "text, not empty", '""'),
        ({"type": "string", "minLength": 2}, "a", "text, 2 characters or more", '"a"'),
        ({"type": "string", "maxLength": 2}, "abc", "text, at most 2 characters", '"abc"'),
        ({"type": "string", "pattern": "^a+$"}, "b", "text, of the form ^a+$", '"b"'),
        ({"type": "array", "minItems": 1}, [], "a list, of 1 or more", "[]"),
        ({"type": "array", "maxItems": 1}, [1, 2], "a list, of at most 1", "a list of 2"),
        ({"type": "array", "uniqueItems": True}, [1, 1], "a list, without repetitions", "a list of 2"),
        ({"type": "object", "minProperties": 1}, {}, "a mapping, of 1 or more", "{}"),
        ({"type": "object"}, None, "a mapping", "null"),
        ({"type": "string"}, {"a": 1}, "text", "a mapping of 1 key"),
        ({"type": "string"}, {"a": 1, "b": 2}, "text", "a mapping of 2 keys"),
        ({"const": "v1"}, "v2", '"v1"', '"v2"'),
        ({"enum": ["a", None]}, "b", 'one of "a", null', '"b"'),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, "b", "null, or a whole number", '"b"'),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, 1, "text", "1"),
        ({"anyOf": [{"$ref": "#/$defs/a"}, False], "$defs": {"a": {"type": "null"}}}, 1, "null, or nothing", "1"),
        ({"type": "string", "x-expected": "a name"}, 1, "a name", "1"),
        ({"not": {"type": "string"}}, "a", "another value", '"a"'),
        ({"type": "string"}, 2**70, "text", "a whole number of 71 bits"),
        ({"type": "string"}, {1, 2}, "text", "a Python set"),
        (False, 1, "nothing", "1"),
    ],
)
def test_what_was_expected_and_found_is_said_in_words(
    check: Callable[..., list[Problem]], schema: Any, value: Any, expected: str, found: str
) -> None:
    assert check(schema, value) == [Problem((), expected, found)]


NESTED = {
    "type": "object",
    "required": ["name", "size"],
    "additionalProperties": False,
    "properties": {
        "size": {"type": "integer"},
        "name": {"type": "string"},
        "items": {"type": "array", "items": {"type": "integer"}},
    },
}


def test_problems_come_in_the_order_of_the_document_and_what_is_missing_last(
    check: Callable[..., list[Problem]],
) -> None:
    found = check(NESTED, {"nane": 1, "items": [0, "a", None], "name": 7})
    assert [str(problem) for problem in found] == [
        'nane: expected no other field than size, name, items, found the field "nane" (did you mean "name"?)',
        'items[1]: expected a whole number, found "a"',
        "items[2]: expected a whole number, found null",
        "name: expected text, found 7",
        "size: expected a whole number, found nothing",
    ]


def test_a_key_of_the_wrong_form_is_named(check: Callable[..., list[Problem]]) -> None:
    [problem] = check({"type": "object", "propertyNames": {"type": "string", "maxLength": 3}}, {"a.b.c": 1})
    assert problem == Problem(("a.b.c",), "as a key text, at most 3 characters", '"a.b.c"')
    assert problem.place == '"a.b.c"'


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), "the document"),
        (("limits", "job", "wall_seconds"), "limits.job.wall_seconds"),
        (("models", "gpt-4.1*", "run"), 'models."gpt-4.1*".run'),
        (("a", 0, 1, ""), 'a[0][1].""'),
        ((0, "a"), "[0].a"),
        (("a\nb",), '"a\\nb"'),
    ],
)
def test_a_path_is_shown_as_one_would_write_it(path: tuple[str | int, ...], place: str) -> None:
    assert Problem(path, "", "").place == place


KINDS = {
    "oneOf": [
        {
            "type": "object",
            "required": ["event", "id"],
            "properties": {"event": {"const": "call"}, "id": {"type": "integer"}},
        },
        {
            "type": "object",
            "required": ["event"],
            "properties": {"event": {"const": "stop"}, "why": {"type": "string"}},
        },
    ]
}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"event": "call", "id": "x"}, 'id: expected a whole number, found "x"'),
        ({"event": "call"}, "id: expected a whole number, found nothing"),
        ({"event": "stop", "why": 3}, "why: expected text, found 3"),
        ({"event": "end"}, 'event: expected one of "call", "stop", found "end"'),
        (3, "the document: expected a mapping, found 3"),
    ],
)
def test_of_several_forms_the_one_that_is_meant_explains(
    check: Callable[..., list[Problem]], value: Any, problem: str
) -> None:
    assert [str(each) for each in check(KINDS, value)] == [problem]


def test_a_null_or_a_mapping_is_explained_by_the_mapping(check: Callable[..., list[Problem]]) -> None:
    schema = {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "string"}}}]}
    assert [str(each) for each in check(schema, {"a": 1})] == ["a: expected text, found 1"]


@given(JUNK | st.text(max_size=300))
def test_a_value_is_shown_on_one_short_line(value: Any) -> None:
    shown = explain.shown(value)
    assert 0 < len(shown) <= 80
    assert "\n" not in shown


@given(JUNK, st.sampled_from(SHIPPED))
def test_the_fast_way_and_the_long_way_agree_on_anything(value: Any, name: str) -> None:
    assert schemas.valid(value, name) == (schemas.problems(value, name) == [])


def test_many_problems_are_found_in_order() -> None:
    document = {"schema": schemas.BUDGET_POLICY, "name": "a", "limits": {f"x{n}": None for n in range(5000)}}
    found = schemas.problems(document, schemas.BUDGET_POLICY)
    assert [problem.path[-1] for problem in found] == [f"x{n}" for n in range(5000)]


def test_a_shipped_schema_is_found_by_name() -> None:
    assert json.dumps(schemas.schema(schemas.BUDGET_POLICY))
    assert schemas.schema(schemas.BUDGET_POLICY)["properties"]["schema"]["const"] == schemas.BUDGET_POLICY
