from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import schemas
from tapemeter.cassette import drift
from tapemeter.cassette.drift import Change, Drift, Drifts, Found, Kind
from tapemeter.model import Request, Response
from tapemeter.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable

URL = "https://api.openai.com/v1/chat/completions"
KEY = "sk-proj-" + "Zq7" * 12
SHA = "0123456789abcdef" * 4


@dataclass
class House:
    redactor: Redactor = field(default_factory=lambda: Redactor((), {}))


@dataclass
class Owner:
    house: House = field(default_factory=House)
    drift: Drifts = field(default_factory=Drifts)


def request(body: Any = None, url: str = URL, **options: Any) -> Request:
    data = body if isinstance(body, bytes) else json.dumps({"model": "m"} if body is None else body).encode()
    return Request("POST", url, (("content-type", "application/json"),), data, **options)


def noted(asked: Request, recorded: Request, **options: Any) -> list[Drift]:
    owner = Owner()
    drift.note(owner, asked, recorded, **options)
    return list(owner.drift)


def places(asked: Request, recorded: Request) -> dict[str, Kind]:
    [found] = noted(asked, recorded)
    assert found.found is Found.ASKED
    return {change.path: change.kind for change in found.changes}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(body=st.dictionaries(st.text(max_size=5), json_values, max_size=4))
def test_the_same_question_spelled_otherwise_is_no_drift(body: dict[str, Any]) -> None:
    spelled = json.dumps(body, indent=3, ensure_ascii=True, sort_keys=True).encode()
    assert noted(request(spelled), request(body)) == []


def test_each_place_says_what_became_of_it() -> None:
    asked = {"model": "m", "messages": [{"content": "new"}], "seed": 1}
    recorded = {"model": "m", "messages": [{"content": "old"}], "n": 2}
    assert places(request(asked), request(recorded)) == {
        "messages[0].content": Kind.CHANGED,
        "seed": Kind.APPEARED,
        "n": Kind.VANISHED,
    }
    assert places(request(url=URL + "?a=1"), request(url=URL)) == {"query a": Kind.APPEARED}


def test_secrets_are_no_drift_and_are_not_shown() -> None:
    assert noted(request(url=f"{URL}?key={KEY}"), request(url=f"{URL}?key=REDACTED")) == []
    assert noted(request(url=f"{URL}?key={KEY}"), request(url=URL)) == []
    [found] = noted(request({"a": KEY, KEY: 1}), request({"a": "b"}))
    assert KEY not in str(found)


def test_of_a_large_body_only_that_it_differs_is_told() -> None:
    large = {"model": "m", "text": "x" * 300_000}
    assert places(request(large), request({**large, "text": "y"})) == {"body": Kind.CHANGED}
    assert noted(request(large), request(large)) == []


def test_another_cassette_than_the_owners_is_named() -> None:
    owner = Owner()
    drift.note(owner, request({"a": 1}), request({"a": 2}), cassette="tests/cassettes/theirs.yaml")
    drift.note(owner, request({"a": 1}), request({"a": 2}))
    own, theirs = drift.events(owner.drift)
    assert "cassette" not in own
    assert theirs["cassette"] == "tests/cassettes/theirs.yaml"
    said = drift.message(list(owner.drift), "cassettes/own.yaml")
    assert said is not None
    assert said.startswith("tests/cassettes/theirs.yaml: 2 calls were answered by a recording of another request, the")


# What is told of several calls


def found(*paths: str, kind: Found = Found.ASKED, call: str | None = None) -> Drift:
    return Drift(kind, tuple(Change(path) for path in paths), call)


def test_the_places_of_several_calls_are_told_once_and_counted() -> None:
    drifts = [found("messages[0].content", "seed", call="t#1"), found("messages[3].content", call="t#2")]
    [event] = drift.events(drifts)
    assert [(change["path"], change["calls"]) for change in event["changes"]] == [
        ("messages[*].content", 2),
        ("seed", 1),
    ]
    assert (event["calls"], event["call_ids"], event["more_changes"]) == (2, ["t#1", "t#2"], 0)


def test_a_place_that_differs_twice_in_a_call_is_one_call() -> None:
    [event] = drift.events([found("messages[0].content", "messages[1].content")])
    assert [(change["path"], change["calls"]) for change in event["changes"]] == [("messages[*].content", 1)]


@given(
    st.lists(
        st.builds(
            Drift,
            st.sampled_from(Found),
            st.lists(
                st.builds(Change, st.text(max_size=300), st.sampled_from(Kind), st.none() | st.text(max_size=300)),
                max_size=30,
            ).map(tuple),
            st.none() | st.text(max_size=9),
        ),
        max_size=30,
    )
)
def test_every_event_is_bounded_and_as_its_schema_says(drifts: list[Drift]) -> None:
    told = list(drift.events(drifts))
    assert [event["found"] for event in told] == [kind for kind in Found if any(each.found is kind for each in drifts)]
    assert sum(event["calls"] for event in told) == len(drifts)
    for event in told:
        assert len(event["changes"]) <= drift.MOST_CHANGES
        assert len(event["call_ids"]) <= 10
        assert all(len(text) <= 200 for change in event["changes"] for text in change.values() if isinstance(text, str))
        whole = {**FRAME, "event": "drift", **event}
        assert schemas.problems(whole, schemas.USAGE_EVENT) == []
        assert schemas.fits(whole, schemas.USAGE_EVENT)


FRAME = {
    "v": 1,
    "run_id": "r",
    "process": "main",
    "seq": 0,
    "at": "2026-11-21T07:44:30.123456Z",
    "prev": SHA,
    "hash": SHA,
}


def test_what_was_found_at_an_attempt_is_forgotten_when_the_call_is_made_again() -> None:
    drifts = Drifts()
    recorded, another = Response(200), Response(201)
    for call in ("t#1", "t#2", None):
        if call is not None:
            assert drifts.attempted(call, recorded) is recorded
        drifts.add(found("status", kind=Found.ANSWERED, call=call))
    assert drifts.attempted("t#1", None) is recorded
    assert [each.call for each in drifts] == ["t#2", None]
    assert len(drifts) == 2
    assert drifts.attempted("t#2", another) is another
    assert drifts.attempted("t#3", None) is None


@pytest.mark.parametrize("drifts", [[], [found(kind=Found.MISSING)], [found("model", kind=Found.ANSWERED)]])
def test_only_what_was_asked_otherwise_fails_a_test(drifts: Iterable[Drift]) -> None:
    assert drift.message(drifts, "it.yaml") is None
