"""When a call is tried again, and after how long; nothing here waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.client.config import Retries, Timeouts
from tapemeter.client.retry import Tries, retry_after
from tapemeter.client.waits import Waits
from tapemeter.errors import ProviderError


def error(kind: str = "rate_limit", **fields: object) -> ProviderError:
    return ProviderError("no", kind=kind, provider="real", **fields)  # type: ignore[arg-type]


def tries(failure: BaseException, attempts: int = 3) -> int:
    made = []

    def call() -> None:
        for attempt in Tries(Retries(attempts=attempts, first_wait=0.0, longest_wait=0.0), None):
            with attempt:
                made.append(attempt.num)
                raise failure

    with pytest.raises(type(failure)):
        call()
    assert made == [*range(1, len(made) + 1)]
    return len(made)


@pytest.mark.parametrize("kind", ["connection", "overloaded", "rate_limit", "server_error", "timeout"])
def test_what_may_help_is_tried_to_the_last(kind: str) -> None:
    assert tries(error(kind)) == 3
    assert tries(error(kind), attempts=1) == 1


@pytest.mark.parametrize(
    "kind", ["auth", "budget", "content_filter", "cut", "invalid_request", "not_found", "protocol"]
)
def test_what_cannot_help_is_tried_once(kind: str) -> None:
    assert tries(error(kind)) == 1


def test_what_has_been_shown_in_part_is_not_asked_for_again() -> None:
    assert tries(error("timeout", partial="Hel")) == 1


def test_a_wait_that_is_too_long_is_not_begun() -> None:
    assert tries(error(retry_after=1.0)) == 1


def test_no_try_begins_after_the_whole_time_of_a_call() -> None:
    made = []

    def call() -> None:
        for attempt in Tries(Retries(attempts=3, first_wait=0.0, longest_wait=0.0), 1e-9):
            with attempt:
                made.append(attempt.num)
                raise error("rate_limit")

    with pytest.raises(ProviderError):
        call()
    assert made == [1]


def test_the_whole_time_of_a_call_goes_on_over_its_tries() -> None:
    tries = Tries(Retries(), 60.0)
    later = Waits(Timeouts(total=60.0), streams=False, began=tries.began - 61.0)
    seconds, limit = later.for_headers
    assert limit == "total"
    assert seconds is not None
    assert seconds < 0


def test_other_errors_pass_at_once() -> None:
    assert tries(ValueError("mine")) == 1
    assert tries(KeyboardInterrupt()) == 1


def test_both_forms_of_retry_after_are_read() -> None:
    assert retry_after("2.5") == 2.5
    assert retry_after("0") == 0.0
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    found = retry_after(later)
    assert found is not None
    assert 80 < found <= 90
    assert retry_after(format_datetime(datetime(2020, 1, 1, tzinfo=UTC))) == 0.0


@given(st.none() | st.text(max_size=40))
def test_whatever_a_server_writes_is_seconds_or_nothing(text: str | None) -> None:
    found = retry_after(text)
    assert found is None or 0 <= found <= 7 * 86_400


def test_the_shortest_limit_that_holds_is_named() -> None:
    waits = Waits(Timeouts(first_chunk=5, idle=3, total=100), streams=True)
    assert [limit for _, limit in (waits.for_headers, waits.for_chunk)] == ["first_chunk", "first_chunk"]
    assert waits.heard() is None
    assert waits.for_chunk[1] == "idle"
    assert waits.for_any_chunk == 5
    whole = Waits(Timeouts(first_chunk=5, idle=3, total=100), streams=False)
    assert (whole.for_headers[1], whole.for_any_chunk) == ("total", 3)
    assert Waits(Timeouts(None, None, None, None), streams=True).for_headers == (None, "total")


def test_a_limit_that_has_passed_is_told_at_the_next_chunk() -> None:
    waits = Waits(Timeouts(first_chunk=0.0, idle=None, total=None), streams=True)
    assert waits.heard() == "first_chunk"
    assert waits.heard() is None
