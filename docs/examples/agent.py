"""A shopkeeper's agent: it answers questions about the shelves by calling tools.

The model decides which tool to call and with what. `ask` runs the call, hands the result back, and goes on
until the model answers in words.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

MODEL = "smollm2"
MAX_STEPS = 4

STOCK = {"apple": 12, "pear": 0, "lemon": 30}
PRICES = {"apple": "0.40", "pear": "0.55", "lemon": "0.25"}


@dataclass(frozen=True)
class ToolCall:
    """A call that the model asked for, and what it got back."""

    name: str
    arguments: dict[str, str]
    result: str


@dataclass(frozen=True)
class Answer:
    """What the agent says, and the calls that led it there, in order."""

    text: str
    calls: tuple[ToolCall, ...]


def get_stock(item: str) -> str:
    """Say how many of an item are on the shelf."""
    count = STOCK.get(_singular(item))
    return f"There are {count} {item} in stock." if count else f"There are no {item} in stock."


def get_price(item: str) -> str:
    """Say what one of an item costs."""
    price = PRICES.get(_singular(item))
    return f"One {item} costs {price} euros." if price else f"There is no price for {item}."


TOOLS = {"get_stock": get_stock, "get_price": get_price}


def ask(client: OpenAI, question: str) -> Answer:
    """Return the agent's answer; raise `RuntimeError` if it has none after `MAX_STEPS` steps."""
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": question}]
    calls: list[ToolCall] = []
    for _ in range(MAX_STEPS):
        completion = client.chat.completions.create(
            model=MODEL,
            messages=messages,
            tools=[
                _describe("get_stock", "How many of an item are in stock?", example="plums"),
                _describe("get_price", "What does an item cost?", example="figs"),
            ],
            max_tokens=40,
            temperature=0,
            seed=7,
        )
        message = completion.choices[0].message
        if not message.tool_calls:
            return Answer(message.content or "", tuple(calls))
        messages.append(cast("ChatCompletionMessageParam", message.to_dict()))
        for asked in message.tool_calls:
            if asked.type != "function":
                raise RuntimeError(f"the model asked for a {asked.type} call, which this agent does not have")
            call = _run(asked.function.name, asked.function.arguments)
            calls.append(call)
            messages.append({"role": "tool", "tool_call_id": asked.id, "content": call.result})
    raise RuntimeError(f"no answer after {MAX_STEPS} steps and {len(calls)} tool calls")


def _run(name: str, arguments: str) -> ToolCall:
    given = json.loads(arguments)
    return ToolCall(name, given, TOOLS[name](**given))


def _describe(name: str, description: str, *, example: str) -> ChatCompletionToolParam:
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {"item": {"type": "string", "examples": [example]}},
                "required": ["item"],
            },
        },
    }


def _singular(item: str) -> str:
    return item.strip().lower().removesuffix("s")
