"""What the report says of recordings that have drifted, or are too old."""

from __future__ import annotations

from typing import Any

import pytest

from evidence_samples import CALL, SAMPLES, SHA
from tapemeter import report, schemas
from tapemeter.report.terminal import lines


def events(*told: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    head = {"v": 1, "run_id": "r", "process": "main", "at": "2026-11-21T07:44:30.123456Z", "prev": SHA, "hash": SHA}
    return [{**head, "seq": number, "event": kind, **fields} for number, (kind, fields) in enumerate(told)]


def printed(found: dict[str, Any]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines(found, width=120)]


def test_a_report_lists_what_the_events_tell() -> None:
    found = report.fold(events(("call", CALL), ("drift", SAMPLES["drift"]), ("stale", SAMPLES["stale"])))
    assert found["drift"] == [{"at": "2026-11-21T07:44:30.123456Z", **SAMPLES["drift"]}]
    assert found["stale"] == [{"at": "2026-11-21T07:44:30.123456Z", **SAMPLES["stale"]}]
    assert schemas.problems(found, schemas.USAGE_REPORT) == []


def test_each_has_its_lines() -> None:
    found = report.fold(events(("drift", SAMPLES["drift"]), ("stale", SAMPLES["stale"])))
    said = printed(found)
    at = said.index("drift   1 call answered otherwise  tests/test_agent.py::test_plans")
    assert said[at + 1 : at + 3] == [
        "        model gpt-5-mini → gpt-5",
        "stale   1 recording, the oldest from 2026-01-02  tests/test_agent.py::test_plans",
    ]


@pytest.mark.parametrize(("places", "more", "words"), [(4, 0, None), (5, 0, " and 1 more"), (20, 7, " and 23 more")])
def test_of_many_places_the_first_are_shown(places: int, more: int, words: str | None) -> None:
    changes = [{"path": f"p{number}", "kind": "appeared"} for number in range(places)]
    told = {"found": "asked_otherwise", "calls": 2, "changes": changes, "more_changes": more, "cassette": "c.yaml"}
    said = printed(report.fold(events(("drift", told))))
    at = said.index("drift   2 calls asked otherwise  c.yaml")
    shown = "p0 appeared, p1 appeared, p2 appeared, p3 appeared"
    assert said[at + 1] == f"        {shown}{words or ''}"


def test_of_many_tests_the_first_are_shown_and_the_rest_counted() -> None:
    told = {"found": "not_recorded", "calls": 1, "changes": [], "test": "t"}
    said = printed(report.fold(events(*[("drift", told)] * 60, *[("stale", SAMPLES["stale"])] * 5)))
    assert said.count("drift   1 call not recorded  t") == 50
    assert "and 10 drifted tests more" in said
    assert "and 2 stale cassettes more" in said


def test_a_report_of_an_older_version_has_no_such_lines() -> None:
    found = report.fold(events(("call", CALL)))
    del found["drift"], found["stale"]
    assert not any(line.startswith(("drift", "stale")) for line in printed(found))
