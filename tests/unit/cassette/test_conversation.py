from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tapemeter.cassette.conversation import Turn, answer, answered, asked, events
from tapemeter.model import Chunk, Request, Response

NAMES = """
    choices delta message content role tool_calls function name arguments index finish_reason text type output item
    output_index response error usage messages input prompt system instructions tools model summary thinking
    content_block partial_json stop_reason status incomplete_details reason refusal
    candidates parts functionCall functionResponse args inlineData finishReason promptFeedback contents thought
    toolUse toolResult toolSpec toolConfig functionDeclarations reasoningContent document source title data
    messageStart contentBlockStart contentBlockDelta messageStop metadata start stopReason contentBlockIndex
    done generated_text token details results outputText outputs generation embeddings embedding predictions
    system_instruction documents query texts inputs requests instances params converse images tool_plan
"""
WORDS = """
    message message_start message_delta content_block_start content_block_delta tool_use text thinking reasoning
    function function_call function_call_output response.completed response.output_item.added tool_result
    response.output_text.delta response.function_call_arguments.delta assistant
    message-start content-start content-delta tool-call-start tool-call-delta message-end
    transcript.text.delta transcript.text.done document search_result
"""
SOME_NAME = st.sampled_from(NAMES.split())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(WORDS.split()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SOME_NAME, inner, max_size=5),
    max_leaves=25,
)
EVENTS = st.lists(st.dictionaries(SOME_NAME, VALUES, min_size=1, max_size=6), max_size=6)
STREAM = (("content-type", "text/event-stream; charset=utf-8"),)


def stream(*values: Any) -> Response:
    chunks = [Chunk(0.0, f"data: {json.dumps(value)}\n\n".encode()) for value in values]
    return Response(200, STREAM, tuple(chunks))


@given(VALUES)
def test_any_json_can_be_read(value: Any) -> None:
    body = json.dumps(value).encode()
    turns = [
        *asked(Request("POST", "http://h/", body=body)).turns,
        *answered(Response(200, (), (Chunk(0, body),))).turns,
    ]
    assert all(type(turn.role) is type(turn.text) is str for turn in turns)


@given(EVENTS)
def test_any_events_can_be_folded(values: list[Any]) -> None:
    found = answered(stream(*values))
    assert all(type(turn.role) is type(turn.text) is str for turn in found.turns)
    assert all(type(reason) is str for reason in found.stopped)


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_none(body: bytes) -> None:
    assert all(type(data) is str for data in events(body))
    for media in ("text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream", "text/plain"):
        answered(Response(200, (("content-type", media),), (Chunk(0, body),)))


def test_a_model_in_the_path_counts_where_the_body_names_none() -> None:
    url = "https://h.test/v1beta/models/gemini-9:generateContent?key=models/x:y"
    assert asked(Request("POST", url)).model == "gemini-9"
    assert asked(Request("POST", "https://h.test/v1/models/x/y", body=b'{"model": "m"}')).model == "m"
    assert asked(Request("POST", "https://h.test/model/maker.small%3A0/converse")).model == "maker.small:0"
    assert asked(Request("POST", "https://h.test/v1/models")).model is None


def test_a_folded_stream_has_the_shape_of_a_whole_body() -> None:
    chunks = [
        {"model": "m", "choices": [{"index": at, "delta": {"content": text}, "finish_reason": end}]}
        for at, text, end in ((1, "B", None), (0, "A", None), (1, "b", "stop"), (0, "a", "length"))
    ]
    assert answer(stream(*chunks, {"choices": [], "usage": {"total_tokens": 3}})) == {
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Aa"}, "finish_reason": "length"},
            {"index": 1, "message": {"role": "assistant", "content": "Bb"}, "finish_reason": "stop"},
        ],
        "usage": {"total_tokens": 3},
    }
    assert answered(stream(*chunks)).turns == (Turn("assistant", "Aa"), Turn("assistant", "Bb"))


def test_data_of_several_lines_is_one_event() -> None:
    assert events(b"\xef\xbb\xbfdata: a\ndata:b\nid: 1\n\n: ping\n\ndata\n\ndata: c") == ["a\nb", "", "c"]


def test_what_is_neither_json_nor_a_stream_is_nobodys_answer() -> None:
    for body in (b"", b"plain", b"<html>", b"\xff\xd8\xff", b"[1, 2"):
        assert answered(Response(200, (("content-type", "text/plain"),), (Chunk(0, body),))).turns == ()


def test_a_deep_value_is_no_conversation_and_no_crash() -> None:
    deep = b'{"messages": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    assert asked(Request("POST", "http://h/", body=deep)).turns == ()
    nested = b'{"messages": [{"content": ' + b"[" * 900 + b'"x"' + b"]" * 900 + b"}]}"
    assert len(asked(Request("POST", "http://h/", body=nested)).turns) <= 1


def test_tools_are_named_in_every_protocol() -> None:
    body = {
        "tools": [
            {"type": "function", "function": {"name": "a"}},
            {"name": "b", "input_schema": {}},
            {"type": "web_search"},
            {"functionDeclarations": [{"name": "c"}, {"name": "d"}]},
            {"googleSearch": {}},
        ],
        "toolConfig": {"tools": [{"toolSpec": {"name": "e"}}, {"cachePoint": {"type": "default"}}]},
        "functions": [{"name": "f"}],
    }
    request = Request("POST", "http://h/", body=json.dumps(body).encode())
    assert asked(request).tools == ("a", "b", "web_search", "c", "d", "googleSearch", "e", "f")
