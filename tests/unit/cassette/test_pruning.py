from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import events
from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.match import Matcher
from tapemeter.cassette.model import Interaction
from tapemeter.cassette.pruning import Played, Verdict, What, evidence, judge, name_of
from tapemeter.errors import EvidenceError
from tapemeter.events import EventLog, layout
from tapemeter.model import Chunk, Request, Response
from tapemeter.values import replace

if TYPE_CHECKING:
    from pathlib import Path

RUN = "20260601T120000.000Z-abcdef"
BEFORE, AFTER = "2026-01-01T00:00:00Z", "2026-06-01T12:00:00Z"
JSON = (("content-type", "application/json"),)
WHOLE = {"whole": True, "reasons": [], "left_out": [], "skipped": 0}


def interaction(prompt: str, recorded: str = BEFORE, *, path: str = "/v1/chat/completions") -> Interaction:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": prompt}]}).encode()
    request = Request("POST", f"https://api.example.test{path}", JSON, body)
    response = Response(200, JSON, (Chunk(0.1, b'{"choices": []}'),))
    return Interaction(request, response, recorded, Matcher().stored_key(request))


def entries(*interactions: Interaction) -> tuple[cassette_format.Entry, ...]:
    return cassette_format.load(cassette_format.dump(interactions), "a.yaml")


def call(cassette: str, prompt: str | None = None, test: str = "t::one", **fields: Any) -> dict[str, Any]:
    key = None if prompt is None else interaction(prompt).key
    return {
        "call_id": f"{test}#1",
        "attempt": 0,
        "job": test,
        "test": test,
        "cassette": cassette,
        "source": "replay",
        "outcome": "ok",
        "interaction": key,
        **fields,
    }


def written(tmp_path: Path, *calls: dict[str, Any], suite: Any = WHOLE, run_id: str = RUN) -> Path:
    """Return a file of events with these calls, and with an end that says how much of its suite the run was."""
    log = EventLog(tmp_path / "runs" / run_id, run_id=run_id, process="main", clock=lambda: datetime.now(UTC))
    for fields in calls:
        log.write("call", fields)
    log.write("end", {"limits": [], **({} if suite is None else {"suite": suite})})
    log.close()
    return events.finish(log.folder)


def test_a_recording_that_answered_nobody_is_dropped(tmp_path: Path) -> None:
    played = evidence(written(tmp_path, call("a.yaml", "one"), call("a.yaml", "three")))
    tape = entries(interaction("one"), interaction("two"), interaction("three"))
    assert judge(tape, "a.yaml", played) == Verdict(What.UNPLAYED, (2,))
    assert (played.is_whole, played.run_id, played.began) == (True, RUN, "2026-06-01T12:00:00Z")


def test_of_equal_questions_the_last_ones_are_those_that_were_not_played(tmp_path: Path) -> None:
    played = evidence(written(tmp_path, call("a.yaml", "same"), call("a.yaml", "same")))
    same = interaction("same")
    assert judge(entries(same, same, same, same), "a.yaml", played) == Verdict(What.UNPLAYED, (3, 4))


def test_tests_that_share_a_cassette_each_begin_with_the_first(tmp_path: Path) -> None:
    calls = [call("a.yaml", "same", test) for test in ("t::one", "t::two", "t::two")]
    same = interaction("same")
    played = evidence(written(tmp_path, *calls))
    assert judge(entries(same, same, same), "a.yaml", played) == Verdict(What.UNPLAYED, (3,))


def test_a_cassette_that_nobody_names_is_an_orphan(tmp_path: Path) -> None:
    played = evidence(written(tmp_path, call("a.yaml", "one")))
    assert judge(entries(interaction("two")), "b.yaml", played) == Verdict(What.ORPHAN)
    assert judge(entries(), "empty.yaml", played) == Verdict(What.ORPHAN)


def test_a_cassette_of_a_fixture_is_named_by_its_job(tmp_path: Path) -> None:
    fields = call("@session.f.yaml", "one") | {"test": None, "job": "fixture:session.f"}
    played = evidence(written(tmp_path, fields))
    assert judge(entries(interaction("one")), "@session.f.yaml", played) == Verdict(What.KEEP)


@pytest.mark.parametrize("recorded", [AFTER, "2026-07-01T00:00:00Z"])
def test_what_is_newer_than_the_run_is_not_judged(tmp_path: Path, recorded: str) -> None:
    played = evidence(written(tmp_path, call("a.yaml", "one")))
    new = interaction("two", recorded)
    assert judge(entries(interaction("one"), new), "a.yaml", played) == Verdict(What.KEEP)
    assert judge(entries(new), "b.yaml", played).what is What.KEEP
    assert judge(entries(interaction("old"), new), "b.yaml", played).why.startswith("a part of it is newer")


def test_what_is_no_model_call_leaves_no_evidence_and_is_not_judged(tmp_path: Path) -> None:
    played = evidence(written(tmp_path, call("a.yaml", "one")))
    other = interaction("x", path="/login")
    other = replace(other, request=other.request.with_body(b"user=me"))
    assert judge(entries(interaction("one"), other), "a.yaml", played) == Verdict(What.KEEP)
    assert judge(entries(other), "b.yaml", played).what is What.KEEP


def test_an_edited_cassette_is_judged_by_what_it_says_now(tmp_path: Path) -> None:
    played = evidence(written(tmp_path, call("a.yaml", "one")))
    text = cassette_format.dump([interaction("one"), interaction("two")]).replace("content: two", "content: more")
    edited = cassette_format.load(text, "a.yaml")
    assert all(entry.key is None for entry in edited)
    assert judge(edited, "a.yaml", played) == Verdict(What.UNPLAYED, (2,))


@pytest.mark.parametrize("outcome", ["missed", "refused"])
def test_a_call_without_a_recording_names_its_cassette(tmp_path: Path, outcome: str) -> None:
    played = evidence(written(tmp_path, call("a.yaml", outcome=outcome)))
    assert not played.is_old
    assert judge(entries(interaction("one")), "a.yaml", played) == Verdict(What.UNPLAYED, (1,))


def test_a_budget_that_refuses_a_call_has_asked_for_its_recording(tmp_path: Path) -> None:
    played = evidence(written(tmp_path, call("a.yaml", "one", outcome="refused")))
    assert judge(entries(interaction("one")), "a.yaml", played) == Verdict(What.KEEP)


def test_tests_that_run_live_say_nothing_of_their_cassette(tmp_path: Path) -> None:
    played = evidence(written(tmp_path, call("a.yaml", source="live")))
    assert judge(entries(interaction("one")), "a.yaml", played).what is What.KEEP
    checked = evidence(written(tmp_path / "2", call("a.yaml", "one", source="live")))
    assert judge(entries(interaction("one"), interaction("two")), "a.yaml", checked) == Verdict(What.UNPLAYED, (2,))


def test_what_was_left_out_is_not_judged(tmp_path: Path) -> None:
    suite = {**WHOLE, "left_out": ["b.yaml"], "skipped": 1}
    played = evidence(written(tmp_path, call("a.yaml", "one"), suite=suite))
    old = entries(interaction("old"))
    assert played.is_whole
    assert judge(old, "b.yaml", played).what is What.KEEP
    assert judge(old, "t/@module.f.yaml", played).what is What.KEEP
    assert judge(old, "vcr.yaml", played, is_ours=False).what is What.KEEP
    assert judge(old, "c.yaml", played).what is What.ORPHAN


@pytest.mark.parametrize(
    ("suite", "doubt"),
    [
        (None, "its evidence does not say how much of a test suite it ran"),
        ({**WHOLE, "whole": False, "reasons": ["it was of tests/a"]}, "it was of tests/a"),
        ({**WHOLE, "whole": False}, "it was not of all tests"),
        ("yes", "its evidence does not say how much of a test suite it ran"),
    ],
)
def test_a_run_that_does_not_say_that_it_was_whole_was_not(tmp_path: Path, suite: Any, doubt: str) -> None:
    played = evidence(written(tmp_path, call("a.yaml", "one"), suite=suite))
    assert not played.is_whole
    assert played.doubts == [doubt]


def test_evidence_from_before_what_was_played_was_noted_is_old(tmp_path: Path) -> None:
    fields = call("a.yaml")
    del fields["interaction"]
    assert evidence(written(tmp_path, fields)).is_old


def test_a_run_without_an_end_is_not_whole(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "runs" / RUN, run_id=RUN, process="main")
    log.write("call", call("a.yaml", "one"))
    log.close()
    assert evidence(layout.part(log.folder, "main")).doubts == ["it did not come to its end"]


def test_evidence_that_was_edited_is_no_evidence(tmp_path: Path) -> None:
    path = written(tmp_path, call("a.yaml", "one"))
    path.write_bytes(path.read_bytes().replace(b'"a.yaml"', b'"b.yaml"'))
    with pytest.raises(EvidenceError):
        evidence(path)


def test_the_beginning_of_a_run_is_told_by_its_id_else_by_its_first_event(tmp_path: Path) -> None:
    path = written(tmp_path, call("a.yaml", "one"), run_id="mine")
    assert evidence(path).began == json.loads(path.read_text().splitlines()[0])["at"][:19] + "Z"


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_exactly_what_was_not_played_is_dropped(tape: list[str], asked: list[str]) -> None:
    """One test asks in any order; each recording answers once, the first of a key first."""
    played = Played(run_id=RUN, began=AFTER, named={"a.yaml"})
    left = list(enumerate(tape, 1))
    for prompt in asked:
        place = next((each for each in left if each[1] == prompt), None)
        if place is not None:
            left.remove(place)
            played.counts["a.yaml"][interaction(prompt).key] += 1
    verdict = judge(entries(*map(interaction, tape)), "a.yaml", played)
    assert verdict.drop == tuple(number for number, _ in left)
    assert (verdict.what is What.KEEP) == (not left)


def test_a_cassette_is_named_as_the_evidence_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    assert name_of(tmp_path / "cassettes" / "a.yaml", tmp_path) == "cassettes/a.yaml"
    monkeypatch.chdir(tmp_path / "sub")
    here = type(tmp_path)("a.yaml")
    assert name_of(here, tmp_path) == "sub/a.yaml"
    assert name_of(here, tmp_path / "other") == str(tmp_path / "sub" / "a.yaml")
