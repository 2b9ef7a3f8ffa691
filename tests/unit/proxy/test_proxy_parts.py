"""The proxy's tables: where providers are, which variables lead to them here, and what a refusal looks like."""

from __future__ import annotations

from typing import Any

import pytest

from tapemeter.errors import BudgetStopped, CassetteMiss, PartialRecording, UnownedCall, UnreadableCassette, UsageError
from tapemeter.proxy import refusals, upstreams


def test_providers_are_where_the_environment_says_else_where_they_are_for_all() -> None:
    found = upstreams.table({"OPENAI_BASE_URL": "http://127.0.0.1:1/v1/", "OLLAMA_HOST": "127.0.0.1:2"})
    assert found["openai"].address == "http://127.0.0.1:1"
    assert found["ollama"].address == "http://127.0.0.1:2"
    assert found["anthropic"].address == "https://api.anthropic.com"


def test_what_is_given_comes_first_and_may_be_new() -> None:
    found = upstreams.table({"OPENAI_BASE_URL": "http://a"}, {"openai": "https://b/v1", "mine": "http://c/x/"})
    assert (found["openai"].address, found["mine"].address) == ("https://b", "http://c/x")


@pytest.mark.parametrize("address", ["ftp://a", "http://", "https:///", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="the address of mine"):
        upstreams.table({}, {"mine": address})


def test_what_is_no_name_in_a_url_is_refused() -> None:
    with pytest.raises(UsageError, match="has no name that can stand in a URL"):
        upstreams.table({}, {"my own": "http://a"})


def test_variables_lead_here_and_keys_that_are_there_stay() -> None:
    environ = {"OPENAI_API_KEY": "mine", "NO_PROXY": "a.example"}
    made = upstreams.environment("http://127.0.0.1:9/t", upstreams.table({}).values(), environ)
    assert (made["OPENAI_BASE_URL"], made["ANTHROPIC_BASE_URL"]) == (
        "http://127.0.0.1:9/t/openai/v1",
        "http://127.0.0.1:9/t/anthropic",
    )
    assert made["OPENAI_API_KEY"] == "mine"
    assert made["ANTHROPIC_API_KEY"]
    assert made["NO_PROXY"] == "a.example,127.0.0.1,localhost"


REFUSALS = [
    (BudgetStopped("m", test="t", scope="job", limit="calls", used=1, value=1), 402),
    (CassetteMiss("m", test="t", cassette="c"), 424),
    (UnreadableCassette("m"), 424),
    (PartialRecording("m"), 424),
    (UnownedCall("m"), 410),
]


@pytest.mark.parametrize(("refusal", "status"), REFUSALS, ids=lambda value: type(value).__name__)
def test_no_refusal_has_a_status_after_which_clients_try_again(refusal: Any, status: int) -> None:
    assert refusals.status_of(refusal) == status
    assert status not in {408, 409, 425, 429}
    assert status < 500
    assert dict(refusals.HEADERS)[b"x-should-retry"] == b"false"
