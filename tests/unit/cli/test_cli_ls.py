from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Command, Tapes


def test_lists_files_of_the_default_folder_at_any_depth_in_order(cassette: Command, tapes: Tapes) -> None:
    tapes.write(
        "cassettes/b/test_two.yaml",
        tapes.ask("one", model="m-2", recorded="2026-11-20T04:00:00Z"),
        tapes.ask("two", model="m-1", recorded="2026-11-21T04:00:00Z"),
    )
    tapes.write("cassettes/a.yaml", tapes.ask("three"))
    tapes.write("cassettes/empty.yaml")
    (tapes.root / "cassettes/notes.txt").write_text("no cassette")
    ran = cassette("ls")
    head, first, second, third, totals = ran.out.splitlines()
    assert ran.code == 0
    assert head.split() == ["calls", "size", "newest", "models", "cassette"]
    assert first.split()[-3:] == ["2026-11-21T04:00:00Z", "m-1", "cassettes/a.yaml"]
    assert second.split()[0] == "2"
    assert second.split()[-4:] == ["2026-11-21T04:00:00Z", "m-1,", "m-2", "cassettes/b/test_two.yaml"]
    assert third.split()[-3:] == ["-", "-", "cassettes/empty.yaml"]
    assert totals.startswith("3 cassettes, 3 interactions, ")


def test_marks_what_was_edited(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("cassettes/a.yaml", tapes.ask("one"))
    tapes.edit(path, "one", "another")
    empty = tapes.write("cassettes/empty.yaml")
    tapes.edit(empty, "recorded model calls", "nothing")
    assert [line.endswith(" (edited)") for line in cassette("ls").out.splitlines()] == [False, True, True, False]


def test_json_has_all_of_it(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("a.yaml", tapes.ask("one", model="größe"), tapes.call(b"", path="/v1/models/m%3A1/invoke"))
    ran = cassette("ls", "--json", "a.yaml")
    size = path.stat().st_size
    assert ran.json == {
        "cassettes": [
            {
                "path": "a.yaml",
                "interactions": 2,
                "size": size,
                "newest": "2026-11-21T04:00:00Z",
                "models": ["größe", "m:1"],
                "edited": False,
            }
        ],
        "unreadable": [],
        "totals": {"cassettes": 1, "interactions": 2, "size": size},
    }


def test_a_file_named_twice_counts_once_and_needs_no_suffix(cassette: Command, tapes: Tapes) -> None:
    tapes.write("all/a.yaml", tapes.ask("one"))
    tapes.write("old.backup", tapes.ask("one"))
    ran = cassette("ls", "all", "all/a.yaml", "old.backup", "--json")
    assert [row["path"] for row in ran.json["cassettes"]] == ["all/a.yaml", "old.backup"]


def test_what_cannot_be_read_is_told_beside_the_rest(cassette: Command, tapes: Tapes) -> None:
    tapes.write("cassettes/good.yaml", tapes.ask("one"))
    cut = tapes.write("cassettes/cut.yaml", tapes.ask("one"))
    cut.write_text(cut.read_text()[:-60])
    ran = cassette("ls")
    assert ran.code == 1
    assert "1 cassette, 1 interaction" in ran.out
    assert "cassettes/cut.yaml:" in ran.err
    assert "the file is cut" in ran.err
    ran = cassette("ls", "--json")
    assert ran.code == 1
    assert [row["path"] for row in ran.json["unreadable"]] == ["cassettes/cut.yaml"]
    assert ran.err == ""


def test_the_error_of_a_broken_file_shows_no_key(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("a.yaml", tapes.ask("one"))
    tapes.edit(path, "status: 200", "status: sk-proj-Zz81Yx72Ww63Vv54Uu45Tt36")
    ran = cassette("ls", "a.yaml")
    assert ran.code == 1
    assert "expected status" in ran.err
    assert "Zz81" not in ran.out + ran.err


def test_a_missing_path_says_what_to_do(cassette: Command, tapes: Tapes) -> None:
    ran = cassette("ls")
    assert ran.code == 2
    assert ran.out == ""
    assert "cassettes: no such file or folder" in ran.err
    assert "pytest --record-cassettes" in ran.err


def test_an_empty_folder_has_no_cassettes(cassette: Command, tapes: Tapes) -> None:
    (tapes.root / "cassettes").mkdir()
    ran = cassette("ls")
    assert (ran.code, ran.out) == (0, "0 cassettes, 0 interactions, 0 B\n")


def test_hostile_names_cannot_move_the_cursor(cassette: Command, tapes: Tapes) -> None:
    tapes.write("cassettes/a\x1b[2Jb\nc.yaml", tapes.ask("one", model="m\x1b]0;title\x07\x9b1m\u202e"))
    ran = cassette("ls")
    assert "cassettes/a\\x1b[2Jb\\nc.yaml" in ran.out
    assert "m\\x1b]0;title\\x07\\x9b1m\\u202e" in ran.out
    assert len(ran.out.splitlines()) == 3
    assert cassette("ls", "--json").json["cassettes"][0]["models"] == ["m\x1b]0;title\x07\x9b1m\u202e"]


def test_a_very_long_model_is_cut(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one", model="m" * 5000))
    assert max(map(len, cassette("ls", "a.yaml").out.splitlines())) < 200
