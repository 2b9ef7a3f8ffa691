from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tapemeter import providers
from tapemeter.model import Chunk, Ending, Headers, Quality, Response, Usage
from tapemeter.providers.meter import Answered, Asked

JSON = (("content-type", "application/json"),)
EVENTS = (("content-type", "text/event-stream"),)

CHAT = Asked("openai_chat", "chat", "openai", "m", prompt_chars=41)
RESPONSES = Asked("openai_responses", "chat", "openai", "m", prompt_chars=41)
EMBEDDINGS = Asked("openai_embeddings", "embeddings", "openai", "m", prompt_chars=41)
MESSAGES = Asked("anthropic_messages", "chat", "anthropic", "m", prompt_chars=41)
COUNT = Asked("anthropic_count_tokens", "count_tokens", "anthropic", "m", prompt_chars=41)
UNKNOWN = Asked("unknown", "unknown", "cohere", "m", prompt_chars=41)


def plain(asked: Asked, value: object, headers: Headers = JSON, ending: Ending = Ending.COMPLETE) -> Answered:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return providers.answered(asked, Response(200, headers, (Chunk(0.1, body),), ending=ending))


def stream(asked: Asked, *events: object, ending: Ending = Ending.COMPLETE) -> Answered:
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return plain(asked, body, EVENTS, ending)


def says(text: str | None = None, reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}], **more}


def spent(input_: Any, output: Any, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": input_, "completion_tokens": output, **more}


# Missing usage


def test_an_answer_without_usage_is_estimated_from_characters() -> None:
    answered = plain(CHAT, {"choices": [{"message": {"content": "Hello you"}, "finish_reason": "stop"}]})

    assert answered.usage == Usage(11, 3, quality=Quality.ESTIMATED)


def test_a_stream_without_usage_is_estimated_from_characters() -> None:
    answered = stream(CHAT, says("Hello"), says(" you"), says(None, "stop", usage=None))

    assert answered.usage == Usage(11, 3, quality=Quality.ESTIMATED)
    assert answered.finish_reasons == ("stop",)


@pytest.mark.parametrize("figure", [None, "7", 7.0, True, -7, [7], 2**60])
def test_a_figure_that_is_no_count_is_estimated_and_the_other_is_kept(figure: Any) -> None:
    answer = {"choices": [{"message": {"content": "Hello you"}}]}

    assert plain(CHAT, answer | {"usage": spent(figure, 7)}).usage == Usage(11, 7, quality=Quality.ESTIMATED)
    assert plain(CHAT, answer | {"usage": spent(7, figure)}).usage == Usage(7, 3, quality=Quality.ESTIMATED)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"Hello", b'{"choices": [', b"\xff\x00"])
@pytest.mark.parametrize("headers", [JSON, EVENTS, (), (("content-type", "audio/mpeg"),)])
def test_a_whole_body_that_cannot_be_read_leaves_the_usage_unknown(body: bytes, headers: Headers) -> None:
    assert plain(CHAT, body, headers).usage == Usage(quality=Quality.UNKNOWN)


def test_where_there_is_no_character_there_is_nothing_to_go_by() -> None:
    silent = Asked("unknown", "unknown", "openai", None)

    assert plain(silent, {"ok": True}).usage.quality is Quality.UNKNOWN
    assert plain(silent, {"text": "Hello"}).usage == Usage(0, 2, quality=Quality.ESTIMATED)


# Partial answers


@pytest.mark.parametrize("ending", [ending for ending in Ending if ending is not Ending.COMPLETE])
def test_a_stream_that_ended_early_is_partial(ending: Ending) -> None:
    answered = stream(CHAT, says("Hello you"), ending=ending)

    assert answered.usage == Usage(11, 3, quality=Quality.PARTIAL)
    assert answered.response_chars == 9


def test_a_stream_that_ended_early_after_its_usage_is_measured() -> None:
    answered = stream(CHAT, says("Hello", "stop"), {"choices": [], "usage": spent(9, 4)}, ending=Ending.ABANDONED)

    assert answered.usage == Usage(9, 4)


def test_running_figures_of_a_stream_that_ended_early_are_partial() -> None:
    answered = stream(CHAT, says("Hello", usage=spent(9, 1)), says(" you there", usage=spent(9, 2)), ending=Ending.CUT)

    assert answered.usage == Usage(9, 4, quality=Quality.PARTIAL)


def test_running_figures_of_a_whole_stream_are_measured_by_the_last() -> None:
    answered = stream(CHAT, says("Hello", usage=spent(9, 1)), says(" you", "stop", usage=spent(9, 2)))

    assert answered.usage == Usage(9, 2)


def test_a_message_that_ended_early_keeps_the_input_that_was_measured() -> None:
    answered = stream(
        MESSAGES,
        {"type": "message_start", "message": {"id": "m1", "usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"text": "Hello you"}},
        ending=Ending.BROKEN,
    )

    assert answered.usage == Usage(9, 3, quality=Quality.PARTIAL)
    assert answered.response_id == "m1"


def test_a_message_without_its_last_usage_is_estimated() -> None:
    answered = stream(
        MESSAGES,
        {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"text": "Hello you"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
    )

    assert answered.usage == Usage(9, 3, quality=Quality.ESTIMATED)


def test_a_json_body_that_ended_early_is_partial() -> None:
    answered = plain(CHAT, b'{"choices": [{"message": {"content": "Hello', ending=Ending.TIMEOUT)

    assert answered.usage == Usage(11, 0, quality=Quality.PARTIAL)
    assert answered.response_chars == 0


@pytest.mark.parametrize("asked", [CHAT, RESPONSES, MESSAGES, EMBEDDINGS, UNKNOWN])
def test_an_error_of_a_gateway_is_told_though_it_is_not_in_the_form_of_the_protocol(asked: Asked) -> None:
    assert stream(asked, {"error": {"code": 429, "message": "Slow down."}}).error_type == "rate_limit"
    assert stream(asked, {"error": None, "type": None}).error_type is None


def test_an_error_in_the_midst_of_a_stream_makes_it_partial() -> None:
    answered = stream(CHAT, says("Hello you"), {"error": {"code": 502, "message": "gone"}, "choices": []})

    assert answered.error_type == "server_error"
    assert answered.usage == Usage(11, 3, quality=Quality.PARTIAL)


@pytest.mark.parametrize(
    ("status", "reasons", "quality"),
    [
        ("queued", (), Quality.PARTIAL),
        ("in_progress", (), Quality.PARTIAL),
        ("completed", ("completed",), Quality.ESTIMATED),
    ],
)
def test_a_response_that_is_still_under_way_is_partial(status: str, reasons: tuple[str, ...], quality: Quality) -> None:
    answered = plain(RESPONSES, {"status": status, "output": [], "usage": None})

    assert answered.usage.quality is quality
    assert answered.finish_reasons == reasons


# Measured usage


@pytest.mark.parametrize(
    ("usage", "figures"),
    [
        (spent(9, 4, prompt_tokens_details=None), Usage(9, 4)),
        (spent(9, 4, prompt_tokens_details={"cached_tokens": 20}), Usage(9, 4, cache_read_tokens=9)),
        (spent(9, 4, prompt_cache_hit_tokens=5), Usage(9, 4, cache_read_tokens=5)),
        (
            spent(9, 4, prompt_tokens_details={"cached_tokens": 5, "cache_write_tokens": 7}),
            Usage(9, 4, cache_read_tokens=5, cache_write_tokens=4),
        ),
        (spent(9, 4, completion_tokens_details={"reasoning_tokens": 9}), Usage(9, 4, reasoning_tokens=4)),
        (
            spent(9, 4, completion_tokens_details={"reasoning_tokens": 6}, total_tokens=19),
            Usage(9, 10, reasoning_tokens=6),
        ),
    ],
    ids=["no details", "more cached than read", "DeepSeek", "written", "more reasoning than output", "x.ai"],
)
def test_the_details_of_a_chat(usage: dict[str, Any], figures: Usage) -> None:
    assert plain(CHAT, {"choices": [], "usage": usage}).usage == figures


def test_an_incomplete_response_tells_why_and_what_it_used() -> None:
    response = {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [],
        "usage": {"input_tokens": 9, "output_tokens": 4},
    }

    for answered in (
        plain(RESPONSES, response),
        stream(RESPONSES, {"type": "response.incomplete", "response": response}),
    ):
        assert answered.usage == Usage(9, 4)
        assert answered.finish_reasons == ("max_output_tokens",)


def test_a_failed_response_tells_its_error() -> None:
    response = {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}, "usage": None}

    answered = stream(RESPONSES, {"type": "response.failed", "response": response})

    assert (answered.error_type, answered.usage.quality) == ("rate_limit", Quality.PARTIAL)


def test_a_response_whose_stream_is_only_its_last_event_is_counted() -> None:
    response = {"status": "completed", "output": [{"type": "message", "content": [{"text": "Hello"}]}]}

    assert stream(RESPONSES, {"type": "response.completed", "response": response}).response_chars == 5


def test_the_thinking_of_a_message_is_part_of_its_output() -> None:
    usage = {"input_tokens": 9, "output_tokens": 40, "output_tokens_details": {"thinking_tokens": 30}}

    assert plain(MESSAGES, {"content": [], "usage": usage}).usage == Usage(9, 40, reasoning_tokens=30)


def test_counting_tokens_uses_none_whatever_comes() -> None:
    for body in (b"", b'{"input_tokens": 90}', b"nonsense"):
        assert plain(COUNT, body, ending=Ending.BROKEN).usage == Usage()


def test_an_embedding_has_no_output() -> None:
    assert plain(EMBEDDINGS, {"data": []}).usage == Usage(11, 0, quality=Quality.ESTIMATED)


@pytest.mark.parametrize(
    ("value", "figures"),
    [
        ({"usage": spent(9, 4)}, Usage(9, 4)),
        ({"usage": {"input_tokens": 9, "output_tokens": 4}}, Usage(9, 4)),
        (
            {"usage": {"input_tokens": 9, "output_tokens": 4, "cache_read_input_tokens": 5}},
            Usage(14, 4, cache_read_tokens=5),
        ),
        (
            {
                "usageMetadata": {
                    "promptTokenCount": 9,
                    "candidatesTokenCount": 4,
                    "thoughtsTokenCount": 3,
                    "cachedContentTokenCount": 5,
                }
            },
            Usage(9, 7, cache_read_tokens=5, reasoning_tokens=3),
        ),
        ({"response": {"usage": spent(9, 4)}}, Usage(9, 4)),
        ({"usage": {"seconds": 3}}, Usage(11, 0, quality=Quality.ESTIMATED)),
    ],
)
def test_the_usage_of_an_unknown_protocol_is_found_by_its_spelling(value: object, figures: Usage) -> None:
    assert plain(UNKNOWN, value).usage == figures
    assert stream(UNKNOWN, {"a": 1}, value).usage == figures


def test_the_text_of_an_unknown_protocol_is_found_by_its_names() -> None:
    answered = plain(UNKNOWN, {"id": "x", "candidates": [{"content": {"parts": [{"text": "Hello you"}]}}]})

    assert answered.usage == Usage(11, 3, quality=Quality.ESTIMATED)
    assert answered.response_chars == 9


# Text and tool calls


@pytest.mark.parametrize(
    ("message", "chars", "calls"),
    [
        ({"content": "Hello", "refusal": "No"}, 7, 0),
        ({"content": "a", "reasoning": "bc", "reasoning_content": "bc"}, 3, 0),
        ({"content": "a", "reasoning": "bc", "reasoning_content": ""}, 3, 0),
        ({"content": [{"type": "thinking", "thinking": [{"text": "hm"}]}, {"type": "text", "text": "a"}]}, 3, 0),
        ({"content": [{"type": "thinking", "thinking": "hm"}]}, 2, 0),
        ({"function_call": {"name": "f", "arguments": "{}"}}, 3, 1),
        ({"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}] * 2}, 6 - 1, 1),
        ({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}] * 2}, 6, 2),
        ({"tool_calls": [{"custom": {"name": "f", "input": "x"}}]}, 2, 1),
        ({"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}, 1 + 7, 1),
    ],
)
def test_the_text_and_the_tool_calls_of_a_chat(message: dict[str, Any], chars: int, calls: int) -> None:
    answered = plain(CHAT, {"choices": [{"message": message}]})

    assert (answered.response_chars, answered.tool_calls) == (chars, calls)


def test_a_name_that_is_repeated_with_every_event_counts_once() -> None:
    pieces = [{"index": 0, "function": {"name": "f", "arguments": piece}} for piece in ("{", "}")]

    answered = stream(CHAT, *({"choices": [{"delta": {"tool_calls": [piece]}}]} for piece in pieces))

    assert (answered.response_chars, answered.tool_calls) == (3, 1)


def test_calls_of_the_providers_own_tools_count_too() -> None:
    message = {"content": [{"type": "server_tool_use", "name": "search", "input": {"q": "é"}}, {"type": "tool_use"}]}
    response = {"output": [{"type": "web_search_call"}, {"type": "mcp_call", "name": "f", "arguments": "{}"}]}

    assert (plain(MESSAGES, message).tool_calls, plain(RESPONSES, response).tool_calls) == (2, 2)
    assert (plain(MESSAGES, message).response_chars, plain(RESPONSES, response).response_chars) == (6 + 9, 3)


# Money


@pytest.mark.parametrize(
    ("cost", "usd"),
    [("0.00125", Decimal("0.00125")), ("0", Decimal(0)), ("None", None), ("-1", None), ("nan", None), ("", None)],
)
def test_a_gateway_tells_the_cost_in_a_header(cost: str, usd: Decimal | None) -> None:
    answered = plain(CHAT, {"choices": []}, (*JSON, ("x-litellm-response-cost", cost)))

    assert answered.gateway_usd == usd


def test_a_gateway_tells_the_cost_in_the_usage() -> None:
    usage = spent(9, 4, cost=0.00125)

    assert plain(CHAT, {"usage": usage}).gateway_usd == Decimal("0.00125")
    assert stream(CHAT, says("a"), {"choices": [], "usage": usage}).gateway_usd == Decimal("0.00125")
    assert plain(CHAT, {"usage": spent(9, 4, cost={"total": 1})}).gateway_usd is None
    assert plain(CHAT, {"usage": spent(9, 4)}).gateway_usd is None


def test_the_header_comes_before_the_usage() -> None:
    answered = plain(CHAT, {"usage": spent(9, 4, cost=1)}, (*JSON, ("x-litellm-response-cost", "2")))

    assert answered.gateway_usd == Decimal(2)


# Other answers


def test_a_redirection_used_nothing() -> None:
    response = Response(307, (("location", "https://example.com/"),))

    assert providers.answered(CHAT, response) == Answered(Usage())
    assert providers.watch(CHAT, 307, ()).feed(b"data: {}\n\n") == 0


def test_arguments_that_are_too_deep_to_be_written_leave_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_deep(_: object) -> str:
        raise RecursionError

    monkeypatch.setattr("tapemeter.providers.fold.compact", too_deep)

    answered = plain(
        MESSAGES, {"content": [{"type": "text", "text": "Hello"}, {"type": "tool_use", "input": {"a": 1}}]}
    )

    assert answered.response_chars == 5
    assert answered.usage.quality is Quality.PARTIAL
