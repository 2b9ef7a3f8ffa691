from __future__ import annotations

import base64
import dataclasses
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.cassette import format as cassette_format
from tapemeter.model import Chunk, Ending
from tapemeter.values import replace

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Ran, Tapes
    from tapemeter.cassette.model import Interaction

KEY = "sk-proj-Zz81Yx72Ww63Vv54Uu45Tt36"
WORD = "correct-horse-battery-staple"
EVIL = "\x1b[2J\x9b\r\u202e"


@pytest.fixture(autouse=True)
def _secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAPLER_TOKEN", WORD)


def leak(ran: Ran, *secrets: str) -> list[str]:
    return [secret for secret in (*secrets, "Zz81", "horse") if secret in ran.out + ran.err]


def line_of(path: Path, text: str) -> int:
    return path.read_text().split(text)[0].count("\n") + 1


def test_good_cassettes_pass(cassette: Command, tapes: Tapes) -> None:
    tapes.write("cassettes/a.yaml", tapes.ask("one"), tapes.ask("two"))
    tapes.write("cassettes/b/c.yaml", tapes.stream(tapes.ask("three"), {"choices": []}))
    tapes.write("cassettes/empty.yaml")
    ran = cassette("verify")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "3 cassettes, 3 interactions: 0 problems, 0 notes\n"


def test_what_redaction_has_hidden_passes(cassette: Command, tapes: Tapes) -> None:
    headers = (("content-type", "application/json"), ("authorization", "REDACTED"), ("cookie", "REDACTED"))
    call = tapes.call({"api_key": "REDACTED"}, {"say": "Bearer REDACTED"}, path="/v1?key=REDACTED", headers=headers)
    tapes.write("a.yaml", call)
    assert cassette("verify", "a.yaml").code == 0


def test_an_edit_by_hand_is_a_note(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("a.yaml", tapes.ask("one"))
    tapes.edit(path, "content: one", "content: another one")
    ran = cassette("verify", "a.yaml")
    assert ran.code == 0
    assert ran.out == (
        "a.yaml: note: edited by hand since it was recorded, which is fine\n"
        "1 cassette, 1 interaction: 0 problems, 1 note\n"
    )
    [note] = cassette("verify", "a.yaml", "--json").json["notes"]
    assert (note["kind"], note["path"]) == ("edited", "a.yaml")


def _with_header(call: Interaction, value: str) -> Interaction:
    return replace(call, request=call.request.with_headers((*call.request.headers, ("x-tag", value))))


def _with_response_header(call: Interaction, value: str) -> Interaction:
    return replace(call, response=replace(call.response, headers=(*call.response.headers, ("x-tag", value))))


PLANTED: dict[str, Any] = {
    "request header authorization": lambda tapes: tapes.call(
        {}, headers=(("content-type", "application/json"), ("authorization", "Bearer hunter2hunter"))
    ),
    "request header x-tag": lambda tapes: _with_header(tapes.ask("Hi"), f"is {KEY}"),
    "response header x-tag": lambda tapes: _with_response_header(tapes.ask("Hi"), f"is {WORD}"),
    "request url": lambda tapes: tapes.call({}, path="/v1/chat?a=1&api_key=hunter2hunter"),
    "request body at messages[0].content": lambda tapes: tapes.ask(f"My key is {KEY}."),
    "request body": lambda tapes: tapes.call(f"it is {WORD}".encode()),
    "response body at choices[0].message.content": lambda tapes: tapes.ask("Hi", f"You said {WORD}"),
    "response body": lambda tapes: tapes.call({}, b"\x00\xff " + KEY.encode()),
    "response stream[1]": lambda tapes: tapes.stream(
        tapes.ask("Hi"), {"choices": []}, {"choices": [{"delta": {"content": KEY}}]}, {"choices": []}
    ),
}


@pytest.mark.parametrize("where", PLANTED)
def test_a_planted_secret_is_found_and_not_shown(cassette: Command, tapes: Tapes, where: str) -> None:
    planted = tapes.keyed(PLANTED[where](tapes))
    tapes.write("cassettes/a.yaml", tapes.ask("clean"), planted, tapes.ask("clean, too"))
    ran = cassette("verify")
    assert ran.code == 1
    assert f"interaction 2: {where} holds a secret: " in ran.out
    assert "replace it by REDACTED or record again" in ran.out
    assert ran.out.endswith(": 1 problem, 0 notes\n")
    assert leak(ran, "hunter2") == []
    ran = cassette("verify", "--json")
    assert ran.code == 1
    [problem] = ran.json["problems"]
    assert (problem["kind"], problem["interaction"], problem["where"]) == ("secret", 2, where)
    assert leak(ran, "hunter2") == []


@pytest.mark.parametrize("where", [where for where in PLANTED if where != "response body"])
def test_the_line_of_a_secret_is_named(cassette: Command, tapes: Tapes, where: str) -> None:
    planted = tapes.keyed(PLANTED[where](tapes))
    path = tapes.write("a.yaml", tapes.ask("clean"), planted, tapes.ask("clean, too"))
    [line] = [
        number
        for number, text in enumerate(path.read_text().split("\n"), 1)
        if "hunter2" in text or KEY in text or WORD in text
    ]
    [problem] = cassette("verify", path, "--json").json["problems"]
    named = path.read_text().split("\n")[problem["line"] - 1]
    # Text in a block begins below the line of its field; in a stream that of the chunk is told.
    assert problem["line"] <= line <= problem["line"] + 2
    assert problem["line"] == line or named.strip().startswith(("- at:", "text:"))


def test_says_why_it_is_a_secret(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask(KEY), tapes.ask(WORD), tapes.ask("Call me Ishmael"))
    ran = cassette("verify", "a.yaml", "--redact", "json:nothing", "--redact", "text:Ishm[a-z]+")
    first, second, third, _ = ran.out.splitlines()
    assert "by its name or its shape" in first
    assert "the value of the environment variable STAPLER_TOKEN" in second
    assert "by rule 2 of those given (text)" in third
    assert leak(ran, "Ishm") == []


def test_a_header_that_is_echoed_is_found_in_the_answer(cassette: Command, tapes: Tapes) -> None:
    call = tapes.call({}, {"you": "hunter2hunter"}, headers=(("x-api-key", "hunter2hunter"),))
    tapes.write("a.yaml", call)
    ran = cassette("verify", "a.yaml", "--json")
    assert [problem["where"] for problem in ran.json["problems"]] == [
        "request header x-api-key",
        "response body at you",
    ]


def test_several_secrets_are_each_named_once(cassette: Command, tapes: Tapes) -> None:
    said = {"messages": [{"content": f"{KEY} {WORD}"}, {"content": "fine"}, {"content": WORD}]}
    tapes.write("a.yaml", tapes.call(said, headers=(("content-type", "application/json"), *[("x-tag", KEY)] * 2)))
    assert [problem["where"] for problem in cassette("verify", "a.yaml", "--json").json["problems"]] == [
        "request header x-tag",
        "request body at messages[0].content",
        "request body at messages[2].content",
    ]


def test_a_secret_in_a_name_is_found_and_not_shown(cassette: Command, tapes: Tapes) -> None:
    headers = (("content-type", "application/json"), (KEY, KEY))
    tapes.write("a.yaml", tapes.call({KEY: WORD, "model": "m"}, headers=headers))
    ran = cassette("verify", "a.yaml")
    assert ran.code == 1
    assert leak(ran) == []
    assert leak(cassette("verify", "a.yaml", "--json")) == []


def test_a_secret_in_a_file_name_is_found_and_not_shown(cassette: Command, tapes: Tapes) -> None:
    tapes.write(f"cassettes/test_it[{KEY}].yaml", tapes.ask("one"))
    ran = cassette("verify")
    assert ran.code == 1
    assert "the name of the file holds a secret" in ran.out
    assert leak(ran) == []
    assert leak(cassette("verify", "--json")) == []


def test_a_secret_over_two_chunks_is_found(cassette: Command, tapes: Tapes) -> None:
    call = tapes.stream(tapes.ask("Hi"), b"data: 1\n\n", f"data: {KEY[:15]}".encode(), f"{KEY[15:]}\n\n".encode())
    tapes.write("a.yaml", call)
    ran = cassette("verify", "a.yaml", "--json")
    assert ran.json["problems"][0]["where"] == "response stream[1]"
    assert leak(ran, KEY[15:]) == []


def test_binary_and_escaped_secrets_are_found(cassette: Command, tapes: Tapes) -> None:
    escaped = json.dumps({"text": WORD}).replace("-", "\\u002d").encode()
    tapes.write("a.yaml", tapes.call(b"\xff\x00" + WORD.encode()), tapes.call(escaped))
    text = (tapes.root / "a.yaml").read_text()
    assert WORD not in text
    assert len(cassette("verify", "a.yaml", "--json").json["problems"]) == 2


@pytest.mark.parametrize("planted", [f"# my key is {KEY}\n", f"# {WORD}\n"])
def test_a_secret_outside_of_interactions_is_found(cassette: Command, tapes: Tapes, planted: str) -> None:
    path = tapes.write("a.yaml", tapes.ask("one"))
    tapes.edit(path, "interactions:\n", f"{planted}interactions:\n")
    ran = cassette("verify", "a.yaml")
    assert ran.code == 1
    assert "a.yaml:3: the line holds a secret" in ran.out
    assert leak(ran) == []


def test_secrets_in_edited_files_are_found_with_their_line(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("a.yaml", tapes.ask("one"), tapes.ask("two"))
    tapes.edit(path, "content: two", f"content: {WORD}")
    [problem] = cassette("verify", "a.yaml", "--json").json["problems"]
    assert (problem["interaction"], problem["line"]) == (2, line_of(path, WORD))


def test_a_file_in_flow_style_is_verified_all_the_same(cassette: Command, tapes: Tapes) -> None:
    path = tapes.root / "a.yaml"
    request = f'{{method: GET, url: "https://h.test/", headers: {{authorization: "{WORD}"}}}}'
    response = "{status: 200, first_byte: 0, total: 0}"
    path.write_text(
        f'format: {cassette_format.FORMAT}\ninteractions: [{{recorded: "2026-11-21T04:00:00Z",\n'
        f" request: {request},\n response: {response}}}]\nend: {{interactions: 1}}\n"
    )
    ran = cassette("verify", "a.yaml")
    assert ran.code == 1
    assert "interaction 1: request header authorization holds a secret" in ran.out
    assert leak(ran) == []


def test_every_broken_file_is_told_with_its_line(cassette: Command, tapes: Tapes) -> None:
    one = tapes.ask("one")
    cut = tapes.write("cassettes/cut.yaml", one)
    cut.write_text(cut.read_text()[:-40])
    tapes.edit(tapes.write("cassettes/field.yaml", one), "method: POST", "methd: POST")
    tapes.edit(tapes.write("cassettes/count.yaml", one), "end: {interactions: 1", "end: {interactions: 2")
    (tapes.root / "cassettes/nothing.yaml").write_text("")
    (tapes.root / "cassettes/binary.yaml").write_bytes(b"\n\n\xff")
    tapes.write("cassettes/good.yaml", one)
    ran = cassette("verify")
    assert ran.code == 1
    assert [re.match(r"cassettes/(\w+)\.yaml:(\d+): ", line)[1] for line in ran.out.splitlines()[:-1]] == [  # type: ignore[index]
        "binary",
        "count",
        "cut",
        "field",
        "nothing",
    ]
    assert "cassettes/binary.yaml:3: " in ran.out
    assert ran.out.endswith("6 cassettes, 1 interaction: 5 problems, 0 notes\n")
    assert {problem["kind"] for problem in cassette("verify", "--json").json["problems"]} == {"format"}


def test_a_broken_block_hides_no_other(cassette: Command, tapes: Tapes) -> None:
    text = cassette_format.dump([tapes.ask("one"), tapes.ask("two"), tapes.ask(KEY)])
    (tapes.root / "a.yaml").write_text(sealed(text.replace("status: 200", "status: none", 1)))
    problems = cassette("verify", "a.yaml", "--json").json["problems"]
    assert [(problem["kind"], problem["interaction"]) for problem in problems] == [("format", 1), ("secret", 3)]


def sealed(text: str) -> str:
    """The text with an end mark that holds, as if the product had written it so."""
    body = text[: text.rindex("end:")]
    return body + text[text.rindex("end:") :].replace(
        re.findall('sha256: "([0-9a-f]+)"', text)[-1], cassette_format._digest(body)
    )


def test_the_wrong_value_of_a_broken_file_is_not_shown(cassette: Command, tapes: Tapes) -> None:
    headers = (("content-type", "application/json"), ("authorization", "hunter2hunter"))
    path = tapes.write("a.yaml", tapes.call({}, headers=headers))
    tapes.edit(path, "content-type: application/json\n", "content-type: 7\n")
    ran = cassette("verify", "a.yaml")
    assert ran.code == 1
    assert "expected headers to be names and strings" in ran.out
    assert "restore the file" in ran.out
    assert leak(ran, "hunter2") == []


def test_a_broken_file_is_searched_for_secrets(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("a.yaml", tapes.ask(f"my {KEY}"), tapes.ask("two"))
    path.write_text(path.read_text()[:-200])
    ran = cassette("verify", "a.yaml")
    assert [problem["kind"] for problem in cassette("verify", "a.yaml", "--json").json["problems"]] == [
        "format",
        "secret",
    ]
    assert f"a.yaml:{line_of(path, KEY)}: the line holds a secret" in ran.out
    assert leak(ran) == []


def test_a_key_that_is_not_that_of_its_request_is_told(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one"), replace(tapes.ask("two"), key="0" * 32))
    ran = cassette("verify", "a.yaml")
    assert ran.code == 1
    assert "a.yaml:" in ran.out
    assert "interaction 2: the stored key is not that of its request" in ran.out
    [problem] = cassette("verify", "a.yaml", "--json").json["problems"]
    assert (problem["kind"], problem["interaction"]) == ("key", 2)


@pytest.mark.parametrize("url", ["https://[half", "https://host:sk-port/"])
def test_a_request_without_a_key_is_told(cassette: Command, tapes: Tapes, url: str) -> None:
    call = tapes.ask("one")
    tapes.write("a.yaml", replace(call, request=dataclasses.replace(call.request, url=url)))
    ran = cassette("verify", "a.yaml")
    assert ran.code == 1
    assert "its request cannot be matched" in ran.out


def test_rules_that_are_none_are_wrong_usage(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one"))
    for rule in ("nonsense", "text:(", "header:"):
        ran = cassette("verify", "a.yaml", "--redact", rule)
        assert (ran.code, ran.out) == (2, "")
        assert "redaction rule" in ran.err


def test_a_missing_path_is_wrong_usage_even_beside_others(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one"))
    ran = cassette("verify", "a.yaml", "missing.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert "missing.yaml: no such file or folder" in ran.err


def test_hostile_content_is_escaped(cassette: Command, tapes: Tapes) -> None:
    headers = (("content-type", "application/json"), (f"{EVIL}-token", "hunter2hunter"))
    path = tapes.write(f"cassettes/{EVIL}\n.yaml", tapes.call({EVIL: KEY}, headers=headers))
    broken = tapes.write("cassettes/b.yaml", tapes.ask("one"))
    tapes.edit(broken, "method: POST", '"\\e[2J": POST')
    ran = cassette("verify")
    assert ran.code == 1
    assert not {"\x1b", "\x9b", "\r", "\u202e"} & set(ran.out)
    assert len(ran.out.splitlines()) == 4
    assert cassette("verify", "--json").json["problems"][0]["path"] == str(path.relative_to(tapes.root))


def test_deep_bodies_are_verified(cassette: Command, tapes: Tapes) -> None:
    for depth in (900, 20_000):
        body = b'{"a": ' + b"[" * depth + f'"{KEY}"'.encode() + b"]" * depth + b"}"
        tapes.write("a.yaml", tapes.call(body, body))
        ran = cassette("verify", "a.yaml")
        assert ran.code == 1
        assert ran.out.count("holds a secret") == 2
        assert leak(ran) == []


def test_base64_is_not_mistaken_for_keys(cassette: Command, tapes: Tapes) -> None:
    call = tapes.ask("Hi")
    noise = bytes(range(256)) * 64
    call = replace(call, response=call.response.with_chunks([Chunk(0.1, noise)]))
    path = tapes.write("a.yaml", call)
    assert base64.b64encode(noise[:30]).decode() in path.read_text()
    tapes.edit(path, "content: Hi", "content: Ho")
    assert cassette("verify", "a.yaml").code == 0


def test_recordings_that_may_be_better_are_notes(cassette: Command, tapes: Tapes) -> None:
    one = tapes.ask("one")
    partial = tapes.stream(tapes.ask("two"), {"choices": []}, ending=Ending.BROKEN)
    tapes.write("a.yaml", one, partial, one)
    ran = cassette("verify", "a.yaml", "--json")
    assert ran.code == 0
    assert [(note["kind"], note["interaction"]) for note in ran.json["notes"]] == [("partial", 2), ("duplicate", 3)]
    assert all(note["line"] for note in ran.json["notes"])
    said = cassette("verify", "a.yaml").out
    assert "note: interaction 2: a partial recording: the connection broke there" in said
    assert "note: interaction 3: the same question as interaction 1" in said


NOW = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_recordings_that_are_too_old_are_problems_where_an_age_is_given(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("old", recorded="2020-01-01T00:00:00Z"), tapes.ask("new", recorded=NOW))
    assert cassette("verify", "a.yaml").code == 0
    ran = cassette("verify", "a.yaml", "--max-age", "90d", "--json")
    assert ran.code == 1
    assert [(problem["kind"], problem["interaction"]) for problem in ran.json["problems"]] == [("age", 1)]
    ran = cassette("verify", "a.yaml", "--max-age", "soon")
    assert (ran.code, ran.out) == (2, "")
    assert "--max-age" in ran.err


def test_tapes_of_other_tools_are_searched_for_secrets(cassette: Command, tapes: Tapes) -> None:
    (tapes.root / "vcr.yaml").write_text(tapes.vcr)
    ran = cassette("verify", "vcr.yaml", "--json")
    assert ran.code == 1
    assert [(problem["kind"], problem["where"]) for problem in ran.json["problems"]] == [
        ("secret", "request header authorization"),
        ("secret", "request body at messages[0].content"),
    ]
    assert [note["kind"] for note in ran.json["notes"]] == ["foreign"]
    assert ran.json["totals"] == {"cassettes": 1, "interactions": 1}
    assert leak(ran, "Zz81") == []
