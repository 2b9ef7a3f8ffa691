from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from evidence_samples import SAMPLES, call, run_folder
from tapemeter import events, trace
from tapemeter.cli import main
from tapemeter.cli.tables import table
from tapemeter.events import layout

if TYPE_CHECKING:
    from pathlib import Path

    from evidence_samples import Told

ONE, TWO = "20261120T080000.000Z-aaaaaa", "20261121T080000.000Z-bbbbbb"
EVIL = '\x1b[2J\u202e"\n,'


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.out.splitlines()]


class Command:
    """`tapemeter cost …` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Ran:
        self._capsys.readouterr()
        code = main(["cost", *map(str, arguments)])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        return Ran(code, out, err)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(capsys)


def write(root: Path, run_id: str, *calls: Told, ago: timedelta = timedelta()) -> Path:
    """Write a run that ended a while ago."""
    folder = run_folder(root, run_id)
    log = events.EventLog(folder, run_id=run_id, process="main", clock=lambda: datetime.now(UTC) - ago)
    for kind, fields in (("run", SAMPLES["run"]), *calls, ("end", SAMPLES["end"])):
        log.write(kind, fields)
    log.close()
    events.finish(folder)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The report directory that is the default: a run of ten days ago, and one of today."""
    root = tmp_path / ".tapemeter"
    live = call(test="test_a", job="a", source="live", cost_usd="0.125", cost_today_usd="0.125")
    write(root, ONE, live, ago=timedelta(days=10))
    write(
        root,
        TWO,
        call(test="test_a", job="a", cost_usd="0.25", cost_today_usd="0.5"),
        call(test="test_b", job="b", cost_usd="4", cost_today_usd="3", step=None),
    )
    return root


# Costs


def test_costs_are_told_as_a_table_dearest_first(command: Command, root: Path) -> None:
    ran = command("--by", "test")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == [
        ["calls", "in", "out", "spent", "avoided", "today", "test"],
        ["1", "300", "100", "$0.00", "$4.00", "$3.00", "test_b"],
        ["2", "600", "200", "$0.125", "$0.25", "$0.50", "test_a"],
        ["3", "900", "300", "$0.125", "$4.25", "$3.50", "all"],
        ["2", "runs", "in", ".tapemeter/trace.sqlite"],
    ]


def test_without_a_key_costs_are_told_by_day(command: Command, root: Path) -> None:
    today = datetime.now(UTC)
    days = [row["day"] for row in command("--json").json["rows"]]
    assert len(days) == 2
    assert days == sorted(days)
    assert days[0] < f"{today - timedelta(days=9):%Y-%m-%d}"


@pytest.mark.parametrize("by", trace.KEYS)
def test_each_key_is_a_column_and_adds_up_to_the_same(command: Command, root: Path, by: str) -> None:
    found = command("--by", by, "--json").json
    assert {name for row in found["rows"] for name in row} >= set(trace.KEYS[by])
    assert sum(row["calls"] for row in found["rows"]) == found["totals"]["calls"] == 3
    assert found["totals"]["avoided_usd"] == "4.25"
    assert found["by"] == by


def test_json_has_every_figure_and_money_as_text(command: Command, root: Path) -> None:
    found = command("--by", "job", "--json").json
    assert found["rows"][1] == {
        "job": "a",
        "calls": 2,
        "attempts": 2,
        "refused": 0,
        "missed": 0,
        "failed": 0,
        "errors": 0,
        "incomplete": 0,
        "input_tokens": 600,
        "output_tokens": 200,
        "cache_read_tokens": 40,
        "cache_write_tokens": 20,
        "reasoning_tokens": 100,
        "unpriced": 0,
        "spent_usd": "0.125",
        "avoided_usd": "0.25",
        "today_usd": "0.5",
        "gateway_usd": "0",
        "at_least": False,
    }
    assert (found["runs"], found["groups"], found["db"], found["problems"]) == (2, 2, ".tapemeter/trace.sqlite", [])
    assert command("--by", "job", "--format", "json").json == found


def test_csv_has_a_line_of_heads_and_one_for_each_key(command: Command, root: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(command("--by", "step", "--format", "csv").out)))
    assert [(row["job"], row["step"], row["spent_usd"], row["at_least"]) for row in rows] == [
        ("b", "", "0", "false"),
        ("a", "planner/search", "0.125", "false"),
    ]


@pytest.mark.parametrize(
    ("arguments", "calls"),
    [
        (["--since", "7d"], 2),
        (["--until", "7d"], 1),
        (["--since", "2w"], 3),
        (["--since", "2w", "--until", "24h"], 1),
        (["--since", "2001-01-01", "--until", "2001-12-31"], 0),
        (["--test", "test_a"], 2),
        (["--test", "test_*", "--job", "b"], 1),
        (["--model", "gpt-5-mini"], 3),
        (["--run", ONE], 1),
    ],
)
def test_the_calls_that_count_can_be_chosen(command: Command, root: Path, arguments: list[str], calls: int) -> None:
    ran = command("--by", "test", *arguments, "--json")
    assert (ran.code, ran.json["totals"]["calls"]) == (0, calls)


def test_json_says_what_was_chosen(command: Command, root: Path) -> None:
    found = command("--since", "2026-11-01", "--until", "2026-11-30", "--job", "a*", "--json").json
    assert (found["since"], found["until"]) == ("2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00")
    assert found["where"] == {"job": "a*"}


def test_a_limit_leaves_the_total_whole(command: Command, root: Path) -> None:
    ran = command("--by", "test", "--limit", "1")
    assert [line[-1] for line in ran.lines[1:3]] == ["test_b", "2"]
    assert ran.lines[2] == ["3", "900", "300", "$0.125", "$4.25", "$3.50", "all", "2"]


def test_a_sum_that_is_not_sure_is_marked_and_the_mark_explained(command: Command, root: Path) -> None:
    write(root, "20261122T080000.000Z-cccccc", call(test="test_c", source="live", cost_usd=None, cost_today_usd=None))
    ran = command("--by", "test")
    assert ["1", "300", "100", "$0.00+", "$0.00+", "$0.00+", "test_c"] in ran.lines
    assert "+ at least: the price or the usage of some call is not known, or not all of it\n" in ran.out
    assert "1 attempt of unknown price\n" in ran.out
    assert "at least" not in command("--by", "test", "--run", ONE).out


# Where evidence and file lie


def test_the_evidence_is_where_other_commands_look_for_it(command: Command, root: Path, tmp_path: Path) -> None:
    root.rename(tmp_path / "elsewhere")
    ran = command()
    assert (ran.code, ran.out) == (2, "")
    assert "there is no run in .tapemeter" in ran.err
    assert command("--report-dir", "elsewhere", "--json").json["db"] == "elsewhere/trace.sqlite"


def test_the_file_can_lie_elsewhere_and_is_an_ordinary_one(command: Command, root: Path, tmp_path: Path) -> None:
    assert command("--db", "mine.sqlite").code == 0
    assert not (root / trace.FILE).exists()
    with closing(sqlite3.connect(tmp_path / "mine.sqlite")) as connection:
        query = "SELECT test, spent_usd, avoided_usd FROM cost_by_test ORDER BY test"
        assert connection.execute(query).fetchall() == [("test_a", 0.125, 0.25), ("test_b", 0.0, 4.0)]


def test_rebuild_makes_the_file_anew(command: Command, root: Path) -> None:
    assert command().code == 0
    with closing(sqlite3.connect(root / trace.FILE)) as connection:
        connection.execute("UPDATE calls SET cost_units = 0")
        connection.commit()
    assert command("--rebuild", "--json").json["totals"]["avoided_usd"] == "4.25"


def test_a_file_that_is_not_ours_is_wrong_usage(command: Command, root: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine\n" * 500)
    ran = command("--db", "notes.txt", "--rebuild")
    assert (ran.code, ran.out) == (2, "")
    assert "notes.txt: this is no trace store" in ran.err


def test_a_run_that_cannot_be_read_is_told_and_the_others_count(command: Command, root: Path) -> None:
    path = run_folder(root, ONE) / layout.EVENTS
    path.write_bytes(path.read_bytes().replace(b'"attempt":0', b'"attempt":1', 1))
    ran = command("--json")
    assert (ran.code, ran.json["totals"]["calls"], ran.json["runs"]) == (1, 2, 1)
    assert f"{ONE}/{layout.EVENTS}:2: skipped: edited" in ran.err
    assert ran.json["problems"] == [ran.err.removeprefix("tapemeter: ").strip()]
    assert command("--sql", "SELECT COUNT(*) FROM runs").code == 1


# Queries


def test_a_query_is_answered_as_a_table(command: Command, root: Path) -> None:
    ran = command("--sql", "SELECT test, SUM(avoided_units) / 1e12 AS usd, task FROM calls GROUP BY test")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "test     usd  task",
        "test_a  0.25  plan a trip",
        "test_b   4.0  plan a trip",
    ]


def test_a_query_is_answered_in_json_and_csv(command: Command, root: Path) -> None:
    query = "SELECT 'a,b' AS one, NULL AS two, 1.5 AS three, x'00ff' AS one, 9e999 AS five"
    assert command("--sql", query, "--json").json == {
        "columns": ["one", "two", "three", "one", "five"],
        "rows": [["a,b", None, 1.5, "00ff", "inf"]],
        "more": False,
        "problems": [],
    }
    assert command("--sql", query, "--format", "csv").out == 'one,two,three,one,five\n"a,b",,1.5,00ff,inf\n'


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_only_so_many_rows_are_printed_and_it_is_said(command: Command, root: Path, form: str) -> None:
    ran = command("--sql", "SELECT number FROM calls", "--limit", "2", "--format", form)
    assert ran.code == 0
    if form == "json":
        assert (len(ran.json["rows"]), ran.json["more"]) == (2, True)
    else:
        assert len(ran.out.splitlines()) == 3
        assert "only the first 2 rows; ask for more with --limit" in ran.err


def test_a_query_without_rows_has_its_heads(command: Command, root: Path) -> None:
    assert command("--sql", "SELECT test, job FROM calls WHERE 0").out == "test  job\n"


def test_a_query_that_would_write_is_refused(command: Command, root: Path) -> None:
    ran = command("--sql", "DELETE FROM calls")
    assert (ran.code, ran.out) == (2, "")
    assert "the query cannot be answered: not authorized" in ran.err
    assert command("--json").json["totals"]["calls"] == 3


# What events tell has no power


@pytest.mark.parametrize(
    "arguments", [["--by", "test"], ["--by", "test", "--format", "csv"], ["--sql", "SELECT test FROM calls"]]
)
def test_names_have_no_power_over_the_terminal(command: Command, root: Path, arguments: list[str]) -> None:
    write(root, "20261122T080000.000Z-cccccc", call(test=EVIL))
    ran = command(*arguments)
    assert ran.code == 0
    assert "\\x1b[2J\\u202e" in ran.out
    assert all(char.isprintable() or char == "\n" for char in ran.out)


def test_names_have_no_power_over_a_spreadsheet(command: Command, root: Path) -> None:
    write(root, "20261122T080000.000Z-cccccc", call(test="=HYPERLINK(1)"))
    assert "'=HYPERLINK(1),1,1" in command("--by", "test", "--format", "csv").out


def test_a_long_name_is_cut_in_a_table_and_whole_in_json(command: Command, root: Path) -> None:
    name = "test_" + "x" * 10_000
    write(root, "20261122T080000.000Z-cccccc", call(test=name))
    assert max(map(len, command("--by", "test").out.splitlines())) < 300
    assert name in {row["test"] for row in command("--by", "test", "--json").json["rows"]}


def test_a_table_of_no_rows_is_its_heads() -> None:
    assert table(["a", "longer"], [], right=[True, False]) == "a  longer"


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "colour"], "colour"),
        (["--since", "yesterday"], "'yesterday' is no time; expected one such as"),
        (["--limit", "0"], "expected a number from 1 to 1,000,000"),
        (["--limit", "1" * 5000], "expected a number from 1 to 1,000,000"),
        (["--format", "xml"], "xml"),
        (["--by", "test", "--sql", "SELECT 1"], "not allowed with"),
        (["--sql", "SELECT 1", "--since", "7d"], "--sql does not go with --since"),
        (["--sql", "SELECT 1", "--test", "a"], "--sql does not go with --test"),
        (["--sql", "SELECT 1;SELECT 2"], "one statement"),
    ],
)
def test_wrong_usage_says_what_is_wrong(command: Command, root: Path, arguments: list[str], said: str) -> None:
    ran = command(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_it_explains_itself(command: Command) -> None:
    ran = command("--help")
    assert ran.code == 0
    said = ("--json", "--report-dir", "Exit code: 0", "test,job,task,step,run,day,model,alias,group", "2026-11-01")
    assert [word for word in said if word not in ran.out] == []
