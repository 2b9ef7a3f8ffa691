from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.tapes import convert
from tapemeter.cli import cassette_import

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Tapes

KEY = "sk-proj-Zz81Yx72Ww63Vv54Uu45Tt36"
EVIL = "\x1b[2J\x9b\r\u202e"


def tape(*prompts: str, key: str = KEY) -> str:
    """A tape as VCR.py writes it."""
    return yaml.safe_dump(
        {
            "interactions": [
                {
                    "request": {
                        "method": "POST",
                        "uri": "https://api.openai.com/v1/chat/completions",
                        "body": json.dumps({"messages": [{"role": "user", "content": prompt}]}),
                        "headers": {"authorization": [f"Bearer {key}"], "user-agent": ["x"]},
                    },
                    "response": {
                        "status": {"code": 200, "message": "OK"},
                        "headers": {"date": ["Fri, 20 Nov 2026 10:00:00 GMT"]},
                        "body": {"string": f"answer to {prompt}"},
                    },
                }
                for prompt in prompts
            ],
            "version": 1,
        }
    )


@pytest.fixture
def root(tapes: Tapes) -> Path:
    """The folder to work in."""
    return tapes.root


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def answers(path: Path) -> list[bytes]:
    entries = cassette_format.load(path.read_text(), str(path))
    return [entry.interaction.response.body for entry in entries]


def files(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_nothing_is_written_until_it_is_asked_for(cassette: Command, root: Path) -> None:
    write(root / "tests/cassettes/test_a/test_one.yaml", tape("one", "two"))
    before = files(root)
    ran = cassette("import", "tests", "--to", "cassettes")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "tests/cassettes/test_a/test_one.yaml: VCR.py YAML, 2 interactions\n"
        "  to       cassettes/tests/test_a/test_one.yaml\n"
        "  kept     methods, URLs, statuses and bodies; 2 of 6 headers; when it was recorded (2 of 2)\n"
        "  not kept headers that say nothing about the call (4); how long answers took: they come at once; "
        "secrets, which are hidden (2 of 2)\n"
        "1 tape, 2 interactions; 1 to be written; nothing was written: add --apply\n"
    )
    assert files(root) == before


def test_cassettes_are_written_below_a_folder_and_tapes_stay(cassette: Command, root: Path) -> None:
    source = write(root / "tests/cassettes/test_a/test_one.yaml", tape("one"))
    ran = cassette("import", "tests", "--to", "cassettes", "--apply")
    assert ran.code == 0
    assert "test_one.yaml: VCR.py YAML, 1 interaction (written)\n" in ran.out
    assert ran.out.endswith("1 tape, 1 interaction; 1 written\n")
    assert answers(root / "cassettes/tests/test_a/test_one.yaml") == [b"answer to one"]
    assert source.read_text() == tape("one")
    assert cassette("verify", "cassettes").code == 0


def test_without_a_folder_a_cassette_takes_the_place_of_its_tape(cassette: Command, root: Path) -> None:
    write(root / "a.yaml", tape("one"))
    write(root / "b.json", json.dumps(yaml.safe_load(tape("two"))))
    assert cassette("import", ".", "--apply").code == 0
    assert answers(root / "a.yaml") == [b"answer to one"]
    assert answers(root / "b.yaml") == [b"answer to two"]
    assert json.loads((root / "b.json").read_text())["version"] == 1


def test_once_more_changes_nothing(cassette: Command, root: Path) -> None:
    write(root / "old/a.yaml", tape("one"))
    cassette("import", "old", "--to", "new", "--apply")
    before = files(root)
    ran = cassette("import", "old", "new", "--to", "new", "--apply")
    assert ran.code == 0
    assert "1 there already, 1 cassettes already" in ran.out
    assert files(root) == before


def test_a_check_sends_every_request_to_its_cassette(cassette: Command, root: Path) -> None:
    write(root / "a.yaml", tape("one", "one", "two"))
    ran = cassette("import", "a.yaml", "--check")
    assert ran.code == 0
    assert "  checked  every request is answered alike\n" in ran.out
    assert "1 answer alike" in ran.out


def test_a_cassette_that_fails_its_check_is_not_written(
    cassette: Command, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrongly(*arguments: Any) -> convert.Converted:
        made = convert.convert(*arguments)
        text = made.text.replace("answer to one", "another one")
        return convert.Converted(text.split("end: ")[0] + "end: {interactions: 1}\n", made.kept, made.lost)

    monkeypatch.setattr(cassette_import, "convert", wrongly)
    write(root / "a.yaml", tape("one"))
    ran = cassette("import", "a.yaml", "--to", "new", "--check", "--apply")
    assert ran.code == 1
    assert "interaction 1: answered with another body" in ran.err
    assert "1 failed" in ran.out
    assert not (root / "new").exists()


def test_secrets_are_shown_nowhere_and_written_nowhere(cassette: Command, root: Path) -> None:
    write(root / f"{KEY}.yaml", tape("one", key=KEY).replace("answer to", f"{KEY} {KEY[:-1]}Q"))
    for arguments in (["--apply", "--to", "new"], ["--json", "--to", "new"]):
        ran = cassette("import", ".", *arguments)
        assert "Zz81" not in ran.out + ran.err
    assert not any("Zz81" in path.read_text() for path in (root / "new").iterdir())


def test_a_rule_of_redaction_holds(cassette: Command, root: Path) -> None:
    write(root / "a.yaml", tape("my secret stapler"))
    cassette("import", "a.yaml", "--redact", "text:secret [a-z]+", "--apply", "--to", "new")
    assert "stapler" not in (root / "new/a.yaml").read_text()
    assert cassette("import", "a.yaml", "--redact", "nonsense").code == 2


def test_files_in_a_folder_that_are_no_tapes_are_passed_over(cassette: Command, root: Path) -> None:
    write(root / "d/settings.yaml", "a: 1\n")
    write(root / "d/package.json", "{}")
    write(root / "d/template.yaml", "{% if x %}\n- y\n")
    ran = cassette("import", "d")
    assert (ran.code, ran.out, ran.err) == (0, "0 tapes, 0 interactions; 3 no tapes\n", "")
    ran = cassette("import", "d/settings.yaml")
    assert ran.code == 1
    assert "settings.yaml: this is no tape" in ran.err


def test_a_tape_that_cannot_be_read_does_not_keep_the_others(cassette: Command, root: Path) -> None:
    write(root / "d/a.yaml", "interactions:\n- request: !!python/name:os.system ''\n")
    write(root / "d/b.yaml", tape("one"))
    ran = cassette("import", "d", "--apply")
    assert ran.code == 1
    assert "d/a.yaml:2: the tag !!python/name:os.system is not allowed" in ran.err
    assert "1 written, 1 failed" in ran.out
    assert answers(root / "d/b.yaml") == [b"answer to one"]


def test_what_lies_where_a_cassette_would_go_is_not_overwritten(cassette: Command, root: Path) -> None:
    write(root / "old/a.yaml", tape("one"))
    write(root / "new/a.yaml", "mine\n")
    ran = cassette("import", "old", "--to", "new", "--apply")
    assert ran.code == 1
    assert "there is another file at new/a.yaml; move it away, or name another folder with --to" in ran.err
    assert (root / "new/a.yaml").read_text() == "mine\n"


def test_two_tapes_never_become_one_cassette(cassette: Command, root: Path) -> None:
    write(root / "d/a.yaml", tape("one"))
    write(root / "d/a.yml", tape("two"))
    ran = cassette("import", "d", "--to", "new", "--apply")
    assert ran.code == 1
    assert "d/a.yml: its cassette would be new/a.yaml, as that of d/a.yaml; rename one of the two" in ran.err
    assert answers(root / "new/a.yaml") == [b"answer to one"]


def test_a_test_that_looks_for_another_name_gets_a_marker(cassette: Command, root: Path) -> None:
    write(root / "t/cassettes/test_a/test_one[x y].yaml", tape("one"))
    ran = cassette("import", "t", "--to", "new")
    assert "  hint     the test looks for another name; mark it llm_cassette('t/test_a/test_one[x y]')\n" in ran.out


def test_json_tells_the_same(cassette: Command, root: Path) -> None:
    write(root / "d/a.yaml", tape("one", "two"))
    write(root / "d/b.yaml", "interactions: 3\n")
    ran = cassette("import", "d", "--to", "new", "--check", "--json")
    assert (ran.code, ran.err) == (1, "")
    first, second = ran.json["tapes"]
    assert first == {
        "path": "d/a.yaml",
        "state": "planned",
        "form": "VCR.py YAML",
        "interactions": 2,
        "to": "new/a.yaml",
        "kept": first["kept"],
        "lost": first["lost"],
        "alike": True,
        "problems": [],
        "hint": None,
    }
    assert "methods, URLs, statuses and bodies" in first["kept"]
    assert (second["state"], second["form"], second["alike"]) == ("failed", None, None)
    assert "expected `interactions` to be a list" in second["problems"][0]
    assert ran.json["totals"] == {
        "tapes": 1,
        "interactions": 2,
        "planned": 1,
        "written": 0,
        "there_already": 0,
        "cassettes_already": 0,
        "no_tapes": 0,
        "failed": 1,
    }


def test_a_tape_has_no_power_over_the_terminal(cassette: Command, root: Path) -> None:
    write(root / f"d/a{EVIL}.yaml", tape("one"))
    write(root / "d/b.yaml", f'interactions: !<tag:x,{EVIL.encode().hex()}> "\\e"\n')
    ran = cassette("import", "d")
    assert not set("\x1b\x9b\r\u202e") & set(ran.out + ran.err)


@pytest.mark.parametrize("arguments", [[], ["absent"]])
def test_wrong_usage_is_told(cassette: Command, arguments: list[str], tapes: Tapes) -> None:
    assert cassette("import", *arguments).code == 2
    assert not files(tapes.root)


def test_what_cannot_be_written_is_told(cassette: Command, root: Path) -> None:
    write(root / "d/a.yaml", tape("one"))
    write(root / "new", "a file")
    ran = cassette("import", "d", "--to", "new/inner", "--apply")
    assert ran.code == 1
    assert "d/a.yaml: " in ran.err
