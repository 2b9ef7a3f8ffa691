from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tapemeter.cassette.figures import cost, figures, is_known, moment
from tapemeter.cassette.model import Interaction
from tapemeter.model import Chunk, Quality, Request, Response
from tapemeter.pricing import Overrides, Prices

JSON = (("content-type", "application/json"),)
URL = "https://api.openai.com/v1/chat/completions"
TODAY = datetime(2026, 11, 21, tzinfo=UTC)


def recorded(body: Any, answer: Any, url: str = URL, headers: tuple[tuple[str, str], ...] = JSON) -> Interaction:
    request = Request("POST", url, JSON, json.dumps(body).encode())
    response = Response(200, headers, (Chunk(0.1, json.dumps(answer).encode()),))
    return Interaction(request, response, "2026-01-01T00:00:00Z", "")


def asking(name: str, **answer: Any) -> Interaction:
    body = {"model": name, "messages": [{"role": "user", "content": "Hi"}]}
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0}
    return recorded(body, {"model": name, "choices": [{"message": {"content": ""}}], "usage": usage, **answer})


def test_what_a_call_used_is_what_its_provider_says() -> None:
    found = figures(asking("gpt-4o", model="gpt-4o-2024-08-06"))
    assert found is not None
    assert (found.asked.model, found.answered.model, found.usage.input_tokens) == (
        "gpt-4o",
        "gpt-4o-2024-08-06",
        1_000_000,
    )
    assert found.usage.quality is Quality.MEASURED


def test_what_is_no_model_call_used_nothing() -> None:
    assert figures(Interaction(Request("GET", "https://h.test/"), Response(200), "", "")) is None
    assert figures(Interaction(Request("POST", "https://[half"), Response(200), "", "")) is None


def test_a_price_of_ones_own_counts_first() -> None:
    given = {"schema": "llm_prices_v1", "models": {"gpt-4o": {"input_mtok": "7", "output_mtok": "0"}}}
    overrides = Overrides.parse(given, "llm_prices.yaml", lambda _: None)
    found = figures(asking("gpt-4o"))
    assert found is not None
    assert cost(found, Prices(overrides), url=URL, at=TODAY).usd == Decimal(7)
    listed = cost(found, Prices(), url=URL, at=TODAY).usd
    assert listed is not None
    assert listed != Decimal(7)


def test_a_gateways_figure_counts_where_there_is_no_other() -> None:
    headers = (*JSON, ("x-litellm-response-cost", "0.25"))
    body = {"model": "nobody-knows-it", "messages": [{"role": "user", "content": "Hi"}]}
    answer = {"choices": [{"message": {"content": "Yes"}}], "usage": {"prompt_tokens": 9, "completion_tokens": 9}}
    found = figures(recorded(body, answer, headers=headers))
    assert found is not None
    assert cost(found, Prices(), url=URL, at=TODAY).usd == Decimal("0.25")
    without = figures(recorded(body, answer))
    assert without is not None
    assert cost(without, Prices(), url=URL, at=TODAY).usd is None


def test_when_something_was_recorded() -> None:
    assert moment("2026-01-01T00:00:00Z") == datetime(2026, 1, 1, tzinfo=UTC)
    assert is_known("2026-01-01T00:00:00Z")
    assert not is_known("1970-01-01T00:00:00Z")
