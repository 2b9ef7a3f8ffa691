from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from trace_maker import ONE, ingest, whole_run

from evidence_samples import call
from tapemeter import schemas, trace
from tapemeter.trace.schema import APPLICATION, EVENTS, TABLES, Column, Kind

if TYPE_CHECKING:
    from pathlib import Path

FITTING = {
    Kind.TEXT: {"string"},
    Kind.COUNT: {"integer"},
    Kind.MONEY: {"string"},
    Kind.TIME: {"number"},
    Kind.FLAG: {"boolean"},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    whole_run(tmp_path, ONE, [call()] * 3)
    return ingest(tmp_path).path


def types(kind: str, field: str) -> set[str]:
    """The types that the schema of events allows for a field, null aside."""
    schema: Any = schemas.schema(schemas.USAGE_EVENT)
    described = {**schema["properties"], **schema["$defs"][kind]["properties"]}[field]
    if "$ref" in described:
        return {"amount"}
    if "type" not in described:
        return {"string" for value in described["enum"] if value is not None}
    given = described["type"]
    return set([given] if isinstance(given, str) else given) - {"null"}


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        pytest.param(kind, column, id=column.name)
        for kind, table in EVENTS.items()
        for column in table.stored
        if column.field
    ],
)
def test_each_column_fits_the_field_that_it_has(kind: str, column: Column) -> None:
    assert types(kind, column.field) == FITTING.get(column.kind, {"amount"})


def test_what_an_event_requires_a_row_requires() -> None:
    schema: Any = schemas.schema(schemas.USAGE_EVENT)
    for kind, table in EVENTS.items():
        needed = set(schema["$defs"][kind]["required"])
        wanted = {column.field for column in table.stored if column.field and column.kind is not Kind.AMOUNT}
        assert {column.field for column in table.stored if column.required and column.field} - {"at"} == needed & wanted


def test_the_file_says_what_it_is(path: Path) -> None:
    header = path.read_bytes()[:100]
    assert int.from_bytes(header[60:64], "big") == trace.VERSION
    assert int.from_bytes(header[68:72], "big") == APPLICATION


def test_the_file_has_the_tables_and_columns_that_are_described(path: Path) -> None:
    found = dict(trace.ask(path, "SELECT name, sql FROM sqlite_schema WHERE type = 'table'").rows)
    assert found == {table.name: table.create()[0] for table in TABLES}


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("at >= '2026' ORDER BY at", "calls_by_at"),
        ("job = 'a' ORDER BY at", "calls_by_job"),
        ("test = 'a' AND at >= '2026'", "calls_by_test"),
        ("task = 'a' ORDER BY at", "calls_by_task"),
        ("outcome = 'refused' ORDER BY at", "calls_by_outcome"),
        ("error_type = 'rate_limit'", "calls_by_error_type"),
        ("cost_units > 5", "calls_by_cost_units"),
        ("(at, run_id, process, number) < ('2026', '', '', 0) ORDER BY at DESC, run_id DESC", "calls_by_at"),
        ("run_id = 'a' AND process = 'main' AND number > 3", "PRIMARY KEY"),
    ],
)
def test_what_a_page_of_calls_asks_for_has_an_index(path: Path, condition: str, index: str) -> None:
    from tapemeter.trace import store  # noqa: PLC0415 - the query of its plan is not for everybody

    with store.reading(path) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM calls WHERE {condition} LIMIT 50").fetchall()
    assert [row[3] for row in plan if index in row[3]], plan
    assert [row[3] for row in plan if "TEMP B-TREE" in row[3]] == []
