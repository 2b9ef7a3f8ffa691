"""A report is written as `json.dumps` would write it, though its long lists are made entry by entry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_samples import SAMPLES, STOP, TEST, WHOLE, call, write_part
from tapemeter import report
from tapemeter.errors import EvidenceError
from tapemeter.events import layout
from tapemeter.report.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

texts = st.text(st.characters(codec=None)) | st.sampled_from(["\ud800", 'é\u2028"\\\n\x7f'])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=20,
)
documents = st.dictionaries(texts, values | st.lists(st.dictionaries(texts, values, max_size=3)), max_size=5)


@given(documents)
def test_the_text_is_that_of_json(document: dict[str, Any]) -> None:
    expected = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    assert report.dump(document) == expected.encode("utf-8", "backslashreplace")


@given(documents)
def test_rows_are_written_as_the_list_that_they_are(document: dict[str, Any]) -> None:
    lazy = {
        name: Rows(json.loads, [json.dumps(each) for each in value]) if isinstance(value, list) else value
        for name, value in document.items()
    }
    assert report.dump(lazy) == report.dump(document)
    assert report.plain(lazy) == document


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x"])
@pytest.mark.parametrize("within", [lambda value: value, lambda value: [value], lambda value: {"a": value}])
def test_what_json_cannot_hold_is_an_evidence_error(value: Any, within: Callable[[Any], Any]) -> None:
    with pytest.raises(EvidenceError, match="the report cannot be written"):
        report.dump({"a": within(value)})
    with pytest.raises(EvidenceError, match="the report cannot be written"):
        report.dump({"a": Rows(within, [value])})


def test_what_is_nested_too_deeply_is_an_evidence_error() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(EvidenceError, match="RecursionError"):
        report.dump({"a": deep})
    stop = {"v": 1, "run_id": "a", "at": "2026-11-21T07:44:30.123456Z", "event": "stop", **STOP, "mood": deep}
    with pytest.raises(EvidenceError, match=r"\(stop\) cannot be added up: RecursionError"):
        report.fold([stop])


def test_rows_are_made_when_they_are_looked_at() -> None:
    made: list[int] = []

    def make(number: int) -> dict[str, Any]:
        made.append(number)
        return {"number": number}

    rows = Rows(make, [1, 2, 3])
    assert (len(rows), bool(rows), made) == (3, True, [])
    assert (rows[-1], rows[:2]) == ({"number": 3}, [{"number": 1}, {"number": 2}])
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert made == [3, 1, 2, 1, 2, 3]
    assert not Rows(make, [])


def test_a_report_that_was_written_has_its_long_lists_as_rows(tmp_path: Path) -> None:
    write_part(tmp_path, [*WHOLE[:-1], ("stop", STOP), ("drift", SAMPLES["drift"]), WHOLE[-1]])
    found = report.write(tmp_path)
    lists = {name for name, value in found.items() if isinstance(value, Rows)}
    assert {"by_job", "by_test", "jobs", "steps", "stops", "drift"} <= lists
    assert [job["job"] for job in found["jobs"]] == [TEST]
    assert report.plain(found) == report.load(tmp_path / layout.REPORT)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"job": 5}, "by_job[0].job"),
        ({"gen_ai.usage.input_tokens": 1.5}, "totals.input_tokens"),
        ({"gen_ai.request.model": 7}, "by_model[0].model"),
    ],
)
def test_a_report_that_is_not_of_its_schema_is_written_and_told(
    tmp_path: Path, changes: dict[str, Any], place: str
) -> None:
    kind, fields = call()
    write_part(tmp_path, [(kind, {**fields, **changes})])
    found, faults = report.rebuild(tmp_path)
    assert place in [fault.problem.partition(":")[0] for fault in faults if fault.path.endswith(layout.REPORT)]
    assert (tmp_path / layout.REPORT).read_bytes() == report.dump(found)
    again, same = report.folded(tmp_path / layout.EVENTS)
    assert report.plain(again) == report.plain(found)
    assert same == faults
