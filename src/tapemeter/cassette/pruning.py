"""Which cassettes, and which interactions in them, nobody needs: judged from the evidence of a run of all tests.

    orphan      no test played it, or asked it for anything
    unplayed    its cassette was used, but nobody was answered by it

Where the evidence does not tell, nothing is judged: recordings that are newer than the run, what is no model call,
cassettes of tests that were skipped or ran live. Equal questions are played in the order of the file, so of several
with one key the last ones are those that were not played.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Protocol

from tapemeter import events
from tapemeter.cassette.figures import figures
from tapemeter.cassette.match import Matcher
from tapemeter.values import Mutable, Value, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tapemeter.cassette.model import Interaction

_FIXTURES = "@"
"""What the name of a cassette begins with that a fixture of wider scope has."""
_ASKED_IN_VAIN = frozenset({"missed", "refused"})


class What(StrEnum):
    """What is to become of a cassette."""

    KEEP = "keep"
    """All of it is needed, or nothing is known."""
    ORPHAN = "orphan"
    """No test uses it: remove it."""
    UNPLAYED = "unplayed"
    """Some of its interactions answered nobody: drop them."""


class Verdict(Value):
    """What is to become of one cassette: `drop` are the numbers, from 1, of interactions; `why` a few words."""

    what: What
    drop: tuple[int, ...] = ()
    why: str = ""


class Played(Mutable):
    """What the evidence of a run tells: which recordings answered whom, by cassette and key.

    `began` is the second in which the run began. `doubts` are the reasons for which the run is not one of all tests, a
    sentence each. `is_old` says that the evidence is of a version that did not note which recording answered.
    """

    run_id: str = ""
    began: str = ""
    doubts: list[str] = field(default_factory=list)
    is_old: bool = False
    left_out: frozenset[str] = frozenset()
    """Cassettes of which nothing is known."""
    skipped: bool = False
    """Whether a test was skipped, of which nothing tells what else it uses."""
    live: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    """Every cassette that the evidence names."""
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often a recording of a key answered, by cassette: the most that one test was answered by it."""

    @property
    def is_whole(self) -> bool:
        """Whether the run was one of all tests."""
        return not self.doubts


def evidence(path: Path) -> Played:
    """Return what a file of events tells; EvidenceError where its chain does not hold.

    It is read line by line. Kept is a count for each recording that was played.
    """
    played = Played()
    by_owner: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    suites: list[Any] = []
    for event in events.read(path):
        if not played.run_id:
            played.run_id, played.began = event["run_id"], _began(event)
        kind = event["event"]
        if isinstance(name := event.get("cassette"), str):
            played.named.add(name)
            if kind == "call":
                _take(event, name, played, by_owner)
        if kind == "end":
            suites.append(event.get("suite"))
        elif kind in {"torn", "lapsed"}:
            played.doubts.append("its evidence is not whole: a process of it died")
    for (name, _), counts in by_owner.items():
        played.counts[name] |= counts
    played.doubts += _doubts(suites)
    given = [
        suite["left_out"] for suite in suites if isinstance(suite, dict) and isinstance(suite.get("left_out"), list)
    ]
    played.skipped = any(isinstance(suite, dict) and bool(suite.get("skipped")) for suite in suites)
    played.left_out = frozenset(name for names in given for name in names if isinstance(name, str))
    return played


def _take(event: Mapping[str, Any], name: str, played: Played, by_owner: dict[tuple[str, str], Counter[str]]) -> None:
    key = event.get("interaction")
    if isinstance(key, str):
        by_owner[name, event.get("test") or event["job"]][key] += 1
    elif event.get("outcome") in _ASKED_IN_VAIN:
        return
    elif event.get("source") == "replay":
        played.is_old = True
    elif event.get("source") == "live":
        played.live.add(name)


def _began(event: Mapping[str, Any]) -> str:
    """Return when a run began, by its id, else by its first event: as cassettes have it, to the second in UTC."""
    run_id = str(event["run_id"])
    try:
        moment = datetime.strptime(run_id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return f"{str(event['at'])[:19]}Z"
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _doubts(suites: Sequence[Any]) -> Iterator[str]:
    if not suites:
        yield "it did not come to its end"
    for suite in suites:
        if not isinstance(suite, dict):
            yield "its evidence does not say how much of a test suite it ran"
        elif not suite.get("whole"):
            yield from map(str, suite.get("reasons") or ["it was not of all tests"])


class Judged(Protocol):
    """An interaction of a cassette, as far as it is judged; `key` is None where it has to be computed."""

    @property
    def key(self) -> str | None:
        """The stored key."""

    @property
    def interaction(self) -> Interaction:
        """The interaction; CassetteFormatError where it is broken."""


def judge(entries: Iterable[Judged], name: str, played: Played, *, is_ours: bool = True) -> Verdict:
    """Return what is to become of the cassette that the evidence calls `name`; CassetteFormatError if it is broken.

    Another tool's tape is an orphan or none: its suite's own hooks may change what of it is played, so that keys tell
    nothing, and nobody rewrites it.
    """
    if name in played.left_out:
        return Verdict(What.KEEP, why="its test was skipped, or plays nothing")
    if name in played.live:
        return Verdict(What.KEEP, why="its test ran live")
    if name not in played.named:
        return _unused(entries, name, played, is_ours=is_ours)
    if not is_ours:
        return Verdict(What.KEEP)
    seen: Counter[str] = Counter()
    counts = played.counts.get(name, Counter())
    drop = []
    for number, entry in enumerate(entries, 1):
        key = entry.key or Matcher().stored_key(entry.interaction.request)
        seen[key] += 1
        if seen[key] > counts[key] and _is_known(entry, played):
            drop.append(number)
    return Verdict(What.UNPLAYED, tuple(drop)) if drop else Verdict(What.KEEP)


def _unused(entries: Iterable[Judged], name: str, played: Played, *, is_ours: bool) -> Verdict:
    """Judge a cassette that no test asked for anything."""
    if played.skipped and (not is_ours or PurePath(name).name.startswith(_FIXTURES)):
        return Verdict(What.KEEP, why="tests were skipped, and one of them may use it")
    known = [_is_known(entry, played) for entry in entries]
    if all(known):
        return Verdict(What.ORPHAN)
    if not any(known):
        return Verdict(What.KEEP, why="it is newer than the run, or holds no model call")
    return Verdict(What.KEEP, why="a part of it is newer than the run, or is no model call")


def _is_known(entry: Judged, played: Played) -> bool:
    """Whether the evidence would tell that an interaction was played: it is a model call, and older than the run."""
    interaction = entry.interaction
    return interaction.recorded < played.began and figures(interaction) is not None


def name_of(path: Path, root: Path) -> str:
    """Return what the evidence of a run whose root that was calls a cassette."""
    whole = path.resolve() if path.is_absolute() else (Path.cwd() / path).resolve()
    base = root.resolve()
    return str(whole.relative_to(base)) if whole.is_relative_to(base) else str(whole)
