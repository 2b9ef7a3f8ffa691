"""Calls of functions that the model asks for, and the answer after the result is handed back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from anthropic import Anthropic
    from openai import OpenAI

QUESTION = {"role": "user", "content": "How many apples are in stock?"}
PARAMETERS = {
    "type": "object",
    "properties": {"item": {"type": "string", "examples": ["plums"]}},
    "required": ["item"],
}
STOCK = {"name": "get_stock", "description": "How many of an item are in stock?"}
OPENAI_TOOLS = [{"type": "function", "function": {**STOCK, "parameters": PARAMETERS}}]
ANTHROPIC_TOOLS = [{**STOCK, "input_schema": PARAMETERS}]
RESPONSES_TOOLS = [{"type": "function", "strict": None, **STOCK, "parameters": PARAMETERS}]
RESULT = "There are 12 apples in stock."


@pytest.mark.parametrize("how", ["whole", "streamed"])
def test_openai_chat(openai_client: OpenAI, seen: Callable[[Any], None], how: str) -> None:
    asked = {"model": "smollm2", "tools": OPENAI_TOOLS, "max_tokens": 40, "temperature": 0}
    if how == "streamed":
        with openai_client.chat.completions.stream(messages=[QUESTION], **asked) as events:
            seen([event.type for event in events])
        message = events.get_final_completion().choices[0].message
    else:
        message = openai_client.chat.completions.create(messages=[QUESTION], **asked).choices[0].message
    (call,) = message.tool_calls
    assert call.function.name == "get_stock"
    assert json.loads(call.function.arguments) == {"item": "apples"}
    seen(call.id)

    call_turn = {"role": "assistant", "tool_calls": [call.to_dict()]}
    result_turn = {"role": "tool", "tool_call_id": call.id, "content": RESULT}
    answer = openai_client.chat.completions.create(messages=[QUESTION, call_turn, result_turn], **asked)
    assert "12" in answer.choices[0].message.content
    seen(answer.to_dict())


@pytest.mark.parametrize("how", ["whole", "streamed"])
def test_anthropic_messages(anthropic_client: Anthropic, seen: Callable[[Any], None], how: str) -> None:
    asked = {"model": "smollm2", "tools": ANTHROPIC_TOOLS, "max_tokens": 40, "extra_body": {"temperature": 0}}
    if how == "streamed":
        with anthropic_client.messages.stream(messages=[QUESTION], **asked) as events:
            seen([event.type for event in events])
            message = events.get_final_message()
    else:
        message = anthropic_client.messages.create(messages=[QUESTION], **asked)
    (call,) = (block for block in message.content if block.type == "tool_use")
    assert message.stop_reason == "tool_use"
    assert (call.name, call.input) == ("get_stock", {"item": "apples"})
    seen(call.id)

    call_turn = {"role": "assistant", "content": [call.to_dict()]}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": RESULT}
    result_turn = {"role": "user", "content": [result]}
    answer = anthropic_client.messages.create(messages=[QUESTION, call_turn, result_turn], **asked)
    assert "12" in answer.content[0].text
    seen(answer.to_dict())


def test_openai_responses(openai_client: OpenAI, seen: Callable[[Any], None]) -> None:
    response = openai_client.responses.create(
        model="smollm2",
        input=QUESTION["content"],
        tools=RESPONSES_TOOLS,
        max_output_tokens=40,
        temperature=0,
    )

    (call,) = (item for item in response.output if item.type == "function_call")
    assert (call.name, json.loads(call.arguments)) == ("get_stock", {"item": "apples"})
    seen(response.to_dict())
