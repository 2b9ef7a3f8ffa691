from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapemeter import events
from tapemeter.cassette import store
from tapemeter.events import EventLog

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Tapes
    from tapemeter.cassette.model import Interaction

RUN = "20260601T120000.000Z-abcdef"
OLD = "2026-01-01T00:00:00Z"
WHOLE = {"whole": True, "reasons": [], "left_out": [], "skipped": 0}


@pytest.fixture
def run(tapes: Tapes) -> Any:
    """Write the evidence of a run in which these recordings answered, as (cassette, interaction)."""

    def write(*played: tuple[str, Interaction | None], suite: Any = WHOLE, run_id: str = RUN, **fields: Any) -> Path:
        log = EventLog(tapes.root / ".tapemeter" / "runs" / run_id, run_id=run_id, process="main")
        for number, (name, interaction) in enumerate(played):
            key = None if interaction is None else interaction.key
            call = {"call_id": f"t#{number}", "attempt": 0, "job": "t", "test": "t", "cassette": name}
            log.write("call", {**call, "source": "replay", "outcome": "ok", "interaction": key, **fields})
        log.write("end", {"limits": [], "suite": suite})
        log.close()
        return events.finish(log.folder)

    return write


def test_says_what_it_would_drop_and_then_drops_it(cassette: Command, tapes: Tapes, run: Any) -> None:
    one, two, three = (tapes.ask(word, recorded=OLD) for word in ("one", "two", "three"))
    path = tapes.write("cassettes/a.yaml", one, two, three)
    orphan = tapes.write("cassettes/b.yaml", three)
    run(("cassettes/a.yaml", one), ("cassettes/a.yaml", three))
    size = orphan.stat().st_size
    ran = cassette("prune")
    assert ran.code == 1
    assert ran.out == (
        f"by run {RUN}, begun 2026-06-01T12:00:00Z\n"
        "unplayed  cassettes/a.yaml: 2 of 3\n"
        f"orphan    cassettes/b.yaml (1 interaction, {size} B)\n"
        "1 orphan, 1 cassette with unplayed interactions, 2 interactions in all: "
        "nothing was changed; drop them with --apply\n"
    )
    ran = cassette("prune", "--apply")
    assert ran.code == 0
    assert ran.out.endswith("2 interactions in all: dropped\n")
    assert not orphan.exists()
    assert path.read_bytes() == tapes.write("expected.yaml", one, three).read_bytes()
    assert cassette("prune").out.endswith("1 cassette: nothing to drop\n")


def test_a_cassette_of_which_nothing_is_left_is_removed(cassette: Command, tapes: Tapes, run: Any) -> None:
    one = tapes.ask("one", recorded=OLD)
    tapes.write("a.yaml", one)
    path = tapes.write("b.yaml", one)
    run(("a.yaml", one), ("b.yaml", tapes.ask("other")))
    assert cassette("prune", "a.yaml", "b.yaml", "--apply").code == 0
    assert not path.exists()


def test_an_edited_cassette_keeps_what_is_played_with_its_keys_anew(cassette: Command, tapes: Tapes, run: Any) -> None:
    one, two = tapes.ask("one", recorded=OLD), tapes.ask("two", recorded=OLD)
    path = tapes.write("a.yaml", one, two)
    tapes.edit(path, "# A tapemeter cassette", "# Mine, a tapemeter cassette")
    run(("a.yaml", one))
    assert cassette("prune", "a.yaml", "--apply").code == 0
    assert path.read_bytes() == tapes.write("expected.yaml", one).read_bytes()


def test_a_file_that_somebody_changes_in_the_meantime_is_left_alone(
    cassette: Command, tapes: Tapes, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tapes.ask("one", recorded=OLD), tapes.ask("two", recorded=OLD)
    path = tapes.write("a.yaml", one, two)
    run(("a.yaml", one))
    locked = store.locked

    def late(given: Path) -> Any:
        tapes.write("a.yaml", one, two, tapes.ask("three"))
        return locked(given)

    monkeypatch.setattr(store, "locked", late)
    ran = cassette("prune", "a.yaml", "--apply", "--json")
    assert ran.code == 1
    [row] = ran.json["cassettes"]
    assert (row["done"], row["problem"]) == (False, "it was changed in the meantime, so it is left alone")
    assert path.read_bytes() == tapes.write("expected.yaml", one, two, tapes.ask("three")).read_bytes()


def test_tapes_of_other_tools_are_not_rewritten(cassette: Command, tapes: Tapes, run: Any) -> None:
    (tapes.root / "played.yaml").write_text(tapes.vcr)
    (tapes.root / "orphan.yaml").write_text(tapes.vcr)
    (tapes.root / "data.yaml").write_text("a: 1\n")
    run(("played.yaml", tapes.ask("other")))
    ran = cassette("prune", "played.yaml", "orphan.yaml", "--apply", "--json")
    assert ran.code == 0
    [orphan] = ran.json["cassettes"]
    assert (orphan["path"], orphan["what"], orphan["done"]) == ("orphan.yaml", "orphan", True)
    assert (tapes.root / "played.yaml").read_text() == tapes.vcr
    ran = cassette("prune", "played.yaml", "data.yaml", "--apply")
    assert ran.code == 1
    assert "data.yaml" in ran.err
    assert (tapes.root / "data.yaml").exists()


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        ({**WHOLE, "whole": False, "reasons": ["it was of tests/a"]}, "was not one of all tests: it was of tests/a"),
        (None, "does not say how much of a test suite it ran"),
    ],
)
def test_a_run_that_was_not_whole_is_refused_unless_told(
    cassette: Command, tapes: Tapes, run: Any, suite: Any, said: str
) -> None:
    one = tapes.ask("one", recorded=OLD)
    tapes.write("a.yaml", one)
    orphan = tapes.write("b.yaml", one)
    run(("a.yaml", one), suite=suite)
    ran = cassette("prune", "a.yaml", "b.yaml", "--apply")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert orphan.exists()
    assert cassette("prune", "a.yaml", "b.yaml", "--apply", "--partial-run").code == 0
    assert not orphan.exists()


def test_a_run_that_says_nothing_of_recordings_is_refused_whatever_is_told(
    cassette: Command, tapes: Tapes, run: Any
) -> None:
    tapes.write("a.yaml", tapes.ask("one", recorded=OLD))
    run(("a.yaml", None))
    assert "did not note what was played" in cassette("prune", "a.yaml", "--partial-run").err
    run(("a.yaml", None), run_id="20260602T120000.000Z-abcdef", source="live")
    ran = cassette("prune", "a.yaml", "--partial-run", "--run", "20260602T120000.000Z-abcdef")
    assert ran.code == 2
    assert "played no recording" in ran.err


def test_a_run_of_another_folder_is_refused(cassette: Command, tapes: Tapes, run: Any) -> None:
    one = tapes.ask("one", recorded=OLD)
    tapes.write("sub/a.yaml", one)
    run(("a.yaml", one))
    ran = cassette("prune", "sub")
    assert (ran.code, ran.out) == (2, "")
    assert "used none of the 1 cassette found" in ran.err
    assert "--root" in ran.err
    assert cassette("prune", "sub", "--root", "sub").code == 0


def test_without_a_run_there_is_nothing_to_judge_by(cassette: Command, tapes: Tapes) -> None:
    tapes.write("cassettes/a.yaml", tapes.ask("one"))
    ran = cassette("prune")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no run in .tapemeter" in ran.err


def test_evidence_that_was_edited_is_refused(cassette: Command, tapes: Tapes, run: Any) -> None:
    one = tapes.ask("one", recorded=OLD)
    tapes.write("a.yaml", one)
    path = run(("a.yaml", one))
    path.write_bytes(path.read_bytes().replace(b'"a.yaml"', b'"b.yaml"'))
    ran = cassette("prune", "a.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert "llm_usage_events.jsonl:1" in ran.err


def test_hostile_names_are_escaped(cassette: Command, tapes: Tapes, run: Any) -> None:
    one = tapes.ask("one", recorded=OLD)
    tapes.write("a.yaml", one)
    tapes.write("\x1b[2J\n.yaml", one)
    run(("a.yaml", one))
    ran = cassette("prune", ".")
    assert ran.code == 1
    assert "\x1b" not in ran.out
    assert len(ran.out.splitlines()) == 3
