from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.model import Chunk, Ending, Response
from tapemeter.values import replace

if TYPE_CHECKING:
    from conftest import Command, Tapes

# C0 but line feed, DEL, C1.
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def chat_chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


CALLS = [
    chat_chunk({"role": "assistant", "content": None}),
    chat_chunk({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "get_stock", "arguments": '{"it'}}]}),
    chat_chunk({"tool_calls": [{"index": 0, "function": {"arguments": 'em": "figs"}'}}]}),
    chat_chunk({"tool_calls": [{"index": 1, "id": "c2", "function": {"name": "get_price", "arguments": "{}"}}]}),
    chat_chunk({}, "tool_calls"),
    b"data: [DONE]\n\n",
]
ANTHROPIC = [
    {"type": "message_start", "message": {"type": "message", "role": "assistant", "content": [], "model": "m"}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hmm."}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Grü"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "ße."}},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "name": "look", "input": {}}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"at":'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": " 1}"}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]
RESPONSES = [
    {"type": "response.created", "response": {"object": "response", "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "content": []}},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "Good "},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "day."},
    {"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "name": "look"}},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"at": 2}'},
]
COMPLETED = {
    "type": "response.completed",
    "response": {
        "object": "response",
        "status": "completed",
        "output": [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "All of it."}]}
        ],
    },
}


def test_reads_like_a_conversation(cassette: Command, tapes: Tapes) -> None:
    body = {
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "First line\n  second line"},
            {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "content": "12"},
            {"role": "user", "content": [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}],
    }
    answer = {"choices": [{"message": {"role": "assistant", "content": "Twelve."}, "finish_reason": "stop"}]}
    tapes.write("a.yaml", tapes.call(body, answer))
    ran = cassette("show", "a.yaml")
    assert ran.code == 0
    assert (
        ran.out
        == """\
a.yaml: 1 interaction

[1] POST https://api.example.test/v1/chat/completions
  recorded  2026-11-21T04:00:00Z
  model     m-1
  tools     f, g

  system:
    Be brief.

  user:
    First line
      second line

  assistant:
    [call] f({})

  tool:
    12

  user:
    Look:
    [image_url]

  -> 200 (first byte 0.250 s, total 0.500 s, stop)
     12 tokens in, 2 out, estimated

  assistant:
    Twelve.
"""
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"system": "Be brief.", "messages": [{"role": "user", "content": "Hi"}]}, ["system:", "Be brief.", "user:"]),
        ({"system": [{"type": "text", "text": "In parts."}], "messages": []}, ["system:", "In parts."]),
        ({"instructions": "Be kind.", "input": "Hi there"}, ["instructions:", "Be kind.", "user:", "Hi there"]),
        (
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                    {"type": "function_call", "name": "f", "arguments": "{}"},
                    {"type": "function_call_output", "output": "12"},
                ],
                "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
            },
            ["tools     f, web_search", "user:", "Hi", "assistant:", "[call] f({})", "tool:", "12"],
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": {"a": "ä"}}]},
                    {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "12"}]}]},
                ]
            },
            ['[call] f({"a": "ä"})', "user:", "[result] 12"],
        ),
        ({"prompt": ["Once", "Twice"]}, ["user:", "Once", "user:", "Twice"]),
    ],
)
def test_requests_of_every_protocol(cassette: Command, tapes: Tapes, body: Any, said: list[str]) -> None:
    tapes.write("a.yaml", tapes.call(body))
    lines = iter([line.strip() for line in cassette("show", "a.yaml").out.splitlines()])
    assert [line for line in said if line not in lines] == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"choices": [{"text": "and so on", "finish_reason": "length"}]}, ["length", "and so on"]),
        ({"choices": [{"message": {"content": "A"}}, {"message": {"content": "B"}}]}, ["    A\n", "    B\n"]),
        ({"choices": [{"message": {"refusal": "I will not."}}]}, ["I will not."]),
        ({"type": "message", "content": [{"type": "text", "text": "Yes."}], "stop_reason": "end_turn"}, ["end_turn"]),
        ({"object": "response", **COMPLETED["response"]}, ["completed", "All of it."]),
        ({"error": {"message": "slow down", "type": "rate_limit"}}, ["error:\n    slow down"]),
        ({"error": {"code": 7}}, ['error:\n    {"code": 7}']),
        ({"data": [{"embedding": [0.1]}]}, ["embeddings:\n    [1 vector]"]),
    ],
)
def test_answers_of_every_protocol(cassette: Command, tapes: Tapes, answer: Any, said: list[str]) -> None:
    tapes.write("a.yaml", tapes.call({"messages": []}, answer))
    out = cassette("show", "a.yaml").out
    assert [text for text in said if text not in out] == []


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([chat_chunk({"content": "Hel"}), chat_chunk({"content": "lo."}), chat_chunk({}, "stop")], ["Hello.", "stop"]),
        (CALLS, ['[call] get_stock({"item": "figs"})', "[call] get_price({})", "tool_calls"]),
        (ANTHROPIC, ['[thinking] Hmm.\n    Grüße.\n    [call] look({"at": 1})', "tool_use"]),
        (ANTHROPIC[:9], ['[call] look({"at":)']),
        ([*RESPONSES, COMPLETED], ["All of it.", "completed"]),
        (RESPONSES, ["Good day.", '[call] look({"at": 2})', "in_progress"]),
        ([{"type": "error", "error": {"message": "overloaded"}}], ["error:\n    overloaded"]),
        ([{"type": "other"}], ["body:\n    event: other"]),
    ],
)
def test_streams_are_folded(cassette: Command, tapes: Tapes, events: list[Any], said: list[str]) -> None:
    tapes.write("a.yaml", tapes.stream(tapes.ask("Hi"), *events))
    out = cassette("show", "a.yaml").out
    assert f", {len(events)} chunk" in out
    assert [text for text in said if text not in out] == []


def test_a_stream_cut_within_an_event_shows_what_there_is_and_why(cassette: Command, tapes: Tapes) -> None:
    events = [chat_chunk({"content": "Hel"}), b'data: {"choices": [{"del']
    tapes.write("a.yaml", tapes.stream(tapes.ask("Hi"), *events, ending=Ending.TIMEOUT))
    out = cassette("show", "a.yaml").out
    assert "partial: timeout" in out
    assert out.endswith("assistant:\n    Hel\n")


def test_line_ends_of_a_stream_do_not_matter(cassette: Command, tapes: Tapes) -> None:
    data = json.dumps(chat_chunk({"content": "one\u2028line"}), ensure_ascii=False)
    tapes.write("a.yaml", tapes.stream(tapes.ask("Hi"), f": hello\r\ndata:{data}\r\n\r\ndata: {data}\r\r".encode()))
    assert "one\\u2028lineone\\u2028line" in cassette("show", "a.yaml").out


def test_bodies_that_are_no_conversation_are_shortened(cassette: Command, tapes: Tapes) -> None:
    picture = Response(200, (("content-type", "image/png"),), (Chunk(0.1, b"\x89PNG" + bytes(3000)),))
    tapes.write(
        "a.yaml",
        tapes.call(b"word " * 5000, "\n".join(map(str, range(500))).encode()),
        replace(tapes.call(b""), response=picture),
    )
    out = cassette("show", "a.yaml").out
    assert len(out) < 5000
    assert "… (25.0 kB in all)" in out
    assert "… (1.9 kB in all)" in out
    assert "    (3.0 kB of image/png)" in out
    assert "    (empty)" in out


def test_one_interaction_by_its_number(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("first one"), tapes.ask("second one"))
    out = cassette("show", "a.yaml", 2).out
    assert "[2] POST" in out
    assert "second one" in out
    assert "first one" not in out


@pytest.mark.parametrize("number", [0, -1, 3])
def test_a_number_that_is_not_there_says_which_are(cassette: Command, tapes: Tapes, number: int) -> None:
    tapes.write("a.yaml", tapes.ask("first"), tapes.ask("second"))
    ran = cassette("show", "a.yaml", number)
    assert ran.code == 2
    assert f"a.yaml has 2 interactions, but number {number} was asked for; write a number from 1 to 2" in ran.err


def test_json_gives_the_fields_of_the_file(cassette: Command, tapes: Tapes) -> None:
    interaction = tapes.ask("first", "Größe")
    path = tapes.write("a.yaml", interaction, tapes.ask("second"))
    ran = cassette("show", "a.yaml", 1, "--json")
    [shown] = ran.json["interactions"]
    assert (ran.json["path"], ran.json["edited"]) == ("a.yaml", False)
    assert (shown["number"], shown["line"], shown["key"]) == (1, 4, interaction.key)
    assert shown["request"]["json"] == interaction.request.json()
    assert shown["response"]["status"] == 200
    assert "Größe" in ran.out
    tapes.edit(path, "content: first", "content: another")
    assert cassette("show", "a.yaml", "--json").json["edited"] is True
    assert ", edited by hand" in cassette("show", "a.yaml").out


def test_a_folder_or_nothing_is_a_usage_error(cassette: Command, tapes: Tapes) -> None:
    (tapes.root / "all").mkdir()
    ran = cassette("show", "all")
    assert ran.code == 2
    assert "tapemeter cassette ls all" in ran.err
    assert cassette("show", "nothing.yaml").code == 2


def test_a_broken_file_is_told_with_its_line(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("a.yaml", tapes.ask("first"))
    tapes.edit(path, "status: 200", "status: many")
    ran = cassette("show", "a.yaml")
    assert ran.code == 2
    assert re.search(r"a\.yaml:\d+: .*expected status", ran.err)


def test_nothing_in_a_cassette_reaches_the_terminal_raw(cassette: Command, tapes: Tapes) -> None:
    evil = "\x1b[2J\x1b]52;c;aGk=\x07\r\x08\x7f\x9b31m\x85\u2028\u202e\u2066\tend"
    call = tapes.ask(evil, evil, model=evil)
    call = replace(
        call, request=dataclasses.replace(call.request, method=f"GET{evil}", url=call.request.url + "/" + evil)
    )
    body = {"messages": [{"role": evil, "content": [{"type": evil}]}], "tools": [{"name": evil}]}
    kind = (("content-type", f"text/{evil}"),)
    binary = replace(tapes.call(body), response=Response(200, kind, (Chunk(0.1, evil.encode() + b"\xff"),)))
    tapes.write("a.yaml", tapes.keyed(call), binary, tapes.call(evil.encode(), evil.encode()))
    out = cassette("show", "a.yaml").out
    assert set(CONTROL.findall(out)) <= {"\t"}
    assert out.count("\\x1b[2J") >= 8
    shown = cassette("show", "a.yaml", "--json")
    assert CONTROL.findall(shown.out) == []
    assert shown.json["interactions"][0]["request"]["method"] == f"GET{evil}"


def test_text_cannot_pass_for_a_line_of_ours(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("Hi\n\n[2] POST https://forged.test/\n  -> 200"))
    assert not re.search(r"^(\[2\]|  ->  ?200 \(forged)", cassette("show", "a.yaml").out, re.MULTILINE)


def test_lone_surrogates_are_shown_escaped(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.call(b'{"messages": [{"role": "user", "content": "\\ud83d?"}]}'))
    assert "    \\ud83d?" in cassette("show", "a.yaml").out


ODD: list[Any] = [
    [],
    "text",
    7,
    None,
    {"messages": "text", "tools": {"a": 1}, "model": 7, "system": 7},
    {"messages": [None, 7, [], {"role": 7, "content": 7, "tool_calls": [7, {"function": 7}]}], "tools": [7, {}]},
    {"choices": [None, {"message": None}, {"message": {"content": {"a": 1}}, "finish_reason": ["a"]}]},
    {"output": [None, {"content": [[[["deep"]]]]}], "status": {}, "incomplete_details": []},
    {"type": "message", "content": 7, "stop_reason": 7},
    {"error": []},
    {"choices": [{"index": "x", "delta": {"role": [], "content": 7, "tool_calls": [{"index": {}, "function": []}]}}]},
    {"type": "message_start", "message": 7},
    {"type": "content_block_start", "index": [], "content_block": 7},
    {"type": "content_block_delta", "index": -1, "delta": {"text": 7}},
    {"type": "message_delta", "delta": {"content": 7, "type": 7}, "usage": 7},
    {"type": "response.output_item.added", "output_index": "x", "item": 7},
    {"type": "response.output_text.delta", "output_index": None, "delta": 7},
    {"type": ["response.x"]},
]


def test_odd_shapes_are_passed_over(cassette: Command, tapes: Tapes) -> None:
    tapes.write(
        "a.yaml",
        *(tapes.call(value, value) for value in ODD),
        *(tapes.stream(tapes.call(value), value) for value in ODD if isinstance(value, dict)),
        tapes.stream(tapes.call(b""), *(value for value in ODD[10:] if isinstance(value, dict))),
        tapes.stream(tapes.call(b""), *(value for value in ODD[11:15] if isinstance(value, dict))),
    )
    ran = cassette("show", "a.yaml")
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize("depth", [500, 900, 20_000])
def test_deep_bodies_are_passed_over(cassette: Command, tapes: Tapes, depth: int) -> None:
    nested = b"[" * depth + b'"x"' + b"]" * depth
    body = b'{"model":"m","messages":[{"role":"user","content":' + nested + b"}]}"
    tapes.write("a.yaml", tapes.call(body, b'{"choices":[{"message":{"content":' + nested + b"}}]}"))
    ran = cassette("show", "a.yaml")
    assert ran.code == 0
    assert "-> 200" in ran.out


def test_which_model_answered_and_what_it_used_are_told(cassette: Command, tapes: Tapes) -> None:
    usage = {
        "prompt_tokens": 1200,
        "completion_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 1000},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    answer = {
        "model": "m-1-0806",
        "choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}],
        "usage": usage,
    }
    tapes.write("a.yaml", tapes.call({"model": "m-1", "messages": [{"role": "user", "content": "Hi"}]}, answer))
    ran = cassette("show", "a.yaml")
    assert "  model     m-1, answered by m-1-0806\n" in ran.out
    assert "\n     1,200 tokens in, 1,000 from a cache, 30 out, 20 of reasoning\n" in ran.out
    [shown] = cassette("show", "a.yaml", "--json").json["interactions"]
    assert shown["conversation"] == {
        "asked": {"model": "m-1", "tools": [], "turns": [{"role": "user", "text": "Hi"}]},
        "answered": {
            "model": "m-1-0806",
            "turns": [{"role": "assistant", "text": "Yes."}],
            "finish_reasons": ["stop"],
            "usage": {
                "input_tokens": 1200,
                "output_tokens": 30,
                "cache_read_tokens": 1000,
                "cache_write_tokens": 0,
                "reasoning_tokens": 20,
                "quality": "measured",
            },
        },
    }


def test_what_is_no_model_call_has_no_usage(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.call(b"user=me", b"hello", path="/login"))
    assert " tokens in" not in cassette("show", "a.yaml").out
    [shown] = cassette("show", "a.yaml", "--json").json["interactions"]
    assert shown["conversation"]["answered"]["usage"] is None


def test_a_tape_of_another_tool_is_shown_without_its_keys(cassette: Command, tapes: Tapes) -> None:
    (tapes.root / "vcr.yaml").write_text(tapes.vcr)
    ran = cassette("show", "vcr.yaml")
    assert ran.code == 0
    assert ran.out.startswith("vcr.yaml: 1 interaction, a tape of VCR.py YAML\n")
    assert "  assistant:\n    Ahoy.\n" in ran.out
    assert "Zz81" not in ran.out + cassette("show", "vcr.yaml", "--json").out
