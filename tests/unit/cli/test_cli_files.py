from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from tapemeter.cli import files
from tapemeter.cli.output import as_json, print_listing
from tapemeter.errors import CassetteError, CassetteFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Tapes


def test_of_a_cassette_only_one_interaction_is_kept_at_a_time(tapes: Tapes) -> None:
    tape = files.read(tapes.write("a.yaml", *(tapes.ask(str(number)) for number in range(5))))
    for number, entry, interaction in tape.interactions():
        assert entry.interaction is interaction
        kept = [other for other in tape.entries if "interaction" in vars(other)]
        assert len(kept) == 1
        assert number <= 5
    assert [entry for entry in tape.entries if "interaction" in vars(entry)] == []


def test_an_edited_cassette_is_read_as_a_whole(tapes: Tapes) -> None:
    path = tapes.write("a.yaml", tapes.ask("one"), tapes.ask("two"))
    tapes.edit(path, "content: one", "content: more")
    tape = files.read(path)
    assert (tape.edited, tape.is_ours, tape.form) == (True, True, "tapemeter")
    for _ in range(2):
        assert len(list(tape.interactions())) == 2


def test_another_tools_tape_has_keys_and_no_secrets(tapes: Tapes) -> None:
    path = tapes.root / "vcr.yaml"
    path.write_text(tapes.vcr)
    tape = files.read(path)
    [(number, entry, interaction)] = tape.interactions()
    assert (number, tape.is_ours, tape.edited, tape.size) == (1, False, False, len(tapes.vcr))
    assert entry.key == interaction.key
    assert len(interaction.key) == 32
    assert "Zz81" not in repr(interaction)


def test_files_in_a_folder_are_those_that_are_named_as_tapes_are(tapes: Tapes) -> None:
    for name in ("a.yaml", "b.yml", "c.yaml.gz", "d.json", "e.txt", "sub/f.yaml", ".tapemeter-1.tmp"):
        path = tapes.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert [str(path) for path in files.find([tapes.root.relative_to(tapes.root)])] == [
        "a.yaml",
        "b.yml",
        "c.yaml.gz",
        "sub/f.yaml",
    ]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"a: 1\n", b"\xff\xfe\x00", b"[1, 2]"])
def test_what_is_nobodys_tape_is_told_as_none_of_ours(tapes: Tapes, content: bytes) -> None:
    path = tapes.root / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(CassetteFormatError):
        files.read(path)


def test_what_is_broken_of_another_tools_is_told(tapes: Tapes) -> None:
    path = tapes.root / "a.yaml.gz"
    path.write_bytes(gzip.compress(tapes.vcr.encode())[:-20])
    with pytest.raises(CassetteError):
        files.read(path)
    with pytest.raises(CassetteError, match="cannot be read"):
        files.read(tapes.root / "missing.yaml")


@pytest.mark.parametrize("items", [[], [1], [{"a": [1, 2]}, "two\nlines \x1b", None]])
def test_a_listing_is_the_json_that_it_would_be_at_once(
    capsys: pytest.CaptureFixture[str], items: list[object]
) -> None:
    print_listing({"head": {"x": [1]}}, "items", iter(items), lambda: {"tail": 1, "more": []})
    assert capsys.readouterr().out == as_json({"head": {"x": [1]}, "items": items, "tail": 1, "more": []}) + "\n"


def test_a_listing_prints_each_item_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    def items() -> Iterator[str]:
        yield "first"
        assert '"first"' in capsys.readouterr().out
        yield "second"

    print_listing({}, "items", items())
    assert '"second"' in capsys.readouterr().out
