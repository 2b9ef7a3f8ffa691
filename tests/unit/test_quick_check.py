"""The quick check of documents says what the validator says, of events and of reports."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_samples import SAMPLES, SHA
from tapemeter import report, schemas
from tapemeter.events import KINDS
from tapemeter.schemas.fit import Checks

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAME = {"v": 1, "process": "main", "at": "2026-11-21T07:44:30.123456Z", "prev": SHA, "hash": SHA}
VALUES = st.sampled_from(
    [None, True, False, -1, 0, 1, 1.0, 1.5, -0.5, float("inf"), float("nan"), "", "0.25", "ok", SHA, [], [1], ["a"], {}]
)


def event(kind: str, seq: int = 0) -> dict[str, Any]:
    fields = copy.deepcopy(SAMPLES.get(kind, {}))
    return {**FRAME, "run_id": "20261121T074430.123Z-3f9c2a", "seq": seq, "event": kind, **fields}


def whole_report() -> dict[str, Any]:
    kinds = ["run", "call", "step", "job", "stop", "warning", "route", "drift", "stale", "end"]
    return report.fold(event(kind, seq) for seq, kind in enumerate(kinds))


DOCUMENTS = {
    **{kind: (event(kind), schemas.USAGE_EVENT) for kind in [*KINDS, "newer"]},
    "report": (whole_report(), schemas.USAGE_REPORT),
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document at which something can be changed."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


def fits_in_parts(document: dict[str, Any], name: str) -> bool:
    """Whether each entry of its lists fits, and what is left without them, as a report is checked."""
    known = schemas.schema(name)["properties"]
    lists = {key: value for key, value in document.items() if isinstance(value, list) and "items" in known.get(key, {})}
    entries = [schemas.entry_check(name, key)(each) for key, value in lists.items() for each in value]
    return all(entries) and schemas.fits({**document, **{key: [] for key in lists}}, name)


@given(st.data())
def test_it_says_what_the_validator_says(data: st.DataObject) -> None:
    document, name = DOCUMENTS[data.draw(st.sampled_from(sorted(DOCUMENTS)))]
    changed = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(0, 3))):
        *above, last = data.draw(st.sampled_from(sorted(places(changed), key=repr)))
        inner: Any = changed
        for key in above:
            inner = inner[key]
        if isinstance(inner, dict) and data.draw(st.booleans()):
            del inner[last]
        else:
            inner[last] = copy.deepcopy(data.draw(VALUES))  # one that is changed later must not hold itself
    assert schemas.fits(changed, name) is schemas.valid(changed, name)
    assert not fits_in_parts(changed, name) or schemas.valid(changed, name)
    # Alone it may only be too strict: that 1.0 is the constant 1 is a fine point for the validator.
    assert not Checks(schemas.schema(name)).whole(changed) or schemas.valid(changed, name)


@pytest.mark.parametrize("what", sorted(DOCUMENTS.keys() - {"newer"}))
def test_alone_it_knows_what_the_product_writes(what: str) -> None:
    document, name = DOCUMENTS[what]
    assert Checks(schemas.schema(name)).whole(document)
    assert fits_in_parts(document, name)


@pytest.mark.parametrize("name", [schemas.USAGE_EVENT, schemas.USAGE_REPORT])
@pytest.mark.parametrize("value", [None, [], "event", 1])
def test_what_is_no_object_does_not_fit(value: Any, name: str) -> None:
    assert not schemas.fits(value, name)


@pytest.mark.parametrize("keyword", ["maxProperties", "anyOf"])
def test_a_keyword_that_it_does_not_know_is_an_error(keyword: str) -> None:
    with pytest.raises(NotImplementedError, match=keyword):
        Checks({"type": "object", keyword: []})


def test_what_is_referred_to_is_only_read_where_there_is_a_value() -> None:
    check = Checks({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"maxLength": 5}}}).whole
    assert check({})
    with pytest.raises(NotImplementedError, match="maxLength"):
        check({"a": "x"})


def test_all_of_several_have_to_fit() -> None:
    check = Checks({"allOf": [{"type": "integer"}, {"minimum": 2}]}).whole
    assert [check(value) for value in (1, 2, "2")] == [False, True, False]
