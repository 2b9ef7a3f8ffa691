from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tapemeter import report, schemas
from tapemeter.errors import EvidenceError
from tapemeter.report.figures import Durations

AT = "2026-11-21T08:00:00.000000Z"
QUALITIES = ("measured", "estimated", "partial", "unknown")
OUTCOMES = ("ok", "error", "failed", "abandoned", "cancelled", "cut", "timeout", "broken", "refused", "missed")
SENT = frozenset(OUTCOMES) - {"refused", "missed"}
SUMS = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "prompt_chars": "prompt_chars",
    "response_chars": "response_chars",
}


def event(kind: str, **fields: Any) -> dict[str, Any]:
    head = {"v": 1, "run_id": "a-run", "process": "main", "seq": 0, "at": AT, "event": kind}
    return head | fields | {"prev": "0" * 64, "hash": "f" * 64}


def call(**fields: Any) -> dict[str, Any]:
    given_by_default = {
        "call_id": "a#1",
        "attempt": 0,
        "job": "a job",
        "source": "live",
        "outcome": "ok",
        "quality": "measured",
        "cost_usd": "1",
        "cost_quality": "measured",
    }
    return event("call", **{**given_by_default, **fields})


def job(name: str = "a job", **fields: Any) -> dict[str, Any]:
    return event("job", **{"job": name, "state": "COMPLETED", **fields})


def limit(**fields: Any) -> dict[str, Any]:
    return {"scope": "run", "dimension": "calls", "limit": 4, "used": 3, "source": "it.yaml:5", **fields}


FIELDS = (
    *("job", "state", "tests", "limits", "outcome", "source", "cost_usd", "attempt", "quality", "versions", "runs"),
    *("bytes", "duration_seconds", "wall_seconds", "mode", "step", "test", "at", "process", "guard", "reason"),
    *SUMS.values(),
)

counts = st.none() | st.integers(0, 10**9)
calls = st.lists(
    st.builds(
        call,
        job=st.sampled_from(["a", "b"]),
        step=st.sampled_from([None, "s", "s/t"]),
        test=st.sampled_from([None, "test_a", "test_b"]),
        attempt=st.integers(0, 2),
        source=st.sampled_from(["replay", "record", "live"]),
        outcome=st.sampled_from(OUTCOMES),
        quality=st.sampled_from(QUALITIES),
        cost_usd=st.none() | st.decimals(0, 10**6, places=9).map(str),
        cost_today_usd=st.none() | st.decimals(0, 10**6, places=9).map(str),
        duration_seconds=st.none() | st.floats(0, 10**5),
        **{"gen_ai.request.model": st.sampled_from([None, "m-1", "m-2"]), **dict.fromkeys(SUMS.values(), counts)},
    ),
    max_size=30,
)


@given(made=calls)
def test_totals_are_the_sums_of_the_events(made: list[dict[str, Any]]) -> None:
    totals = report.fold(made)["totals"]
    sent = [each for each in made if each["outcome"] in SENT]
    for name, field in SUMS.items():
        assert totals[name] == sum(each[field] or 0 for each in sent)
    assert totals["attempts"] == len(sent) == sum(totals["quality"].values())
    assert totals["calls"] == sum(each["attempt"] == 0 for each in sent) == sum(totals["sources"].values())
    assert totals["refused"] + totals["missed"] == len(made) - len(sent)
    spent = sum((Decimal(each["cost_usd"] or 0) for each in sent if each["source"] != "replay"), Decimal(0))
    avoided = sum((Decimal(each["cost_usd"] or 0) for each in sent if each["source"] == "replay"), Decimal(0))
    assert (Decimal(totals["cost"]["spent_usd"]), Decimal(totals["cost"]["avoided_usd"])) == (spent, avoided)


@given(made=calls)
def test_what_belongs_to_one_of_each_kind_adds_up_to_the_totals(made: list[dict[str, Any]]) -> None:
    found = report.fold(made)
    for name in ("by_job", "by_test", "by_model", "by_provider"):
        for field in ("calls", "attempts", "refused", "missed", "input_tokens", "response_chars"):
            assert sum(entry[field] for entry in found[name]) == found["totals"][field]
    in_steps = [each for each in made if each["step"] is not None]
    assert sum(entry["attempts"] for entry in found["by_step"]) == report.fold(in_steps)["totals"]["attempts"]


@given(made=calls, data=st.data())
def test_the_order_of_calls_does_not_count(made: list[dict[str, Any]], data: st.DataObject) -> None:
    assert report.dump(report.fold(data.draw(st.permutations(made)))) == report.dump(report.fold(made))


@given(made=calls)
def test_every_report_is_as_its_schema_says(made: list[dict[str, Any]]) -> None:
    found = report.fold([*made, job("a"), event("end", limits=[limit()])])
    assert schemas.problems(found, schemas.USAGE_REPORT) == []
    assert json.loads(report.dump(found)) == found


@given(made=calls.filter(bool), extra=st.dictionaries(st.from_regex(r"new_[a-z]{1,5}", fullmatch=True), st.integers()))
def test_fields_of_newer_versions_change_nothing(made: list[dict[str, Any]], extra: dict[str, int]) -> None:
    newer = [{**each, **extra} for each in made]
    assert report.fold(newer) == report.fold(made)


def test_fields_of_newer_versions_may_be_missing() -> None:
    required = set(schemas.schema(schemas.USAGE_EVENT)["$defs"]["call"]["required"])
    least = event("call", **{name: value for name, value in call().items() if name in required})
    found = report.fold([least, job(), event("end", limits=[])])
    assert found["totals"]["calls"] == found["totals"]["quality"]["unknown"] == 1
    assert schemas.problems(found, schemas.USAGE_REPORT) == []


def test_a_kind_of_a_newer_version_is_left_alone() -> None:
    found = report.fold([call(), event("weather", rain=True), job()])
    assert (found["totals"]["calls"], found["evidence"]["events"]) == (1, 3)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(
    kind=st.sampled_from(
        [
            "run",
            "call",
            "step",
            "job",
            "stop",
            "warning",
            "route",
            "overrun",
            "not_run",
            "lapsed",
            "torn",
            "merged",
            "end",
        ]
    ),
    fields=st.dictionaries(
        st.sampled_from(FIELDS),
        junk,
    ),
)
@example(kind="end", fields={"limits": None})
@example(kind="run", fields={"limits": None})
@example(kind="stop", fields={"job": []})
@example(kind="end", fields={"wall_seconds": float("nan")})
def test_what_cannot_be_added_up_is_an_evidence_error(kind: str, fields: dict[str, Any]) -> None:
    with suppress(EvidenceError):
        assert report.dump(report.fold([call(), event(kind, **fields)]))


# What the figures mean


def test_what_was_not_sent_is_in_no_sum() -> None:
    refused = call(outcome="refused", **{"gen_ai.usage.input_tokens": 5})
    totals = report.fold([refused, call(outcome="missed", cost_usd="3")])["totals"]
    assert (totals["refused"], totals["missed"], totals["calls"], totals["input_tokens"]) == (1, 1, 0, 0)
    assert totals["cost"]["spent_usd"] == "0"


def test_an_unknown_price_is_unknown_and_not_zero() -> None:
    cost = report.fold([call(cost_usd="0.10"), call(cost_usd=None)])["totals"]["cost"]
    assert (cost["spent_usd"], cost["unknown"], cost["at_least"]) == ("0.1", 1, True)


@pytest.mark.parametrize(("quality", "at_least"), [*zip(QUALITIES, (False, False, True, True), strict=True)])
def test_a_sum_with_a_part_that_is_not_known_says_at_least(quality: str, at_least: bool) -> None:
    assert report.fold([call(), call(quality=quality)])["totals"]["cost"]["at_least"] is at_least


def test_money_is_added_without_rounding() -> None:
    found = report.fold([call(cost_usd="0.1"), call(cost_usd="0.2"), call(cost_usd="0.0000000000000000000000000001")])
    assert found["totals"]["cost"]["spent_usd"] == "0.3000000000000000000000000001"


def test_what_replay_avoids_is_not_spent() -> None:
    cost = report.fold([call(source="replay", cost_usd="2", cost_today_usd="1")])["totals"]["cost"]
    assert (cost["spent_usd"], cost["avoided_usd"], cost["today_usd"]) == ("0", "2", "1")


@pytest.mark.parametrize("money", ["NaN", "Infinity", "1e999999999", "9" * 100, "", "one", 1.5, True, []])
def test_what_is_no_money_is_refused(money: Any) -> None:
    with pytest.raises(EvidenceError, match="cannot be added up"):
        report.fold([call(cost_usd=money)])


def test_what_was_refused_needs_no_source() -> None:
    refused, sent = call(outcome="refused"), call()
    del refused["source"], sent["source"]
    assert report.fold([refused])["totals"]["refused"] == 1
    with pytest.raises(EvidenceError, match=r"\(call\) cannot be added up: KeyError: 'source'"):
        report.fold([sent])


def test_an_attempt_of_which_no_number_tells_is_no_call() -> None:
    totals = report.fold([call(attempt=None), call(attempt=1), call()])["totals"]
    assert (totals["attempts"], totals["calls"]) == (3, 1)


def test_sums_of_a_few_calls_that_have_too_many_digits_are_an_evidence_error() -> None:
    made = [("a", "m", "1e60"), ("b", "n", "-1e60"), ("c", "m", "1e-60")]
    with pytest.raises(EvidenceError, match="the events cannot be added up: Inexact"):
        report.fold([call(job=name, cost_usd=cost, **{"gen_ai.request.model": model}) for name, model, cost in made])


@given(st.lists(st.floats(0, 10**6), min_size=1), st.sampled_from([50, 95]))
def test_a_percentile_is_of_nearest_rank_to_three_digits(seconds: list[float], percent: int) -> None:
    durations = Durations()
    for each in seconds:
        durations.add(each)
    exact = sorted(seconds)[-(-len(seconds) * percent // 100) - 1]
    [found] = durations.percentiles(percent)
    assert found is not None
    assert abs(found - exact) <= max(exact * 0.0051, 1e-6)


# Limits, jobs, runs


@pytest.mark.parametrize(
    ("given_limit", "remaining", "fraction"),
    [
        (limit(), 1, 0.75),
        (limit(used=9), 0, 2.25),
        (limit(limit=0, used=0), 0, 1.0),
        (limit(dimension="cost_usd", limit="0.5", used="0.2"), "0.3", 0.4),
        (limit(dimension="wall_seconds", limit=2.0, used=0.5), 1.5, 0.25),
        (limit(used=None), None, None),
    ],
)
def test_a_limit_has_what_is_left_of_it(given_limit: dict[str, Any], remaining: Any, fraction: float | None) -> None:
    [found] = report.fold([event("end", limits=[given_limit])])["run_limits"]
    assert (found["remaining"], found["fraction"]) == (remaining, fraction)


def test_the_limits_of_a_run_that_did_not_end_are_not_known() -> None:
    found = report.fold([event("run", versions={}, limits=[limit(used=None)]), call(), job()])
    assert [(each["limit"], each["used"], each["remaining"]) for each in found["run_limits"]] == [(4, None, None)]
    assert not found["finished"]


def test_a_job_of_several_processes_is_what_is_worst_of_it() -> None:
    one = job(state="COMPLETED", tests=["b"], wall_seconds=1.0, limits=[limit(scope="job", used=1)])
    other = job(state="STOPPED_BUDGET", tests=["a"], wall_seconds=2.0, limits=[limit(scope="job", used=4)])
    for order in ([one, other], [other, one]):
        [found] = report.fold(order)["jobs"]
        assert (found["state"], found["tests"], found["wall_seconds"]) == ("STOPPED_BUDGET", ["a", "b"], 2.0)
        assert [each["used"] for each in found["limits"]] == [4]


def test_a_disagreement_is_an_error_of_the_report() -> None:
    end = event("end", limits=[])
    assert report.fold([job(disagreement="they differ"), end])["errors"] == ["a job: they differ"]


def test_a_job_of_which_nothing_tells_the_end_is_an_error_of_the_report() -> None:
    [error] = report.fold([call(), event("end", limits=[])])["errors"]
    assert error.startswith("a job: nothing tells what became of this job")


def test_an_expected_stop_says_so() -> None:
    stop = event("stop", job="a job", scope="job", dimension="calls", limit=1, used=1)
    assert report.fold([stop, job(expected_stop=True)])["stops"][0]["expected"] is True
    assert report.fold([stop, job(expected_stop=False)])["stops"][0]["expected"] is False


def test_runs_of_different_modes_are_mixed() -> None:
    runs = [event("run", versions={}, limits=[], mode=mode) for mode in ("replay", "live")]
    assert report.fold(runs)["mode"] == "mixed"
    assert report.fold(runs[:1])["mode"] == "replay"


def test_no_events_are_a_report_of_nothing() -> None:
    found = report.fold([])
    assert (found["run_id"], found["finished"], found["totals"]["calls"]) == (None, False, 0)
    assert schemas.problems(found, schemas.USAGE_REPORT) == []
