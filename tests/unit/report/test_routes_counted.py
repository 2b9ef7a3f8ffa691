from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_samples import SAMPLES, TEST
from tapemeter import report, schemas
from tapemeter.errors import EvidenceError

ROUTE = SAMPLES["route"]


def route(**changes: Any) -> dict[str, Any]:
    head = {"v": 1, "run_id": "r", "process": "main", "seq": 0, "at": "2026-11-21T08:00:00.000000Z", "event": "route"}
    return head | ROUTE | changes | {"prev": "0" * 64, "hash": "f" * 64}


def test_calls_that_went_the_same_way_for_the_same_rule_have_one_line() -> None:
    found = report.fold([route(), route(used="0.22", fraction=0.88, step=None), route(alias=None)])
    assert found["routes"] == [
        {
            "job": TEST,
            "alias": alias,
            "from_group": "main",
            "to_group": "cheap",
            "scope": "job",
            "dimension": "cost_usd",
            "source": "policies/default.yaml:14",
            "calls": calls,
        }
        for alias, calls in ((None, 1), ("planner", 2))
    ]
    assert schemas.problems(found, schemas.USAGE_REPORT) == []


def test_a_report_from_before_there_were_routes_is_still_one() -> None:
    found = report.fold([])
    assert found.pop("routes") == []
    lacking = [problem.place for problem in schemas.problems(found, schemas.USAGE_REPORT)]
    assert "routes" not in lacking


def test_a_job_of_which_only_a_route_is_known_counts_as_one_that_may_have_died() -> None:
    assert report.fold([route()])["errors"][-1].startswith(f"{TEST}: nothing tells what became of this job")


@given(
    st.lists(
        st.builds(route, job=st.sampled_from("ab"), alias=st.sampled_from([None, "x"]), to_group=st.sampled_from("gh"))
    ),
    st.randoms(use_true_random=False),
)
def test_every_route_is_counted_once_in_whatever_order(routes: list[dict[str, Any]], random: Any) -> None:
    found = report.fold(routes)["routes"]
    assert Counter({(line["job"], line["alias"], line["to_group"]): line["calls"] for line in found}) == Counter(
        (each["job"], each["alias"], each["to_group"]) for each in routes
    )
    random.shuffle(routes)
    assert report.fold(routes)["routes"] == found


def test_a_route_of_which_a_name_is_no_name_is_an_error_and_no_crash() -> None:
    with pytest.raises(EvidenceError, match="cannot be added up"):
        report.fold([route(alias=["x"])])
