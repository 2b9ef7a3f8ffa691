from __future__ import annotations

import pytest

from tapemeter import Request, Response
from tapemeter.cassette.kept import worth_keeping
from tapemeter.cassette.model import Fresh, Interaction

RETRYABLE = [408, 409, 425, 429, 500, 503, 529]


def kept(*calls: str) -> list[str]:
    """Return which of some calls are kept; each is written `<key> <status> <attempt>`, in the order of issue."""
    return [interaction.recorded for interaction in interactions(*calls)]


def interactions(*calls: str) -> list[Interaction]:
    recorded = []
    for order, call in enumerate(calls):
        key, status, attempt = call.split()
        interaction = Interaction(Request("POST", "http://h/"), Response(int(status)), call, key)
        recorded.append(Fresh(interaction, order, int(attempt)))
    return worth_keeping(recorded[::-1])


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 404, *RETRYABLE])
def test_an_answer_that_reached_the_program_is_kept(status: int) -> None:
    assert kept(f"a {status} 0") == [f"a {status} 0"]


@pytest.mark.parametrize("status", RETRYABLE)
def test_an_error_that_a_retry_overcame_is_dropped(status: int) -> None:
    assert kept(f"a {status} 0", f"a {status} 1", "a 200 2") == ["a 200 2"]


def test_an_error_that_a_retry_turned_into_a_final_one_is_dropped() -> None:
    assert kept("a 429 0", "a 400 1") == ["a 400 1"]


def test_errors_that_the_sdk_gave_up_on_are_all_kept() -> None:
    assert kept("a 429 0", "a 429 1", "a 503 2") == ["a 429 0", "a 429 1", "a 503 2"]


def test_an_error_that_the_program_asked_again_for_is_kept() -> None:
    assert kept("a 429 0", "a 200 0") == ["a 429 0", "a 200 0"]


def test_an_error_given_up_on_is_kept_though_a_later_call_was_retried_with_success() -> None:
    assert kept("a 429 0", "a 429 1", "a 429 0", "a 200 1") == ["a 429 0", "a 429 1", "a 200 1"]


def test_a_retry_of_another_request_says_nothing() -> None:
    assert kept("a 429 0", "b 200 1") == ["a 429 0", "b 200 1"]


def test_a_final_error_is_not_taken_for_overcome() -> None:
    assert kept("a 400 0", "a 200 1") == ["a 400 0", "a 200 1"]


def test_calls_are_kept_in_the_order_of_issue() -> None:
    assert kept("b 200 0", "a 200 0", "c 200 0") == ["b 200 0", "a 200 0", "c 200 0"]


def test_an_answer_tells_of_the_errors_that_were_overcome_for_it() -> None:
    found = interactions("a 429 0", "b 200 0", "a 503 1", "a 200 2", "a 200 0")

    assert [(one.recorded, one.retried) for one in found] == [
        ("b 200 0", ()),
        ("a 200 2", (429, 503)),
        ("a 200 0", ()),
    ]
