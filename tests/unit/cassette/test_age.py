from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.cassette import age
from tapemeter.errors import UsageError

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ages = st.integers(0, 10**6)


def recorded(seconds: int) -> str:
    return f"{NOW - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("36h", 129_600), ("90d", 7_776_000), ("12w", 7_257_600), (" 1D ", 86_400), ("any", math.inf), ("Any", math.inf)],
)
def test_an_age_is_a_number_of_hours_days_or_weeks(text: str, seconds: float) -> None:
    assert age.parse(text, "here") == seconds


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "0d", "1.5d", "90 d", "1y", "123456d", "٣d", None, 90, True])
def test_what_is_no_age_is_a_usage_error_that_names_its_place(text: Any) -> None:
    with pytest.raises(UsageError, match=r"^max_age is .*; write hours, days or weeks"):
        age.parse(text, "max_age")


@given(old=ages, most=st.integers(1, 10**6))
def test_a_recording_is_too_old_exactly_where_it_is_older(old: int, most: int) -> None:
    assert age.is_stale(recorded(old), age.cutoff(float(most), NOW)) is (old > most)


@pytest.mark.parametrize("most", [None, math.inf, 99999 * 7 * 86400.0, 2000 * 366 * 86400.0])
def test_without_an_age_nothing_is_too_old(most: float | None) -> None:
    assert age.cutoff(most, NOW) == ""
    assert not age.is_stale("0001-01-01T00:00:00Z", "")


def test_the_moment_is_told_in_utc_wherever_the_clock_stands() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=9)))
    assert age.cutoff(3600, there) == age.cutoff(3600, NOW) == "2026-11-21T11:00:00Z"


@pytest.mark.parametrize("moment", ["", "2001", "yesterday", "2001-02-03T04:05:06+00:00"])
def test_a_recording_that_does_not_say_when_it_was_made_is_not_too_old(moment: str) -> None:
    assert not age.is_stale(moment, age.cutoff(1.0, NOW))
