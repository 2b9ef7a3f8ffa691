"""The ids of runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from tapemeter.run import new_run_id

MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy wants them so


@given(MOMENTS, st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=900)))
def test_later_runs_have_greater_ids(moment: datetime, later: timedelta) -> None:
    assert new_run_id(moment) < new_run_id(moment + later)


def test_a_run_id_is_in_utc_and_a_file_name() -> None:
    moment = datetime(2026, 11, 21, 8, 44, 30, 123999, tzinfo=timezone(timedelta(hours=1)))
    assert new_run_id(moment)[:-6] == "20261121T074430.123Z-"
    assert new_run_id() != new_run_id()
