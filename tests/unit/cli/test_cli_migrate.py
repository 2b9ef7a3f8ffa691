from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.cassette import migrations

if TYPE_CHECKING:
    import pytest

    from conftest import Command, Tapes


def test_cassettes_of_today_need_nothing(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("cassettes/a.yaml", tapes.ask("one"))
    before = path.read_bytes()
    assert cassette("migrate").out == "1 file: 1 of format 1\n"
    assert cassette("migrate", "--apply").code == 0
    assert path.read_bytes() == before


def test_a_newer_version_is_told_and_left_alone(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("a.yaml", tapes.ask("one"))
    tapes.edit(path, "tapemeter-cassette/1", "tapemeter-cassette/2")
    before = path.read_bytes()
    ran = cassette("migrate", "a.yaml", "--apply")
    assert ran.code == 1
    assert "a.yaml: format 2, newer than this version, which reads 1: upgrade pytest-tapemeter" in ran.out
    assert path.read_bytes() == before
    assert cassette("migrate", "a.yaml", "--json").json["totals"]["newer"] == 1


def test_an_older_version_is_brought_to_todays(
    cassette: Command, tapes: Tapes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tapes.write("a.yaml", tapes.ask("one"))
    today = path.read_bytes()
    tapes.edit(path, "tapemeter-cassette/1", "tapemeter-cassette/0")
    assert "older than this version can read" in cassette("migrate", "a.yaml").out

    step = {0: lambda text: text.replace("tapemeter-cassette/0", "tapemeter-cassette/1")}
    monkeypatch.setattr(migrations.version, "__defaults__", (step,))
    monkeypatch.setattr(migrations.migrated, "__defaults__", (step,))
    ran = cassette("migrate", "a.yaml")
    assert (ran.code, path.read_bytes() == today) == (1, False)
    assert "format 0, older: will be brought to format 1" in ran.out
    assert ran.out.endswith("1 file: 0 of format 1, 1 to be brought to it with --apply\n")
    ran = cassette("migrate", "a.yaml", "--apply", "--json")
    assert (ran.code, path.read_bytes() == today) == (0, True)
    assert ran.json["files"] == [
        {"path": "a.yaml", "standing": "older", "version": 0, "migrated": True, "problem": None}
    ]


def test_what_is_none_of_ours_is_told_and_no_problem(cassette: Command, tapes: Tapes) -> None:
    (tapes.root / "vcr.yaml").write_text(tapes.vcr)
    (tapes.root / "zipped.yaml.gz").write_bytes(b"\x1f\x8b\x08\x00\xff\xff")
    ran = cassette("migrate", ".")
    assert ran.code == 0
    assert ran.out.count("no cassette of ours") == 2
    assert "tapemeter cassette import" in ran.out


def test_what_a_step_breaks_is_not_written(cassette: Command, tapes: Tapes, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tapes.write("a.yaml", tapes.ask("one"))
    tapes.edit(path, "tapemeter-cassette/1", "tapemeter-cassette/0")
    before = path.read_bytes()
    step = {0: lambda text: text.replace("tapemeter-cassette/0", "tapemeter-cassette/1")[:-30]}
    monkeypatch.setattr(migrations.version, "__defaults__", (step,))
    monkeypatch.setattr(migrations.migrated, "__defaults__", (step,))
    ran = cassette("migrate", "a.yaml", "--apply")
    assert ran.code == 1
    assert path.read_bytes() == before
