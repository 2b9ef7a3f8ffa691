from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence_samples import RUN_ID, SAMPLES, WHOLE, call, edit, write_part
from tapemeter import events
from tapemeter.errors import EvidenceError
from tapemeter.events import line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOLD = [("run", SAMPLES["run"]), *(call(call_id=f"c#{n}") for n in range(4)), ("end", SAMPLES["end"])]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_part(tmp_path, TOLD)


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def first(path: Path) -> tuple[str, int | None]:
    """The first finding; reading stops at the same line."""
    found = events.verify(path)[0]
    if found.kind not in {"cut", "schema"}:
        with pytest.raises(EvidenceError) as caught:
            list(events.read(path))
        assert (caught.value.path, caught.value.line) == (str(path), found.line)
    return found.kind, found.line


def forged(whole: bytes, **changes: object) -> bytes:
    """A line with other fields and a hash that is right for them."""
    event = json.loads(whole)
    del event["hash"]
    sealed, _ = line.seal({**event, **changes})
    return sealed


def test_a_chain_that_holds_has_no_findings(path: Path) -> None:
    assert events.verify(path) == []
    chain = events.Chain(path)
    assert [event["event"] for event in chain] == ["run", "call", "call", "call", "call", "end"]
    assert (chain.count, chain.last_hash) == (6, json.loads(lines(path)[-1])["hash"])


def _edited(path: Path) -> None:
    edit(path, 3, lines(path)[2].replace(b'"cost_usd":"0.000275"', b'"cost_usd":"0.000001"', 1))


def _respaced(path: Path) -> None:
    edit(path, 3, lines(path)[2].replace(b'"v":1', b'"v": 1'))


def _hash_edited(path: Path) -> None:
    whole = lines(path)[2]
    digest = json.loads(whole)["hash"].encode()
    edit(path, 3, whole.replace(digest, digest[::-1]))


def _hash_no_text(path: Path) -> None:
    whole = lines(path)[2]
    digest = json.loads(whole)["hash"].encode()
    edit(path, 3, whole.replace(digest, b"\\ud800"))


def _unhashed(path: Path) -> None:
    event = json.loads(lines(path)[2])
    edit(path, 3, json.dumps({"hash": event.pop("hash"), **event}).encode() + b"\n")


def _removed(path: Path) -> None:
    edit(path, 3)


def _first_removed(path: Path) -> None:
    edit(path, 1)


def _reordered(path: Path) -> None:
    third, fourth = lines(path)[2:4]
    edit(path, 3, fourth)
    edit(path, 4, third)


def _doubled(path: Path) -> None:
    third = lines(path)[2]
    edit(path, 3, third, third)


def _inserted(path: Path) -> None:
    edit(path, 3, lines(path)[2], lines(path)[1])


def _forged(path: Path) -> None:
    edit(path, 3, forged(lines(path)[2], cost_usd="0.000001"))


def _inserted_and_forged(path: Path) -> None:
    third = lines(path)[2]
    new = forged(third, seq=3, prev=json.loads(third)["hash"], call_id="new")
    edit(path, 3, third, new)


def _foreign(path: Path) -> None:
    edit(path, 6, forged(lines(path)[5], run_id="20261121T074430.123Z-ffffff"))


def _newer(path: Path) -> None:
    edit(path, 6, forged(lines(path)[5], v=2))


def _garbage(path: Path) -> None:
    edit(path, 3, b"\x00\xff\n")


def _no_object(path: Path) -> None:
    edit(path, 3, b"[]\n")


def _deep(path: Path) -> None:
    edit(path, 3, b'{"v":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")


def _many_digits(path: Path) -> None:
    edit(path, 3, b'{"v":' + b"1" * 10_000 + b"}\n")


def _frameless(path: Path) -> None:
    edit(path, 3, b'{"v":1,"seq":true,"prev":1}\n')


def _blank(path: Path) -> None:
    edit(path, 3, b"\n")


def _merged_numbers(path: Path) -> None:
    edit(path, 3, forged(lines(path)[2], process_seq="1"))


TAMPERED: list[tuple[Callable[[Path], None], str, int]] = [
    (_edited, "edited", 3),
    (_respaced, "edited", 3),
    (_hash_edited, "edited", 3),
    (_hash_no_text, "edited", 3),
    (_unhashed, "edited", 3),
    (_removed, "removed", 3),
    (_first_removed, "removed", 1),
    (_reordered, "removed", 3),
    (_doubled, "order", 4),
    (_inserted, "order", 4),
    (_forged, "follows", 4),
    (_inserted_and_forged, "order", 5),
    (_foreign, "foreign", 6),
    (_newer, "broken", 6),
    (_garbage, "broken", 3),
    (_no_object, "broken", 3),
    (_deep, "broken", 3),
    (_many_digits, "broken", 3),
    (_frameless, "broken", 3),
    (_blank, "broken", 3),
    (_merged_numbers, "broken", 3),
]


@pytest.mark.parametrize(
    ("tamper", "kind", "number"), TAMPERED, ids=[tamper.__name__.strip("_") for tamper, *_ in TAMPERED]
)
def test_the_first_bad_line_is_named(path: Path, tamper: Callable[[Path], None], kind: str, number: int) -> None:
    tamper(path)
    assert first(path) == (kind, number)


def test_one_bad_line_does_not_make_the_others_bad(path: Path) -> None:
    _edited(path)
    edit(path, 5, lines(path)[4].replace(b'"ok"', b'"cut"'))
    assert [(finding.kind, finding.line) for finding in events.verify(path)] == [("edited", 3), ("edited", 5)]


def test_lines_that_were_exchanged_are_each_named(path: Path) -> None:
    _reordered(path)
    found = [(finding.kind, finding.line) for finding in events.verify(path)]
    assert found == [("removed", 3), ("order", 4), ("removed", 5)]
    assert "1 line is missing before this one, number 3" in events.verify(path)[0].problem


def test_a_tail_that_was_cut_off_at_a_line_is_found(path: Path) -> None:
    edit(path, 6)
    assert first(path) == ("cut", 5)
    path.write_bytes(b"")
    assert first(path) == ("cut", None)


def test_a_torn_tail_is_found_and_told_once(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    [finding] = events.verify(path)
    assert (finding.kind, finding.line) == ("torn", 6)
    path.write_bytes(whole[:-200])
    assert first(path) == ("torn", 6)
    chain = events.Chain(path, torn_is_fine=True)
    assert len(list(chain)) == 5
    assert chain.torn == len(lines(path)[5])


def test_an_event_that_is_not_of_its_schema_is_found(tmp_path: Path) -> None:
    path = write_part(tmp_path, [*WHOLE[:-1], call(outcome="lost"), WHOLE[-1]])
    [finding] = events.verify(path)
    assert (finding.kind, finding.line) == ("schema", 5)
    assert 'outcome: expected one of "ok"' in str(finding)
    assert 'found "lost"' in str(finding)


def test_what_newer_versions_add_is_left_alone(tmp_path: Path) -> None:
    path = write_part(tmp_path, [("run", {**SAMPLES["run"], "mood": {"good": [True]}}), *TOLD[1:]])
    assert events.verify(path) == []
    edit(path, 6, forged(lines(path)[5], event="finale"), lines(path)[5])
    assert [(finding.kind, finding.line) for finding in events.verify(path)] == [("order", 7)]


def test_a_file_that_cannot_be_read_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"nowhere\.jsonl: cannot be read: No such file"):
        events.verify(tmp_path / "nowhere.jsonl")


SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@SHARED
@given(st.data())
def test_any_other_selection_of_lines_is_found(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "llm_usage_events.main.jsonl"
    whole = lines(path) if path.exists() else lines(write_part(tmp_path, TOLD))
    chosen = data.draw(st.lists(st.sampled_from(range(len(whole))), max_size=8).filter(lambda c: c != [*range(6)]))
    other = tmp_path / "other.jsonl"
    other.write_bytes(b"".join(whole[number] for number in chosen))
    expected = next((place for place, number in enumerate(chosen) if number != place), None)
    kind, number = first(other)
    assert (kind == "cut") is (expected is None)
    assert number == (len(chosen) or None if expected is None else expected + 1)


def test_the_findings_of_a_shuffled_file_begin_where_it_was_shuffled(path: Path) -> None:
    whole = lines(path)
    shuffled = whole[:2] + random.Random(1).sample(whole[2:], 4)
    path.write_bytes(b"".join(shuffled))
    assert first(path)[1] == next(n for n, (a, b) in enumerate(zip(whole, shuffled, strict=True), 1) if a != b)
    assert RUN_ID.encode() in shuffled[0]
