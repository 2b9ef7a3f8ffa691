"""What a budget does: the same four calls under different limits, each stopped at the same call in every run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from openai import OpenAI

COLOURS = ("red", "green", "blue", "yellow")

# One recording of the four calls serves all of these tests.
pytestmark = pytest.mark.llm_cassette("docs/examples/budget")


def name_things(client: OpenAI) -> list[str]:
    """Ask the model for a thing of each colour, one after the other."""
    answers = []
    for colour in COLOURS:
        completion = client.chat.completions.create(
            model="smollm2",
            messages=[{"role": "user", "content": f"Write a sentence about something {colour}."}],
            max_tokens=12,
            temperature=0,
            seed=7,
        )
        answers.append(completion.choices[0].message.content or "")
    return answers


def test_four_calls_within_their_budget(openai_client: OpenAI, llm_job: Any) -> None:
    with llm_job.step("naming"):
        answers = name_things(openai_client)

    assert all(answers)
    assert llm_job.usage.calls == len(COLOURS)
    assert llm_job.usage.by_step["naming"].output_tokens <= 12 * len(COLOURS)
    assert llm_job.usage.cost_usd > 0


@pytest.mark.llm_budget(calls=3)
@pytest.mark.expect_stopped_budget("calls", scope="job", after_calls=3)
def test_a_budget_of_calls_stops_the_fourth(openai_client: OpenAI) -> None:
    name_things(openai_client)


@pytest.mark.llm_budget(prompt_chars=100)
@pytest.mark.expect_stopped_budget("prompt_chars", after_calls=2)
def test_a_budget_of_characters_stops_the_third(openai_client: OpenAI) -> None:
    name_things(openai_client)


@pytest.mark.llm_budget(output_tokens=20)
@pytest.mark.expect_stopped_budget("output_tokens", after_calls=1)
def test_a_budget_of_tokens_stops_the_second(openai_client: OpenAI) -> None:
    name_things(openai_client)


@pytest.mark.llm_budget(cost_usd="0.00005")
@pytest.mark.expect_stopped_budget("cost_usd", after_calls=2)
def test_a_budget_of_money_stops_the_third(openai_client: OpenAI) -> None:
    name_things(openai_client)


@pytest.mark.llm_budget(wall_seconds=0.5)
@pytest.mark.expect_stopped_budget("wall_seconds")
def test_a_budget_of_time_stops_at_the_recorded_pace(openai_client: OpenAI) -> None:
    name_things(openai_client)


@pytest.mark.llm_budget(calls=2)
@pytest.mark.expect_stopped_budget("calls", after_calls=2)
def test_code_that_retries_whatever_happens_cannot_get_past_a_stop(openai_client: OpenAI) -> None:
    for _ in range(3):
        try:
            name_things(openai_client)
        except Exception:  # noqa: BLE001 - as agents do
            continue
