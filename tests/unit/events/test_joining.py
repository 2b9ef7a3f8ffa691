from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from evidence_maker import BEGIN, END_EVENT, RUN_EVENT, Ticking, call, job, lines, whole, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tapemeter import events, report, schemas
from tapemeter.errors import EvidenceError
from tapemeter.events import EventLog, Source, layout

if TYPE_CHECKING:
    from pathlib import Path

SLOW = settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
_numbers = iter(range(10**9))

CALLS = st.lists(
    st.builds(
        call,
        st.sampled_from(["one", "two"]),
        outcome=st.sampled_from(["ok", "error", "refused", "missed", "failed", "cut"]),
        source=st.sampled_from(["replay", "record", "live"]),
        quality=st.sampled_from(["measured", "estimated", "partial", "unknown"]),
        cost_usd=st.none() | st.decimals(0, 9, places=6).map(str),
        duration_seconds=st.none() | st.floats(0, 99),
        **{"gen_ai.usage.input_tokens": st.integers(0, 10**6)},
    ),
    max_size=12,
)


def fresh(tmp_path: Path) -> Path:
    return tmp_path / str(next(_numbers))


def split(folder: Path, made: list[dict[str, Any]], owners: list[int], processes: int) -> None:
    """Write calls, each by the process that owns it, at times of one clock."""
    clock = Ticking()
    logs = [EventLog(folder, run_id="a-run", process=f"gw{number}", clock=clock) for number in range(processes)]
    for fields, owner in zip(made, owners, strict=False):
        logs[owner].write("call", fields)
    for log in logs:
        log.close()
    write(folder, [job("one"), job("two"), ("end", END_EVENT)], run_id="a-run", clock=clock)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def told(folder: Path) -> dict[str, Any]:
    """The report of a folder, without what depends on the bytes of its events."""
    found = report.plain(report.write(folder))
    return {name: value for name, value in found.items() if name != "evidence"} | {
        "events": found["evidence"]["events"],
        "run_limits": [{**limit, "process": None} for limit in found["run_limits"]],
    }


@SLOW
@given(made=CALLS, data=st.data())
def test_a_report_does_not_depend_on_which_process_wrote_what(
    tmp_path: Path, made: list[dict[str, Any]], data: st.DataObject
) -> None:
    owners = [data.draw(st.integers(0, 2)) for _ in made]
    one, several = fresh(tmp_path), fresh(tmp_path)
    split(one, made, [0] * len(made), 1)
    split(several, made, owners, 3)
    assert told(several) == told(one)


@SLOW
@given(made=CALLS.filter(bool), data=st.data())
def test_merging_early_late_and_twice_comes_to_the_same_bytes(
    tmp_path: Path, made: list[dict[str, Any]], data: st.DataObject
) -> None:
    owners = [data.draw(st.integers(0, 2)) for _ in made]
    at_once, in_turn = fresh(tmp_path), fresh(tmp_path)
    for folder in (at_once, in_turn):
        split(folder, made, owners, 3)
    report.write(at_once)

    late = layout.parts(in_turn)
    kept = [(path, path.read_bytes()) for _, path in late]
    for path, _ in kept[1:]:
        path.unlink()
    for path, data_of in kept:
        path.write_bytes(data_of)
        report.write(in_turn)
    for path, data_of in kept:  # and once more, as a crash between merging and deleting leaves it
        path.write_bytes(data_of)
    report.write(in_turn)

    assert contents(in_turn) == contents(at_once)


@SLOW
@given(made=CALLS)
def test_a_deleted_report_is_rebuilt_to_the_byte(tmp_path: Path, made: list[dict[str, Any]]) -> None:
    folder = fresh(tmp_path)
    split(folder, made, [number % 2 for number in range(len(made))], 2)
    report.write(folder)
    written = contents(folder)
    (folder / layout.REPORT).unlink()
    report.rebuild(folder)
    assert contents(folder) == written
    assert report.verify(folder).findings == ()


def test_the_files_of_processes_become_one_chain_with_the_end_last(tmp_path: Path) -> None:
    clock = Ticking()
    split(tmp_path, [call("one"), call("two")], [0, 1], 2)
    write(tmp_path, [("call", call("one"))], process="gw9", run_id="a-run", clock=clock)
    path = events.finish(tmp_path)
    found = list(events.read(path))
    assert [event["seq"] for event in found] == list(range(len(found)))
    assert {event["process"] for event in found} == {"gw0", "gw1", "gw9", "main"}
    assert [event["event"] for event in found][-1] == "end"
    assert layout.parts(tmp_path) == []
    assert [problem for event in found for problem in schemas.problems(event, schemas.USAGE_EVENT)] == []


# What a crash leaves behind


def test_a_torn_last_line_is_left_out_and_told(tmp_path: Path) -> None:
    path = write(tmp_path, [("run", RUN_EVENT), ("call", call()), ("call", call())], process="gw0")
    whole_lines, _, last = path.read_bytes()[:-7].rpartition(b"\n")
    torn = len(last)
    path.write_bytes(whole_lines + b"\n" + last)
    found, faults = report.rebuild(tmp_path)
    assert faults == []
    assert found["evidence"]["torn"] == [{"process": "gw0", "bytes": torn}]
    assert (found["totals"]["calls"], found["finished"]) == (1, False)
    assert "did not come to its end" in found["errors"][0]
    assert [problem for event in lines(tmp_path / layout.EVENTS) for problem in _problems(event)] == []


def _problems(event: dict[str, Any]) -> list[schemas.Problem]:
    return schemas.problems(event, schemas.USAGE_EVENT)


@SLOW
@given(cut=st.integers(0, 10**6))
def test_a_file_torn_anywhere_keeps_every_whole_line(tmp_path: Path, cut: int) -> None:
    folder = fresh(tmp_path)
    write(folder, [*whole(2)])
    worker = write(folder, [("run", RUN_EVENT), *(("call", call()) for _ in range(3))], process="gw0")
    data = worker.read_bytes()
    kept = data[: cut % (len(data) + 1)]
    worker.write_bytes(kept)
    found, faults = report.rebuild(folder)
    assert faults == []
    assert found["totals"]["calls"] == 2 + max(0, kept.count(b"\n") - 1)
    assert bool(found["evidence"]["torn"]) is (kept[-1:] not in {b"", b"\n"})
    assert events.verify(folder / layout.EVENTS) == []


def test_a_process_that_died_before_its_first_event_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path, whole())
    layout.part(tmp_path, "gw0").touch()
    assert report.write(tmp_path)["finished"]
    assert layout.parts(tmp_path) == []


def test_a_broken_chain_of_a_process_is_refused_and_everything_stays(tmp_path: Path) -> None:
    write(tmp_path, whole())
    worker = write(tmp_path, [("run", RUN_EVENT), ("call", call()), ("call", call())], process="gw0")
    worker.write_bytes(worker.read_bytes().replace(b'"attempt":0', b'"attempt":1', 1))
    before = contents(tmp_path)
    with pytest.raises(EvidenceError, match=r"gw0\.jsonl:2: edited"):
        report.write(tmp_path)
    assert contents(tmp_path) == before


def test_files_of_different_runs_are_not_merged(tmp_path: Path) -> None:
    write(tmp_path, whole())
    write(tmp_path, [("call", call())], process="gw0", run_id="another")
    with pytest.raises(EvidenceError, match="belong to different runs"):
        events.finish(tmp_path)


def test_a_file_of_one_process_under_the_name_of_another_is_refused(tmp_path: Path) -> None:
    write(tmp_path, whole(), process="gw0").rename(layout.part(tmp_path, "gw1"))
    write(tmp_path, [("run", RUN_EVENT)])
    with pytest.raises(EvidenceError, match="the line is of process gw0"):
        events.finish(tmp_path)


def test_where_there_are_no_events_there_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="there are no events in this folder"):
        report.write(tmp_path)
    with pytest.raises(EvidenceError, match="there is no such folder"):
        report.write(tmp_path / "nowhere")


# Runs of several shards


def shard(root: Path, name: str, calls: int, minutes: int) -> Source:
    clock = Ticking(BEGIN.replace(minute=minutes))
    folder = root / layout.RUNS / name
    write(folder, whole(calls), run_id=name, clock=clock)
    report.write(folder)
    return Source.of(folder / layout.EVENTS)


def test_joined_runs_are_a_sound_run_with_the_sums_of_all(tmp_path: Path) -> None:
    sources = [shard(tmp_path, "run-b", 2, 0), shard(tmp_path, "run-a", 3, 0)]
    folder = events.join(sources, tmp_path / "all")
    found = report.write(folder)
    assert found["totals"]["calls"] == 5
    assert found["finished"]
    assert [run["run_id"] for run in found["evidence"]["merged"]] == ["run-a", "run-b"]
    assert report.verify(folder).findings == ()
    kinds = [event["event"] for event in lines(folder / layout.EVENTS)]
    assert (kinds[0], kinds[-2:]) == ("merged", ["end", "end"])


def test_each_joined_run_keeps_the_limits_that_held_for_it(tmp_path: Path) -> None:
    sources = [shard(tmp_path, "run-a", 2, 0), shard(tmp_path, "run-b", 3, 5)]
    found = report.write(events.join(sources, tmp_path / "all"))
    assert [(limit["process"], limit["used"], limit["limit"]) for limit in found["run_limits"]] == [
        ("main@run-a", 2, 10),
        ("main@run-b", 2, 10),
    ]


def test_joining_again_in_any_order_makes_the_same_files(tmp_path: Path) -> None:
    sources = [shard(tmp_path, name, 2, minutes) for minutes, name in enumerate(["run-a", "run-b", "run-c"])]
    one = events.join(sources, tmp_path / "one")
    report.write(one)
    other = events.join(sources[::-1], tmp_path / "other")
    report.write(other)
    assert one.name == other.name
    assert contents(one) == contents(other)


def test_joined_runs_can_be_joined_with_others(tmp_path: Path) -> None:
    pair = events.join([shard(tmp_path, "run-a", 1, 0), shard(tmp_path, "run-b", 1, 1)], tmp_path / "pair")
    report.write(pair)
    found = report.write(
        events.join([Source.of(pair / layout.EVENTS), shard(tmp_path, "run-c", 1, 2)], tmp_path / "all")
    )
    assert (found["totals"]["calls"], found["finished"]) == (3, True)
    assert [run["runs"] for run in found["evidence"]["merged"]] == [2, 1]


def test_a_joined_run_of_which_one_did_not_finish_says_so(tmp_path: Path) -> None:
    write(tmp_path / layout.RUNS / "run-b", whole()[:-1], run_id="run-b")
    sources = [shard(tmp_path, "run-a", 1, 0), Source.of(events.finish(tmp_path / layout.RUNS / "run-b"))]
    folder = events.join(sources, tmp_path / "all")
    assert not report.write(folder)["finished"]
    assert [found.kind for found in report.verify(folder).findings] == ["cut"]


def test_a_broken_chain_is_no_source(tmp_path: Path) -> None:
    path = tmp_path / layout.RUNS / "run-a" / layout.EVENTS
    shard(tmp_path, "run-a", 2, 0)
    path.write_bytes(path.read_bytes().replace(b'"attempt":0', b'"attempt":1', 1))
    with pytest.raises(EvidenceError, match=r":2: edited"):
        Source.of(path)


# The report directory


def test_the_newest_run_is_the_latest_and_git_sees_none_of_it(tmp_path: Path) -> None:
    root = tmp_path / "reports"
    for name in ("run-b", "run-c", "run-a"):
        shard(root, name, 1, 0)
    latest = layout.latest(root)
    assert latest is not None
    assert latest.name == "run-c"
    assert (root / ".gitignore").read_text() == "*\n"


def test_where_latest_is_a_file_it_holds_the_path(tmp_path: Path) -> None:
    shard(tmp_path, "run-a", 1, 0)
    shard(tmp_path, "run-b", 1, 0)
    (tmp_path / layout.LATEST).unlink()
    (tmp_path / layout.LATEST).write_text("runs/run-a\n")
    latest = layout.latest(tmp_path)
    assert latest is not None
    assert latest.name == "run-a"


def test_without_a_latest_the_last_by_name_is_it(tmp_path: Path) -> None:
    assert layout.latest(tmp_path) is None
    shard(tmp_path, "run-b", 1, 0)
    shard(tmp_path, "run-a", 1, 0)
    (tmp_path / layout.LATEST).unlink()
    assert layout.latest(tmp_path) == tmp_path / layout.RUNS / "run-b"
