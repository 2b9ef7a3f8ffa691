from __future__ import annotations

import dataclasses

import pytest

from tapemeter.cassette.model import Interaction
from tapemeter.cassette.quality import Flaw, Quality
from tapemeter.model import Chunk, Ending, Request, Response
from tapemeter.values import replace

JSON = (("content-type", "application/json"),)
ONE = Interaction(
    Request("POST", "https://h.test/v1/x", JSON, b'{"a": 1, "b": 2}'),
    Response(200, JSON, (Chunk(0.1, b"yes"),)),
    "2026-01-01T00:00:00Z",
    "",
)


def flaws(*interactions: Interaction, before: str = "") -> list[tuple[int, Flaw]]:
    quality = Quality(before)
    return [(number, weak.flaw) for number, each in enumerate(interactions, 1) for weak in quality.flaws(each, number)]


def test_a_good_recording_has_none() -> None:
    assert flaws(ONE) == []


@pytest.mark.parametrize("ending", [ending for ending in Ending if ending is not Ending.COMPLETE])
def test_a_partial_recording_says_why_it_is_one(ending: Ending) -> None:
    partial = replace(ONE, response=replace(ONE.response, ending=ending))
    assert flaws(partial) == [(1, Flaw.PARTIAL)]
    [weak] = Quality().flaws(partial, 1)
    assert weak.message.startswith("a partial recording: ")


def test_what_was_recorded_before_a_moment_is_too_old() -> None:
    assert flaws(ONE, before="2026-01-01T00:00:01Z") == [(1, Flaw.AGE)]
    assert flaws(ONE, before="2026-01-01T00:00:00Z") == []


def test_equal_questions_with_equal_answers_are_doubled() -> None:
    respelled = replace(ONE, request=ONE.request.with_body(b'{"b":2,"a":1.0}'), recorded="2026-02-01T00:00:00Z")
    other = replace(ONE, response=replace(ONE.response, status=500))
    assert flaws(ONE, other, respelled, ONE) == [(3, Flaw.DUPLICATE), (4, Flaw.DUPLICATE)]
    [weak] = list(_third(ONE, other, respelled))
    assert "interaction 1" in weak


def _third(*interactions: Interaction) -> list[str]:
    quality = Quality()
    return [weak.message for number, each in enumerate(interactions, 1) for weak in quality.flaws(each, number)]


def test_requests_that_cannot_be_matched_are_compared_as_they_stand() -> None:
    broken = replace(ONE, request=dataclasses.replace(ONE.request, url="https://[half"))
    assert flaws(broken, broken) == [(2, Flaw.DUPLICATE)]
