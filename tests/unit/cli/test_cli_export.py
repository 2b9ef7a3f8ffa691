from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from tapemeter.cassette.tapes import tape

if TYPE_CHECKING:
    from conftest import Command, Tapes


def test_one_cassette_is_printed(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("a.yaml", tapes.ask("one", "ünë"))
    ran = cassette("export", path, "--form", "vcr")
    assert (ran.code, ran.err) == (0, "")
    (item,) = yaml.safe_load(ran.out)["interactions"]
    assert json.loads(item["request"]["body"])["messages"][0]["content"] == "one"
    assert item["response"]["status"] == {"code": 200, "message": "OK"}
    assert item["response"]["headers"] == {"content-type": ["application/json"]}
    assert json.loads(item["response"]["body"]["string"])["choices"][0]["message"]["content"] == "ünë"


def test_an_archive_is_printed_with_its_times(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("a.yaml", tapes.ask("one"), tapes.ask("two"))
    log = cassette("export", path, "--form", "har").json["log"]
    assert [entry["timings"] for entry in log["entries"]] == [{"send": 0, "wait": 250.0, "receive": 250.0}] * 2
    assert log["creator"]["name"] == "tapemeter"


@pytest.mark.parametrize(("form", "suffix"), [("vcr", ".yaml"), ("vcr-json", ".json"), ("har", ".har")])
def test_several_are_written_below_a_folder_and_become_the_same_again(
    form: str, suffix: str, cassette: Command, tapes: Tapes
) -> None:
    tapes.write("in/a.yaml", tapes.ask("one"), tapes.stream(tapes.ask("two"), {"n": 1}, {"n": 2}))
    tapes.write("in/deep/b.yaml", tapes.call(b"", b"x", status=404))
    ran = cassette("export", "in", "--form", form, "--to", "out")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("2 cassettes written\n")
    for name in ("a", "deep/b"):
        exported = tape.read(tapes.root / f"out/{name}{suffix}")
        original = tape.read(tapes.root / f"in/{name}.yaml")
        assert [each.request for each in exported.interactions] == [each.request for each in original.interactions]
        assert [each.response.body for each in exported.interactions] == [
            each.response.body for each in original.interactions
        ]
    assert cassette("import", "out", "--to", "back", "--check").code == 0


def test_what_a_form_cannot_hold_is_told_and_the_others_are_written(cassette: Command, tapes: Tapes) -> None:
    tapes.write("in/a.yaml", tapes.call(b"", b"\xff"))
    tapes.write("in/b.yaml", tapes.ask("one"))
    ran = cassette("export", "in", "--form", "vcr-json", "--to", "out")
    assert ran.code == 1
    assert "in/a.yaml: JSON cannot hold a body that is no UTF-8 text; write VCR.py's YAML form instead" in ran.err
    assert ran.out.endswith("1 cassette written, 1 not\n")
    assert [path.name for path in (tapes.root / "out").iterdir()] == ["b.json"]


def test_another_file_is_not_overwritten(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one"))
    cassette("export", "a.yaml", "--form", "har", "--to", "out")
    assert cassette("export", "a.yaml", "--form", "har", "--to", "out").code == 0
    (tapes.root / "out/a.har").write_text("mine")
    ran = cassette("export", "a.yaml", "--form", "har", "--to", "out")
    assert ran.code == 1
    assert "another file is there already" in ran.err
    assert (tapes.root / "out/a.har").read_text() == "mine"


def test_a_cassette_never_takes_its_own_place(cassette: Command, tapes: Tapes) -> None:
    path = tapes.write("in/a.yaml", tapes.ask("one"))
    before = path.read_bytes()
    assert cassette("export", "in", "--form", "vcr", "--to", "in").code == 1
    assert path.read_bytes() == before


def test_several_cannot_be_printed(cassette: Command, tapes: Tapes) -> None:
    tapes.write("in/a.yaml", tapes.ask("one"))
    tapes.write("in/b.yaml", tapes.ask("two"))
    ran = cassette("export", "in", "--form", "har")
    assert ran.code == 2
    assert "2 cassettes are named, and one can be printed; name a folder with --to" in ran.err


def test_json_tells_what_was_written(cassette: Command, tapes: Tapes) -> None:
    tapes.write("in/a.yaml", tapes.call(b"", b"\xff"))
    tapes.write("in/b.yaml", tapes.ask("one"))
    ran = cassette("export", "in", "--form", "vcr-json", "--to", "out", "--json")
    assert (ran.code, ran.err) == (1, "")
    assert ran.json["written"] == [{"path": "in/b.yaml", "to": "out/b.json"}]
    assert ran.json["failed"][0]["path"] == "in/a.yaml"
    assert "no UTF-8 text" in ran.json["failed"][0]["error"]
    assert ran.json["totals"] == {"written": 1, "failed": 1}
    ran = cassette("export", "in/b.yaml", "--form", "har", "--json")
    assert ran.code == 2
    assert "it needs a folder to write to" in ran.err


def test_a_tape_of_another_tool_is_exported_without_its_secrets(cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one"))
    text = cassette("export", "a.yaml", "--form", "vcr").out
    key = "sk-proj-Zz81Yx72Ww63Vv54Uu45Tt36"
    (tapes.root / "theirs.yaml").write_text(text.replace("content-type:", f"x-api-key: ['{key}']\n      content-type:"))
    ran = cassette("export", "theirs.yaml", "--form", "har")
    assert ran.code == 0
    assert {"name": "x-api-key", "value": "REDACTED"} in ran.json["log"]["entries"][0]["request"]["headers"]
    assert "Zz81" not in ran.out


@pytest.mark.parametrize("arguments", [["a.yaml"], ["a.yaml", "--form", "other"], ["absent", "--form", "har"]])
def test_wrong_usage_is_told(arguments: list[str], cassette: Command, tapes: Tapes) -> None:
    tapes.write("a.yaml", tapes.ask("one"))
    assert cassette("export", *arguments).code == 2
