from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_samples import LIMIT, RUN_ID, SAMPLES, STOP, TEST, call
from tapemeter import report
from tapemeter.report.terminal import dollars, lines, seconds


def folded(*told: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """The report of some events, and of the job and the run that they are in."""
    frame = {"v": 1, "run_id": RUN_ID, "process": "main", "at": "2026-11-21T07:44:30.000000Z"}
    jobs = () if any(kind == "job" for kind, _ in told) else (("job", {**SAMPLES["job"], "limits": []}),)
    ends = () if any(kind == "end" for kind, _ in told) else (("end", {**SAMPLES["end"], "limits": []}),)
    return report.fold({**frame, "event": kind, **fields} for kind, fields in (*told, *jobs, *ends))


def shown(*told: tuple[str, dict[str, Any]], width: int = 120) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines(folded(*told), width=width)]


def styles(*told: tuple[str, dict[str, Any]]) -> dict[str, str | None]:
    return {text.strip(): style for line in lines(folded(*told)) for text, style in line}


def test_a_plain_run_takes_four_lines() -> None:
    assert shown(call(), call(call_id="second")) == [
        "calls   2 calls (2 replayed)",
        "tokens  600 in (40 cached), 200 out",
        "cost    $0.00 spent, $0.00055 avoided by replay ($0.0006 today)",
        "latency p50 1.5 s, p95 1.5 s",
    ]


def test_what_was_sent_is_spent() -> None:
    calls, _, cost, _ = shown(call(source="record", cost_usd="1.5"), call(source="live", cost_usd="0.25"))
    assert calls == "calls   2 calls (1 recorded, 1 live)"
    assert cost == "cost    $1.75 spent"


def test_what_did_not_go_well_is_counted() -> None:
    outcomes = ("error", "failed", "cut", "refused", "missed")
    told = [call(outcome=outcome, attempt=int(outcome == "failed")) for outcome in outcomes]
    assert shown(*told)[0] == (
        "calls   2 calls (2 replayed), 1 retried, 1 refused, 1 missed, 1 failed, 1 incomplete, 1 answered with an error"
    )


@pytest.mark.parametrize(
    ("fields", "tokens", "cost"),
    [
        ({"quality": "partial"}, "at least 300 in", "at least $0.00 spent, at least $0.000275 avoided"),
        ({"quality": "unknown", "cost_usd": None}, "at least 300 in", "at least $0.00 spent, at least $0.00 avoided"),
        ({"quality": "estimated"}, "300 in (20 cached), 100 out; 1 attempt estimated", "$0.00 spent"),
        ({"cost_usd": None}, "300 in", "at least $0.00 spent, at least $0.00 avoided"),
    ],
)
def test_a_figure_that_leaves_something_out_says_at_least(fields: dict[str, Any], tokens: str, cost: str) -> None:
    _, told_tokens, told_cost, _ = shown(call(**fields))
    assert told_tokens.startswith(f"tokens  {tokens}")
    assert told_cost.startswith(f"cost    {cost}")


def test_an_unknown_price_stands_out() -> None:
    assert styles(call(cost_usd=None))[", 1 of unknown price".strip()] == "yellow"


def bar(limit: Any, used: Any, dimension: str = "calls") -> tuple[str, dict[str, Any]]:
    entry = {**LIMIT, "dimension": dimension, "limit": limit, "used": used}
    return "end", {**SAMPLES["end"], "limits": [entry]}


@pytest.mark.parametrize(
    ("told", "line", "style"),
    [
        (bar("5", "3.1", "cost_usd"), "run  cost_usd  [######----]  $3.10 of $5.00", "green"),
        (bar(10, 0), "run  calls  [----------]  0 of 10", "green"),
        (bar(1000, 800), "run  calls  [########--]  800 of 1,000", "yellow"),
        (bar(10, 10), "run  calls  [##########]  10 of 10", "red"),
        (bar(10, 12), "run  calls  [##########]  12 of 10", "red"),
        (bar(0, 0), "run  calls  [##########]  0 of 0", "red"),
        (bar(1800.0, 12.25, "wall_seconds"), "run  wall_seconds  [----------]  12.2 s of 1,800 s", "green"),
    ],
)
def test_a_budget_is_a_bar_that_fills(told: tuple[str, dict[str, Any]], line: str, style: str) -> None:
    assert shown(call(), told)[-1] == line
    [bars] = [found for text, found in styles(call(), told).items() if text.startswith("[")]
    assert bars == style


def test_the_fullest_limits_come_first_and_few_are_shown() -> None:
    limits = [{**LIMIT, "dimension": "calls", "limit": 100, "used": used, "model": f"m-{used}"} for used in range(6)]
    told = shown(call(), ("end", {**SAMPLES["end"], "limits": limits}))[4:]
    assert told == [
        *[f"run  calls  [----------]  {used} of 100  m-{used}" for used in (5, 4, 3, 2)],
        "and 2 limits more of the run",
    ]


def test_of_the_limits_of_jobs_the_one_that_came_nearest_is_shown() -> None:
    def job(name: str, *used: int) -> tuple[str, dict[str, Any]]:
        limits = [{**LIMIT, "scope": "job", "dimension": "calls", "limit": 10, "used": number} for number in used]
        return "job", {**SAMPLES["job"], "job": name, "limits": limits}

    assert shown(call(job="b"), job("a", 1, 2), job("b", 9, 3))[-1] == "job  calls  [#########-]  9 of 10  b"


def test_stops_have_a_line_each_and_expected_ones_do_not_stand_out() -> None:
    expected = {**STOP, "job": "wanted"}
    job = ("job", {**SAMPLES["job"], "job": "wanted", "expected_stop": True, "limits": []})
    told = (call(), ("stop", expected), ("stop", STOP), job, ("job", SAMPLES["job"]))
    assert [line for line in shown(*told) if line.startswith("stopped")] == [
        f"stopped  job's calls limit of 3, 3 used  {TEST}",
        "stopped, as expected  job's calls limit of 3, 3 used  wanted",
    ]
    assert styles(*told)["stopped"] == "red"
    assert styles(*told)["stopped, as expected"] is None


def test_many_stops_are_counted() -> None:
    assert shown(call(), *[("stop", STOP)] * 8)[-1] == "and 3 stops more"


def test_what_else_happened_has_a_line() -> None:
    told = [(kind, SAMPLES[kind]) for kind in ("not_run", "warning", "overrun", "torn")]
    lapsed = ("lapsed", {"call_id": f"{TEST}#2", "job": TEST})
    assert shown(call(), *told, lapsed)[4:] == [
        "not run  1 test  not run: run budget: cost_usd limit of $5.00",
        f"warning  run: 8.5 s of 10 s wall_seconds  {TEST}",
        "1 overrun  more was used than had been set aside",
        "1 lapsed call  its process died while it was under way",
        "1 torn line  its process died while it was written",
    ]


def test_errors_are_red_and_come_last() -> None:
    told = (call(), ("job", {**SAMPLES["job"], "limits": [], "disagreement": "the harness stopped it"}))
    assert shown(*told)[-1] == f"error  {TEST}: the harness stopped it"
    assert styles(*told)["error"] == "red"


@given(st.integers(60, 200), st.text(max_size=300))
def test_no_line_is_longer_than_the_terminal_or_has_power_over_it(width: int, name: str) -> None:
    events = (("stop", {**STOP, "job": name}), ("warning", {**SAMPLES["warning"], "job": name}))
    for line in shown(call(job=name), *events, ("not_run", {"test": "t", "reason": name}), width=width):
        assert len(line) <= width
        assert line.isprintable()


def test_a_line_that_is_too_long_loses_its_middle() -> None:
    stop = ("stop", {**STOP, "job": "tests/test_" + "x" * 100 + ".py::test_it"})
    [line] = [line for line in shown(call(), stop, width=80) if line.startswith("stopped")]
    assert len(line) == 80
    assert line.startswith("stopped  job's calls limit of 3")
    assert "…" in line
    assert line.endswith(".py::test_it")


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        ("0", "$0.00"),
        ("3.1", "$3.10"),
        ("1234.567", "$1,234.57"),
        ("0.25", "$0.25"),
        ("0.012345", "$0.0123"),
        ("0.000275", "$0.000275"),
        ("0.00000012345", "$0.000000123"),
    ],
)
def test_money_is_shown_by_what_counts(usd: str, text: str) -> None:
    assert dollars(usd) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0004, "0"), (1.5, "1.5"), (6.24139, "6.241"), (12.34, "12.3"), (1800.0, "1,800")]
)
def test_seconds_are_shown_by_what_counts(value: float, text: str) -> None:
    assert seconds(value) == text
