from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from evidence_maker import lines, whole, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tapemeter import events, report
from tapemeter.errors import EvidenceError
from tapemeter.events import layout
from tapemeter.events.line import GENESIS, seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COUNT = 6
HEAD_NAMES = ("v", "run_id", "process", "seq", "process_seq", "at", "event", "prev", "hash", "runs", "job")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a sound run of six events, with its report."""
    folder = tmp_path / layout.RUNS / "a-run"
    write(folder, whole())
    report.write(folder)
    return folder


def first(path: Path) -> tuple[int | None, str]:
    """Line and kind of the first finding."""
    found = events.verify(path)[0]
    return found.line, found.kind


def refusal(act: Callable[[], object]) -> EvidenceError | None:
    try:
        act()
    except EvidenceError as error:
        return error
    return None


def change(path: Path, edit: Callable[[list[bytes]], None]) -> None:
    kept = path.read_bytes().splitlines(keepends=True)
    edit(kept)
    path.write_bytes(b"".join(kept))


def resealed(line: bytes, **fields: object) -> bytes:
    """The line of an event that somebody changed and gave a fitting hash."""
    event = {name: value for name, value in json.loads(line).items() if name != "hash"}
    return seal({**event, **fields})[0]


def test_a_sound_run_has_no_finding(run: Path) -> None:
    assert events.verify(run / layout.EVENTS) == []
    assert report.verify(run).findings == ()
    assert report.verify(run).events == COUNT


@pytest.mark.parametrize("place", range(COUNT))
def test_an_edited_line_is_named(run: Path, place: int) -> None:
    path = run / layout.EVENTS

    def edit(kept: list[bytes]) -> None:
        kept[place] = kept[place].replace(b'"process":"main"', b'"process":"else"')

    change(path, edit)
    assert first(path) == (place + 1, "edited")
    assert report.verify(run).findings[0].line == place + 1


@pytest.mark.parametrize("place", range(COUNT - 1))
def test_an_edited_line_with_a_new_hash_is_told_by_the_next(run: Path, place: int) -> None:
    path = run / layout.EVENTS

    def edit(kept: list[bytes]) -> None:
        kept[place] = resealed(kept[place], process="else")

    change(path, edit)
    assert first(path) == (place + 2, "follows")


def test_an_edited_last_line_with_a_new_hash_is_told_by_the_report(run: Path) -> None:
    path = run / layout.EVENTS

    def edit(kept: list[bytes]) -> None:
        kept[-1] = resealed(kept[-1], wall_seconds=0.1)

    change(path, edit)
    assert events.verify(path) == []
    assert [(found.line, found.kind) for found in report.verify(run).findings] == [(COUNT, "report")]


@pytest.mark.parametrize("place", range(COUNT - 1))
def test_a_removed_line_is_told_where_it_was(run: Path, place: int) -> None:
    path = run / layout.EVENTS

    def edit(kept: list[bytes]) -> None:
        del kept[place]

    change(path, edit)
    assert first(path) == (place + 1, "removed")


@pytest.mark.parametrize("place", range(COUNT - 1))
def test_exchanged_lines_are_told_at_the_first(run: Path, place: int) -> None:
    path = run / layout.EVENTS

    def edit(kept: list[bytes]) -> None:
        kept[place : place + 2] = reversed(kept[place : place + 2])

    change(path, edit)
    assert first(path) == (place + 1, "removed")


@pytest.mark.parametrize("place", range(COUNT))
def test_a_doubled_line_is_told_at_the_second(run: Path, place: int) -> None:
    path = run / layout.EVENTS
    change(path, lambda kept: kept.insert(place, kept[place]))
    assert first(path) == (place + 2, "order")


def test_an_inserted_line_that_fits_by_itself_is_told_by_the_next(run: Path) -> None:
    path = run / layout.EVENTS

    def edit(kept: list[bytes]) -> None:
        before = json.loads(kept[2])
        kept.insert(3, resealed(kept[2], seq=3, prev=before["hash"]))

    change(path, edit)
    assert first(path) == (5, "order")


def test_a_line_of_another_run_is_told(run: Path) -> None:
    path = run / layout.EVENTS

    def edit(kept: list[bytes]) -> None:
        kept[3] = resealed(kept[3], run_id="another")

    change(path, edit)
    assert first(path) == (4, "foreign")


@pytest.mark.parametrize("left", range(1, COUNT))
def test_a_cut_off_end_is_told_by_the_missing_end_and_by_the_report(run: Path, left: int) -> None:
    path = run / layout.EVENTS

    def edit(kept: list[bytes]) -> None:
        del kept[left:]

    change(path, edit)
    assert first(path) == (left, "cut")
    assert f"tells of {COUNT} events, the file has {left}" in str(report.verify(run).findings[-1])


def test_a_file_without_lines_is_cut(run: Path) -> None:
    (run / layout.EVENTS).write_bytes(b"")
    assert first(run / layout.EVENTS) == (None, "cut")


def test_a_torn_last_line_is_named(run: Path) -> None:
    path = run / layout.EVENTS
    path.write_bytes(path.read_bytes()[:-10])
    assert first(path) == (COUNT, "torn")
    with pytest.raises(EvidenceError, match=rf":{COUNT}: torn"):
        list(events.read(path))


def test_an_edited_report_is_told_with_its_line(run: Path) -> None:
    path = run / layout.REPORT
    path.write_text(path.read_text().replace('"calls": 3', '"calls": 2', 1))
    [found] = report.verify(run).findings
    assert (found.path, found.kind) == (str(path), "report")
    assert '"calls": 2' in path.read_text().splitlines()[(found.line or 0) - 1]


def test_a_missing_report_is_told(run: Path) -> None:
    (run / layout.REPORT).unlink()
    assert [found.kind for found in report.verify(run).findings] == ["report"]


def test_a_chain_made_anew_from_its_start_is_told_by_the_report_alone(run: Path) -> None:
    path = run / layout.EVENTS
    prev, forged = GENESIS, b""
    for event in lines(path):
        made, prev = seal(_renamed(event, prev))
        forged += made
    path.write_bytes(forged)
    assert events.verify(path) == []
    assert [found.kind for found in report.verify(run).findings] == ["report"]


def _renamed(event: dict[str, object], prev: str) -> dict[str, object]:
    kept = {name: value for name, value in event.items() if name not in {"prev", "hash"}}
    return {**kept, "process": "else", "prev": prev}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    junk=st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(HEAD_NAMES), inner, max_size=9),
        ).map(lambda value: json.dumps(value).encode()),
    ),
    ended=st.booleans(),
)
def test_junk_is_an_evidence_error_and_nothing_else(tmp_path: Path, junk: bytes, ended: bool) -> None:
    path = tmp_path / "junk.jsonl"
    path.write_bytes(junk + b"\n" * ended)
    assert events.verify(path)
    for act in (lambda: list(events.read(path)), lambda: report.store.folded(path), lambda: events.Source.of(path)):
        if (error := refusal(act)) is not None:
            assert error.path == str(path)
            assert len(str(error)) < len(str(path)) + 200


def test_a_sealed_line_without_the_fields_of_its_kind_is_an_evidence_error(tmp_path: Path) -> None:
    path = write(tmp_path, [("call", {"job": "a job"})])
    with pytest.raises(EvidenceError, match=r":1: "):
        report.store.folded(path)


def test_messages_do_not_quote_what_stands_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "junk.jsonl"
    path.write_bytes(b'{"sk-proj-Zz81Yx72": "sk-proj-Zz81Yx72"\n')
    assert "sk-proj" not in "".join(map(str, events.verify(path)))
