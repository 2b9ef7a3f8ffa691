"""What is made of the answers of servers that keep to no protocol in full, or to none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapemeter.client.anthropic_wire import AnthropicMessages
from tapemeter.client.openai_wire import OpenAIChat
from tapemeter.client.wire import Reading, Said
from tapemeter.model import Request

if TYPE_CHECKING:
    from tapemeter.client.result import ToolCall
    from tapemeter.client.wire import Speaker

ASKED = Request("POST", "http://127.0.0.1/v1/chat/completions", (), b"{}")
SPEAKERS = [OpenAIChat(), AnthropicMessages()]


def heard(*calls: Any) -> tuple[ToolCall, ...]:
    said = Said()
    for call in calls:
        OpenAIChat().follow({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}, said)
    return said.tool_calls()


def call(identity: str | None = None, name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": identity, "function": {"name": name, "arguments": arguments}, **more}


def shown(calls: tuple[ToolCall, ...]) -> list[tuple[str, str, str]]:
    return [(each.id, each.name, each.arguments) for each in calls]


# Calls of tools


def test_calls_are_told_apart_by_their_index() -> None:
    found = heard(call("a", "f", '{"x"', index=0), call("b", "g", "{}", index=1), call(None, None, ":1}", index=0))
    assert shown(found) == [("a", "f", '{"x":1}'), ("b", "g", "{}")]


def test_calls_without_an_index_are_told_apart_by_their_id() -> None:
    assert shown(heard(call("a", "f", "{}"), call("b", "g", '{"y":2}'))) == [("a", "f", "{}"), ("b", "g", '{"y":2}')]


def test_what_has_neither_goes_on_with_the_last_call() -> None:
    found = heard(call("a", "f", "{}"), call("b", "g", '{"y"'), call(None, None, ":2}"))
    assert shown(found) == [("a", "f", "{}"), ("b", "g", '{"y":2}')]


def test_several_calls_of_one_answer_need_neither_index_nor_id() -> None:
    said = Said()
    calls = [call(None, "f", "{}"), call(None, "g", "{}")]
    OpenAIChat().read({"choices": [{"message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}, said)
    assert shown(said.tool_calls()) == [("", "f", "{}"), ("", "g", "{}")]


def test_arguments_that_come_as_a_value_are_written_out() -> None:
    [found] = heard(call("a", "f", {"city": "Évora"}))
    assert (found.arguments, found.parsed()) == ('{"city": "Évora"}', {"city": "Évora"})


# Choices


@pytest.mark.parametrize("index", [None, 0, "0", [], {}])
def test_the_first_choice_is_heard_however_it_is_numbered(index: Any) -> None:
    assert OpenAIChat().follow({"choices": [{"index": index, "delta": {"content": "hi"}}]}, Said()) == "hi"


def test_other_choices_are_left_out() -> None:
    said = Said()
    event = {"choices": [{"delta": {"content": "hi"}}, {"delta": {"content": "ho"}, "finish_reason": "length"}]}
    assert OpenAIChat().follow(event, said) == "hi"
    assert OpenAIChat().follow({"choices": [{"index": 1, "delta": {"content": "ho"}}]}, said) == ""
    assert said.finish is None


# Whatever else

SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | st.text(max_size=5)
WORDS = st.sampled_from(
    ["choices", "index", "delta", "message", "content", "tool_calls", "id", "function", "name", "arguments", "text",
     "finish_reason", "type", "content_block", "partial_json", "stop_reason", "input", "error", "usage", "model"]
)  # fmt: skip
KINDS = st.sampled_from(["text", "tool_use", "content_block_start", "content_block_delta", "message_delta", "error"])
VALUES = st.recursive(
    SCALARS | KINDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)
CHOICE = st.fixed_dictionaries(
    {}, optional={"index": VALUES, "delta": VALUES, "message": VALUES, "finish_reason": VALUES}
)
CALLS = st.fixed_dictionaries({}, optional={"index": VALUES, "id": VALUES, "function": VALUES})
EVENTS = st.one_of(
    st.dictionaries(WORDS, VALUES, max_size=5),
    st.builds(lambda choices: {"choices": choices}, st.lists(CHOICE, max_size=2)),
    st.builds(lambda calls: {"choices": [{"index": 0, "delta": {"tool_calls": calls}}]}, st.lists(CALLS, max_size=3)),
    st.fixed_dictionaries({"type": KINDS}, optional={"index": VALUES, "delta": VALUES, "content_block": VALUES}),
)


@pytest.mark.parametrize("speaker", SPEAKERS)
@settings(max_examples=150, deadline=None)
@given(events=st.lists(EVENTS, max_size=4))
def test_whatever_json_a_server_sends_is_text_and_calls(speaker: Speaker, events: list[Any]) -> None:
    reading = Reading(speaker, ASKED)
    texts = [delta.text for event in events for delta in reading.take(f"data: {json.dumps(event)}\n\n".encode())]
    assert "".join(texts) == reading.text
    whole = Said()
    for event in events:
        speaker.read(event, whole)
    assert all(isinstance(each, str) for each in whole.texts)
    assert all(isinstance(each.arguments, str) for each in whole.tool_calls())


@pytest.mark.parametrize("speaker", SPEAKERS)
@pytest.mark.parametrize("body", [b"{}", b'{"choices": [{"message": {}}], "content": [], "usage": {}}'])
def test_an_answer_that_says_nothing_is_none(speaker: Speaker, body: bytes) -> None:
    with pytest.raises(ValueError, match="says nothing"):
        Reading(speaker, ASKED).read(body)


def test_an_empty_answer_that_says_it_has_ended_is_one() -> None:
    for speaker, body in zip(
        SPEAKERS, ({"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}, {"stop_reason": "end_turn"}),
        strict=True,
    ):  # fmt: skip
        reading = Reading(speaker, ASKED)
        reading.read(json.dumps(body).encode())
        assert reading.text == ""
