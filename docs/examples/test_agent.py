"""An agent that calls tools: each question below takes one or two calls to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import ToolCall, ask

if TYPE_CHECKING:
    from openai import OpenAI


def test_looks_up_the_stock(openai_client: OpenAI) -> None:
    answer = ask(openai_client, "How many apples are in stock?")

    assert answer.calls == (ToolCall("get_stock", {"item": "apples"}, "There are 12 apples in stock."),)
    assert "12" in answer.text


def test_looks_up_the_price(openai_client: OpenAI) -> None:
    answer = ask(openai_client, "What does a lemon cost?")

    assert answer.calls == (ToolCall("get_price", {"item": "lemon"}, "One lemon costs 0.25 euros."),)
    assert "0.25 euros" in answer.text


def test_says_that_a_shelf_is_empty(openai_client: OpenAI) -> None:
    answer = ask(openai_client, "How many pears are in stock?")

    assert [call.name for call in answer.calls] == ["get_stock"]
    assert "no" in answer.text.lower()


def test_calls_nothing_when_there_is_nothing_to_look_up(openai_client: OpenAI) -> None:
    answer = ask(openai_client, "Say hello.")

    assert answer.calls == ()
    assert "hello" in answer.text.lower()
