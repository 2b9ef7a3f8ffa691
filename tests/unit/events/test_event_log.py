from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from evidence_samples import RUN_ID, SAMPLES, Clock, call, run_folder, write_part
from tapemeter import events
from tapemeter.events import EventLog, line

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return run_folder(tmp_path / ".tapemeter")


@pytest.fixture
def log(folder: Path) -> EventLog:
    return EventLog(folder, run_id=RUN_ID, process="main", clock=Clock())


def test_a_line_is_compact_in_a_fixed_order_and_hashed_without_its_hash(log: EventLog) -> None:
    log.write("not_run", {"test": "test_größe", "reason": "why"})
    log.write("not_run", {"test": "b", "reason": "why"})
    first, second = log.path.read_bytes().splitlines()
    assert first.decode().startswith(
        f'{{"v":1,"run_id":"{RUN_ID}","process":"main","seq":0,"at":"2026-11-21T07:44:30.000000Z","event":"not_run",'
        f'"test":"test_größe","reason":"why","prev":"{"0" * 64}","hash":"'
    )
    event = json.loads(first)
    unhashed = {name: value for name, value in event.items() if name != "hash"}
    body = json.dumps(unhashed, ensure_ascii=False, separators=(",", ":")).encode()
    assert event["hash"] == hashlib.sha256(body).hexdigest()
    assert json.loads(second)["prev"] == event["hash"]
    assert json.loads(second)["seq"] == 1


def test_a_new_report_directory_is_hidden_from_git(folder: Path, log: EventLog) -> None:
    log.write(*call())
    assert (folder.parent.parent / ".gitignore").read_text() == "*\n"


def test_a_report_directory_that_is_there_is_left_alone(folder: Path, log: EventLog) -> None:
    folder.parent.parent.mkdir()
    log.write(*call())
    assert not (folder.parent.parent / ".gitignore").exists()


def test_a_folder_that_is_in_no_report_directory_gets_no_gitignore(tmp_path: Path) -> None:
    write_part(tmp_path / "elsewhere" / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["run"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_that_lives_on_does_not_hold_the_file_of_its_parent(folder: Path, log: EventLog) -> None:
    log.write(*call())
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    log.close()
    assert events.finish(folder).name == "llm_usage_events.jsonl"
    os.close(writer)
    os.close(reader)
    os.waitpid(child, 0)


def test_what_does_not_fit_in_a_line_is_shortened(log: EventLog) -> None:
    many = [f"tests/test_{'x' * 200}.py::test_{number}" for number in range(20_000)]
    log.write("job", {**SAMPLES["job"], "tests": many})
    log.write("job", {**SAMPLES["job"], "tests": ["€" * 600] * 1000})
    log.write("end", SAMPLES["end"])
    log.close()
    assert events.verify(log.path) == []
    first, second, _ = events.read(log.path)
    assert first["tests"] == many[:1000]
    assert second["tests"] == ["€" * 200 + "…"] * 50
    assert all(len(whole) <= line.MAX_LINE for whole in log.path.read_bytes().splitlines(keepends=True))


# Writes until no more fits, then makes room and writes the end.
FULL_DISK = f"""
import resource, sys
from pathlib import Path
from tapemeter.errors import EvidenceError
from tapemeter.events import EventLog
log = EventLog(Path(sys.argv[1]), run_id={RUN_ID!r}, process="main")
log.write("not_run", {{"test": "a", "reason": "b"}})
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (log.path.stat().st_size + 100, before[1]))
try:
    log.write("not_run", {{"test": "c", "reason": "d"}})
except EvidenceError as error:
    told = str(error)
resource.setrlimit(resource.RLIMIT_FSIZE, before)
log.write("end", {{"limits": []}})
log.close()
print(told)
"""


def test_a_full_disk_leaves_whole_lines_only(folder: Path, log: EventLog) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert f"{log.path}: cannot be written: File too large" in ran.stdout
    assert events.verify(log.path) == []
    assert [event["event"] for event in events.read(log.path)] == ["not_run", "end"]


def test_what_is_written_in_the_midst_of_an_event_follows_it(folder: Path) -> None:
    # As where the collector ends a stream that nobody reads any more while another call is written.
    inner: list[str] = []

    def clock() -> datetime:
        if not inner:
            inner.append("inner")
            log.write("not_run", {"test": "inner", "reason": "why"})
        return datetime(2026, 11, 21, tzinfo=UTC)

    log = EventLog(folder, run_id=RUN_ID, process="main", clock=clock)
    log.write("not_run", {"test": "outer", "reason": "why"})
    log.close()

    found = list(events.read(log.path))
    assert [(event["seq"], event["test"]) for event in found] == [(0, "outer"), (1, "inner")]
