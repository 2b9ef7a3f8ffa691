"""The report as a pure fold over events: the same events give the same report, to the byte.

It keeps sums, not events, so that a million calls need no more memory than their tests, steps and models do; and of
tests, which may be many thousands, no more than the text of what their events tell. What it does not know, a kind or a
field of a newer version, counts as an event and is left alone.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from tapemeter.errors import EvidenceError
from tapemeter.events.line import GENESIS, LINKS
from tapemeter.report.figures import FIELDS, NOT_SENT, Figures, money, text
from tapemeter.report.rows import Rows, plain
from tapemeter.schemas import attribute

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

SCHEMA = "llm_usage_report_schema_v1"

GROUPS: Mapping[str, tuple[str, ...]] = {
    "by_job": ("job",),
    "by_step": ("job", "step"),
    "by_test": ("test",),
    "by_model": ("model",),
    "by_provider": ("provider",),
}
"""The lists of figures in a report, and what each has one entry for."""

_PARTS = ("job", "step", "test", "model", "provider")
_LISTED = {
    "stop": "stops",
    "warning": "warnings",
    "overrun": "overruns",
    "not_run": "not_run",
    "lapsed": "lapsed",
    "drift": "drift",
    "stale": "stale",
}
_ROUTE = ("job", "alias", "from_group", "to_group", "scope", "dimension", "source")
"""What a line of the routes is for."""
_LEFT_OUT = frozenset({"v", "run_id", "seq", "process_seq", "event", *LINKS})
_STATES = ("PENDING", "RUNNING", "COMPLETED", "CANCELLED", "FAILED", "STOPPED_BUDGET")
"""From least to most: the state of a job of which several processes told."""

_KEY = ("job", "step", "test", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.provider.name")
_KEY_OF = attrgetter(*map(attribute, _KEY))
_VALUES_OF = attrgetter(*map(attribute, FIELDS))

_Key = tuple[str | None, ...]


def fold(events: Iterable[Any]) -> dict[str, Any]:
    """Return the report that the events of a run come to, in the order of their file, as JSON has it.

    EvidenceError for an event that cannot be added up; its `line` is the place of the event, from 1.
    """
    return plain(summed(events))


def summed(events: Iterable[Any]) -> dict[str, Any]:
    """Return the same with its long lists as `Rows`. An event is a dictionary, or a call as `events.calls` reads it."""
    state = _Fold()
    for number, event in enumerate(events, 1):
        try:
            state.take(event)
        except _MISFITS as error:
            kind = str(event.get("event"))[:40] if isinstance(event, dict) else "call"
            raise EvidenceError(f"the event ({kind}) cannot be added up: {_told(error)}", line=number) from None
    try:
        return state.report()
    except _MISFITS as error:
        raise _not_added(error) from None


_MISFITS = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)
"""What comes of values that are not of the kind that the schema says."""


def _not_added(error: Exception) -> EvidenceError:
    return EvidenceError(f"the events cannot be added up: {_told(error)}")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:80]}"


class _Fold:
    def __init__(self) -> None:
        self._count = 0
        self._last_hash = GENESIS
        self._run_id: str | None = None
        self._started: str | None = None
        self._ended: str | None = None
        self._run: Mapping[str, Any] | None = None
        self._modes: set[str | None] = set()
        self._figures: dict[_Key, Figures] = {}
        self._jobs: dict[str, str] = {}
        """What events tell of which there may be one for each test, as the text of its JSON."""
        self._seen_jobs: dict[str, None] = {}
        self._expected: set[str] = set()
        self._lists: dict[str, list[str]] = {name: [] for name in _LISTED.values()}
        self._routes: Counter[_Key] = Counter()
        self._steps: list[str] = []
        self._ends: list[Mapping[str, Any]] = []
        self._torn: list[dict[str, Any]] = []
        self._merged: list[dict[str, Any]] = []
        self._runs = 1
        self._disagreements: list[str] = []

    def take(self, event: Any) -> None:
        self._count += 1
        if not isinstance(event, dict):
            self._take_call(_KEY_OF(event), _VALUES_OF(event))
            self._last_hash = event.hash
            self._take_time(event.at, event.run_id)
            return
        kind = event["event"]
        if kind == "call":
            _needs(event, "job", "outcome", *(() if event.get("outcome") in NOT_SENT else ("source",)))
            told = {"attempt": 0, **event}
            self._take_call(tuple(map(told.get, _KEY)), tuple(map(told.get, FIELDS)))
        elif kind in _LISTED:
            self._lists[_LISTED[kind]].append(_plain(event))
            self._note_job(event)
        elif kind in _TAKERS:
            _TAKERS[kind](self, event)
        self._last_hash = event.get("hash", GENESIS)
        if kind != "torn":
            self._take_time(event["at"], event["run_id"])

    def _take_time(self, at: str, run_id: str) -> None:
        if self._started is None or self._ended is None:
            self._started = self._ended = at
        elif at > self._ended:
            self._ended = at
        elif at < self._started:
            self._started = at
        if self._run_id is None:
            self._run_id = run_id

    def _take_call(self, told: tuple[Any, ...], values: tuple[Any, ...]) -> None:
        job, step, test, asked, answered, provider = told
        key = (job, step, test, asked or answered, provider)
        figures = self._figures.get(key)
        if figures is None:
            # A job is mostly named like its test; a name is kept once, however many events tell of it.
            kept = tuple(sys.intern(part) if type(part) is str else part for part in key)
            figures = self._figures[kept] = Figures()
        figures.take(values)

    def _note_job(self, event: Mapping[str, Any]) -> None:
        if isinstance(event.get("job"), str):
            self._seen_jobs[sys.intern(event["job"])] = None

    def _take_run(self, event: Mapping[str, Any]) -> None:
        self._run = self._run or event
        self._modes.add(event.get("mode"))

    def _take_route(self, event: Mapping[str, Any]) -> None:
        self._routes[tuple(event.get(name) for name in _ROUTE)] += 1
        self._note_job(event)

    def _take_step(self, event: Mapping[str, Any]) -> None:
        self._steps.append(_plain(event, without=("process", "at")))
        self._note_job(event)

    def _take_job(self, event: Mapping[str, Any]) -> None:
        name = event["job"]
        name = sys.intern(name) if type(name) is str else name
        job = {
            "job": name,
            "state": event["state"],
            "tests": list(event.get("tests") or []),
            "expected_stop": bool(event.get("expected_stop")),
            "wall_seconds": event.get("wall_seconds"),
            "limits": [_limit(limit) for limit in event.get("limits") or []],
        }
        before = self._jobs.get(name)
        if before is not None:
            job = _together(json.loads(before), job)
        self._jobs[name] = json.dumps(job)
        if job["expected_stop"]:
            self._expected.add(name)
        if event.get("disagreement"):
            self._disagreements.append(f"{name}: {event['disagreement']}")

    def _take_end(self, event: Mapping[str, Any]) -> None:
        self._ends.append(event)

    def _take_torn(self, event: Mapping[str, Any]) -> None:
        self._torn.append({"process": event["process"], "bytes": event["bytes"]})

    def _take_merged(self, event: Mapping[str, Any]) -> None:
        runs = [dict(run) for run in event["runs"]]
        if self._count == 1:
            self._merged = runs
            self._runs = sum(run["runs"] for run in runs)

    # The report

    def report(self) -> dict[str, Any]:
        finished = len(self._ends) >= self._runs
        modes = self._modes or {None}
        end = self._ends[-1] if self._ends else {}
        reasons = [each["reason"] for each in self._ends if each.get("reason")]
        totals = _sum(self._figures.values())
        return {
            "schema": SCHEMA,
            "run_id": self._run_id,
            "started": self._started,
            "ended": self._ended,
            "finished": finished,
            "exit_reason": reasons[0] if reasons else None,
            "wall_seconds": max((each["wall_seconds"] for each in self._ends if "wall_seconds" in each), default=None),
            "mode": modes.copy().pop() if len(modes) == 1 else "mixed",
            "guard": end.get("guard"),
            "versions": dict(sorted((self._run or {}).get("versions", {}).items())),
            "evidence": {
                "events": self._count,
                "last_hash": self._last_hash,
                "torn": self._torn,
                "merged": self._merged,
            },
            "totals": totals.as_json(),
            **{name: self._grouped(parts) for name, parts in GROUPS.items()},
            "jobs": Rows(lambda name: json.loads(self._jobs[name]), sorted(self._jobs)),
            "steps": Rows(json.loads, self._steps),
            "run_limits": self._run_limits(),
            "stops": Rows(self._stop, self._lists["stops"]),
            "warnings": Rows(json.loads, self._lists["warnings"]),
            "routes": [
                {**dict(zip(_ROUTE, key, strict=True)), "calls": self._routes[key]} for key in _in_order(self._routes)
            ],
            **{
                name: Rows(json.loads, listed)
                for name, listed in self._lists.items()
                if name not in {"stops", "warnings"}
            },
            "errors": self._errors(finished=finished),
        }

    def _stop(self, kept: str) -> dict[str, Any]:
        stop = json.loads(kept)
        job = stop.get("job")
        return {**stop, "expected": isinstance(job, str) and job in self._expected}

    def _grouped(self, parts: Sequence[str]) -> Rows:
        """Return the figures for each value of some parts of the key; calls outside of steps are in no step."""
        first = _PARTS.index(parts[0])
        group = itemgetter(slice(first, first + len(parts)))  # they stand side by side
        inside = [key for key in self._figures if "step" not in parts or key[_PARTS.index("step")] is not None]
        keys = _in_order(inside, group)
        starts = [place for place, key in enumerate(keys) if not place or group(key) != group(keys[place - 1])]
        ends = [*starts[1:], len(keys)]

        def row(number: int) -> dict[str, Any]:
            of_group = keys[starts[number] : ends[number]]
            try:
                figures = _sum([self._figures[key] for key in of_group])
            except ArithmeticError as error:
                raise _not_added(error) from None
            return {**dict(zip(parts, group(of_group[0]), strict=True)), **figures.as_json()}

        return Rows(row, range(len(starts)))

    def _run_limits(self) -> list[dict[str, Any]]:
        """Return the limits of each run with what was used; of one that did not finish, that is not known."""
        if not self._ends:
            return [_limit(limit) for limit in (self._run or {}).get("limits", [])]
        return [{**_limit(limit), "process": end["process"]} for end in self._ends for limit in end.get("limits", [])]

    def _errors(self, *, finished: bool) -> list[str]:
        errors = sorted(self._disagreements)
        if not finished:
            errors.append("the run did not come to its end, so its evidence may lack what came last")
        left = sorted({*self._seen_jobs, *(str(key[0]) for key in self._figures)}.difference(self._jobs))
        return errors + [f"{name}: nothing tells what became of this job; its process may have died" for name in left]


_TAKERS: Mapping[str, Callable[[_Fold, Mapping[str, Any]], None]] = {
    "run": _Fold._take_run,  # noqa: SLF001 - a table of its own methods
    "route": _Fold._take_route,  # noqa: SLF001
    "step": _Fold._take_step,  # noqa: SLF001
    "job": _Fold._take_job,  # noqa: SLF001
    "end": _Fold._take_end,  # noqa: SLF001
    "torn": _Fold._take_torn,  # noqa: SLF001
    "merged": _Fold._take_merged,  # noqa: SLF001
}


def _needs(event: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if name not in event:
            raise KeyError(name)


def _sum(figures: Collection[Figures]) -> Figures:
    if len(figures) == 1:  # as those of most tests
        return next(iter(figures))
    total = Figures()
    for each in figures:
        total.add(each)
    return total


def _in_order(keys: Iterable[_Key], by: Callable[[_Key], _Key] = tuple) -> list[_Key]:
    return sorted(keys, key=lambda key: [(part is not None, part or "") for part in by(key)])


def _plain(event: Mapping[str, Any], without: Sequence[str] = ("process",)) -> str:
    """Return what an event tells, without its place in the file, as the text of its JSON."""
    return json.dumps({name: value for name, value in event.items() if name not in _LEFT_OUT and name not in without})


def _together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return what became of a job of which tests ran in several processes."""
    limits: dict[str, dict[str, Any]] = {}
    for limit in (*one["limits"], *other["limits"]):
        given = {name: value for name, value in limit.items() if name not in {"used", "remaining", "fraction"}}
        which = json.dumps(given, sort_keys=True)
        known = limits.get(which)
        if known is None or _number(limit["used"]) > _number(known["used"]):
            limits[which] = limit
    seconds = [job["wall_seconds"] for job in (one, other) if job["wall_seconds"] is not None]
    return {
        "job": one["job"],
        "state": max(one["state"], other["state"], key=_STATES.index),
        "tests": sorted({*one["tests"], *other["tests"]}),
        "expected_stop": one["expected_stop"] or other["expected_stop"],
        "wall_seconds": max(seconds, default=None),
        "limits": [limits[which] for which in sorted(limits)],
    }


def _limit(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a limit with what is left of it, and which fraction was used; null where it is not known."""
    limit, used = given["limit"], given.get("used")
    if used is None:
        return {**given, "used": None, "remaining": None, "fraction": None}
    most, spent = _number(limit), _number(used)
    left = max(Decimal(0), most - spent)
    if isinstance(limit, str):
        remaining: str | float = text(left)
    else:
        remaining = float(left) if float in {type(limit), type(used)} else int(left)
    return {**given, "remaining": remaining, "fraction": round(float(spent / most), 4) if most else 1.0}


def _number(amount: Any) -> Decimal:
    if isinstance(amount, str):
        return money(amount)
    if amount is None or isinstance(amount, bool):
        raise TypeError(f"expected an amount, found {amount!r}")
    return Decimal(str(amount))
