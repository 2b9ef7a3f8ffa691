"""Reads a file of events, and finds where its chain does not hold.

Each line is held against its own hash, against the line before it, and against its number. What that tells apart:

    edited      the line is not what its hash was made of
    removed     lines are missing before it
    order       its number was there before: lines were exchanged or doubled
    follows     it follows on another line: one was put in before it, or the one before was written anew
    foreign     it belongs to another run
    broken      it is no event at all
    torn        the file ends within it
    cut         the file ends before the run does
    schema      it is not what the schema of events says
    artifact    it names an artifact that is gone, or is not what it was
    unmerged, report    see `report.verify`
"""

from __future__ import annotations

from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from tapemeter import schemas
from tapemeter.errors import EvidenceError
from tapemeter.events import artifacts, calls
from tapemeter.events.line import GENESIS, MAX_LINE, VERSION, is_sealed, parse
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LINK = ("v", "run_id", "seq", "prev", "hash")
"""The fields by which a line is held against others."""
_LINK_OF_EVENT, _LINK_OF_CALL = itemgetter(*_LINK), attrgetter(*_LINK)
_TEXTS = ("run_id", "process", "at", "event", "prev", "hash")
_BUFFER = 256 * 1024
_MOST = 100
"""Findings that are told of one file."""


class Finding(Value):
    """Something that is wrong with evidence. `line` is 1-based, None where the fault has no place."""

    path: str
    line: int | None
    kind: str
    problem: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.kind}: {self.problem}"

    def as_error(self) -> EvidenceError:
        """Return the error that says the same."""
        return EvidenceError(f"{self.kind}: {self.problem}", path=self.path, line=self.line)


class Chain:
    """A file of events, to be read once; EvidenceError at the first line at which its chain does not hold.

    With `torn_is_fine`, a file that ends within a line ends before that line. After reading, `count` is the number
    of events, `last_hash` that of the last one, `torn` how many bytes there are after it.
    """

    def __init__(self, path: Path, *, torn_is_fine: bool = False) -> None:
        self.path = path
        self.count = 0
        self.last_hash = GENESIS
        self.torn = 0
        self._torn_is_fine = torn_is_fine

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._events(quick=False)

    def quick(self) -> Iterator[Any]:
        """Yield the same events, but calls that are what their schema says as `events.calls` reads them."""
        return self._events(quick=True)

    def _events(self, *, quick: bool) -> Iterator[Any]:
        for line, event, finding in _walk(self.path, quick=quick):
            if finding is not None:
                if finding.kind == "torn" and self._torn_is_fine:
                    self.torn = len(line)
                    return
                raise finding.as_error()
            self.count += 1
            self.last_hash = event["hash"] if isinstance(event, dict) else event.hash
            yield event


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a file; EvidenceError at the first line at which its chain does not hold."""
    return iter(Chain(path))


def verify(path: Path, *, folder: Path | None = None) -> list[Finding]:
    """Return what is wrong with a file of events, in its order; the first one is the first bad line.

    A line is held against the one before it as that one is now, so one fault does not make all later lines bad. Where
    the `folder` of its run is given, the artifacts that lines name are checked as well.
    """
    findings: list[Finding] = []
    runs, ends, last, number = 1, 0, "", 0
    for _, event, finding in _walk(path, quick=True):
        number = number + 1 if finding is None else finding.line or number
        read = isinstance(event, dict)
        if finding is not None:
            findings.append(finding)
        elif read and not schemas.fits(event, schemas.USAGE_EVENT):
            findings.append(Finding(str(path), number, "schema", fault(event)))
        elif folder is not None and (name := _artifact(event)) is not None:
            wrong = artifacts.problem(folder, name)
            findings += [] if wrong is None else [Finding(str(path), number, "artifact", wrong)]
        if len(findings) >= _MOST:
            return findings
        last = event.get("event", "") if read else event.event
        ends += last == "end"
        if last == "merged" and number == 1:
            runs = _runs(event)
    torn = bool(findings) and findings[-1].kind == "torn"
    if not torn and (last != "end" or ends < runs):
        what = "the run did not come to its end, or its last lines were cut off: there is no event `end`"
        findings.append(Finding(str(path), number or None, "cut", what if number else "there are no events in it"))
    return findings


def tail(path: Path) -> tuple[int, str | None]:
    """Return how many whole lines a file has, and the hash that the last one has, right or wrong."""
    count, last = 0, b""
    for line in _lines(path):
        if line.endswith(b"\n"):
            count, last = count + 1, line
    digest = (parse(last) or {}).get("hash")
    return count, digest if isinstance(digest, str) else None


def fault(event: dict[str, Any]) -> str:
    """Return in what an event is not what its schema says."""
    first, *others = schemas.problems(event, schemas.USAGE_EVENT)
    return f"{first}{f' (and {len(others)} more)' if others else ''}"


def _runs(merged: dict[str, Any]) -> int:
    """Return of how many runs a merged file tells."""
    runs = merged.get("runs")
    counts = [run.get("runs") for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []
    return sum(count for count in counts if isinstance(count, int))


def _artifact(event: Any) -> Any:
    return event.get("response_artifact") if isinstance(event, dict) else event.response_artifact


def _walk(path: Path, *, quick: bool) -> Iterator[tuple[bytes, Any, Finding | None]]:
    """Yield each line with its event and what is wrong with it; the event is empty where the line is none.

    Where it may be `quick`, calls that follow on a sound line are as `events.calls` reads them.
    """
    prev: str | None = GENESIS
    expected, first_run, wrong = 0, None, None
    read_call = calls.reader(path) if quick else None
    for number, line in enumerate(_lines(path), 1):
        if len(line) > MAX_LINE:
            too_long = f"the line is longer than {MAX_LINE:,} bytes, and so is everything after it unread"
            yield line, {}, Finding(str(path), number, "broken", too_long)
            return
        if not line.endswith(b"\n"):
            yield (
                line,
                {},
                Finding(str(path), number, "torn", f"the file ends within the line, after {len(line):,} bytes"),
            )
            return
        event = None if read_call is None or wrong is not None else read_call(line)
        if event is not None:
            link = _LINK_OF_CALL(event)
        else:
            event = parse(line)
            if event is None or not _is_linked(event):
                wrong = "broken", "the line is no event; it was edited or damaged"
                yield line, {}, Finding(str(path), number, *wrong)
                prev, expected = None, expected + 1
                continue
            link = _LINK_OF_EVENT(event)
        wrong = _wrong(link, line, prev, expected)
        _, run_id, seq, _, digest = link
        first_run = run_id if first_run is None else first_run
        if wrong is None and run_id != first_run:
            wrong = "foreign", "the line belongs to another run than the first one"
        yield line, event, None if wrong is None else Finding(str(path), number, *wrong)
        prev, expected = digest, seq + 1


def _wrong(link: tuple[Any, ...], line: bytes, prev: str | None, expected: int) -> tuple[str, str] | None:
    version, _, seq, follows, digest = link
    if not is_sealed(line, digest):
        return "edited", "the line is not what its hash was made of"
    if seq > expected:
        gone = seq - expected
        return "removed", f"{gone:,} line{'s are' if gone > 1 else ' is'} missing before this one, number {seq}"
    if seq < expected:
        return "order", f"the line is number {seq}, expected {expected}: lines were exchanged or doubled"
    if prev is not None and follows != prev:
        return "follows", "the line follows on another one than that before it, which was put in or written anew"
    if version != VERSION:
        return "broken", f"expected version {VERSION} of events, found {str(version)[:20]}; use a newer tapemeter"
    return None


def _is_linked(event: dict[str, Any]) -> bool:
    """Whether an event has what its place in a file is checked by."""
    if type(event.get("v")) is not int or type(event.get("seq")) is not int:
        return False
    if type(event.get("process_seq", 0)) is not int:
        return False
    return all([type(event.get(name)) is str for name in _TEXTS])  # noqa: C419 - the faster way, for every line


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb", buffering=_BUFFER) as file:
            while line := file.readline(MAX_LINE + 1):
                yield line
    except OSError as error:
        raise EvidenceError(f"cannot be read: {error.strerror or error}", path=str(path)) from None
