from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import providers
from tapemeter.cassette.drift import Found
from tapemeter.cassette.shape import shape
from tapemeter.cassette.verifying import verify
from tapemeter.model import Chunk, Ending, Request, Response
from tapemeter.values import replace

CHAT = providers.ask(
    Request(
        "POST", "https://api.openai.com/v1/chat/completions", (), b'{"model": "m", "messages": [{"content": "hi"}]}'
    )
)
EMBEDDINGS = providers.ask(
    Request("POST", "https://api.openai.com/v1/embeddings", (), b'{"model": "m", "input": "some text"}')
)
MESSAGES = providers.ask(
    Request("POST", "https://api.anthropic.com/v1/messages", (), b'{"model": "m", "messages": [{"content": "hi"}]}')
)
assert CHAT is not None
assert EMBEDDINGS is not None
assert MESSAGES is not None


def response(value: Any, kind: str = "application/json", *, status: int = 200, **options: Any) -> Response:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Response(status, (("content-type", kind),), (Chunk(0.0, data),), **options)


def changes(recorded: Any, now: Any, asked: Any = CHAT) -> dict[str, tuple[str | None, str | None]]:
    one, other = (each if isinstance(each, Response) else response(each) for each in (recorded, now))
    found = verify(one, other, asked=asked)
    return {} if found is None else {change.path: (change.recorded, change.now) for change in found.changes}


bodies = st.binary(max_size=60) | st.sampled_from(
    [b"", b"{", b"[1,", b"null", b"[" * 5000, b'{"a":' * 3000, b"data: {\n\n", b'data: {"a": 1}\n\ndata: [DONE]\n\n']
)
kinds = st.sampled_from(
    ["application/json", "text/event-stream", "application/x-ndjson", "text/plain", "audio/mpeg", ""]
)
responses = st.builds(
    response, bodies, kinds, status=st.sampled_from([200, 204, 404, 500]), ending=st.sampled_from(Ending)
)


@given(one=responses, other=responses, asked=st.sampled_from([CHAT, EMBEDDINGS, MESSAGES, None]))
def test_whatever_came_can_be_compared(one: Response, other: Response, asked: Any) -> None:
    found = verify(one, other, asked=asked)
    assert found is None or found.changes


@given(one=responses, asked=st.sampled_from([CHAT, EMBEDDINGS, MESSAGES, None]))
def test_an_answer_is_as_recorded_when_it_is_the_same(one: Response, asked: Any) -> None:
    assert verify(one, one, asked=asked) is None


@given(said=st.text(max_size=40), says=st.text(max_size=40), words=st.integers(1, 3), more=st.integers(1, 5))
def test_no_wording_and_no_number_of_choices_is_drift(said: str, says: str, words: int, more: int) -> None:
    def answer(text: str, times: int) -> dict[str, Any]:
        choices = [{"index": n, "message": {"content": text}, "finish_reason": "stop"} for n in range(times)]
        return {"id": text, "model": "m", "choices": choices}

    assert changes(answer(said, words), answer(says, more)) == {}


def test_a_missing_recording_is_told_as_such() -> None:
    found = verify(None, response({}), asked=CHAT, call="t#1")
    assert found is not None
    assert (found.found, found.changes, found.call) == (Found.MISSING, (), "t#1")


def test_errors_are_compared_by_their_kind_and_shape() -> None:
    wrong = {"error": {"type": "invalid_request_error", "code": None, "message": "one"}}
    limited = {"error": {"type": "rate_limit_error", "code": "x", "message": "another"}}
    told = changes(response(wrong, status=400), response(limited, status=429))
    assert told["status"] == ("400", "429")
    assert told["error"] == ("invalid_request", "rate_limit")
    assert told["answer error.code"] == ("null", "string")
    same = response({"error": {**wrong["error"], "message": "two"}}, status=400)
    assert changes(response(wrong, status=400), same) == {}


def test_another_model_behind_a_gateway_is_drift() -> None:
    def served(name: str) -> Response:
        plain = response({"model": "main", "choices": []})
        return replace(plain, headers=(*plain.headers, ("x-litellm-model-name", name)))

    assert changes(served("openai/one"), served("openai/two")) == {"served by": ("openai/one", "openai/two")}


def test_usage_that_is_no_longer_told_is_drift() -> None:
    body = {"model": "m", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    told = changes(body, {**body, "usage": None})
    assert told["usage"] == ("measured", "estimated")
    assert told["answer usage"] == ("object", "null")


def test_what_lies_below_a_place_that_went_is_not_told_again() -> None:
    assert changes({"a": {"b": {"c": 1}}, "ab": 1}, {"ab": 1}, None) == {"answer a": ("object", None)}


def test_nothing_is_known_of_the_elements_of_an_empty_list() -> None:
    assert changes({"a": [{"b": 1}]}, {"a": []}, None) == {}
    assert changes({"a": []}, {"a": [{"b": 1}]}, None) == {}
    assert changes({"a": [{"b": 1}]}, {"a": [{"c": 1}]}, None) == {
        "answer a[*].b": ("number", None),
        "answer a[*].c": (None, "number"),
    }


def test_what_a_model_fills_in_as_it_likes_is_no_shape() -> None:
    def answer(arguments: Any, logs: Any) -> dict[str, Any]:
        content = [{"type": "tool_use", "id": "1", "name": "look_up", "input": arguments}]
        return {"type": "message", "model": "m", "content": content, "logprobs": {"top_logprobs": logs}}

    assert changes(answer({"word": "x"}, {"Hello": -1}), answer({"city": "y", "z": 1}, {"Bye": -1}), MESSAGES) == {}
    assert changes(answer({}, {}), answer("text", {}), MESSAGES) == {"answer content[*].input": ("object", "string")}


def test_another_tool_is_drift() -> None:
    def answer(name: str) -> dict[str, Any]:
        return {"type": "message", "model": "m", "content": [{"type": "tool_use", "name": name, "input": {}}]}

    assert changes(answer("look_up"), answer("search"), MESSAGES) == {"tools": ("look_up", "search")}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ([0.5] * 1536, [0.1] * 1536, {}),
        ([0.5] * 1536, [0.5] * 3072, {"answer data[*].embedding": ("array of 1536", "array of 3072")}),
        ("AAAA", "AAAAAAAA", {"answer data[*].embedding": ("string of 4", "string of 8")}),
    ],
)
def test_an_embedding_of_another_size_is_drift(old: Any, new: Any, told: dict[str, Any]) -> None:
    def answer(embedding: Any) -> dict[str, Any]:
        return {"object": "list", "model": "m", "data": [{"index": 0, "embedding": embedding}]}

    assert changes(answer(old), answer(new), EMBEDDINGS) == told


def events(*values: Any) -> bytes:
    return b"".join(f"data: {json.dumps(value)}\n\n".encode() for value in values)


def test_events_of_a_stream_are_told_by_their_type() -> None:
    start = {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 3}}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
    old = response(events(start, delta, end, {"type": "message_stop"}), "text/event-stream")
    new = response(
        events(start, delta, delta, {**end, "context": {"used": 1}}, {"type": "message_stop"}), "text/event-stream"
    )
    assert changes(old, new, MESSAGES) == {"answer message_delta.context": (None, "object")}


def test_of_a_part_of_an_answer_only_that_part_is_compared() -> None:
    whole = response(events({"a": 1, "choices": []}, {"b": 1, "choices": []}), "text/event-stream")
    part = replace(response(events({"a": 1, "choices": []}), "text/event-stream"), ending=Ending.ABANDONED)
    other = replace(response(events({"a": "x", "choices": []}), "text/event-stream"), ending=Ending.ABANDONED)
    assert changes(whole, part) == changes(part, whole) == {}
    assert changes(whole, other) == {"answer a": ("number", "string")}


def test_a_shape_is_bounded() -> None:
    wide = shape(response({f"f{number}": 1 for number in range(5000)}), protocol="", operation="")
    assert wide is not None
    assert len(wide.kinds) <= 2001
    deep: Any = 1
    for _ in range(200):
        deep = {"a": deep}
    found = shape(response(deep), protocol="", operation="")
    assert found is not None
    assert len(found.kinds) < 50
