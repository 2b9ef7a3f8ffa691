from __future__ import annotations

import hashlib

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tapemeter.cassette import format as cassette
from tapemeter.cassette.model import Interaction, Reply
from tapemeter.errors import CassetteFormatError
from tapemeter.model import Chunk, Ending, Request, Response
from tapemeter.values import replace

PATH = "tests/cassettes/a.yaml"

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = st.sampled_from(["accept", "set-cookie", "x-a", "x-" + "long" * 50, "yes", "a: b"])
HEADERS = st.lists(st.tuples(NAMES, TEXTS), max_size=5).map(tuple)
TYPES = st.sampled_from(["application/json", "text/event-stream; charset=utf-8", "application/octet-stream"])
BODIES = st.sampled_from([b"", b'{"a": ["b\\nc", 1.5]}', b'{"n":1}\n', "Größe 😀\n\n".encode()]) | st.binary(
    max_size=50
)
TIMES = st.floats(0, 1e6).map(lambda seconds: round(seconds, 6))
REQUESTS = st.builds(Request, st.sampled_from(["POST", "GET", "NO"]), TEXTS, HEADERS, BODIES)
RESPONSES = st.builds(
    lambda kind, headers, **fields: Response(headers=(*headers, ("content-type", kind)), **fields),
    kind=TYPES,
    headers=HEADERS,
    status=st.just(0) | st.integers(100, 999),
    chunks=st.lists(st.builds(Chunk, TIMES, BODIES), max_size=4).map(tuple),
    first_byte=TIMES,
    total=TIMES,
    ending=st.sampled_from(Ending),
    decoded_from=st.none() | st.sampled_from(["gzip", "gzip, br", ""]),
)
KEYS = st.sampled_from(["6a1f", "a16f", "123", "null"]) | st.text(
    st.characters(categories=["L", "N", "P", "Zs"]), min_size=1
)
INTERACTIONS = st.builds(
    Interaction,
    REQUESTS,
    RESPONSES,
    st.just("2026-11-21T04:00:00Z"),
    KEYS.filter(str.isprintable),
    issued=st.none() | TIMES,
    retried=st.lists(st.integers(100, 999), max_size=3).map(tuple),
)

PLAIN = Interaction(
    key="6a1f",
    recorded="2026-11-21T04:00:00Z",
    request=Request(
        "POST",
        "http://127.0.0.1:8080/v1/chat/completions",
        (("content-type", "application/json"), ("x-tag", "one"), ("x-tag", "2")),
        b'{"model":"m","messages":[{"role":"user","content":"Hello\\nthere"}]}',
    ),
    response=Response(
        200,
        (("content-type", "application/json"),),
        (Chunk(0.25, b'{"id": "1",'), Chunk(0.5, b' "choices": []}')),
        first_byte=0.0123,
        total=0.5,
        decoded_from="gzip",
    ),
)
STREAM = Interaction(
    key="a1f6",
    recorded="2026-11-21T04:00:01Z",
    request=Request("GET", "http://127.0.0.1:8080/v1/events"),
    response=Response(
        200,
        (("content-type", "text/event-stream"),),
        (Chunk(0.1, b'data: {"id": 1}\n\n'), Chunk(0.2, "data: é".encode()[:-1]), Chunk(0.2, b"\xa9\n")),
        first_byte=0.000001,
        total=0.3,
        ending=Ending.ABANDONED,
    ),
)
FILE = cassette.dump([PLAIN, STREAM])


def sealed(text: str) -> str:
    """The same file with a digest that holds, as if the product had written it so."""
    digest = hashlib.sha256(text[: text.rindex("end:")].encode()).hexdigest()
    return text.replace(FILE[FILE.rindex("sha256:") :], f'sha256: "{digest}"}}\n')


def read_whole(text: str) -> None:
    for entry in cassette.load(text, PATH):
        _ = entry.interaction


def fault(text: str) -> CassetteFormatError:
    with pytest.raises(CassetteFormatError) as caught:
        read_whole(text)
    assert caught.value.path == PATH
    return caught.value


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_the_layout_is_the_documented_one() -> None:
    digest = hashlib.sha256(FILE[: FILE.index("end:")].encode()).hexdigest()
    layout = (
        "# A tapemeter cassette: recorded model calls, replayed offline."
        " Edit by hand if you like, then `tapemeter cassette verify`.\n"
        "format: tapemeter-cassette/1\n"
        "interactions:\n"
        '- key: "6a1f"\n'
        '  recorded: "2026-11-21T04:00:00Z"\n'
        "  request:\n"
        "    method: POST\n"
        "    url: http://127.0.0.1:8080/v1/chat/completions\n"
        "    headers:\n"
        "      content-type: application/json\n"
        "      x-tag:\n"
        "      - one\n"
        '      - "2"\n'
        "    json:\n"
        "      model: m\n"
        "      messages:\n"
        "      - role: user\n"
        "        content: |-\n"
        "          Hello\n"
        "          there\n"
        "  response:\n"
        "    status: 200\n"
        "    headers:\n"
        "      content-type: application/json\n"
        "    decoded_from: gzip\n"
        "    first_byte: 0.0123\n"
        "    total: 0.5\n"
        "    chunks:\n"
        "    - at: 0.25\n"
        "      size: 11\n"
        "    - at: 0.5\n"
        "      size: 15\n"
        "    json:\n"
        '      id: "1"\n'
        "      choices: []\n"
        "    json_style: spaced\n"
        "- key: a1f6\n"
        '  recorded: "2026-11-21T04:00:01Z"\n'
        "  request:\n"
        "    method: GET\n"
        "    url: http://127.0.0.1:8080/v1/events\n"
        "  response:\n"
        "    status: 200\n"
        "    headers:\n"
        "      content-type: text/event-stream\n"
        "    first_byte: 1.0e-06\n"
        "    total: 0.3\n"
        "    ending: abandoned\n"
        "    stream:\n"
        "    - at: 0.1\n"
        "      text: |+\n"
        '        data: {"id": 1}\n'
        "\n"
        "    - at: 0.2\n"
        "      base64: ZGF0YTogww==\n"
        "    - at: 0.2\n"
        "      base64: qQo=\n"
        f'end: {{interactions: 2, sha256: "{digest}"}}\n'
    )
    assert layout == FILE


@given(st.lists(INTERACTIONS, max_size=4))
@settings(max_examples=200, deadline=None)
def test_what_was_written_is_read(interactions: list[Interaction]) -> None:
    text = cassette.dump(interactions)
    entries = cassette.load(text, PATH)
    assert not any(entry.edited for entry in entries)
    assert [entry.key for entry in entries] == [interaction.key for interaction in interactions]
    assert [entry.reply for entry in entries] == list(map(Reply.of, interactions))
    assert [entry.interaction for entry in entries] == interactions
    assert cassette.dump(entries) == text
    assert len(yaml.load(text, Loader=yaml.CSafeLoader)["interactions"]) == len(interactions)


@given(st.lists(INTERACTIONS, max_size=4))
@settings(max_examples=200, deadline=None)
def test_an_edited_file_reads_the_same_without_its_keys(interactions: list[Interaction]) -> None:
    text = cassette.dump(interactions)
    for edited in (text.replace("\nend:", "\n# a note\nend:"), text.replace("\n", "\r\n")):
        entries = cassette.load(edited, PATH)
        assert [entry.interaction for entry in entries] == [replace(each, key="") for each in interactions]
        assert [entry.reply for entry in entries] == [Reply.of(replace(each, key="")) for each in interactions]
        assert all(entry.edited and entry.key is None for entry in entries)


def test_entries_know_their_lines_and_text() -> None:
    for text in (FILE, FILE.replace("POST", "PUT")):
        one, other = cassette.load(text, PATH)
        assert (one.line, other.line) == (4, line_of(FILE, "- key: a1f6"))
        assert one.text.startswith('- key: "6a1f"\n')
        assert other.text.endswith("base64: qQo=\n")
        assert one.text + other.text in text


def test_entries_and_new_interactions_are_written_together() -> None:
    (entry,) = cassette.load(cassette.dump([PLAIN]), PATH)
    assert cassette.dump([entry, STREAM]) == FILE


def test_an_untouched_block_is_parsed_only_when_it_is_asked_for() -> None:
    one, other = cassette.load(sealed(FILE.replace("method: GET", "method: [")), PATH)
    assert one.interaction == PLAIN
    with pytest.raises(CassetteFormatError, match="not YAML"):
        _ = other.interaction


def test_a_reply_is_read_without_the_request() -> None:
    for old, new in (("method: GET", "method: ["), ("method: GET", "method: 1")):
        _, entry = cassette.load(sealed(FILE.replace(old, new)), PATH)
        assert entry.reply == Reply.of(STREAM)
        with pytest.raises(CassetteFormatError):
            _ = entry.interaction


@pytest.mark.parametrize(
    ("old", "new", "at"), [("status: 200", "status: true", "status: true"), ("  response:", "  answer:", "- key")]
)
def test_a_wrong_reply_is_named_with_its_line(old: str, new: str, at: str) -> None:
    text = sealed(FILE.replace(old, new, 1))
    with pytest.raises(CassetteFormatError) as caught:
        _ = cassette.load(text, PATH)[0].reply
    assert caught.value.line == line_of(text, at)


def test_an_edited_entry_is_not_written_without_a_new_key() -> None:
    (one, _) = cassette.load(FILE.replace("POST", "PUT"), PATH)
    for keyless in (one, one.interaction, replace(PLAIN, key="a\nb")):
        with pytest.raises(ValueError, match="key"):
            cassette.dump([keyless])
    assert "PUT" in cassette.dump([replace(one.interaction, key="new")])


@pytest.mark.parametrize("lines", range(len(FILE.splitlines())))
def test_a_file_cut_after_any_line_is_refused(lines: int) -> None:
    error = fault("".join(FILE.splitlines(keepends=True)[:lines]))
    assert "restore" in error.problem
    if lines > 1:
        assert "cut" in error.problem


def test_a_file_cut_after_any_character_is_refused() -> None:
    for stop in range(len(FILE) - 1):
        fault(FILE[:stop])


@pytest.mark.parametrize("line", range(len(FILE.splitlines())))
def test_a_file_without_one_of_its_lines_is_refused_or_known_to_be_edited(line: int) -> None:
    lines = FILE.splitlines(keepends=True)
    try:
        entries = cassette.load("".join(lines[:line] + lines[line + 1 :]), PATH)
    except CassetteFormatError:
        return
    assert len(entries) == 2
    assert all(entry.edited for entry in entries)


def test_a_file_without_one_of_its_interactions_says_what_to_set() -> None:
    start, stop = FILE.index("- key: a1f6"), FILE.index("end:")
    shorter = FILE[:start] + FILE[stop:]
    for text in (shorter, sealed(shorter)):
        error = fault(text)
        assert "set interactions: 1 in the end mark" in error.problem
        assert error.line == line_of(text, "end:")
    (entry,) = cassette.load(shorter.replace("interactions: 2", "interactions: 1"), PATH)
    assert entry.interaction == replace(PLAIN, key="")


def test_an_interaction_written_by_hand_needs_neither_key_nor_digest() -> None:
    text = (
        "format: tapemeter-cassette/1\n"
        "interactions:\n"
        "  - recorded: '2026-11-21T04:00:00Z'\n"
        "    request: {method: POST, url: http://a/, headers: {Accept: a}, json: {yes: 1}}\n"
        "    response: {status: 200, first_byte: 0, total: 1, text: hello}\n"
        "end: {interactions: 1}\n"
    )
    (entry,) = cassette.load(text, PATH)
    assert entry.line == 3
    assert entry.interaction == Interaction(
        request=Request("POST", "http://a/", (("accept", "a"),), b'{"yes":1}'),
        response=Response(200, (), (Chunk(1, b"hello"),), first_byte=0, total=1),
        recorded="2026-11-21T04:00:00Z",
        key="",
    )


@pytest.mark.parametrize(
    ("answer", "sizes"),
    [("[]", [11, 15]), ("[1, 2, 3]", [11, 22]), ("[" + "1, " * 99 + "1]", [11, 313])],
)
def test_an_edited_body_is_cut_where_it_was_as_far_as_it_reaches(answer: str, sizes: list[int]) -> None:
    (one, _) = cassette.load("# edited\n" + FILE.replace("choices: []", f"choices: {answer}"), PATH)
    chunks = one.interaction.response.chunks
    assert [(chunk.at, len(chunk.data)) for chunk in chunks] == list(zip((0.25, 0.5), sizes, strict=True))


def test_an_edited_body_that_is_shorter_than_its_first_chunk_has_one() -> None:
    (one, _) = cassette.load(FILE.replace('      id: "1"\n', "").replace("choices: []", "a: b"), PATH)
    assert one.interaction.response.chunks == (Chunk(0.25, b'{"a": "b"}'),)


def test_an_untouched_body_has_the_size_of_its_chunks() -> None:
    assert "sizes make 26 bytes, the body has 25" in fault(sealed(FILE.replace('id: "1"', 'id: ""'))).problem


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "=======", ">>>>>>> branch", "||||||| 1a2b3c4"])
def test_a_merge_conflict_is_named(marker: str) -> None:
    for text in (
        FILE.replace("- key: a1f6", f"{marker}\n- key: a1f6"),
        FILE.replace("end:", f"{marker}\nend:"),
        f"{FILE}{marker}\n",
        FILE.replace("- key: a1f6", f"{marker}\n- key: a1f6").replace("\n", "\r\n"),
    ):
        error = fault(text)
        assert "merge conflict" in error.problem
        assert error.line == line_of(text, marker)


@pytest.mark.parametrize("text", ["", "\n", "# note\n", "interactions: []\nversion: 1\n", "\x00" * 5000, "[]"])
def test_a_file_of_another_kind_is_no_cassette(text: str) -> None:
    assert "format" in fault(text).problem or "empty" in fault(text).problem


@pytest.mark.parametrize("version", ["tapemeter-cassette/2", "other/1", "", "[1]", "tapemeter-cassette/1.1"])
def test_another_version_of_the_format_is_refused(version: str) -> None:
    error = fault(FILE.replace("tapemeter-cassette/1", version))
    assert "tapemeter-cassette/1" in error.problem
    assert error.line == 2


@pytest.mark.parametrize(
    ("old", "new", "at", "word"),
    [
        ("cassette/1\n", "cassette/1 and more\n", "format:", "expected the format"),
        ("interactions:\n", "interaction:\n", "interaction:", "'interaction' is not known"),
        ("interactions:\n", "interactions: 5\nx:\n", "x:", "'x' is not known"),
        ("  recorded:", "  note: x\n  recorded:", "note:", "'note' is not known"),
        ('  recorded: "2026-11-21T04:00:00Z"\n', "", "- key", "'recorded' is missing"),
        ('recorded: "2026-11-21T04:00:00Z"', "recorded: today", "recorded: today", "a time such as"),
        ("    method: POST\n", "", "request:", "'method' is missing"),
        ("method: POST", "method: 1", "method", "request: expected method to be a string (put it in quotes)"),
        ("    method: POST", "    verb: x\n    method: POST", "verb:", "'verb' is not known"),
        ("x-tag:\n      - one", "x-tag:\n      - 1", "headers:", "headers to be names and strings"),
        ("json:\n      model: m", "text: x\n    json:\n      model: m", "text:", "json and text"),
        ("json_style: spaced", "json_style: wide", "json_style:", "json_style"),
        ("status: 200", "status: 99", "status:", "an HTTP status"),
        ("status: 200", "status: true", "status:", "True (bool)"),
        ("status: 200", "status: '200'", "status:", "'200' (str)"),
        ("total: 0.5", "total: -1", "total:", "seconds"),
        ("total: 0.5", "total: true", "total:", "seconds"),
        ("total: 0.5", "total: 1" + "0" * 500, "total:", "seconds"),
        ("decoded_from: gzip", "decoded_from: null", "decoded_from:", "None (NoneType)"),
        ("decoded_from: gzip", "ending: happy", "ending:", "abandoned"),
        ("size: 11", "size: 1.5", "size:", "response.chunks[0]: expected size"),
        ("- at: 0.25\n      size: 11", "- size: 11", "- size: 11", "'at' is missing"),
        ("at: 0.1\n", "at: x\n", "at: x", "response.stream[0]: expected at"),
        ("base64: qQo=", "base64: qQo", "base64: qQo", "response.stream[2]: base64 is damaged"),
        ("base64: qQo=", "json: {}\n      size: 1", "size: 1\n", "'size' is not known"),
        ("    stream:\n", "    stream: x\n    other:\n", "stream:", "stream"),
        ("    stream:\n", "    text: x\n    stream:\n", "text: x", "'text' is not known"),
        ("request:\n", "request: x\n  other:\n", "request:", "request"),
        ("method: POST", "method: &a POST", "method:", "anchors"),
        ("method: POST", "method: !!str POST", "method:", "tag"),
        ("  request:", "  key: again\n  request:", "key: again", "twice"),
        ("    url:", "   url:", "   url:", "not YAML"),
        ("end: {interactions: 2, ", "end: {interactions: true, ", "end:", "end mark"),
        ("end: {interactions: 2, ", "end: {", "end:", "end mark"),
        ("end: {", "end: {more: 1, ", "end:", "end mark"),
        ("end: {", "end:\nmore: {", "more:", "not known"),
    ],
)
def test_a_wrong_edit_is_named_with_its_line(old: str, new: str, at: str, word: str) -> None:
    text = FILE.replace(old, new, 1)
    assert text != FILE
    error = fault(text)
    assert word in error.problem
    assert error.line == line_of(text, at)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('- key: "6a1f"', "- key: 123"),
        ("method: POST", "method: 1"),
        ("size: 15", "size: x"),
        ("method: GET", "method: {}"),
        ("ending: abandoned", "ending: happy"),
    ],
)
def test_a_wrong_block_of_an_untouched_file_is_named_with_its_line(old: str, new: str) -> None:
    text = sealed(FILE.replace(old, new))
    assert fault(text).line == line_of(text, new)


def test_a_block_of_an_untouched_file_begins_with_its_key() -> None:
    text = sealed(FILE.replace("- key: a1f6", "- clef: a1f6").replace("interactions: 2", "interactions: 1"))
    assert "key" in fault(text).problem
    assert fault(text).line == line_of(text, "- clef")


@pytest.mark.parametrize("key", ['""', '"a\\q"', ""])
def test_a_key_that_is_none_is_not_trusted_whatever_the_digest_says(key: str) -> None:
    try:
        entries = cassette.load(sealed(FILE.replace('- key: "6a1f"', f"- key: {key}")), PATH)
    except CassetteFormatError:
        return
    assert all(entry.edited for entry in entries)


def test_a_list_that_mentions_the_format_is_no_cassette() -> None:
    assert "mapping" in fault("[a,\nformat: tapemeter-cassette/1\n,\nend: {}]\n").problem


def test_an_end_mark_that_is_not_at_the_end_is_refused() -> None:
    lines = FILE.splitlines(keepends=True)
    assert "end mark" in fault("".join([lines[0], lines[-1], *lines[1:-1]])).problem


def test_an_end_mark_may_be_laid_out_otherwise() -> None:
    text = FILE[: FILE.index("end:")] + 'end:\n  interactions: 2\n  sha256: ""\n'
    assert len(cassette.load(text, PATH)) == 2


def test_a_digest_that_holds_does_not_hide_another_layout() -> None:
    entries = cassette.load(sealed(FILE.replace("# A tapemeter", "# Some other")), PATH)
    assert [entry.edited for entry in entries] == [True, True]


def test_an_empty_cassette_is_one() -> None:
    text = cassette.dump([])
    assert cassette.load(text, PATH) == ()
    assert cassette.load("# note\n" + text, PATH) == ()
    fault(text.replace("[]", ""))


def test_a_lone_surrogate_is_refused() -> None:
    assert "U+D800" in fault(FILE.replace("model: m", "model: \ud800")).problem


def test_a_byte_order_mark_is_an_edit() -> None:
    assert all(entry.edited for entry in cassette.load("\ufeff" + FILE, PATH))
