"""Whatever happens to the folders of runs, a store that was kept up to date is the one that would be made anew."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from trace_maker import END, RUN, ingest, rebuilt, rows

from evidence_samples import STOP, Clock, call, run_folder
from tapemeter import events, trace
from tapemeter.errors import EvidenceError
from tapemeter.events import layout

RUNS = [f"20261121T0{hour}0000.000Z-{hour:06x}" for hour in range(4)]
runs = st.sampled_from(RUNS)


class Folders(RuleBasedStateMachine):
    """Runs begin, go on, end, are joined, copied, damaged and pruned, in any order."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.logs: dict[str, events.EventLog] = {}
        self.ticks = 0

    def teardown(self) -> None:
        for log in getattr(self, "logs", {}).values():
            log.close()
        shutil.rmtree(getattr(self, "root", ""), ignore_errors=True)

    def folders(self) -> list[Path]:
        found = self.root / "runs"
        return sorted(path for path in found.iterdir() if path.is_dir()) if found.is_dir() else []

    @rule(run_id=runs, calls=st.integers(0, 3))
    def goes_on(self, run_id: str, calls: int) -> None:
        if run_folder(self.root, run_id).exists() and run_id not in self.logs:
            return
        if run_id not in self.logs:
            log = events.EventLog(run_folder(self.root, run_id), run_id=run_id, process="main", clock=Clock())
            log.write(*RUN)
            self.logs[run_id] = log
        for _ in range(calls):
            self.ticks += 1
            self.logs[run_id].write(*call(call_id=f"a#{self.ticks}"))
        self.logs[run_id].write("stop", STOP)

    @rule(run_id=runs)
    def ends(self, run_id: str) -> None:
        if log := self.logs.pop(run_id, None):
            log.write(*END)
            log.close()
            events.finish(log.folder)

    @rule(run_id=runs, cut=st.integers(1, 40))
    def dies(self, run_id: str, cut: int) -> None:
        if log := self.logs.pop(run_id, None):
            log.close()
            log.path.write_bytes(log.path.read_bytes()[:-cut])

    @precondition(lambda self: self.folders())
    @rule(data=st.data())
    def is_pruned(self, data: st.DataObject) -> None:
        folder = data.draw(st.sampled_from(self.folders()))
        if folder.name not in self.logs:
            shutil.rmtree(folder)

    @precondition(lambda self: self.folders())
    @rule(data=st.data(), name=st.sampled_from(["a copy", "zz"]))
    def is_copied(self, data: st.DataObject, name: str) -> None:
        folder = data.draw(st.sampled_from(self.folders()))
        if folder.name not in self.logs and folder.name != name:
            shutil.copytree(folder, folder.with_name(name), dirs_exist_ok=True)

    @precondition(lambda self: self.folders())
    @rule(data=st.data(), old=st.sampled_from([b'"attempt":0', b'"seq":1,']))
    def is_damaged(self, data: st.DataObject, old: bytes) -> None:
        path = data.draw(st.sampled_from(self.folders())) / layout.EVENTS
        if path.exists():
            path.write_bytes(path.read_bytes().replace(old, b'"attempt":5,', 1))

    @rule(some=st.lists(runs, min_size=1, max_size=3, unique=True))
    def are_joined(self, some: list[str]) -> None:
        sources = []
        for folder in [run_folder(self.root, run_id) for run_id in some]:
            if (folder / layout.EVENTS).exists():
                try:
                    sources.append(events.Source.of(folder / layout.EVENTS))
                except EvidenceError:
                    return
        if sources:
            events.join(sources, self.root)

    @rule()
    def is_asked(self) -> None:
        """Bring the store up to date; without it, several things happen in between."""
        self.root.mkdir(exist_ok=True)
        ingest(self.root)
        assert rows(self.root / trace.FILE) == rebuilt(self.root, self.root / "again.sqlite")

    @invariant()
    def no_call_counts_twice(self) -> None:
        path = getattr(self, "root", Path("nowhere")) / trace.FILE
        if path.exists():
            found = rows(path)["calls"]
            assert len({(row["run_id"], row["process"], row["number"]) for row in found}) == len(found)


TestFolders: Any = Folders.TestCase
TestFolders.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
