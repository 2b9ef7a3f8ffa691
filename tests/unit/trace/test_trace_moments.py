from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import trace
from tapemeter.errors import UsageError

NOW = datetime(2026, 11, 21, 7, 44, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(days=14)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:00", datetime(2026, 11, 1, 8, tzinfo=UTC)),
        ("2026-11-01T08:00:00.5Z", datetime(2026, 11, 1, 8, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-01T00:30+01:00", datetime(2026, 10, 31, 23, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_told_in_utc(text: str, expected: datetime) -> None:
    found = trace.moment(text, now=NOW)
    assert (found, found.tzinfo) == (expected, UTC)


def test_what_is_ago_goes_back_from_now_wherever_that_is() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=9)))
    assert trace.moment("1h", now=there).isoformat() == "2026-11-21T06:44:30+00:00"


def test_the_end_of_a_day_is_the_beginning_of_the_next() -> None:
    assert trace.moment("2026-11-30", now=NOW, end=True) == datetime(2026, 12, 1, tzinfo=UTC)
    assert trace.moment("2026-11-30T00:00", now=NOW, end=True) == datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "7", "7y", "-7d", "1.5d", "\u0667d", "2026-13-01", "999999w", "9999-12-31", "\x1b[2J" * 99],
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="is no time; expected one such as 90m, 24h, 7d") as caught:
        trace.moment(text, now=NOW, end=True)
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


@given(text=st.text(max_size=30), end=st.booleans())
def test_any_text_is_a_moment_or_refused(text: str, end: bool) -> None:
    try:
        found = trace.moment(text, now=NOW, end=end)
    except UsageError:
        return
    assert found.tzinfo is UTC
