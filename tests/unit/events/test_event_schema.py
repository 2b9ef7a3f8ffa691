from __future__ import annotations

import copy
from typing import Any

import pytest

from evidence_samples import SAMPLES, SHA
from tapemeter import schemas
from tapemeter.events import KINDS

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


def fits(value: Any) -> bool:
    return schemas.fits(value, schemas.USAGE_EVENT)


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
