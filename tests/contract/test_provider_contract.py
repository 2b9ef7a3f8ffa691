"""Every wire protocol: the same things hold of a plain answer, of a stream, and of a stream cut anywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_forms import EVENTS, JSON, Sample
from provider_samples import EVERY, SAMPLES

from tapemeter import providers
from tapemeter.model import Chunk, Ending, Quality, Request, Response, Usage
from tapemeter.providers.meter import Answered
from tapemeter.providers.wires import BY_NAME

every_protocol = pytest.mark.parametrize("name", EVERY)
every_form = pytest.mark.parametrize("name", [name for name in EVERY if name in SAMPLES or "invoke" in name])
samples = st.sampled_from(list(EVERY.values()))
FREE = {"anthropic_count_tokens", "gemini_count_tokens", "bedrock_count_tokens", "openai_moderations"}


def elsewhere(sample: Sample) -> str:
    """Return where a request goes to that is of the protocol, whatever its body."""
    local = sample.origin.startswith("http://127.")
    return f"{'https://api.openai.com' if local else sample.origin}{sample.path}"


def whole(body: bytes, headers: tuple[tuple[str, str], ...], ending: Ending = Ending.COMPLETE) -> Response:
    return Response(200, headers, (Chunk(0.1, body),), ending=ending)


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


def test_every_protocol_has_a_sample() -> None:
    assert {*SAMPLES, "unknown"} == {*BY_NAME}
    assert len(BY_NAME) == len({*BY_NAME})


def test_every_protocol_has_its_row_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/providers.md").read_text("utf-8")

    for name, wire in BY_NAME.items():
        assert f"| `{name}` | `{wire.operation}` |" in page


@every_protocol
def test_a_request_tells_its_protocol_and_what_it_asks_for(name: str) -> None:
    sample, protocol = EVERY[name], name.partition(" ")[0]

    asked = sample.asked(streams=True)

    assert asked.protocol == protocol
    assert asked.operation == BY_NAME[protocol].operation
    assert asked.provider == (sample.provider or name.partition("_")[0])
    assert asked.model == (sample.model or sample.body.get("model"))
    assert asked.max_output_tokens == sample.most
    assert asked.streams
    assert not sample.asked().streams


@every_protocol
def test_the_characters_of_a_prompt_are_those_of_its_text_parts(name: str) -> None:
    assert EVERY[name].asked().prompt_chars == sum(map(len, EVERY[name].prompt))


@every_protocol
def test_the_bound_of_the_input_is_the_bytes_of_its_text_and_what_surrounds_it(name: str) -> None:
    sample = EVERY[name]

    assert sample.asked().input_bound == sum(len(text.encode()) for text in sample.prompt) + sample.surroundings


@every_protocol
def test_a_plain_answer_tells_what_it_used(name: str) -> None:
    sample = EVERY[name]

    answered = providers.answered(sample.asked(), whole(json.dumps(sample.plain).encode(), JSON))

    assert answered.usage == sample.usage
    assert answered.response_chars == sample.chars
    assert answered.error_type is None
    assert {key: getattr(answered, key) for key in sample.answered} == sample.answered


@every_protocol
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_stream_comes_to_the_same_as_the_plain_answer(name: str, newline: str) -> None:
    sample = EVERY[name]

    plain = providers.answered(sample.asked(), whole(json.dumps(sample.plain).encode(), JSON))
    streamed = providers.answered(sample.asked(streams=True), whole(sample.stream(newline), sample.stream_headers))

    assert streamed == plain


@every_protocol
def test_the_answer_decides_whether_it_is_a_stream_and_not_the_request(name: str) -> None:
    sample = EVERY[name]
    body = json.dumps(sample.plain).encode()

    assert providers.answered(sample.asked(streams=True), whole(body, JSON)).usage == sample.usage
    assert providers.answered(sample.asked(), whole(sample.stream(), sample.stream_headers)).usage == sample.usage
    assert providers.answered(sample.asked(), whole(body, ())).usage == sample.usage
    assert providers.answered(sample.asked(), whole(sample.stream(), ())).usage == sample.usage


@given(samples, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(min_value=0), max_size=12))
def test_a_stream_comes_to_the_same_however_it_is_cut(sample: Sample, newline: str, places: list[int]) -> None:
    asked, body = sample.asked(streams=True), sample.stream(newline)
    pieces = cut(body, places)
    headers = sample.stream_headers
    response = Response(200, headers, tuple(Chunk(0.1, piece) for piece in pieces))
    watch = providers.watch(asked, 200, headers)

    counts = [watch.feed(piece) for piece in pieces]

    assert providers.answered(asked, response) == providers.answered(asked, whole(body, headers))
    assert counts == sorted(counts)
    assert counts[-1] == sample.chars


@every_protocol
def test_a_stream_can_be_cut_between_any_two_bytes(name: str) -> None:
    sample = EVERY[name]
    asked, body = sample.asked(streams=True), sample.stream("\r\n")

    for place in range(len(body)):
        watch = providers.watch(asked, 200, sample.stream_headers)
        watch.feed(body[:place])
        assert watch.feed(body[place:]) == sample.chars


@given(samples, st.lists(st.integers(min_value=0), max_size=12), st.sampled_from([None, 1]))
def test_a_plain_answer_is_counted_once_it_is_there(sample: Sample, places: list[int], indent: int | None) -> None:
    body = json.dumps(sample.plain, indent=indent, ensure_ascii=False).encode()
    watch = providers.watch(sample.asked(), 200, JSON)

    before = [watch.feed(piece) for piece in cut(body[:-1], places)]

    assert not any(before)
    assert watch.feed(body[-1:]) == sample.chars
    assert watch.feed(b"\n") == sample.chars


@given(samples, st.integers(min_value=0))
def test_the_watch_agrees_with_the_answer_wherever_a_stream_ends(sample: Sample, place: int) -> None:
    asked = sample.asked(streams=True)
    body = sample.stream()
    body = body[: place % (len(body) + 1)]

    headers = sample.stream_headers
    answered = providers.answered(asked, whole(body, headers, Ending.BROKEN))

    assert providers.watch(asked, 200, headers).feed(body) == answered.response_chars
    if not sample.partial_chars and answered.usage != sample.usage:
        assert answered.usage.quality in {Quality.UNKNOWN, Quality.PARTIAL}
        return
    assert answered.usage.quality in {Quality.PARTIAL, Quality.MEASURED} or answered.usage == sample.usage
    assert answered.usage.output_tokens >= -(-answered.response_chars // 4) or answered.usage == sample.usage


@every_protocol
@pytest.mark.parametrize("headers", [EVENTS, JSON, ()], ids=["events", "json", "untold"])
def test_an_error_used_nothing_and_has_no_text(name: str, headers: tuple[tuple[str, str], ...]) -> None:
    sample = EVERY[name]
    body = json.dumps({"error": {"type": "rate_limit_error", "message": "Slow down."}}).encode()
    if headers is EVENTS:
        body = b"data: " + body + b"\n\n"

    answered = providers.answered(sample.asked(), Response(429, headers, (Chunk(0.1, body),)))

    assert answered == Answered(Usage(), error_type="rate_limit")
    assert providers.watch(sample.asked(), 429, headers).feed(body) == 0


@every_protocol
def test_an_error_in_the_place_of_an_answer_is_told_though_the_status_is_good(name: str) -> None:
    sample = EVERY[name]
    event = {"type": "error", "error": {"type": "overloaded_error", "message": "Try later."}}

    plain = providers.answered(sample.asked(), whole(json.dumps(event).encode(), JSON))
    streamed = providers.answered(sample.asked(), whole(f"data: {json.dumps(event)}\n\n".encode(), EVENTS))

    assert plain.error_type == streamed.error_type == "overloaded"


@every_protocol
def test_a_refused_call_gets_an_error_that_its_protocol_understands(name: str) -> None:
    asked = EVERY[name].asked()

    refused = providers.refused(asked, "over budget")

    assert (refused.status, refused.content_type) == (402, "application/json")
    assert ("x-should-retry", "false") in refused.headers
    assert said(json.loads(refused.body)) == "over budget"
    assert providers.answered(asked, refused) == Answered(Usage(), error_type="budget")


def said(body: dict[str, Any]) -> object:
    """Return the message of an error: OpenAI's, Anthropic's and Google's, Amazon's and Cohere's, or Ollama's."""
    error = body.get("error", body)
    return error["message"] if isinstance(error, dict) else error


# Whatever comes, nothing is raised

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def spoilt(value: Any) -> st.SearchStrategy[Any]:
    """Give the value back with any of its parts replaced by whatever."""
    if isinstance(value, dict):
        whole_value = st.fixed_dictionaries({}, optional={key: spoilt(inner) for key, inner in value.items()})
    elif isinstance(value, list):
        whole_value = st.tuples(*map(spoilt, value)).map(list)
    else:
        whole_value = st.just(value)
    return st.integers(0, 9).flatmap(lambda one: values if one == 0 else whole_value)


def wire_json(value: object) -> bytes:
    return json.dumps(value, default=lambda file: {"bytes": len(file)}).encode()


@every_form
@settings(max_examples=40)
@given(st.data())
def test_a_request_of_any_shape_is_read(name: str, data: st.DataObject) -> None:
    sample = EVERY[name]
    body = data.draw(spoilt(sample.body))

    asked = providers.ask(Request("POST", elsewhere(sample), JSON, wire_json(body)))

    assert asked is not None
    assert asked.prompt_chars >= 0
    assert asked.input_bound >= asked.prompt_chars or asked.protocol in FREE
    assert asked.protocol == (name.partition(" ")[0] if isinstance(body, dict) else "unknown")


@every_form
@settings(max_examples=40)
@given(st.data())
def test_an_answer_of_any_shape_is_read(name: str, data: st.DataObject) -> None:
    sample = EVERY[name]
    plain = wire_json(data.draw(spoilt(sample.plain)))
    event = data.draw(spoilt(data.draw(st.sampled_from(sample.events))))
    stream = sample.stream() + b"data: " + wire_json(event) + b"\n\n"
    if sample.framing != "events":
        last = event if isinstance(event, dict) or sample.framing != "frames" else {"metadata": event}
        stream = replace(sample, events=[*sample.events, last]).stream()

    for body, headers in ((plain, JSON), (stream, sample.stream_headers)):
        answered = providers.answered(sample.asked(), whole(body, headers))
        assert providers.watch(sample.asked(), 200, headers).feed(body) == answered.response_chars
        sane(answered.usage)


@every_form
@settings(max_examples=40)
@given(st.binary(max_size=60), st.integers(100, 599), st.sampled_from([EVENTS, JSON, ()]), st.sampled_from(Ending))
def test_an_answer_of_any_bytes_is_read(
    name: str, body: bytes, status: int, headers: tuple[tuple[str, str], ...], ending: Ending
) -> None:
    asked = EVERY[name].asked()

    sane(providers.answered(asked, Response(status, headers, (Chunk(0.1, body),), ending=ending)).usage)
    assert providers.watch(asked, status, headers).feed(body) >= 0


@every_form
@settings(max_examples=40)
@given(st.binary(max_size=60))
def test_a_request_of_any_bytes_is_read(name: str, body: bytes) -> None:
    sample = EVERY[name]
    asked = providers.ask(Request("POST", elsewhere(sample), JSON, body))

    assert asked is not None
    assert asked.provider == (sample.provider if not sample.origin.startswith("http://127.") else "openai")


DEEP = (b"[" * 100_000, b'{"a":' * 100_000, b'{"model": "m", "messages": ' + b"[" * 400 + b"]" * 400 + b"}")
ODD = (b"", b"null", b"1" * 5_000, b'"\\ud800"', b"\xff\xfe{\x00}\x00", b"{" * 3, b'{"usage": NaN}')


@every_protocol
@pytest.mark.parametrize("body", [*DEEP, *ODD], ids=range(len(DEEP) + len(ODD)))
def test_odd_bodies_are_read(name: str, body: bytes) -> None:
    sample = EVERY[name]

    asked = providers.ask(Request("POST", elsewhere(sample), JSON, body))

    assert asked is not None
    assert asked.input_bound <= max(len(body), 16 * 500) + 1_000
    for headers in (JSON, EVENTS):
        sane(providers.answered(asked, whole(body, headers)).usage)
        providers.watch(asked, 200, headers).feed(b"data: " + body + b"\n\n")


def sane(usage: Usage) -> None:
    assert 0 <= usage.cache_read_tokens + usage.cache_write_tokens <= usage.input_tokens
    assert 0 <= usage.reasoning_tokens <= usage.output_tokens
