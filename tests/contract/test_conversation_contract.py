"""Every wire protocol can be read as a conversation: what was asked, and what was answered, streamed or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from provider_forms import JSON
from provider_samples import EVERY

from tapemeter import providers
from tapemeter.cassette.conversation import answer, answered, asked
from tapemeter.cassette.figures import figures
from tapemeter.cassette.model import Interaction
from tapemeter.model import Chunk, Response

if TYPE_CHECKING:
    from provider_forms import Sample

UNSAID = {
    "openai_responses": {"place"},  # a variable of a prompt that the server keeps
    "openai_transcriptions": {"Föhn", "Chur"},  # words to listen for
    "gemini_embed": {"Gruss"},  # titles
    "gemini_predict": {"Gruss"},
    "bedrock_invoke": {"user"},  # a role
}
"""Text parts that are settings, rather than said by anybody."""
STREAMS = [
    name
    for name, sample in EVERY.items()
    if sample.asked().operation in {"chat", "generate_content", "text_completion"}
]


def plain(sample: Sample) -> Response:
    return Response(200, JSON, (Chunk(0.1, json.dumps(sample.plain).encode()),))


def streamed(sample: Sample) -> Response:
    return Response(200, sample.stream_headers, (Chunk(0.1, sample.stream()),))


@pytest.mark.parametrize("name", EVERY)
def test_all_that_was_asked_is_shown(name: str) -> None:
    sample = EVERY[name]
    found = asked(sample.request())
    said = "\n".join(f"{turn.role} {turn.text}" for turn in found.turns)
    texts = {part for part in sample.prompt if part and not part.startswith("{")} - {"Tells the weather 🌦"}
    assert {part for part in texts if part not in said} - set(found.tools) <= UNSAID.get(name.partition(" ")[0], set())
    assert found.model == sample.asked().model


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_as_the_answer_that_it_makes(name: str) -> None:
    sample = EVERY[name]
    if name == "bedrock_invoke another":
        assert answered(plain(sample)).turns != ()
        return
    whole = answered(plain(sample))
    assert whole.turns != ()
    assert answered(streamed(sample)) == whole


@pytest.mark.parametrize("name", STREAMS)
def test_the_words_of_an_answer_are_all_shown(name: str) -> None:
    sample = EVERY[name]
    found = providers.answered(sample.asked(), plain(sample), keeps_text=True)
    shown = "".join("\n".join(turn.text for turn in answered(plain(sample)).turns).split())
    words = {word for word in (found.text or "").replace("{", " ").replace("}", " ").split() if word.isalpha()}
    assert {word for word in words if word not in shown} == set()


@pytest.mark.parametrize("name", EVERY)
def test_a_recording_of_it_tells_what_it_used(name: str) -> None:
    sample = EVERY[name]
    found = figures(Interaction(sample.request(), plain(sample), "2026-11-21T04:00:00Z", ""))
    assert found is not None
    assert found.usage == providers.answered(sample.asked(), plain(sample)).usage


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_was_cut_is_read_as_far_as_it_came(name: str) -> None:
    sample = EVERY[name]
    body = sample.stream()
    for end in range(0, len(body), max(1, len(body) // 40)):
        cut = Response(200, sample.stream_headers, (Chunk(0.1, body[:end]),))
        assert all(type(turn.text) is str for turn in answered(cut).turns)
        answer(cut)
