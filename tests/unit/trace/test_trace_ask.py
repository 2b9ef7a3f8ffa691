from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trace_maker import ONE, ingest, other_file, whole_run

from evidence_samples import call
from tapemeter import trace
from tapemeter.errors import EvidenceError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

FOREVER = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT {} FROM n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    whole_run(tmp_path, ONE, [call(call_id=f"a#{number}") for number in range(5)])
    return ingest(tmp_path, path=tmp_path / "a #%41?.sqlite").path


def test_a_select_gives_columns_and_rows(path: Path) -> None:
    answer = trace.ask(path, "SELECT call_id AS id, SUM(avoided_units) FROM calls GROUP BY 1 ORDER BY 1 LIMIT 1")
    assert answer == trace.Answer(("id", "SUM(avoided_units)"), (("a#0", 275_000_000),), more=False)


@pytest.mark.parametrize(
    "query",
    [
        "WITH one AS (SELECT 1 AS a) SELECT a FROM one -- and a comment",
        "SELECT name FROM sqlite_schema WHERE type = 'view' ;",
        "VALUES (1)",
        "SELECT calls, upper(test), json_extract(versions, '$.python') FROM cost_by_test, runs",
    ],
)
def test_whatever_only_reads_may_be_asked(path: Path, query: str) -> None:
    assert trace.ask(path, query).rows


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM calls",
        "UPDATE calls SET cost_units = 0",
        "INSERT INTO runs SELECT * FROM runs",
        "DROP TABLE calls",
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a)",
        "ATTACH DATABASE '{other}' AS other",
        "ATTACH DATABASE 'new.sqlite' AS other",
        "VACUUM INTO 'copy.sqlite'",
        "PRAGMA user_version = 9",
        "PRAGMA journal_mode = WAL",
        "SELECT * FROM pragma_database_list",
        "SELECT load_extension('x')",
        "BEGIN",
        "SELECT 1; DELETE FROM calls",
        "REINDEX",
    ],
)
def test_whatever_else_is_refused_and_changes_nothing(path: Path, tmp_path: Path, query: str) -> None:
    other = other_file(tmp_path / "other.sqlite")
    before = {each: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()}
    with pytest.raises(UsageError, match="the query cannot be answered"):
        trace.ask(path, query.format(other=other))
    assert {each: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()} == before


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("SELECT wrong FROM calls", "no such column: wrong"),
        ("", "asks for nothing"),
        ("-- only a comment", "asks for nothing"),
        ("SELECT '\x00'", "null character"),
        ("SELECT " + "1," * 60_000 + "1", "too"),
        ("SELECT zeroblob(1000000000)", "too big"),
        ("SELECT \udc80", "surrogates"),
    ],
)
def test_what_is_no_query_says_why(path: Path, query: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        trace.ask(path, query)


@pytest.mark.parametrize("what", ["count(*)", "x"])
def test_a_query_without_end_is_stopped(path: Path, what: str) -> None:
    with pytest.raises(UsageError, match="takes more than 100,000 steps; ask for less"):
        trace.ask(path, FOREVER.format(what), steps=100_000, limit=10**9)


def test_only_so_many_rows_are_taken(path: Path) -> None:
    answer = trace.ask(path, FOREVER.format("x"), limit=3)
    assert (answer.rows, answer.more) == (((1,), (2,), (3,)), True)
    assert trace.ask(path, "SELECT 1 FROM calls", limit=5).more is False


def test_another_file_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no trace store"):
        trace.ask(other_file(tmp_path / "other.sqlite"), "SELECT name FROM mine")
    with pytest.raises(EvidenceError, match=r"nowhere\.sqlite: the trace store cannot be used"):
        trace.ask(tmp_path / "nowhere.sqlite", "SELECT 1")
    assert not (tmp_path / "nowhere.sqlite").exists()
