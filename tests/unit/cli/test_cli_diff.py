from __future__ import annotations

import dataclasses
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.model import Ending
from tapemeter.values import replace

if TYPE_CHECKING:
    from conftest import Command, Tapes
    from tapemeter.cassette.model import Interaction


def chunk(text: str, **more: Any) -> dict[str, Any]:
    return {**more, "choices": [{"index": 0, "delta": {"content": text}}]}


def test_equal_files(cassette: Command, tapes: Tapes) -> None:
    calls = [tapes.ask("one"), tapes.stream(tapes.ask("two"), chunk("a"))]
    a, b = tapes.write("a.yaml", *calls), tapes.write("b.yaml", *calls)
    ran = cassette("diff", a, b)
    assert ran.code == 0
    assert ran.out.endswith("\n2 equal, 0 different, 0 only in A, 0 only in B\n")
    assert cassette("diff", a, b, "--json").json["equal"] is True


def test_what_replay_does_not_look_at_does_not_count(cassette: Command, tapes: Tapes) -> None:
    one, two = tapes.ask("one"), tapes.ask("two")
    answer = one.response.body
    respelled = replace(
        one,
        recorded="2027-01-01T00:00:00Z",
        request=one.request.with_headers((*one.request.headers, ("x-tag", "1"))),
        response=replace(
            one.response.with_chunks(
                [replace(one.response.chunks[0], data=json.dumps(json.loads(answer), indent=2).encode())]
            ),
            total=9.0,
        ),
    )
    a, b = tapes.write("a.yaml", one, two), tapes.write("b.yaml", two, respelled)
    ran = cassette("diff", a, b, "--json")
    assert ran.code == 0
    assert [(pair["a"], pair["b"]) for pair in ran.json["pairs"]] == [(1, 2), (2, 1)]


def test_shows_the_paths_that_differ_in_request_and_response(cassette: Command, tapes: Tapes) -> None:
    a = tapes.write("a.yaml", tapes.ask("Greet Ada.", "Hello Ada."))
    b = tapes.write("b.yaml", tapes.ask("Greet Bob.", "Hello Bob.", status=203))
    ran = cassette("diff", "a.yaml", "b.yaml")
    assert ran.code == 1
    assert (
        ran.out
        == """\
A  a.yaml (1 interaction)
B  b.yaml (1 interaction)

A [1], B [1]  POST https://api.example.test/v1/chat/completions
  request
    prompt: messages[0].content
      A  "Greet Ada."
      B  "Greet Bob."
  response
    status: status
      A  200
      B  203
    answer: choices[0].message.content
      A  "Hello Ada."
      B  "Hello Bob."

0 equal, 1 different, 0 only in A, 0 only in B
"""
    )
    [pair] = cassette("diff", a, b, "--json").json["pairs"]
    assert pair == {
        "a": 1,
        "b": 1,
        "equal": False,
        "request": [{"part": "prompt", "path": "messages[0].content", "a": '"Greet Ada."', "b": '"Greet Bob."'}],
        "response": [
            {"part": "status", "path": "status", "a": "200", "b": "203"},
            {"part": "answer", "path": "choices[0].message.content", "a": '"Hello Ada."', "b": '"Hello Bob."'},
        ],
    }


def test_equal_questions_are_paired_in_turn_and_others_with_the_nearest(cassette: Command, tapes: Tapes) -> None:
    a = tapes.write(
        "a.yaml",
        tapes.ask("same", "first"),
        tapes.ask("same", "second"),
        tapes.ask("about birds", model="bird-1"),
        tapes.ask("about fish", model="fish-1"),
    )
    b = tapes.write(
        "b.yaml",
        tapes.ask("about fishes", model="fish-1"),
        tapes.ask("same", "first"),
        tapes.ask("about a bird", model="bird-1"),
        tapes.ask("same", "another"),
    )
    ran = cassette("diff", a, b, "--json")
    assert [(pair["a"], pair["b"], pair["equal"]) for pair in ran.json["pairs"]] == [
        (1, 2, True),
        (2, 4, False),
        (3, 3, False),
        (4, 1, False),
    ]


def test_what_is_in_one_only(cassette: Command, tapes: Tapes) -> None:
    a = tapes.write("a.yaml", tapes.ask("one"), tapes.call({"input": "x"}, path="/v1/embeddings"))
    b = tapes.write("b.yaml", tapes.ask("one"), tapes.ask("two"), tapes.ask("three"))
    ran = cassette("diff", a, b)
    assert ran.code == 1
    assert "only in A: [2] POST https://api.example.test/v1/embeddings" in ran.out
    assert "only in B: [2] POST" in ran.out
    assert ran.out.endswith("1 equal, 0 different, 1 only in A, 2 only in B\n")
    document = cassette("diff", b, a, "--json").json
    assert [item["number"] for item in document["only_in_a"]] == [2, 3]
    assert document["only_in_b"] == [
        {"number": 2, "method": "POST", "url": "https://api.example.test/v1/embeddings"},
    ]
    assert document["equal"] is False


def test_streams_are_compared_by_the_answer_they_make(cassette: Command, tapes: Tapes) -> None:
    ask = tapes.ask("Hi")
    a = tapes.write("a.yaml", tapes.stream(ask, chunk("Hel"), chunk("lo Ada.")))
    b = tapes.write("b.yaml", tapes.stream(ask, chunk("Hello "), chunk("Bob.")))
    ran = cassette("diff", a, b, "--json")
    assert ran.code == 1
    assert ran.json["pairs"][0]["response"] == [
        {"part": "answer", "path": "choices[0].message.content", "a": '"Hello Ada."', "b": '"Hello Bob."'}
    ]


def test_streams_of_one_answer_differ_at_their_first_event_that_does(cassette: Command, tapes: Tapes) -> None:
    ask = tapes.ask("Hi")
    a = tapes.write("a.yaml", tapes.stream(ask, chunk("Hel"), chunk("lo", id="x"), chunk("!", id="x")))
    b = tapes.write("b.yaml", tapes.stream(ask, chunk("Hel"), chunk("lo", id="y"), chunk("!", id="y")))
    c = tapes.write("c.yaml", tapes.stream(ask, chunk("Hel"), chunk("lo", id="x"), chunk("!", id="x"), chunk("")))
    assert cassette("diff", a, b).code == cassette("diff", a, c).code == 0
    assert cassette("diff", a, b, "--all", "--json").json["pairs"][0]["response"] == [
        {"part": "other", "path": "event 2: id", "a": '"x"', "b": '"y"'}
    ]
    [difference] = cassette("diff", a, c, "--all", "--json").json["pairs"][0]["response"]
    assert (difference["path"], difference["a"]) == ("event 4", "(absent)")


def test_comments_and_spelling_in_a_stream_do_not_count(cassette: Command, tapes: Tapes) -> None:
    ask = tapes.ask("Hi")
    a = tapes.write("a.yaml", tapes.stream(ask, chunk("Hello")))
    b = tapes.write(
        "b.yaml", tapes.stream(ask, f": ping\n\ndata:{json.dumps(chunk('Hello'), indent=None)}\n\n".encode())
    )
    assert cassette("diff", a, b).code == 0


def test_a_partial_recording_differs_from_a_whole_one(cassette: Command, tapes: Tapes) -> None:
    ask = tapes.ask("Hi")
    a = tapes.write("a.yaml", tapes.stream(ask, chunk("Hello")))
    b = tapes.write("b.yaml", tapes.stream(ask, chunk("Hello"), ending=Ending.BROKEN))
    ran = cassette("diff", a, b)
    assert ran.code == 1
    assert "    status: ending\n      A  complete\n      B  broken\n" in ran.out


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"\x00\x01", b"\x00\x02\x03"), (b"\x00\x01", b"\x00\x02"), (b"plain", b'{"a": 1}'), (b"", b"{}")],
)
def test_bodies_that_are_no_json_differ_as_a_whole(cassette: Command, tapes: Tapes, old: bytes, new: bytes) -> None:
    a, b = tapes.write("a.yaml", tapes.call(old, b"x")), tapes.write("b.yaml", tapes.call(new, b"x"))
    ran = cassette("diff", a, b, "--json")
    assert ran.code == 1
    assert [each["path"] for each in ran.json["pairs"][0]["request"]] == ["body"]
    a, b = tapes.write("a.yaml", tapes.call(b"x", old)), tapes.write("b.yaml", tapes.call(b"x", new))
    assert [each["path"] for each in cassette("diff", a, b, "--json").json["pairs"][0]["response"]] == ["body"]


def test_a_repeated_query_parameter_counts(cassette: Command, tapes: Tapes) -> None:
    a = tapes.write("a.yaml", tapes.call(b"", path="/v1/models?a=1&a=2"))
    b = tapes.write("b.yaml", tapes.call(b"", path="/v1/models?a=3&a=2"))
    ran = cassette("diff", a, b, "--json")
    assert ran.code == 1
    assert ran.json["pairs"][0]["request"] != []


def test_requests_whose_difference_has_no_path_differ_all_the_same(cassette: Command, tapes: Tapes) -> None:
    def broken(body: bytes) -> Interaction:
        call = tapes.call(body)
        return replace(call, request=dataclasses.replace(call.request, url="https://host:port/path"))

    a, b = tapes.write("a.yaml", broken(b"one")), tapes.write("b.yaml", broken(b"two"))
    ran = cassette("diff", a, b, "--json")
    assert ran.code == 1
    [difference] = ran.json["pairs"][0]["request"]
    assert difference["path"] == "request"
    assert difference["a"] != difference["b"]
    assert cassette("diff", a, a).code == 0


def test_many_differences_are_counted(cassette: Command, tapes: Tapes) -> None:
    a = tapes.write("a.yaml", tapes.call({"input": list(range(40))}))
    b = tapes.write("b.yaml", tapes.call({"input": list(range(100, 140))}))
    ran = cassette("diff", a, b)
    assert "    and 28 more (--json lists all)" in ran.out
    assert len(cassette("diff", a, b, "--json").json["pairs"][0]["request"]) == 40


def test_an_edited_file_is_compared_as_it_stands(cassette: Command, tapes: Tapes) -> None:
    a, b = tapes.write("a.yaml", tapes.ask("one")), tapes.write("b.yaml", tapes.ask("one"))
    tapes.edit(b, "content: one", "content: two")
    assert cassette("diff", a, b).code == 1
    tapes.edit(b, "content: two", "content: one")
    assert cassette("diff", a, b).code == 0


def test_trouble_is_no_difference(cassette: Command, tapes: Tapes) -> None:
    a = tapes.write("a.yaml", tapes.ask("one"))
    broken = tapes.write("broken.yaml", tapes.ask("one"))
    tapes.edit(broken, "end:", "ende:")
    (tapes.root / "folder").mkdir()
    for other in ("broken.yaml", "folder", "missing.yaml"):
        ran = cassette("diff", a, other)
        assert (ran.code, ran.out) == (2, "")
        assert other in ran.err


def test_hostile_content_is_escaped_and_no_crash(cassette: Command, tapes: Tapes) -> None:
    evil = "\x1b[2J\x9b\r\u202e"
    call = tapes.ask(evil, evil)
    deep = b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}"
    deeper = b'{"a": ' + b"[" * 901 + b"]" * 901 + b"}"
    bad_url = replace(call, request=dataclasses.replace(call.request, url=f"https://[{evil}"))
    bad_port = replace(call, request=dataclasses.replace(call.request, url="https://host:port/path"))
    a = tapes.write("a.yaml", call, bad_url, bad_port, tapes.call(b"deep", deep), tapes.call(deep))
    b = tapes.write(
        "b.yaml",
        tapes.ask(evil + "!", evil + "?"),
        tapes.call({evil: evil}, path=f"/{evil}"),
        tapes.call(b"deep", deeper),
        tapes.call(deeper),
    )
    ran = cassette("diff", a, b)
    assert ran.code == 1
    assert not {"\x1b", "\x9b", "\r", "\u202e"} & set(ran.out)
    assert cassette("diff", b, a).code == 1
    assert cassette("diff", a, a).code == 0


def test_long_files_are_compared_in_a_moment(cassette: Command, tapes: Tapes) -> None:
    a = tapes.write("a.yaml", *(tapes.ask(f"one {number}") for number in range(400)))
    b = tapes.write("b.yaml", *(tapes.ask(f"two {number}") for number in range(400)))
    start = time.perf_counter()
    assert len(cassette("diff", a, b, "--json").json["pairs"]) == 400
    assert time.perf_counter() - start < 20


def test_each_difference_says_what_it_is_of(cassette: Command, tapes: Tapes) -> None:
    def call(word: str, number: int) -> Interaction:
        tool = {"type": "function", "function": {"name": word}}
        body = {
            "model": f"m-{word}",
            "messages": [{"role": "user", "content": word}],
            "tools": [tool],
            "temperature": number,
        }
        said = {"role": "assistant", "content": word, "tool_calls": [{"id": word, **tool}]}
        answer = {
            "id": word,
            "created": number,
            "model": f"s-{word}",
            "choices": [{"message": said, "finish_reason": word}],
            "usage": {"prompt_tokens": number, "completion_tokens": 5, "total_tokens": number + 5},
        }
        return tapes.call(body, answer, path=f"/v1/chat/completions?v={number}")

    a, b = tapes.write("a.yaml", call("one", 1)), tapes.write("b.yaml", call("two", 2))
    [pair] = cassette("diff", a, b, "--json").json["pairs"]
    assert {(each["part"], each["path"]) for each in pair["request"]} == {
        ("address", "query v"),
        ("model", "model"),
        ("prompt", "messages[0].content"),
        ("tools", "tools[0].function.name"),
        ("settings", "temperature"),
    }
    assert {(each["part"], each["path"]) for each in pair["response"]} == {
        ("answer", "choices[0].message.content"),
        ("tools", "choices[0].message.tool_calls[0].function.name"),
        ("ending", "choices[0].finish_reason"),
        ("model", "model"),
        ("usage", "input_tokens"),
    }
    everything = cassette("diff", a, b, "--all", "--json").json["pairs"][0]["response"]
    assert {each["path"] for each in everything if each["part"] == "other"} == {
        "id",
        "created",
        "choices[0].message.tool_calls[0].id",
    }


def test_ids_and_moments_of_servers_make_no_difference(cassette: Command, tapes: Tapes) -> None:
    said = {"model": "m", "choices": [{"message": {"content": "Yes."}}]}
    ask = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    a = tapes.write("a.yaml", tapes.call(ask, {**said, "id": "x1", "created": 1, "system_fingerprint": "f1"}))
    b = tapes.write("b.yaml", tapes.call(ask, {**said, "id": "x2", "created": 2, "system_fingerprint": None}))
    assert cassette("diff", a, b).code == 0
    assert cassette("diff", a, b, "--all").code == 1


def test_usage_is_compared_as_it_is_counted(cassette: Command, tapes: Tapes) -> None:
    said = {"choices": [{"message": {"content": "Yes."}}]}
    ask = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}

    def used(read: int, written: int, cached: int) -> dict[str, Any]:
        details = {"cached_tokens": cached}
        return {"prompt_tokens": read, "completion_tokens": written, "prompt_tokens_details": details}

    a = tapes.write("a.yaml", tapes.call(ask, {**said, "usage": used(10, 5, 0)}))
    b = tapes.write("b.yaml", tapes.call(ask, {**said, "usage": used(10, 6, 8)}))
    assert cassette("diff", a, b, "--json").json["pairs"][0]["response"] == [
        {"part": "usage", "path": "output_tokens", "a": "5", "b": "6"},
        {"part": "usage", "path": "cache_read_tokens", "a": "0", "b": "8"},
    ]


def test_a_tape_of_another_tool_is_compared_with_ours(cassette: Command, tapes: Tapes) -> None:
    (tapes.root / "vcr.yaml").write_text(tapes.vcr)
    tapes.write("a.yaml", tapes.ask("Say ahoy", "Ahoy.", model="gpt-4o"))
    ran = cassette("diff", "a.yaml", "vcr.yaml", "--json")
    [pair] = ran.json["pairs"]
    assert ("prompt", "messages[0].content") in {(each["part"], each["path"]) for each in pair["request"]}
    assert "Zz81" not in ran.out
    assert cassette("diff", "vcr.yaml", "vcr.yaml").code == 0
