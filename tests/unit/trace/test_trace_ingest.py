from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from trace_maker import END, ONE, RUN, THREE, TWO, ingest, other_file, rebuilt, rows, whole_run

from evidence_samples import CALL, RUN_ID, SAMPLES, STOP, Clock, call, edit, run_folder, write_part
from tapemeter import events, trace
from tapemeter.errors import EvidenceError, UsageError
from tapemeter.events import layout
from tapemeter.events.line import GENESIS, seal
from tapemeter.trace import store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NEW_FIELDS = (
    *("alias", "task", "is_fallback", "fallback_reason", "cost_unavailable", "model_name", "provider"),
    *("response_text", "response_truncated", "response_artifact"),
)


def calls(root: Path) -> list[dict[str, Any]]:
    return rows(root / trace.FILE)["calls"]


def run_ids(root: Path) -> list[str]:
    return [run["run_id"] for run in rows(root / trace.FILE)["runs"]]


def problems(state: trace.Ingested) -> list[str]:
    return [str(finding) for finding in state.findings]


# Rows


def test_a_call_has_a_row_with_all_that_its_event_tells(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE, [("call", CALL)])
    assert ingest(tmp_path).findings == ()
    [row] = calls(tmp_path)
    places = {"run_id": ONE, "process": "main", "number": 1, "at": "2026-11-21T07:44:31.000000Z", "day": "2026-11-21"}
    assert row == {
        **places,
        **{name: CALL[name] for name in ("call_id", "attempt", "job", "step", "test", "task", "alias", "model_name")},
        **{name: CALL[name] for name in ("provider", "cassette", "source", "outcome", "fallback_reason", "quality")},
        **{name: CALL[name] for name in ("cost_quality", "cost_source", "cost_version", "prompt_chars", "tool_calls")},
        **{name: CALL[name] for name in ("response_chars", "request_digest", "response_digest", "response_artifact")},
        "model": "gpt-5-mini",
        "model_group": "fallback",
        "protocol": "openai",
        "operation": "chat",
        "server": "api.openai.com",
        "sent": 1,
        "error_type": None,
        "status": 200,
        "is_fallback": 1,
        "cost_units": 275_000_000,
        "cost_today_units": 300_000_000,
        "gateway_units": None,
        "spent_units": 0,
        "avoided_units": 275_000_000,
        "today_units": 300_000_000,
        "unpriced": 0,
        "unsure": 0,
        "cost_unavailable": 0,
        "input_tokens": 300,
        "output_tokens": 100,
        "cache_read_tokens": 20,
        "cache_write_tokens": 10,
        "reasoning_tokens": 50,
        "duration_us": 1_500_000,
        "first_chunk_us": 250_000,
    }


def test_what_an_older_event_does_not_tell_is_null(tmp_path: Path) -> None:
    old = {name: value for name, value in CALL.items() if name not in NEW_FIELDS}
    whole_run(tmp_path, ONE, [("call", old)])
    assert ingest(tmp_path).findings == ()
    [row] = calls(tmp_path)
    assert {row[name] for name in NEW_FIELDS if name in row} == {None}
    assert row["cost_units"] == 275_000_000


def test_an_event_needs_no_more_than_its_schema_asks_for(tmp_path: Path) -> None:
    least = {name: CALL[name] for name in ("call_id", "attempt", "job", "source", "outcome")}
    whole_run(tmp_path, ONE, [("call", least)])
    assert ingest(tmp_path).findings == ()
    [row] = calls(tmp_path)
    assert (row["quality"], row["unsure"], row["avoided_units"], row["model"]) == ("unknown", 1, 0, None)


def test_a_run_a_stop_and_a_job_have_their_rows(tmp_path: Path) -> None:
    money = {**STOP, "dimension": "cost_usd", "limit": "0.25", "used": "0.2500000000001", "asked": None}
    seconds = {**STOP, "dimension": "wall_seconds", "limit": 1.5, "used": 2}
    whole_run(tmp_path, ONE, [("stop", STOP), ("stop", money), ("stop", seconds), ("job", SAMPLES["job"])])
    ingest(tmp_path)
    found = rows(tmp_path / trace.FILE)
    [run] = found["runs"]
    assert run == {
        "run_id": ONE,
        "source": ONE,
        "joined": 0,
        "started": "2026-11-21T07:44:30.000000Z",
        "ended": "2026-11-21T07:44:35.000000Z",
        "finished": 1,
        "mode": "replay",
        "exit_reason": None,
        "wall_us": 2_750_000,
        "guard": "python",
        "events": 6,
        "versions": json.dumps(SAMPLES["run"]["versions"], sort_keys=True),
    }
    amounts = [(stop["limit_units"], stop["used_units"], stop["asked_units"]) for stop in found["stops"]]
    assert amounts == [(3, 3, 1), (250_000_000_000, 250_000_000_001, None), (1_500_000, 2_000_000, 1_000_000)]
    assert (found["stops"][0]["limit_source"], found["stops"][0]["sentence"]) == (STOP["source"], STOP["sentence"])
    assert [(job["job"], job["state"], job["wall_us"]) for job in found["jobs"]] == [
        (SAMPLES["job"]["job"], "COMPLETED", 2_500_000)
    ]


def test_a_call_that_a_budget_sent_elsewhere_has_a_row_for_that(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE, [("route", SAMPLES["route"])])
    ingest(tmp_path)
    [route] = rows(tmp_path / trace.FILE)["routes"]
    assert (route["from_group"], route["to_group"], route["alias"]) == ("main", "cheap", "planner")
    assert (route["limit_units"], route["used_units"]) == (250_000_000_000, 210_000_000_000)
    assert (route["reason"], route["rule_source"]) == (SAMPLES["route"]["reason"], SAMPLES["route"]["source"])


def test_a_gateway_is_asked_for_groups(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE, [call(provider="gateway", group=None, gen_ai__request__model="cheap"), call(group="main")])
    ingest(tmp_path)
    assert [row["model_group"] for row in calls(tmp_path)] == ["cheap", "main"]


def test_what_64_bits_do_not_hold_counts_as_unknown(tmp_path: Path) -> None:
    absurd = {"gen_ai.usage.input_tokens": 10**40, "duration_seconds": 1e300, "cost_usd": "9" * 20}
    whole_run(tmp_path, ONE, [("call", {**CALL, **absurd, "gateway_cost_usd": "999999999"})])
    assert ingest(tmp_path).findings == ()
    [row] = calls(tmp_path)
    names = ("cost_units", "gateway_units", "input_tokens", "duration_us", "unsure", "unpriced")
    assert [row[name] for name in names] == [None, None, None, None, 1, 1]


def test_text_that_is_no_text_is_escaped(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE, [call(test="a\udc80b", task="nul\x00 and 'quotes\"")])
    assert ingest(tmp_path).findings == ()
    [row] = calls(tmp_path)
    assert (row["test"], row["task"]) == ("a\\udc80b", "nul\x00 and 'quotes\"")


# What is read


def test_only_what_has_changed_is_read_again(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE)
    assert ingest(tmp_path).read == (ONE,)
    whole_run(tmp_path, TWO)
    state = ingest(tmp_path)
    assert (state.read, state.runs) == ((TWO,), 2)
    assert ingest(tmp_path).read == ()


def test_what_changed_just_now_is_read_again_since_a_further_change_might_not_show(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE)
    assert trace.ingest(tmp_path).read == trace.ingest(tmp_path).read == (ONE,)
    assert len(calls(tmp_path)) == 1


def test_a_run_that_was_pruned_takes_its_rows_with_it(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE)
    folder = whole_run(tmp_path, TWO)
    ingest(tmp_path)
    (folder / layout.EVENTS).unlink()
    folder.rmdir()
    assert ingest(tmp_path).runs == 1
    assert run_ids(tmp_path) == [ONE]
    assert {row["run_id"] for row in calls(tmp_path)} == {ONE}


def test_a_run_is_read_while_it_goes_on_and_is_the_same_when_it_has_ended(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    log = events.EventLog(folder, run_id=RUN_ID, process="gw0", clock=Clock())
    write_part(folder, [RUN, call(call_id="b#1"), END])
    for kind, fields in (RUN, call(call_id="a#1")):
        log.write(kind, fields)
    ingest(tmp_path)
    before = rows(tmp_path / trace.FILE)
    assert [(row["process"], row["call_id"]) for row in before["calls"]] == [("gw0", "a#1"), ("main", "b#1")]

    log.write(*call(call_id="a#2"))
    log.close()
    ingest(tmp_path)
    going_on = rows(tmp_path / trace.FILE)
    assert len(going_on["calls"]) == 3
    events.finish(folder)
    assert ingest(tmp_path).read == (RUN_ID,)
    assert rows(tmp_path / trace.FILE) == going_on


def test_a_last_line_that_is_torn_does_not_count(tmp_path: Path) -> None:
    part = write_part(run_folder(tmp_path), [RUN, call(call_id="a#1"), call(call_id="a#2")])
    part.write_bytes(part.read_bytes()[:-9])
    state = ingest(tmp_path)
    assert (state.findings, [row["call_id"] for row in calls(tmp_path)]) == ((), ["a#1"])
    [run] = rows(tmp_path / trace.FILE)["runs"]
    assert (run["finished"], run["wall_us"]) == (0, None)


def test_a_process_that_left_no_whole_line_leaves_a_run_without_times(tmp_path: Path) -> None:
    part = write_part(run_folder(tmp_path), [RUN])
    part.write_bytes(part.read_bytes()[:-9])
    events.finish(run_folder(tmp_path))
    assert ingest(tmp_path).findings == ()
    [run] = rows(tmp_path / trace.FILE)["runs"]
    assert (run["started"], run["ended"], run["events"]) == (None, None, 1)


def test_what_a_crash_left_after_a_merge_counts_once(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    part = write_part(folder, [RUN, call(call_id="a#1")], process="gw0")
    write_part(folder, [RUN, call(call_id="b#1"), END])
    left = part.read_bytes()
    events.finish(folder)
    part.write_bytes(left)
    assert ingest(tmp_path).findings == ()
    assert [row["call_id"] for row in calls(tmp_path)] == ["a#1", "b#1"]


@pytest.mark.parametrize("name", ["", "ledger.sqlite"])
def test_a_folder_without_events_is_no_run(tmp_path: Path, name: str) -> None:
    folder = run_folder(tmp_path, TWO)
    folder.mkdir(parents=True)
    if name:
        (folder / name).touch()
    state = ingest(tmp_path)
    assert (state.runs, state.read, state.findings) == (0, (), ())
    assert ingest(tmp_path / "nowhere", path=tmp_path / "empty.sqlite").runs == 0


# What is wrong


def tamper(folder: Path) -> bytes:
    path = folder / layout.EVENTS
    before = path.read_bytes()
    path.write_bytes(before.replace(b'"attempt":0', b'"attempt":1', 1))
    return before


def test_a_broken_run_is_told_and_left_out(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE)
    folder = whole_run(tmp_path, TWO)
    ingest(tmp_path)
    before = tamper(folder)
    state = ingest(tmp_path)
    path = folder / layout.EVENTS
    assert problems(state) == [f"{path}:2: skipped: edited: the line is not what its hash was made of"]
    assert run_ids(tmp_path) == [ONE]

    again = ingest(tmp_path)
    assert (again.read, again.findings) == ((), state.findings)
    path.write_bytes(before)
    assert ingest(tmp_path).findings == ()
    assert run_ids(tmp_path) == [ONE, TWO]


def test_a_broken_run_leaves_none_of_its_rows(tmp_path: Path) -> None:
    folder = whole_run(tmp_path, ONE, [call(call_id=f"a#{number}") for number in range(1200)])
    path = folder / layout.EVENTS
    edit(path, 1202, b"{}\n")
    assert problems(ingest(tmp_path)) == [
        f"{path}:1202: skipped: broken: the line is no event; it was edited or damaged"
    ]
    assert [table for table, found in rows(tmp_path / trace.FILE).items() if found] == ["sources"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"attempt": -1}, "attempt"), ({"source": "elsewhere"}, "source"), ({"cost_usd": "1e5"}, "cost_usd")],
)
def test_an_event_that_is_not_as_its_schema_says_breaks_its_run(
    tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    whole_run(tmp_path, ONE, [call(**fields)])
    [problem] = problems(ingest(tmp_path))
    assert f"{layout.EVENTS}:2: skipped: {said}" in problem


def rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Have a file hold other events, in a chain that holds."""
    prev, lines = GENESIS, []
    for event in map(json.loads, path.read_bytes().splitlines()):
        del event["hash"]
        sealed, prev = seal({**change(event), "prev": prev})
        lines.append(sealed)
    path.write_bytes(b"".join(lines))


def test_two_events_of_the_same_number_break_their_run(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE, [call(), call()])
    path = run_folder(tmp_path, ONE) / layout.EVENTS
    rewrite(path, lambda event: {**event, "process_seq": 0})
    [problem] = problems(ingest(tmp_path))
    assert "the same number" in problem


def test_files_of_different_runs_in_one_folder_are_told(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, ONE)
    write_part(folder, [RUN], run_id=ONE, process="gw0")
    write_part(folder, [RUN], run_id=TWO, process="gw1")
    [problem] = problems(ingest(tmp_path))
    assert f"gw1.jsonl:1: skipped: the line is of process gw1 of run {TWO}" in problem


def test_a_folder_whose_name_is_no_text_is_told(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE)
    for name in (b"esc\x1b[2J", b"bytes\xff"):
        folder = os.fsencode(tmp_path / "runs") + b"/" + name
        try:
            os.mkdir(folder)  # noqa: PTH102 - a path of bytes
        except OSError:
            pytest.skip("this file system has no such names")
    told = problems(ingest(tmp_path))
    assert len(told) == 2
    assert all(text.isprintable() and "no printable text" in text for text in told)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    folder = whole_run(tmp_path, ONE)
    folder.chmod(0)
    try:
        [problem] = problems(ingest(tmp_path))
    finally:
        folder.chmod(0o755)
    assert "Permission denied" in problem


# Runs that are told of twice


def joined(root: Path, *run_ids: str, target: Path | None = None) -> Path:
    """Join runs as `tapemeter report merge` does."""
    sources = [events.Source.of(run_folder(root, run_id) / layout.EVENTS) for run_id in run_ids]
    return events.join(sources, target or root)


def prune(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_a_joined_run_is_told_as_the_runs_that_it_was_joined_from(tmp_path: Path) -> None:
    for run_id in (ONE, TWO):
        whole_run(tmp_path, run_id)
    ingest(tmp_path)
    joined(tmp_path, ONE, TWO, target=tmp_path / "all")
    ingest(tmp_path / "all")
    apart, together = rows(tmp_path / trace.FILE), rows(tmp_path / "all" / trace.FILE)
    assert together["calls"] == apart["calls"]
    assert [(run["run_id"], run["joined"]) for run in together["runs"]] == [(ONE, 1), (TWO, 1)]


def test_a_run_that_is_also_part_of_joined_ones_counts_once(tmp_path: Path) -> None:
    for run_id in (ONE, TWO, THREE):
        whole_run(tmp_path, run_id)
    twice = joined(tmp_path, joined(tmp_path, ONE, TWO).name, THREE)
    ingest(tmp_path)
    assert [(run["run_id"], run["source"]) for run in rows(tmp_path / trace.FILE)["runs"]] == [
        (run_id, run_id) for run_id in (ONE, TWO, THREE)
    ]
    for run_id in (ONE, THREE):
        prune(run_folder(tmp_path, run_id))
    ingest(tmp_path)
    sources = {run["run_id"]: run["source"] for run in rows(tmp_path / trace.FILE)["runs"]}
    assert (sources[TWO], sources[THREE]) == (TWO, twice.name)
    assert len(calls(tmp_path)) == 3
    assert rows(tmp_path / trace.FILE) == rebuilt(tmp_path, tmp_path / "again.sqlite")


def test_a_copy_of_a_run_counts_once(tmp_path: Path) -> None:
    folder = whole_run(tmp_path, TWO)
    copy = run_folder(tmp_path, "a copy")
    copy.mkdir()
    (copy / layout.EVENTS).write_bytes((folder / layout.EVENTS).read_bytes())
    ingest(tmp_path)
    assert len(calls(tmp_path)) == 1
    tamper(folder)
    ingest(tmp_path)
    assert [run["source"] for run in rows(tmp_path / trace.FILE)["runs"]] == ["a copy"]


def test_a_copy_of_a_run_is_a_better_source_than_a_joined_one(tmp_path: Path) -> None:
    for run_id in (ONE, TWO):
        whole_run(tmp_path, run_id)
    joined(tmp_path, ONE, TWO)
    copy = run_folder(tmp_path, "zz")
    run_folder(tmp_path, ONE).rename(copy)
    ingest(tmp_path)
    assert {run["run_id"]: run["source"] for run in rows(tmp_path / trace.FILE)["runs"]} == {ONE: "zz", TWO: TWO}


def test_a_run_cannot_pass_its_calls_off_as_those_of_another(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE, [call()])
    path = run_folder(tmp_path, ONE) / layout.EVENTS
    rewrite(path, lambda event: {**event, "process": f"main@{TWO}"})
    assert ingest(tmp_path).findings == ()
    assert [(row["run_id"], row["process"]) for row in calls(tmp_path)] == [(ONE, f"main@{TWO}")]


# The file


def test_a_store_that_was_deleted_is_made_anew_with_the_same_rows(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE)
    tamper(whole_run(tmp_path, TWO))
    ingest(tmp_path)
    before = rows(tmp_path / trace.FILE)
    (tmp_path / trace.FILE).unlink()
    ingest(tmp_path)
    assert rows(tmp_path / trace.FILE) == before


def test_rebuild_reads_all_again(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE)
    ingest(tmp_path)
    with store.writing(tmp_path / trace.FILE) as connection:
        connection.execute("UPDATE calls SET cost_units = 0")
    assert ingest(tmp_path).read == ()
    assert ingest(tmp_path, rebuild=True).read == (ONE,)
    assert calls(tmp_path)[0]["cost_units"] == 275_000_000


def test_a_store_of_an_older_version_is_made_anew(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE)
    ingest(tmp_path)
    with store.writing(tmp_path / trace.FILE) as connection:
        connection.execute("DROP TABLE calls")
        connection.execute("PRAGMA user_version = 0")
    assert ingest(tmp_path).read == (ONE,)
    assert len(calls(tmp_path)) == 1


def test_a_store_of_a_newer_version_is_left_alone_unless_asked(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE)
    ingest(tmp_path)
    path = tmp_path / trace.FILE
    with store.writing(path) as connection:
        connection.execute(f"PRAGMA user_version = {trace.VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(EvidenceError, match="made by a newer tapemeter"):
        ingest(tmp_path)
    assert path.read_bytes() == before
    assert ingest(tmp_path, rebuild=True).runs == 1


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path: Path, rebuild: bool) -> None:
    whole_run(tmp_path, ONE)
    text = tmp_path / "notes.txt"
    text.write_text("mine, and long enough to be no empty file\n" * 100)
    for path in (other_file(tmp_path / "other.sqlite"), text):
        before = path.read_bytes()
        with pytest.raises(UsageError, match=f"{path.name}: this is no trace store"):
            ingest(tmp_path, path=path, rebuild=rebuild)
        assert path.read_bytes() == before


def test_a_store_that_is_damaged_says_what_to_do(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE, [call(call_id=f"a#{number}") for number in range(500)])
    ingest(tmp_path)
    path = tmp_path / trace.FILE
    data = bytearray(path.read_bytes())
    data[100:2000] = b"\xff" * 1900
    path.write_bytes(data)
    with pytest.raises(EvidenceError, match="delete it, and it is made anew"):
        ingest(tmp_path)


def test_a_store_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE)
    with pytest.raises(EvidenceError, match="name a --db in a folder that can be written"):
        ingest(tmp_path, path=tmp_path / "nowhere" / "trace.sqlite")


def test_what_is_interrupted_changes_nothing(tmp_path: Path) -> None:
    whole_run(tmp_path, ONE)
    ingest(tmp_path)
    before = rows(tmp_path / trace.FILE)

    def interrupted() -> int:
        raise KeyboardInterrupt

    whole_run(tmp_path, TWO)
    with pytest.raises(KeyboardInterrupt):
        trace.ingest(tmp_path, rebuild=True, clock=interrupted)
    assert rows(tmp_path / trace.FILE) == before


AT_ONCE = """
import sys
from pathlib import Path
from tapemeter import trace
sys.stdin.readline()
for _ in range(5):
    trace.ingest(Path(sys.argv[1]), rebuild=sys.argv[2] == "rebuild")
"""


def test_processes_may_bring_it_up_to_date_at_once(tmp_path: Path) -> None:
    for run_id in (ONE, TWO, THREE):
        whole_run(tmp_path, run_id, [call(call_id=f"a#{number}") for number in range(50)])
    command = [sys.executable, "-W", "error", "-c", AT_ONCE, str(tmp_path)]
    started = [
        subprocess.Popen([*command, how], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for how in ("update", "rebuild", "update")
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=60)[1] for process in started]
    assert told == ["", "", ""]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert rows(tmp_path / trace.FILE) == rebuilt(tmp_path, tmp_path / "again.sqlite")
    assert len(calls(tmp_path)) == 150
