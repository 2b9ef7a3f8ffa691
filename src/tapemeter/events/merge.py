"""Makes one file of events of those that several processes wrote, or of those of several runs.

Events are put in order by time, then process, then number; the end of a run comes last. Each keeps the name of its
process and its number there, and is chained anew. The result depends on nothing else, so that merging what a crash
left behind, once or twice, early or late, comes to the same bytes.
"""

from __future__ import annotations

import hashlib
import heapq
from typing import TYPE_CHECKING, Any

from tapemeter import schemas
from tapemeter.errors import EvidenceError
from tapemeter.events import artifacts, files, layout
from tapemeter.events.chain import Chain, fault
from tapemeter.events.line import GENESIS, VERSION, head, own_seq, seal
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

_LONG_AGO = "1970-01-01T00:00:00.000000Z"
"""When a process wrote of which not one whole line is left."""

_Key = tuple[bool, str, str, int]


def finish(folder: Path) -> Path:
    """Merge what the processes of a run wrote, and return the file; what is merged already is not merged again.

    EvidenceError where there is nothing, where a process is still writing, and at the first line of which the chain
    does not hold. A last line that is torn is none; an event `torn` tells of it.
    """
    if not folder.is_dir():
        raise EvidenceError("there is no such folder, so there are no events", path=str(folder))
    with files.locked(folder):
        whole, parts = folder / layout.EVENTS, []
        for process, path in layout.parts(folder):
            if files.is_held(path):
                raise EvidenceError(
                    f"process {process} still writes it; once it has ended: tapemeter report rebuild {folder.name}",
                    path=str(path),
                )
            if path.stat().st_size:
                parts.append((process, path))
            else:
                path.unlink()  # its process died before its first event
        if not parts:
            if not whole.exists():
                raise EvidenceError("there are no events in this folder", path=str(folder))
        elif len(parts) == 1 and not whole.exists() and _ends_whole(parts[0][1]):
            parts[0][1].rename(whole)
        else:
            _merge(whole, parts)
    return whole


class Source(Value):
    """A run that is to be joined with others: its events, checked."""

    path: Path
    run_id: str
    events: int
    last_hash: str
    first_at: str
    last_at: str
    runs: int
    """How many runs it was joined from, 1 for a plain one."""
    members: frozenset[str]
    """The ids of all runs that are in it, its own among them."""

    @classmethod
    def of(cls, path: Path) -> Source:
        """Return the source that a file of events is; EvidenceError where its chain does not hold."""
        chain = Chain(path)
        first: dict[str, Any] = {}
        members: set[str] = set()
        at, runs = "", 1
        for event in chain:
            if event["event"] == "merged":
                if not schemas.fits(event, schemas.USAGE_EVENT):
                    raise EvidenceError(fault(event), path=str(path), line=chain.count)
                members.update(run["run_id"] for run in event["runs"])
                runs = sum(run["runs"] for run in event["runs"]) if not first else runs
            first = first or event
            at = event["at"]
        if not first:
            raise EvidenceError("there are no events in it", path=str(path))
        members.add(first["run_id"])
        return cls(path, first["run_id"], chain.count, chain.last_hash, first["at"], at, runs, frozenset(members))

    def as_field(self) -> dict[str, Any]:
        """Return what the event `merged` tells of it."""
        return {"run_id": self.run_id, "events": self.events, "last_hash": self.last_hash, "runs": self.runs}


def join(sources: Iterable[Source], report_dir: Path) -> Path:
    """Write the events of several runs as those of a new run in a report directory, and return its folder.

    The new run's id depends on the runs alone. Its processes are called `<process>@<run id>`.
    """
    ordered = sorted(sources, key=lambda source: source.run_id)
    digest = hashlib.sha256("".join(source.last_hash for source in ordered).encode()).hexdigest()
    newest = max(source.last_at for source in ordered)
    run_id = f"{newest[:23].replace('-', '').replace(':', '')}Z-{digest[:6]}"
    folder = layout.run_folder(report_dir, run_id)
    layout.make(folder)
    first = {
        "v": VERSION,
        "run_id": run_id,
        "process": "merge",
        "seq": 0,
        "process_seq": 0,
        "at": min(source.first_at for source in ordered),
        "event": "merged",
        "runs": [source.as_field() for source in ordered],
    }
    streams = [_stream(Chain(source.path), process=f"@{source.run_id}") for source in ordered]
    for source in ordered:
        artifacts.copy(source.path.parent, folder)
    with files.replacing(folder / layout.EVENTS) as file:
        _write(file, [first], streams, run_id)
    return folder


def _merge(whole: Path, parts: list[tuple[str, Path]]) -> None:
    known: dict[str, int] = {}
    streams: list[Iterator[tuple[_Key, dict[str, Any]]]] = []
    run_ids: set[str] = set()
    if whole.exists():
        for event in Chain(whole):
            process = event["process"]
            known[process] = max(known.get(process, 0), own_seq(event) + 1)
            run_ids.add(event["run_id"])
        streams.append(_stream(Chain(whole)))
    for process, path in parts:
        run_ids.update(event["run_id"] for event in _first(path))
        streams.append(_part(path, process, known.get(process, 0)))
    if len(run_ids) > 1:
        raise EvidenceError(
            f"the files belong to different runs: {', '.join(sorted(run_ids))}; move all but one away",
            path=str(whole.parent),
        )
    with files.replacing(whole) as file:
        _write(file, [], streams, run_ids.pop() if run_ids else whole.parent.name)
    for _, path in parts:
        path.unlink()


def _stream(chain: Chain, *, process: str = "") -> Iterator[tuple[_Key, dict[str, Any]]]:
    """Yield the events of a file by which they are put in order; `process` is added to the name of each process."""
    for event in chain:
        moved = {**event, "process": f"{event['process']}{process}"} if process else event
        yield _key(moved), moved


def _part(path: Path, process: str, known: int) -> Iterator[tuple[_Key, dict[str, Any]]]:
    """Yield the events of one process from number `known` on, and last one of what is torn."""
    chain = Chain(path, torn_is_fine=True)
    at = _LONG_AGO
    for event in chain:
        if event["process"] != process:
            raise EvidenceError(f"the line is of process {event['process']}", path=str(path), line=chain.count)
        at = event["at"]
        if own_seq(event) >= known:
            yield _key(event), event
    if chain.torn and chain.count >= known:
        torn = {"process": process, "seq": chain.count, "at": at, "event": "torn", "bytes": chain.torn}
        yield _key(torn), torn


def _key(event: Mapping[str, Any]) -> _Key:
    return event["event"] == "end", event["at"], event["process"], own_seq(event)


def _write(
    file: BinaryIO,
    first: list[dict[str, Any]],
    streams: Iterable[Iterator[tuple[_Key, dict[str, Any]]]],
    run_id: str,
) -> None:
    prev, seq = GENESIS, 0
    for event in first:
        line, prev = seal({**event, "prev": prev})
        file.write(line)
        seq += 1
    for _, event in heapq.merge(*streams, key=_first_of):
        line, prev = seal({**head(event, run_id=run_id, process=event["process"], seq=seq), "prev": prev})
        file.write(line)
        seq += 1


def _first_of(pair: tuple[_Key, dict[str, Any]]) -> _Key:
    return pair[0]


def _first(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the first event of a file, if it has a whole line."""
    for event in Chain(path, torn_is_fine=True):
        yield event
        return


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1))
        return file.read() == b"\n"
