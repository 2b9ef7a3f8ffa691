"""What goes out for a request, by protocol; and what a protocol cannot say."""

from __future__ import annotations

from typing import Any

import pytest

from tapemeter.client.anthropic_wire import AnthropicMessages
from tapemeter.client.config import Endpoint, Wire
from tapemeter.client.openai_wire import OpenAIChat
from tapemeter.client.request import ModelRequest, messages_from
from tapemeter.client.secret import Secret
from tapemeter.errors import ProviderError, UsageError

MAKER = Endpoint("https://api.openai.com/v1", Wire.OPENAI, Secret("k"))
OTHER = Endpoint("http://127.0.0.1:8080/v1")
ANTHROPIC = Endpoint("https://api.anthropic.com", Wire.ANTHROPIC, Secret("k"))
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "description": "Looks up.", "parameters": {"type": "object", "properties": {}}},
}
CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
    {"role": "user", "content": "Weather in Lisbon and Porto?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "look_up", "arguments": '{"a": 1}'}}],
    },
    {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
    {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
]


def openai(endpoint: Endpoint = OTHER, *, stream: bool = False, **options: Any) -> dict[str, Any]:
    request = ModelRequest("m", messages_from(options.pop("prompt", "hello")), **options)
    return OpenAIChat().body(request, endpoint, stream=stream)


def anthropic(*, stream: bool = False, **options: Any) -> dict[str, Any]:
    request = ModelRequest("m", messages_from(options.pop("prompt", "hello")), **options)
    return AnthropicMessages().body(request, ANTHROPIC, stream=stream)


def called(arguments: Any) -> dict[str, Any]:
    call = {"id": "t1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def test_a_plain_question_is_nothing_more() -> None:
    assert openai() == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    assert anthropic() == {
        "model": "m",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
    }


def test_every_option_goes_out_by_the_name_of_its_protocol() -> None:
    options: dict[str, Any] = {
        "temperature": 0.0,
        "seed": 7,
        "stop": ("END",),
        "tools": (TOOL,),
        "tool_choice": "required",
        "max_output_tokens": 0,
        "extra": {"user": "u"},
    }
    plain = openai(**options)
    assert {name: plain[name] for name in ("temperature", "seed", "stop", "tool_choice", "max_tokens", "user")} == {
        "temperature": 0.0, "seed": 7, "stop": ["END"], "tool_choice": "required", "max_tokens": 0, "user": "u",
    }  # fmt: skip
    assert plain["tools"] == [TOOL]
    other = anthropic(**options)
    assert {name: other[name] for name in ("temperature", "stop_sequences", "tool_choice", "max_tokens", "user")} == {
        "temperature": 0.0, "stop_sequences": ["END"], "tool_choice": {"type": "any"}, "max_tokens": 0, "user": "u",
    }  # fmt: skip
    [tool] = other["tools"]
    assert tool == {"name": "look_up", "description": "Looks up.", "input_schema": TOOL["function"]["parameters"]}
    assert "seed" not in other


def test_the_maker_of_the_protocol_wants_another_name_for_the_maximum() -> None:
    assert openai(MAKER, max_output_tokens=5)["max_completion_tokens"] == 5
    assert "max_tokens" not in openai(MAKER, max_output_tokens=5)


def test_a_stream_is_asked_for_its_usage() -> None:
    assert openai(stream=True)["stream_options"] == {"include_usage": True}
    assert (openai(stream=True)["stream"], anthropic(stream=True)["stream"]) == (True, True)


def test_a_conversation_with_tools_is_translated_turn_by_turn() -> None:
    body = anthropic(prompt=CONVERSATION)
    assert body["system"] == "Be brief.\n\nBe kind."
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Weather in Lisbon and Porto?"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look_up", "input": {"a": 1}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"},
                {"type": "text", "text": "And now?"},
            ],
        },
    ]
    assert openai(prompt=CONVERSATION)["messages"] == CONVERSATION


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("data:image/png;base64,AAAA", {"type": "base64", "media_type": "image/png", "data": "AAAA"}),
        ("https://a.example/x.png", {"type": "url", "url": "https://a.example/x.png"}),
    ],
)
def test_images_are_translated(url: str, source: dict[str, str]) -> None:
    body = anthropic(prompt=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}])
    assert body["messages"][0]["content"] == [{"type": "image", "source": source}]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "look_up"}}, {"type": "tool", "name": "look_up"}),
    ],
)
def test_choices_of_tools_are_translated(choice: Any, expected: dict[str, str]) -> None:
    assert anthropic(tool_choice=choice)["tool_choice"] == expected


def test_a_schema_for_the_answer_is_translated() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    expected = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    assert anthropic(response_format=wanted)["output_config"] == expected
    assert openai(response_format=wanted)["response_format"] == wanted
    assert "output_config" not in anthropic(response_format={"type": "text"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"response_format": {"type": "json_object"}}, "response_format 'json_object'"),
        ({"tool_choice": "sometimes"}, "tool_choice 'sometimes'"),
        ({"prompt": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "type 'input_audio'"),
        ({"prompt": [{"role": "tool", "content": [{"type": "input_audio"}]}]}, "type 'input_audio'"),
        ({"tools": ({"type": "web_search"},)}, "tools of the type 'web_search'"),
        *(({"prompt": [called(arguments)]}, "no JSON object") for arguments in ("{half", "[1]", 7, "[" * 100_000)),
    ],
)
def test_what_a_protocol_cannot_say_is_an_error_before_anything_is_sent(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ProviderError, match=words) as caught:
        anthropic(**options)
    assert (caught.value.kind, caught.value.attempts) == ("invalid_request", 0)


@pytest.mark.parametrize(("arguments", "value"), [(None, {}), ("", {}), ('{"a": 1}', {"a": 1}), ({"a": 1}, {"a": 1})])
def test_arguments_become_an_object(arguments: Any, value: dict[str, int]) -> None:
    [turn] = anthropic(prompt=[called(arguments)])["messages"]
    assert turn["content"] == [{"type": "tool_use", "id": "t1", "name": "look_up", "input": value}]


def test_results_of_tools_keep_their_images_and_stay_a_text_without() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
    texts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    made = [
        anthropic(prompt=[{"role": "tool", "tool_call_id": "t1", "content": content}])["messages"][0]["content"][0]
        for content in (texts, [texts[0], image], None)
    ]
    assert [each["content"] for each in made] == [
        "one two",
        [
            {"type": "text", "text": "one "},
            {"type": "image", "source": {"type": "url", "url": "https://a.example/x.png"}},
        ],
        "",
    ]


def test_turns_that_say_nothing_are_left_out() -> None:
    silent = {"role": "assistant", "content": ""}
    body = anthropic(prompt=[{"role": "user", "content": "one"}, silent, {"role": "user", "content": "two"}])
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": t} for t in ("one", "two")]}]


@pytest.mark.parametrize("speaker", [OpenAIChat(), AnthropicMessages()])
@pytest.mark.parametrize("key", ["schlüssel", "sk-abc\n", "sk abc", "sk-\x00"])
def test_a_key_that_no_header_carries_is_an_error_that_does_not_show_it(speaker: Any, key: str) -> None:
    with pytest.raises(ProviderError, match="the key in MY_KEY has a space") as caught:
        speaker.headers(Endpoint("http://127.0.0.1/v1", api_key=Secret(key), key_name="MY_KEY"))
    assert (caught.value.kind, caught.value.__context__) == ("auth", None)
    assert key not in str(caught.value)


def test_keys_go_where_each_protocol_has_them() -> None:
    assert OpenAIChat().headers(MAKER) == {"authorization": "Bearer k"}
    assert OpenAIChat().headers(OTHER) == {}
    assert AnthropicMessages().headers(ANTHROPIC) == {"anthropic-version": "2023-06-01", "x-api-key": "k"}


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (7, "expected a text or a list of messages, got int"),
        ([], "there is no message"),
        ([{"role": "robot", "content": "hello"}], "message 0 has the role 'robot'"),
        ([{"role": "user"}, "hello"], "message 1 has the role None"),
    ],
)
def test_what_is_no_prompt_is_a_usage_error(prompt: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        messages_from(prompt)


def test_a_secret_shows_nothing() -> None:
    secret = Secret("sk-abc")
    assert {repr(secret), str(secret), f"{secret}", f"{[secret]}"} == {"Secret('***')", "***", "[Secret('***')]"}
    assert (secret.reveal(), secret == Secret("sk-abc"), secret == "sk-abc", bool(Secret(""))) == (
        "sk-abc", True, False, False,
    )  # fmt: skip
    assert len({secret, Secret("sk-abc")}) == 1
    with pytest.raises(TypeError, match="not pickled"):
        secret.__reduce__()
