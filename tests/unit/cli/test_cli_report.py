from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter import report
from tapemeter.cli import COMMANDS, main
from tapemeter.events import EventLog, layout

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = "20261121T080000.000Z-aaaaaa", "20261121T090000.000Z-bbbbbb"
CALL = {
    "call_id": "a#1",
    "attempt": 0,
    "job": "a job",
    "source": "replay",
    "outcome": "ok",
    "gen_ai.usage.input_tokens": 1234,
    "quality": "measured",
    "cost_usd": "0.5",
    "cost_today_usd": "0.5",
    "duration_seconds": 0.5,
}
LIMIT = {"scope": "run", "dimension": "calls", "limit": 10, "used": 2, "source": "it.yaml:3"}
EVIL = "\x1b[2J\u202e"


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Command:
    """`tapemeter report …` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Ran:
        self._capsys.readouterr()
        code = main(["report", *map(str, arguments)])
        out, err = self._capsys.readouterr()
        return Ran(code, out, err)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(capsys)


def write(root: Path, run_id: str, *, process: str = "main", calls: int = 2, ends: bool = True, **fields: Any) -> Path:
    """Write what one process did, without a report."""
    folder = layout.run_folder(root, run_id)
    log = EventLog(folder, run_id=run_id, process=process)
    log.write("run", {"versions": {}, "limits": []})
    for _ in range(calls):
        log.write("call", {**CALL, **fields})
    log.write("job", {"job": "a job", "state": "COMPLETED"})
    if ends:
        log.write("end", {"limits": [LIMIT], "wall_seconds": 1.0})
    log.close()
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The report directory that is the default, with two runs."""
    for run_id, calls in ((ONE, 2), (TWO, 3)):
        report.write(write(tmp_path / ".tapemeter", run_id, calls=calls))
    return tmp_path / ".tapemeter"


def drop_last_line(folder: Path) -> None:
    path = folder / layout.EVENTS
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def edit(folder: Path) -> None:
    path = folder / layout.EVENTS
    path.write_bytes(path.read_bytes().replace(b'"attempt":0', b'"attempt":1', 1))


@pytest.mark.parametrize("name", COMMANDS["report"][1])
def test_every_command_explains_itself(command: Command, name: str) -> None:
    ran = command(name, "--help")
    assert ran.code == 0
    assert [said for said in ("--json", "--report-dir", "Exit code: 0") if said not in ran.out] == []


# Which run


def test_the_newest_run_is_the_one_that_is_meant(command: Command, root: Path) -> None:
    assert command("show", "--json").json["run_id"] == TWO


def test_a_run_is_named_by_id_folder_or_file(command: Command, root: Path) -> None:
    folder = layout.run_folder(root, ONE)
    for name in (ONE, folder, folder / layout.EVENTS):
        assert command("show", name, "--json").json["run_id"] == ONE


def test_runs_are_looked_for_in_the_report_directory_given(command: Command, root: Path, tmp_path: Path) -> None:
    root.rename(tmp_path / "elsewhere")
    assert command("show", ONE).code == 2
    assert command("show", ONE, "--report-dir", "elsewhere", "--json").json["run_id"] == ONE


@pytest.mark.parametrize("name", ["show", "rebuild", "verify"])
@pytest.mark.parametrize("which", [[], ["20990101"], ["../elsewhere"]])
def test_where_there_is_no_such_run_the_command_says_so(command: Command, name: str, which: list[str]) -> None:
    ran = command(name, *which)
    assert (ran.code, ran.out) == (2, "")
    assert [word for word in which if word not in ran.err] == []
    assert "Traceback" not in ran.err


# Show


def test_show_prints_what_pytest_prints(command: Command, root: Path) -> None:
    ran = command("show", ONE)
    assert (ran.code, ran.err) == (0, "")
    assert [said for said in (ONE, "2 calls (2 replayed)", "2,468 in", "$1.00 avoided") if said not in ran.out] == []
    assert "\x1b" not in ran.out


def test_show_has_the_whole_report_in_json(command: Command, root: Path) -> None:
    assert command("show", ONE, "--json").json == report.load(layout.run_folder(root, ONE) / layout.REPORT)


def test_show_says_that_a_run_did_not_finish(command: Command, root: Path) -> None:
    report.write(write(root, "20261121T100000.000Z-cccccc", ends=False))
    assert "not finished" in command("show").out


def test_what_events_tell_has_no_power_over_the_terminal(command: Command, root: Path) -> None:
    report.write(write(root, "20261121T100000.000Z-cccccc", job=EVIL))
    out = command("show").out
    assert [char for char in EVIL if char in out and not char.isprintable()] == []


def test_show_without_a_report_says_how_to_make_one(command: Command, root: Path) -> None:
    (layout.run_folder(root, ONE) / layout.REPORT).unlink()
    ran = command("show", ONE)
    assert (ran.code, ran.out) == (2, "")
    assert "tapemeter report rebuild" in ran.err


# Rebuild


def test_a_rebuilt_report_is_the_same_to_the_byte(command: Command, root: Path) -> None:
    path = layout.run_folder(root, ONE) / layout.REPORT
    written = path.read_bytes()
    path.unlink()
    assert command("rebuild", ONE).code == 0
    assert path.read_bytes() == written


def test_rebuild_merges_what_a_crash_left_and_says_what_was_torn(command: Command, root: Path) -> None:
    folder = write(root, "20261121T100000.000Z-cccccc", process="gw0", ends=False)
    write(root, folder.name, process="main", ends=False)
    worker = layout.part(folder, "gw0")
    worker.write_bytes(worker.read_bytes()[:-9])
    torn = len(worker.read_bytes().rpartition(b"\n")[2])

    ran = command("rebuild", folder.name)

    assert (ran.code, ran.err) == (0, "")
    assert "gw0, main" in ran.out
    assert f"torn: {torn} bytes" in ran.out
    assert "did not come to its end" in ran.out
    again = command("rebuild", folder.name, "--json")
    assert (again.code, again.json["merged"]) == (0, [])
    assert again.json["torn"] == [{"process": "gw0", "bytes": torn}]


def test_rebuild_refuses_a_broken_chain_and_leaves_it(command: Command, root: Path) -> None:
    folder = layout.run_folder(root, ONE)
    edit(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    ran = command("rebuild", ONE)
    assert (ran.code, ran.out) == (2, "")
    assert f"{layout.EVENTS}:2: edited" in ran.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_rebuild_needs_a_run_and_no_single_file(command: Command, root: Path, tmp_path: Path) -> None:
    path = (layout.run_folder(root, ONE) / layout.EVENTS).rename(tmp_path / "some.jsonl")
    assert command("rebuild", path).code == 2


# Verify


def test_a_sound_run_passes(command: Command, root: Path) -> None:
    ran = command("verify")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("6 events, 0 problems\n")


def test_the_first_bad_line_comes_first(command: Command, root: Path) -> None:
    edit(layout.run_folder(root, ONE))
    ran = command("verify", ONE)
    assert ran.code == 1
    assert f"{layout.EVENTS}:2: edited" in ran.out.splitlines()[0]
    [first, *_] = command("verify", ONE, "--json").json["problems"]
    assert (first["line"], first["kind"]) == (2, "edited")


def test_an_end_that_was_cut_off_is_told(command: Command, root: Path) -> None:
    drop_last_line(layout.run_folder(root, ONE))
    ran = command("verify", ONE)
    assert ran.code == 1
    assert "the report tells of 5 events, the file has 4" in ran.out


def test_an_edited_report_is_told(command: Command, root: Path) -> None:
    path = layout.run_folder(root, ONE) / layout.REPORT
    path.write_text(path.read_text().replace('"avoided_usd": "1"', '"avoided_usd": "2"', 1))
    ran = command("verify", ONE)
    assert ran.code == 1
    assert "the report is not what the events come to" in ran.out


def test_what_is_not_merged_is_told(command: Command, root: Path) -> None:
    write(root, "20261121T100000.000Z-cccccc")
    ran = command("verify", "20261121T100000.000Z-cccccc")
    assert ran.code == 1
    assert "unmerged" in ran.out


# Merge


def test_merge_makes_a_sound_run_of_all(command: Command, root: Path) -> None:
    ran = command("merge", ONE, TWO, "--output", "all", "--json")
    assert (ran.code, ran.err, ran.json["runs"]) == (0, "", [ONE, TWO])
    found = command("show", "--report-dir", "all", "--json").json
    assert (found["run_id"], found["totals"]["calls"]) == (ran.json["run_id"], 5)
    assert [limit["process"] for limit in found["run_limits"]] == [f"main@{ONE}", f"main@{TWO}"]
    assert command("verify", "--report-dir", "all").code == 0


def test_merge_again_changes_nothing(command: Command, root: Path, tmp_path: Path) -> None:
    folder = tmp_path / command("merge", ONE, TWO, "--output", "all", "--json").json["folder"]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert command("merge", TWO, ONE, "--output", "all").code == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def refused(command: Command, tmp_path: Path, *runs: object) -> str:
    """What a merge says that is refused and writes nothing."""
    ran = command("merge", *runs, "--output", "refused")
    assert (ran.code, ran.out) == (2, "")
    assert not (tmp_path / "refused").exists()
    return ran.err


def test_merge_refuses_a_broken_chain(command: Command, root: Path, tmp_path: Path) -> None:
    edit(layout.run_folder(root, ONE))
    assert f"{layout.EVENTS}:2: edited" in refused(command, tmp_path, TWO, ONE)


def test_merge_refuses_a_chain_whose_end_was_cut_off(command: Command, root: Path, tmp_path: Path) -> None:
    drop_last_line(layout.run_folder(root, ONE))
    assert "tells of 5 events" in refused(command, tmp_path, ONE, TWO)


def test_merge_refuses_what_is_not_merged_yet(command: Command, root: Path, tmp_path: Path) -> None:
    write(root, "20261121T100000.000Z-cccccc")
    assert "tapemeter report rebuild" in refused(command, tmp_path, ONE, "20261121T100000.000Z-cccccc")


def test_merge_refuses_a_run_that_is_named_twice(command: Command, root: Path, tmp_path: Path) -> None:
    assert ONE in refused(command, tmp_path, ONE, layout.run_folder(root, ONE))


def test_merge_refuses_to_count_a_run_again_that_a_joined_one_holds(
    command: Command, root: Path, tmp_path: Path
) -> None:
    joined = command("merge", ONE, TWO, "--output", "all", "--json").json["folder"]
    assert ONE in refused(command, tmp_path, joined, ONE)
