from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.model import Ending

if TYPE_CHECKING:
    from conftest import Command, Tapes


def told(tapes: Tapes, prompt: str, model: str = "gpt-4o", tokens: tuple[int, int] = (1000, 100), **more: Any) -> Any:
    """A call of which the provider says what it used."""
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
    answer = {"model": f"{model}-2024-08-06", "choices": [{"message": {"content": "Yes."}}], "usage": usage}
    return tapes.call({"model": model, "messages": [{"role": "user", "content": prompt}]}, answer, **more)


def days_ago(days: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days, hours=1):%Y-%m-%dT%H:%M:%SZ}"


def test_lists_files_of_the_default_folder_at_any_depth_in_order(cassette: Command, tapes: Tapes) -> None:
    tapes.write(
        "cassettes/b/test_two.yaml",
        told(tapes, "one", recorded=days_ago(12)),
        told(tapes, "two", model="gpt-4o-mini", recorded=days_ago(3)),
    )
    tapes.write("cassettes/a.yaml", told(tapes, "three", tokens=(20_000, 3)))
    tapes.write("cassettes/empty.yaml")
    (tapes.root / "cassettes/notes.txt").write_text("no cassette")
    ran = cassette("ls")
    head, first, second, third, totals = ran.out.splitlines()
    assert ran.code == 0
    assert head.split() == ["calls", "size", "days", "in", "out", "cost", "today", "models", "cassette"]
    assert first.split()[4:6] == ["20,000", "3"]
    assert first.split()[-2:] == ["gpt-4o", "cassettes/a.yaml"]
    assert second.split()[0] == "2"
    assert second.split()[3:] == [
        "12",
        "2,000",
        "200",
        "$0.00371",
        "$0.00371",
        "gpt-4o,",
        "gpt-4o-mini",
        second.split()[-1],
    ]
    assert third.split()[3:] == ["-", "0", "0", "$0.00", "$0.00", "-", "cassettes/empty.yaml"]
    assert totals.startswith("3 cassettes, 3 interactions, ")
    assert totals.endswith(", 22,203 tokens")


def test_what_was_cheap_or_dear_then_is_not_what_it_costs_today(cassette: Command, tapes: Tapes) -> None:
    """Prices of the day of the recording, and of today, by a file of one's own that knows both."""
    (tapes.root / "llm_prices.yaml").write_text(
        "schema: llm_prices_v1\nmodels:\n"
        "  mine:\n"
        '    - {input_mtok: "1", output_mtok: "0", from: "2023-01-01"}\n'
        '    - {input_mtok: "3", output_mtok: "0", from: "2024-01-01"}\n'
    )
    tapes.write("a.yaml", told(tapes, "one", model="mine", tokens=(1_000_000, 5), recorded="2023-05-05T00:00:00Z"))
    [row] = cassette("ls", "a.yaml", "--json").json["cassettes"]
    assert (row["cost_usd"], row["today_usd"], row["unpriced"]) == ("1", "3", 0)


def test_calls_of_unknown_price_are_counted_and_marked(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", told(tapes, "one"), told(tapes, "two", model="nobody-knows-it"))
    ran = cassette("ls", "a.yaml")
    assert "$0.0035+" in ran.out
    assert ran.out.endswith("+ 1 call of unknown price\n")
    assert cassette("ls", "a.yaml", "--json").json["totals"]["unpriced"] == 1


def test_a_price_file_that_is_not_there_is_wrong_usage(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one"))
    ran = cassette("ls", "a.yaml", "--prices", "none.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert "none.yaml: no such file" in ran.err


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("path", "abc"),
        ("calls", "bac"),
        ("size", "cba"),
        ("age", "cba"),
        ("tokens", "acb"),
        ("cost", "acb"),
        ("today", "acb"),
    ],
)
def test_can_be_sorted_and_turned_round(cassette: Command, tapes: Tapes, sort: str, order: str) -> None:
    tapes.write("a.yaml", told(tapes, "one", tokens=(90_000, 1), recorded=days_ago(1)))
    tapes.write("b.yaml", told(tapes, "one", recorded=days_ago(2)), told(tapes, "two", recorded=days_ago(1)))
    tapes.write("c.yaml", told(tapes, "long " * 500, tokens=(50_000, 1), recorded=days_ago(5)))
    paths = [row["path"] for row in cassette("ls", ".", "--json", "--sort", sort).json["cassettes"]]
    assert "".join(path[0] for path in paths) == order
    turned = cassette("ls", ".", "--json", "--sort", sort, "--reverse").json["cassettes"]
    if len({row["interactions"] for row in turned}) == 2 and sort != "calls":  # ties keep their order
        assert [row["path"] for row in turned] == paths[::-1]


def test_partial_recordings_are_counted(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one"), tapes.stream(tapes.ask("two"), {"choices": []}, ending=Ending.BROKEN))
    assert cassette("ls", "a.yaml").out.splitlines()[1].endswith("a.yaml (1 partial)")


def test_tapes_of_other_tools_are_listed_with_their_form(cassette: Command, tapes: Tapes) -> None:
    (tapes.root / "vcr.yaml").write_text(tapes.vcr)
    with gzip.open(tapes.root / "zipped.yaml.gz", "wt") as file:
        file.write(tapes.vcr)
    first, second = cassette("ls", ".", "--json").json["cassettes"]
    assert (first["path"], first["form"], first["models"], first["oldest"]) == (
        "vcr.yaml",
        "VCR.py YAML",
        ["gpt-4o"],
        None,
    )
    assert (second["path"], second["form"]) == ("zipped.yaml.gz", "VCR.py YAML, gzip'd")
    assert "vcr.yaml (VCR.py YAML)" in cassette("ls", ".").out


def test_marks_what_was_edited(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("cassettes/a.yaml", tapes.ask("one"))
    tapes.edit(path, "one", "another")
    empty = tapes.write("cassettes/empty.yaml")
    tapes.edit(empty, "recorded model calls", "nothing")
    assert [line.endswith(" (edited)") for line in cassette("ls").out.splitlines()] == [False, True, True, False, False]


def test_json_has_all_of_it(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("a.yaml", tapes.ask("one", model="größe"), tapes.call(b"", path="/v1/models/m%3A1/invoke"))
    ran = cassette("ls", "--json", "a.yaml")
    size = path.stat().st_size
    assert ran.json == {
        "cassettes": [
            {
                "path": "a.yaml",
                "form": "tapemeter",
                "interactions": 2,
                "size": size,
                "oldest": "2026-11-21T04:00:00Z",
                "newest": "2026-11-21T04:00:00Z",
                "age_days": ran.json["cassettes"][0]["age_days"],
                "models": ["größe", "m:1"],
                "served": [],
                "input_tokens": 1,
                "output_tokens": 2,
                "cost_usd": "0",
                "today_usd": "0",
                "unpriced": 1,
                "partial": 0,
                "edited": False,
            }
        ],
        "unreadable": [],
        "totals": {
            "cassettes": 1,
            "interactions": 2,
            "size": size,
            "input_tokens": 1,
            "output_tokens": 2,
            "cost_usd": "0",
            "today_usd": "0",
            "unpriced": 1,
        },
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
    assert len(ran.out.splitlines()) == 4
    assert cassette("ls", "--json").json["cassettes"][0]["models"] == ["m\x1b]0;title\x07\x9b1m\u202e"]


def test_a_very_long_model_is_cut(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one", model="m" * 5000))
    assert max(map(len, cassette("ls", "a.yaml").out.splitlines())) < 200
