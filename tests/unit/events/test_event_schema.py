from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_samples import SAMPLES, SHA
from tapemeter import schemas
from tapemeter.events import KINDS
from tapemeter.events.fit import compiled, fits

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = schemas.schema(schemas.USAGE_EVENT)
FRAME = {
    "v": 1,
    "run_id": "20261121T074430.123Z-3f9c2a",
    "process": "main",
    "seq": 0,
    "at": "2026-11-21T07:44:30.123456Z",
    "prev": SHA,
    "hash": SHA,
}


def event(kind: str, **changes: Any) -> dict[str, Any]:
    return {**FRAME, "event": kind, **copy.deepcopy(SAMPLES.get(kind, {})), **changes}


def test_there_is_a_sample_of_every_kind() -> None:
    assert set(SAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_keeps_the_schema_and_names_every_field(kind: str) -> None:
    assert schemas.problems(event(kind), schemas.USAGE_EVENT) == []
    assert set(SAMPLES[kind]) == set(SCHEMA["$defs"][kind]["properties"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_that_is_needed_must_be_there(kind: str) -> None:
    for name in (*SCHEMA["required"], *SCHEMA["$defs"][kind]["required"]):
        if name == "event":
            continue
        without = {key: value for key, value in event(kind).items() if key != name}
        [problem] = schemas.problems(without, schemas.USAGE_EVENT)
        assert problem.place == name or name in problem.path
        assert problem.found == "nothing"
        assert not fits(without)


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_that_is_not_needed_may_be_missing(kind: str) -> None:
    needed = {*SCHEMA["required"], *SCHEMA["$defs"][kind]["required"]}
    assert fits({name: value for name, value in event(kind).items() if name in needed})


@pytest.mark.parametrize("kind", [*KINDS, "of a newer version"])
def test_fields_and_kinds_of_newer_versions_are_left_alone(kind: str) -> None:
    assert fits(event(kind, **{"gen_ai.mood": {"good": [None]}}))


@pytest.mark.parametrize(
    ("kind", "changes", "place"),
    [
        ("call", {"v": 2}, "v"),
        ("call", {"at": "yesterday"}, "at"),
        ("call", {"hash": SHA[1:]}, "hash"),
        ("call", {"seq": -1}, "seq"),
        ("call", {"seq": True}, "seq"),
        ("call", {"outcome": "lost"}, "outcome"),
        ("call", {"source": None}, "source"),
        ("call", {"cost_usd": 0.25}, "cost_usd"),
        ("call", {"cost_usd": "-1"}, "cost_usd"),
        ("call", {"cost_usd": "1e3"}, "cost_usd"),
        ("call", {"cost_usd": "1\n"}, "cost_usd"),
        ("call", {"request_digest": "what was asked"}, "request_digest"),
        ("call", {"duration_seconds": float("nan")}, "duration_seconds"),
        ("call", {"prompt_chars": 1.5}, "prompt_chars"),
        ("call", {"bound": {"calls": None}}, "bound.calls"),
        ("call", {"gen_ai.response.finish_reasons": [1]}, '"gen_ai.response.finish_reasons"[0]'),
        ("job", {"state": "DONE"}, "state"),
        ("job", {"tests": "test_it"}, "tests"),
        ("job", {"limits": [{"scope": "job"}]}, "limits[0].dimension"),
        ("stop", {"limit": None}, "limit"),
        ("merged", {"runs": [{"run_id": "a", "events": 1, "last_hash": SHA}]}, "runs[0].runs"),
        ("torn", {"bytes": "17"}, "bytes"),
    ],
)
def test_what_is_wrong_is_named(kind: str, changes: dict[str, Any], place: str) -> None:
    wrong = event(kind, **changes)
    assert place in [problem.place for problem in schemas.problems(wrong, schemas.USAGE_EVENT)]
    assert not fits(wrong)


# The quick check and the validator


VALUES = st.sampled_from(
    [None, True, False, -1, 0, 1, 1.0, 1.5, -0.5, float("inf"), float("nan"), "", "0.25", "ok", SHA, [], [1], ["a"], {}]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in an event at which something can be changed."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


@given(st.data())
def test_the_quick_check_says_what_the_validator_says(data: st.DataObject) -> None:
    changed = event(data.draw(st.sampled_from([*KINDS, "newer"])))
    for _ in range(data.draw(st.integers(0, 3))):
        *above, last = data.draw(st.sampled_from(sorted(places(changed), key=repr)))
        inner: Any = changed
        for key in above:
            inner = inner[key]
        if isinstance(inner, dict) and data.draw(st.booleans()):
            del inner[last]
        else:
            inner[last] = copy.deepcopy(data.draw(VALUES))  # one that is changed later must not hold itself
    assert fits(changed) is schemas.valid(changed, schemas.USAGE_EVENT)
    # Alone it may only be too strict: that 1.0 is the constant 1 is a fine point for the validator.
    assert not compiled(SCHEMA)(changed) or schemas.valid(changed, schemas.USAGE_EVENT)


@pytest.mark.parametrize("kind", KINDS)
def test_the_quick_check_alone_knows_what_the_product_writes(kind: str) -> None:
    assert compiled(SCHEMA)(event(kind))


@pytest.mark.parametrize("value", [None, [], "event", 1])
def test_what_is_no_object_does_not_fit(value: Any) -> None:
    assert not fits(value)


def test_a_keyword_that_the_quick_check_does_not_know_is_an_error() -> None:
    with pytest.raises(NotImplementedError, match="maxProperties"):
        compiled({"type": "object", "maxProperties": 3})
