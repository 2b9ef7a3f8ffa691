from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_maker import END, ONE, RUN, THREE, TWO, ingest, whole_run

from evidence_samples import CALL, Clock, call, run_folder, write_part
from tapemeter import events, report, trace
from tapemeter.budget.dimensions import Dimension, from_units, to_units
from tapemeter.errors import EvidenceError, UsageError
from tapemeter.events import layout
from tapemeter.trace import store, units
from tapemeter.trace.views import FIGURES, KEYS, MONEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence_samples import Told

OUTCOMES = ("ok", "error", "failed", "abandoned", "cancelled", "cut", "timeout", "broken", "refused", "missed")
FIELDS = {
    "test": "test",
    "job": "job",
    "task": "task",
    "step": ("job", "step"),
    "run": "run_id",
    "model": ("gen_ai.request.model", "gen_ai.response.model"),
    "alias": "alias",
}
AS_IN_REPORTS = {"test": "by_test", "job": "by_job", "model": "by_model"}
COUNTS = (
    *("calls", "attempts", "refused", "missed", "failed", "errors", "incomplete", "input_tokens", "output_tokens"),
    *("cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
)

amounts = st.none() | st.integers(0, 10**16).map(lambda number: f"{from_units(Dimension.COST_USD, number):f}")
counts = st.none() | st.integers(0, 10**9)
some = st.sampled_from
calls = st.builds(
    call,
    call_id=some(["a#1", "a#2", "b#1"]),
    attempt=st.integers(0, 2),
    job=some(["a", "b"]),
    step=some([None, "s", "s/t"]),
    test=some([None, "test_a", "test_b[x]"]),
    task=some([None, "plan"]),
    alias=some([None, "router"]),
    source=some(["replay", "record", "live"]),
    outcome=some(OUTCOMES),
    quality=some(["measured", "estimated", "partial", "unknown"]),
    cost_quality=some(["measured", "partial", "unknown", None]),
    cost_usd=amounts,
    cost_today_usd=amounts,
    gateway_cost_usd=amounts,
    gen_ai__request__model=some([None, "m-1", "m-2"]),
    gen_ai__response__model=some([None, "m-1-answered"]),
    gen_ai__usage__input_tokens=counts,
    gen_ai__usage__output_tokens=counts,
    gen_ai__usage__cache_read__input_tokens=counts,
)


class Asked:
    """A report directory with some runs, and its store."""

    def __init__(self, root: Path, made: list[list[Told]]) -> None:
        self.root = root
        for run_id, told in zip((ONE, TWO, THREE), made, strict=False):
            whole_run(root, run_id, told, start=86_400 * int(run_id == TWO))
        assert ingest(root).findings == ()

    def costs(self, by: str, **options: Any) -> trace.Costs:
        return trace.costs(self.root / trace.FILE, by, **options)

    def calls(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self.root.glob(f"runs/*/{layout.EVENTS}")):
            yield from (event for event in map(json.loads, path.read_bytes().splitlines()) if event["event"] == "call")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def key_of(event: dict[str, Any], by: str) -> tuple[str | None, ...]:
    if by == "day":
        return (event["at"][:10],)
    if by == "model":
        return (event["gen_ai.request.model"] or event["gen_ai.response.model"],)
    if by == "group":
        return (event["group"],)
    names = FIELDS[by]
    return tuple(event[name] for name in ((names,) if isinstance(names, str) else names))


@settings(max_examples=25)
@given(made=st.lists(st.lists(calls, max_size=12), min_size=1, max_size=2))
def test_the_figures_by_any_key_are_the_sums_of_the_events(made: list[list[Told]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asked = Asked(Path(folder), made)
        found = list(asked.calls())
        for by in KEYS:
            told = asked.costs(by)
            groups: defaultdict[tuple[str | None, ...], list[dict[str, Any]]] = defaultdict(list)
            for event in found:
                groups[key_of(event, by)].append(event)
            assert {key for key, _ in told.rows} == set(groups)
            assert told.groups == len(groups)
            for key, figures in [*told.rows, (None, told.total)]:
                check(figures, found if key is None else groups[key])


def check(figures: trace.Figures, found: list[dict[str, Any]]) -> None:
    """Compare figures with sums that are made in another way, and with those of a report of the same events."""
    sent = [event for event in found if event["outcome"] not in {"refused", "missed"}]
    replayed = [event for event in sent if event["source"] == "replay"]
    others = [event for event in sent if event["source"] != "replay"]
    assert figures.spent_usd == sum(Decimal(event["cost_usd"] or 0) for event in others)
    assert figures.avoided_usd == sum(Decimal(event["cost_usd"] or 0) for event in replayed)
    assert figures.today_usd == sum(Decimal(event["cost_today_usd"] or 0) for event in replayed)
    assert figures.gateway_usd == sum(Decimal(event["gateway_cost_usd"] or 0) for event in sent)
    totals = report.fold(found)["totals"]
    assert {name: getattr(figures, name) for name in COUNTS} == {name: totals[name] for name in COUNTS}
    assert (figures.unpriced, figures.at_least) == (totals["cost"]["unknown"], totals["cost"]["at_least"])


@settings(max_examples=10)
@given(made=st.lists(calls, min_size=1, max_size=12))
def test_a_view_tells_what_the_command_tells(made: list[Told]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asked = Asked(Path(folder), [made])
        for by, columns in KEYS.items():
            names = [figure.name for figure in FIGURES if figure.name != "unsure"]
            units_of = [f"{figure.name}_units" for figure in MONEY]
            listed = ", ".join([*columns, *names, "at_least", *units_of])
            answer = trace.ask(asked.root / trace.FILE, f"SELECT {listed} FROM cost_by_{by}")
            by_view = {row[: len(columns)]: row[len(columns) :] for row in answer.rows}
            by_api = {
                key: (
                    *(getattr(figures, name) for name in names),
                    int(figures.at_least),
                    *(units.money(f"{getattr(figures, f'{figure.name}_usd'):f}") for figure in MONEY),
                )
                for key, figures in asked.costs(by).rows
            }
            assert by_view == by_api


def test_units_are_those_of_budgets() -> None:
    for amount in ("0", "1", "0.25", "0.000000000001", "0.0000000000001", "9223372.036854775807"):
        assert units.money(amount) == to_units(Dimension.COST_USD, Decimal(amount))
    for seconds in (0, 1.5, 0.000001, 86_400.25):
        assert units.seconds(seconds) == to_units(Dimension.WALL_SECONDS, seconds)
    assert units.usd(275_000_001) == from_units(Dimension.COST_USD, 275_000_001) == Decimal("0.000275000001")
    assert units.money("9223372.036854775808") is None


def test_money_is_exact_however_small_and_however_much(root: Path) -> None:
    asked = Asked(
        root, [[*[call(source="live", cost_usd="0.000000000001")] * 3, call(source="live", cost_usd="8000000")] * 9]
    )
    [(_, figures)] = asked.costs("test").rows
    assert figures.spent_usd == Decimal("72000000.000000000027")
    query = "SELECT SUM(spent_units) FROM calls"
    with pytest.raises(UsageError, match="integer overflow"):
        trace.ask(root / trace.FILE, query)


def test_spent_avoided_and_today_are_kept_apart(root: Path) -> None:
    made = [
        call(source="live", cost_usd="1", cost_today_usd="16"),
        call(source="record", cost_usd="2", cost_today_usd="32"),
        call(source="replay", cost_usd="4", cost_today_usd="8"),
        call(source="live", cost_usd="64", outcome="refused"),
    ]
    total = Asked(root, [made]).costs("run").total
    assert (total.spent_usd, total.avoided_usd, total.today_usd, total.at_least) == (3, 4, 8, False)


@pytest.mark.parametrize(
    "unknown",
    [
        {"cost_usd": None},
        {"cost_today_usd": None},
        {"quality": "partial"},
        {"cost_quality": "unknown"},
        {"outcome": "timeout", "quality": "unknown", "cost_usd": None},
    ],
)
def test_a_sum_with_an_unknown_part_says_at_least(root: Path, unknown: dict[str, Any]) -> None:
    told = Asked(root, [[call(test="known"), call(test="unknown"), call(test="unknown", **unknown)]]).costs("test")
    assert {key: figures.at_least for key, figures in told.rows} == {("known",): False, ("unknown",): True}
    assert told.total.at_least


def test_attempts_at_a_call_add_up_to_one_call(root: Path) -> None:
    made = [call(call_id="a#1", attempt=0, outcome="error"), call(call_id="a#1", attempt=1, gen_ai__request__model="b")]
    told = Asked(root, [made]).costs("test")
    [(_, figures)] = told.rows
    assert (figures.calls, figures.attempts, figures.errors) == (1, 2, 1)
    assert figures.avoided_usd == 2 * Decimal(CALL["cost_usd"])


# Which calls, and in which order


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)


def test_time_counts_from_one_moment_to_before_another(root: Path) -> None:
    asked = Asked(root, [[call()] * 3])  # at 07:44:31, :32 and :33

    def counted(**period: datetime) -> int:
        return asked.costs("run", **period).total.calls

    assert counted(since=at(21, 7, 44, 32)) == 2
    assert counted(until=at(21, 7, 44, 32)) == 1
    assert counted(since=at(21, 7, 44, 32), until=at(21, 7, 44, 33)) == 1
    nothing = asked.costs("run", since=at(22))
    assert (nothing.rows, nothing.groups, nothing.total.calls, nothing.total.spent_usd) == ((), 0, 0, 0)


@pytest.mark.parametrize(
    ("where", "tests"),
    [
        ({"test": "test_a[1]"}, ["test_a[1]"]),
        ({"test": "test_a[*"}, ["test_a[1]", "test_a[2]"]),
        ({"test": "test_?"}, []),
        ({"test": "*?*"}, ["what?"]),
        ({"job": "b"}, ["what?"]),
        ({"model": "m-*", "job": "a"}, ["test_a[2]"]),
        ({"run": ONE}, ["test_a[1]", "test_a[2]", "what?"]),
        ({"run": TWO}, []),
    ],
)
def test_calls_are_chosen_by_name_or_by_a_star(root: Path, where: dict[str, str], tests: list[str]) -> None:
    made = [
        call(test="test_a[1]", job="a"),
        call(test="test_a[2]", job="a", gen_ai__request__model="m-1"),
        call(test="what?", job="b"),
    ]
    assert sorted(str(key) for (key,), _ in Asked(root, [made]).costs("test", where=where).rows) == tests


def test_the_dearest_come_first_and_all_count_in_the_total(root: Path) -> None:
    made = [call(test=name, cost_usd=usd) for name, usd in (("c", "1"), ("a", "2"), ("b", "2"), ("d", None))]
    told = Asked(root, [made]).costs("test", limit=3)
    assert [key for key, _ in told.rows] == [("a",), ("b",), ("c",)]
    assert (told.groups, told.total.calls, told.total.avoided_usd) == (4, 4, 5)


@pytest.mark.parametrize("by", ["run", "day"])
def test_runs_and_days_come_in_order_and_the_last_are_kept(root: Path, by: str) -> None:
    asked = Asked(root, [[call(cost_usd="9")], [call(cost_usd="1")]])
    in_order = [key for key, _ in asked.costs(by).rows]
    assert in_order == sorted(in_order)
    assert len(in_order) == 2
    assert [key for key, _ in asked.costs(by, limit=1).rows] == in_order[-1:]


def test_an_unknown_key_or_choice_names_those_there_are(root: Path) -> None:
    asked = Asked(root, [[call()]])
    with pytest.raises(UsageError, match=r"expected one of test, job, .*, got 'colour'"):
        asked.costs("colour")
    with pytest.raises(UsageError, match="expected one of run, job, test, model, got 'colour'"):
        asked.costs("test", where={"colour": "red"})


def test_a_store_that_is_not_there_is_told(root: Path) -> None:
    with pytest.raises(EvidenceError, match="cannot be used"):
        trace.costs(root / "nowhere.sqlite", "test")


def test_the_events_of_a_run_that_goes_on_count(root: Path) -> None:
    write_part(run_folder(root), [RUN, call(test="now")], process="gw0")
    write_part(run_folder(root), [RUN, call(test="now")], clock=Clock())
    ingest(root)
    assert trace.costs(root / trace.FILE, "test").total.calls == 2
    events.finish(run_folder(root))
    ingest(root)
    with store.reading(root / trace.FILE) as connection:
        assert connection.execute("SELECT calls FROM cost_by_test").fetchall() == [(2,)]
    assert END[0] == "end"
