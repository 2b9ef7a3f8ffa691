from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from evidence_maker import RUN, RUN_EVENT, lines, whole, write

from tapemeter import events, schemas
from tapemeter.errors import EvidenceError
from tapemeter.events import EventLog

if TYPE_CHECKING:
    from pathlib import Path

# Writes calls until it is killed, and tells each that is written.
VICTIM = """
import sys
from pathlib import Path
from tapemeter.events import EventLog
log = EventLog(Path(sys.argv[1]), run_id="a-run", process="gw0")
log.write("run", {"versions": {}, "limits": []})
while True:
    log.write("call", {"call_id": "a", "attempt": 0, "job": "j", "source": "live", "outcome": "ok"})
    print("written", flush=True)
"""


def test_each_line_is_as_its_schema_says_and_numbered(tmp_path: Path) -> None:
    found = lines(write(tmp_path, whole()))
    assert [event["seq"] for event in found] == list(range(6))
    assert [problem for event in found for problem in schemas.problems(event, schemas.USAGE_EVENT)] == []


def test_what_a_process_is_still_writing_is_not_merged(tmp_path: Path) -> None:
    log = EventLog(tmp_path, run_id=RUN, process="gw0")
    log.write("run", RUN_EVENT)
    with pytest.raises(EvidenceError, match="process gw0 still writes it"):
        events.finish(tmp_path)
    log.close()
    assert len(list(events.read(events.finish(tmp_path)))) == 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_what_a_killed_process_has_written_is_there(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", VICTIM, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(5)]
        process.kill()
        told += process.stdout.readlines()
    assert len(lines(events.finish(tmp_path))) >= len(told) + 1
