from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import providers
from tapemeter.model import Request
from tapemeter.providers.meter import Asked

LOCAL = "http://127.0.0.1:8080"
CHAT = "/v1/chat/completions"


def post(url: str, body: object, *headers: tuple[str, str]) -> Request:
    return Request("POST", url, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def ask(path: str, body: object) -> Asked:
    asked = providers.ask(post(f"{LOCAL}{path}", body))
    assert asked is not None
    return asked


def chat(*messages: object, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages), **more}


def user(content: object) -> dict[str, Any]:
    return {"role": "user", "content": content}


# What is a call


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "https://api.openai.com/v1/models"),
        ("GET", "https://api.openai.com/v1/chat/completions"),
        ("DELETE", "https://api.openai.com/v1/responses/r1"),
        ("POST", "https://example.com/orders"),
        ("POST", "http://127.0.0.1:8080/anything"),
    ],
)
def test_what_is_no_call_of_a_model_is_none(method: str, url: str) -> None:
    assert providers.ask(Request(method, url, body=b'{"n": 1}')) is None


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1/chat/completions", "openai"),
        ("https://mine.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "azure.ai.openai"),
        ("https://api.anthropic.com/v1/messages", "anthropic"),
        ("https://api.groq.com/openai/v1/chat/completions", "groq"),
        ("https://openrouter.ai/api/v1/chat/completions", "openrouter"),
        ("https://api.mistral.ai/v1/chat/completions", "mistral_ai"),
        ("https://api.deepseek.com/chat/completions", "deepseek"),
        ("https://api.x.ai/v1/chat/completions", "x_ai"),
        ("https://api.together.xyz/v1/completions", "together"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", "gcp.gemini"),
        ("http://127.0.0.1:8080/v1/chat/completions", "openai"),
        ("http://127.0.0.1:8080/v1/messages", "anthropic"),
        ("https://notopenai.com/v1/messages", "anthropic"),
        ("https://api.openai.com.example.org/v1/messages", "anthropic"),
        ("http://127.0.0.1:11434/api/chat", "ollama"),
        ("http://127.0.0.1:8080/ask", "unknown"),
    ],
)
def test_the_provider_is_told_by_the_host_or_else_by_the_protocol(url: str, provider: str) -> None:
    asked = providers.ask(post(url, chat(user("hi"))))

    assert asked is not None
    assert asked.provider == provider


def test_a_call_that_only_an_sdk_header_shows_has_no_known_provider() -> None:
    asked = providers.ask(post(f"{LOCAL}/new/thing", {}, ("x-stainless-lang", "python")))

    assert asked is not None
    assert (asked.protocol, asked.provider) == ("unknown", "unknown")


def test_an_azure_path_names_the_model_that_the_body_does_not() -> None:
    url = "https://mine.openai.azure.com/openai/deployments/small/chat/completions?api-version=1"

    asked = providers.ask(post(url, {"messages": []}))

    assert asked is not None
    assert asked.model == "small"


# Text parts


@pytest.mark.parametrize(
    ("body", "chars"),
    [
        (chat(user("Grüezi 🌞")), 8),
        (chat(user(["one", "two"])), 6),
        (chat(user([{"type": "text", "text": "one"}, {"type": "refusal", "refusal": "no"}])), 5),
        (chat(user([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}])), 0),
        (chat(user(None), {"role": "assistant", "refusal": "no"}), 2),
        (chat({"role": "assistant", "reasoning_content": "hm", "content": "yes"}), 5),
        (chat({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}), 3),
        (chat({"role": "assistant", "tool_calls": [{"custom": {"name": "f", "input": "x y"}}]}), 4),
        (chat(functions=[{"name": "f", "parameters": {"a": "é"}}]), 1 + len('{"a":"é"}')),
        (chat(tools=[{"type": "custom", "custom": {"name": "f", "format": {"type": "text"}}}]), 1 + 15),
        (chat(response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": {"a": 1}}}), 1 + 7),
        (chat(response_format={"type": "json_object"}), 0),
        (chat("alone"), 5),
        ({"messages": "alone"}, 5),
        ({"messages": user("alone")}, 5),
    ],
)
def test_the_text_parts_of_a_chat(body: dict[str, Any], chars: int) -> None:
    assert ask(CHAT, body).prompt_chars == chars


@pytest.mark.parametrize(
    ("body", "chars"),
    [
        ({"input": "hello"}, 5),
        ({"input": ["hello"]}, 5),
        ({"input": [{"role": "user", "content": "hello"}]}, 5),
        ({"input": [{"type": "custom_tool_call", "name": "f", "input": "x y", "call_id": "c"}]}, 4),
        ({"input": [{"type": "function_call_output", "output": [{"type": "input_text", "text": "hot"}]}]}, 3),
        ({"input": [{"type": "mcp_call", "id": "i", "name": "f", "arguments": "{}", "output": "hot"}]}, 6),
        ({"input": [{"type": "local_shell_call", "action": {"command": ["ls"]}}]}, len('{"command":["ls"]}')),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, 0),
        ({"input": [{"type": "mcp_list_tools", "tools": [{"name": "f", "input_schema": {"a": 1}}]}]}, 1 + 7),
        ({"input": [{"type": "image_generation_call", "result": "AAAA"}]}, 0),
        ({"prompt": {"id": "pmpt_1", "variables": {"city": "Chur"}}}, len('{"city":"Chur"}')),
    ],
)
def test_the_text_parts_of_a_request_for_a_response(body: dict[str, Any], chars: int) -> None:
    assert ask("/v1/responses", body).prompt_chars == chars


@pytest.mark.parametrize(
    ("body", "chars"),
    [
        ({"system": "hello"}, 5),
        ({"messages": [user("hello")]}, 5),
        ({"messages": [user(["hello"])]}, 5),
        ({"messages": [user([{"type": "tool_result", "content": "hot"}])]}, 3),
        ({"messages": [user([{"type": "tool_use", "name": "f", "input": {}}])]}, 1),
        ({"messages": [user([{"type": "mcp_tool_use", "name": "f", "input": {"a": [1, 2]}}])]}, 1 + 11),
        (
            {
                "messages": [
                    user(
                        [
                            {
                                "type": "document",
                                "source": {"type": "content", "content": [{"type": "text", "text": "é"}]},
                            }
                        ]
                    )
                ]
            },
            1,
        ),
        (
            {
                "messages": [
                    user(
                        [
                            {
                                "type": "search_result",
                                "title": "T",
                                "source": "https://a",
                                "content": [{"type": "text", "text": "abc"}],
                            }
                        ]
                    )
                ]
            },
            1 + 9 + 3,
        ),
        ({"messages": [user([{"type": "new_thing", "a": 1}])]}, len('{"type":"new_thing","a":1}')),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"a": 1}}}}, 7),
    ],
)
def test_the_text_parts_of_a_message(body: dict[str, Any], chars: int) -> None:
    assert ask("/v1/messages", body).prompt_chars == chars


def test_the_characters_of_a_text_do_not_depend_on_how_it_is_escaped() -> None:
    plain = b'{"messages": [{"role": "user", "content": "Gr\xc3\xbcezi \xf0\x9f\x8c\x9e"}]}'
    escaped = rb'{"messages": [{"role": "user", "content": "Gr\u00fcezi \ud83c\udf1e"}]}'

    assert ask(CHAT, plain) == ask(CHAT, escaped)
    assert ask(CHAT, plain).prompt_chars == 8


# The bound


@pytest.mark.parametrize(
    ("path", "body", "bound"),
    [
        (CHAT, chat(user("é🌞"), user("")), 2 + 4 + 32),
        (CHAT, chat(user([{"type": "input_audio"}, {"type": "file"}])), 16 + 40_000),
        (CHAT, chat({"role": "assistant", "audio": {"id": "a"}}), 16 + 20_000),
        (CHAT, chat(tools=[]), 0),
        (CHAT, chat(tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}] * 2), 512 + 2),
        ("/v1/messages", {"tools": [{"type": "bash_20250124", "name": "bash"}]}, 512 + 1024 + 4),
        ("/v1/completions", {"prompt": "abc"}, 16 + 3),
        ("/v1/completions", {"prompt": [1, 2, 3]}, 16 + 3),
        ("/v1/completions", {"prompt": [[1, 2, 3], [4]]}, 32 + 4),
        ("/v1/completions", {"prompt": [1, "abc", 2]}, 32 + 5),
        ("/v1/embeddings", {"input": [[1] * 500]}, 16 + 500),
        ("/v1/embeddings", {"input": "abc"}, 16 + 3),
        ("/v1/responses", {"input": [{"type": "computer_call_output", "output": {}}]}, 16 + 20_000),
    ],
)
def test_the_bound_follows_its_rule(path: str, body: dict[str, Any], bound: int) -> None:
    assert ask(path, body).input_bound == bound


@given(st.lists(st.text(max_size=20), max_size=5), st.lists(st.text(max_size=20), max_size=3))
def test_the_bound_is_never_below_the_bytes_of_the_text(texts: list[str], tools: list[str]) -> None:
    body = chat(*map(user, texts), tools=[{"type": "function", "function": {"name": name}} for name in tools])

    asked = ask(CHAT, body)

    assert asked.prompt_chars == sum(map(len, texts + tools))
    assert asked.input_bound >= sum(len(text.encode()) for text in texts + tools) + 16 * len(texts)


# The most that is asked for


@pytest.mark.parametrize(
    ("path", "body", "most"),
    [
        (CHAT, {}, None),
        (CHAT, {"max_tokens": 10}, 10),
        (CHAT, {"max_completion_tokens": 10, "max_tokens": 4}, 10),
        (CHAT, {"max_tokens": 10, "n": 3}, 30),
        (CHAT, {"max_tokens": 10, "n": None}, 10),
        (CHAT, {"max_tokens": 0}, 0),
        (CHAT, {"max_tokens": -1}, None),
        (CHAT, {"max_tokens": 10.5}, None),
        (CHAT, {"max_tokens": True}, None),
        (CHAT, {"max_tokens": 2**53, "n": 2}, None),
        ("/v1/completions", {"prompt": "a", "max_tokens": 10}, 10),
        ("/v1/completions", {"prompt": ["a", "b"], "max_tokens": 10}, 20),
        ("/v1/completions", {"prompt": [1, 2], "max_tokens": 10}, 10),
        ("/v1/completions", {"prompt": ["a"], "max_tokens": 10, "n": 2, "best_of": 4}, 40),
        ("/v1/responses", {"max_output_tokens": 10}, 10),
        ("/v1/messages", {"max_tokens": 10}, 10),
        ("/v1/embeddings", {"max_tokens": 10}, None),
    ],
)
def test_the_most_output_of_a_request_is_over_all_its_choices(
    path: str, body: dict[str, Any], most: int | None
) -> None:
    assert ask(path, body).max_output_tokens == most


# What there is no parser for


def test_an_unknown_protocol_is_read_by_names_that_most_share() -> None:
    body = {
        "model": "m",
        "system": "Be brief.",
        "contents": [{"parts": [{"text": "Grüezi"}]}, {"parts": [{"text": "Salü"}]}],
        "tools": [{"a": 1}],
        "max_tokens": 7,
        "stream": True,
        "other": "not counted",
    }
    raw = json.dumps(body).encode()

    asked = providers.ask(post("https://api.cohere.com/v2/new", raw))

    assert asked == Asked(
        protocol="unknown",
        operation="unknown",
        provider="cohere",
        model="m",
        prompt_chars=len("Be brief." + "Grüezi" + "Salü"),
        input_bound=len(raw) + 3 * 16 + 512,
        max_output_tokens=7,
        streams=True,
    )


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'{"model": ', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_cannot_be_read_is_bounded_by_its_length(body: bytes) -> None:
    asked = ask(CHAT, body)

    assert asked == Asked("unknown", "unknown", "openai", None, input_bound=len(body))


def test_a_body_of_unusual_size_without_a_claim_is_not_read() -> None:
    body = json.dumps({"model": "m", "prompt": "x" * 8 * 1024 * 1024}).encode()

    assert providers.ask(post(f"{LOCAL}/ask", body)) is None


def test_a_schema_that_is_too_deep_to_be_written_is_bounded_by_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    body = json.dumps(chat(tools=[{"function": {"name": "f", "parameters": deep}}])).encode()

    def too_deep(_: object) -> str:
        raise RecursionError

    monkeypatch.setattr("tapemeter.providers.prompt.compact", too_deep)

    assert ask(CHAT, body) == Asked("unknown", "unknown", "openai", None, input_bound=len(body))


@given(
    st.dictionaries(
        st.sampled_from(["model", "messages", "prompt", "input", "contents", "system", "tools", "max_tokens", "x"]),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=5,
        ),
    ),
    st.sampled_from([LOCAL, "https://api.cohere.com", "https://api.openai.com"]),
)
def test_ask_agrees_with_the_claims_on_any_object(body: dict[str, Any], host: str) -> None:
    request = post(f"{host}/any/thing", body)

    asked = providers.ask(request)

    assert (asked is None) == (providers.claims(request) is None and providers.claims_body(request) is None)
    assert asked is None or asked.input_bound >= len(request.body)
