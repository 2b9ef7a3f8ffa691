from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Command, Tapes

EVIL = "\x1b[2J\x9b\r\u202e"


def test_prints_each_line_with_its_place(cassette: Command, tapes: Tapes) -> None:
    tapes.write("cassettes/b.yaml", tapes.ask("nothing"), tapes.ask("find me\nand me: needle", "a needle"))
    tapes.write("cassettes/a.yaml", tapes.ask("needle"))
    ran = cassette("grep", "needle")
    assert ran.code == 0
    assert ran.out == (
        "cassettes/a.yaml:1:request.messages[0].content: needle\n"
        "cassettes/b.yaml:2:request.messages[0].content: and me: needle\n"
        "cassettes/b.yaml:2:response.choices[0].message.content: a needle\n"
    )


def test_nothing_found_is_exit_code_one(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one"))
    ran = cassette("grep", "needle", "a.yaml")
    assert (ran.code, ran.out, ran.err) == (1, "", "")


def test_the_names_of_files_and_one_side_alone(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("needle", "needle"), tapes.ask("another needle"))
    tapes.write("b.yaml", tapes.ask("hay", "needle"))
    assert cassette("grep", "needle", ".", "-l").out == "a.yaml\nb.yaml\n"
    assert cassette("grep", "needle", ".", "-l", "--only", "prompts").out == "a.yaml\n"
    assert cassette("grep", "needle", ".", "--only", "answers").out.count(":response.") == 2


def test_json_has_all_of_it(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("Needle", "x"), tapes.ask("hay"))
    ran = cassette("grep", "nee+dle", "a.yaml", "--regex", "-i", "--json")
    assert ran.code == 0
    assert ran.json == {
        "pattern": "nee+dle",
        "regex": True,
        "ignore_case": True,
        "matches": [
            {"path": "a.yaml", "interaction": 1, "where": "request.messages[0].content", "line": 1, "text": "Needle"}
        ],
        "unreadable": [],
        "totals": {"files": 1, "interactions": 2, "matches": 1},
    }
    assert cassette("grep", "x" * 9, "a.yaml", "--json").json["matches"] == []


def test_what_cannot_be_read_is_told_beside_the_rest(cassette: Command, tapes: Tapes) -> None:
    tapes.write("cassettes/a.yaml", tapes.ask("needle"))
    cut = tapes.write("cassettes/cut.yaml", tapes.ask("needle"))
    cut.write_text(cut.read_text()[:-60])
    ran = cassette("grep", "needle")
    assert ran.code == 2
    assert ran.out.startswith("cassettes/a.yaml:1:")
    assert "cut.yaml" in ran.err
    assert [each["path"] for each in cassette("grep", "needle", "--json").json["unreadable"]] == ["cassettes/cut.yaml"]


def test_wrong_patterns_are_wrong_usage(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one"))
    for arguments in (("--regex", "("), ("",), ("x" * 2000,)):
        ran = cassette("grep", *arguments, "a.yaml")
        assert (ran.code, ran.out) == (2, "")
        assert "the pattern" in ran.err


def test_hostile_content_is_escaped(cassette: Command, tapes: Tapes) -> None:
    tapes.write(f"{EVIL}\n.yaml", tapes.call({EVIL: f"needle {EVIL}"}))
    ran = cassette("grep", "needle", ".")
    assert ran.code == 0
    assert not {"\x1b", "\x9b", "\r", "\u202e"} & set(ran.out)
    assert len(ran.out.splitlines()) == 1


def test_tapes_of_other_tools_are_searched_and_show_no_key(cassette: Command, tapes: Tapes) -> None:
    (tapes.root / "vcr.yaml").write_text(tapes.vcr)
    ran = cassette("grep", "ahoy", "vcr.yaml", "-i")
    assert [line.split(": ")[0] for line in ran.out.splitlines()] == [
        "vcr.yaml:1:request.messages[0].content",
        "vcr.yaml:1:response.choices[0].message.content",
    ]
    assert "Zz81" not in ran.out
    assert cassette("grep", "sk-proj", "vcr.yaml").code == 1
