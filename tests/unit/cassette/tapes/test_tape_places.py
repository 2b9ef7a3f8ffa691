"""Where tapes are looked for, and where their cassettes go so that tests find them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapemeter.cassette.tapes.places import SUFFIXES, Found, find, is_looked_for, target
from tapemeter.errors import UsageError
from tapemeter.pytest_plugin.names import of_test


def touch(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_folder_is_searched_for_files_that_end_as_tapes_do(tmp_path: Path) -> None:
    names = [f"deep/a{number}{suffix}" for number, suffix in enumerate(SUFFIXES)]
    names += [f"{name}.gz" for name in names]
    paths = [touch(tmp_path / name) for name in [*names, "notes.md", "script.py", "data.gz"]]

    assert [found.path for found in find([tmp_path])] == sorted(paths[: len(names)])


@pytest.mark.parametrize("folder", [".git", ".venv/lib", "node_modules/x", "lib/site-packages/x", "t/__pycache__"])
def test_folders_that_are_not_of_the_project_are_not_searched(folder: str, tmp_path: Path) -> None:
    path = touch(tmp_path / folder / "a.yaml")

    assert find([tmp_path]) == []
    assert find([path]) == [Found(path, None)]


def test_a_file_named_by_itself_counts_whatever_it_is_called(tmp_path: Path) -> None:
    path = touch(tmp_path / "tape")

    assert find([path, tmp_path]) == [Found(path, None)]


def test_a_path_at_which_there_is_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        find([tmp_path / "absent"])


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("t/a.yaml", "t/a.yaml"),
        ("t/a.yml", "t/a.yaml"),
        ("t/a.yaml.gz", "t/a.yaml"),
        ("t/a.b.json", "t/a.b.yaml"),
        ("t/a.har.gz", "t/a.yaml"),
        ("t/tape", "t/tape.yaml"),
        ("t/v1.5", "t/v1.5.yaml"),
    ],
)
def test_without_a_folder_the_cassette_lies_beside_its_tape(name: str, beside: str) -> None:
    assert target(Found(Path(name), None), None, Path.cwd()) == Path(beside)


@pytest.mark.parametrize(
    ("test", "theirs"),
    [
        ("tests/unit/test_chat.py::test_one", "tests/unit/cassettes/test_chat/test_one.yaml"),
        ("tests/test_chat.py::TestChat::test_one", "tests/cassettes/test_chat/TestChat.test_one.yaml"),
        ("test_chat.py::test_one[gpt-4.1-True]", "cassettes/test_chat/test_one[gpt-4.1-True].yaml.gz"),
    ],
)
def test_a_tape_of_pytest_recording_goes_where_its_test_looks(test: str, theirs: str, tmp_path: Path) -> None:
    found = Found(touch(tmp_path / theirs), tmp_path)

    cassette = target(found, tmp_path / "tapes", tmp_path)

    assert cassette == of_test(tmp_path / "tapes", test)
    assert is_looked_for(cassette)


def test_it_does_not_matter_by_which_path_a_tape_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = touch(Path("tests/cassettes/test_a/test_one.yaml"))
    ways = [Found(path, None), Found(path, Path("tests")), Found(path.absolute(), path.parent.absolute())]

    assert {target(found, Path("cassettes"), tmp_path) for found in ways} == {
        Path("cassettes/tests/test_a/test_one.yaml")
    }


def test_a_tape_of_pytest_vcr_goes_to_the_module_that_defines_its_test(tmp_path: Path) -> None:
    touch(tmp_path / "tests/test_a.py", "class TestX:\n    async def test_one(self): ...\n")
    touch(tmp_path / "tests/test_b.py", "def test_one_more(): ...\ndef test_two(): ...\n")
    touch(tmp_path / "tests/test_c.py", "def test_two(): ...\n")

    def of(name: str) -> Path:
        return target(Found(touch(tmp_path / "tests/cassettes" / name), tmp_path), Path("to"), tmp_path)

    assert of("TestX.test_one[a.b].yaml") == Path("to/tests/test_a/TestX.test_one[a.b].yaml")
    assert of("test_two.yaml") == Path("to/tests/test_two.yaml")
    assert of("test_unknown(.yaml") == Path("to/tests/test_unknown(.yaml")


def test_other_tapes_keep_their_folders(tmp_path: Path) -> None:
    found = Found(touch(tmp_path / "fixtures/llm/a.json"), tmp_path / "fixtures")
    elsewhere = Found(touch(tmp_path / "far/cassettes/m/a.yaml"), tmp_path / "far")

    assert target(found, Path("to"), tmp_path) == Path("to/llm/a.yaml")
    assert target(Found(found.path, None), Path("to"), tmp_path) == Path("to/a.yaml")
    assert target(elsewhere, Path("to"), tmp_path / "fixtures") == Path("to/m/a.yaml")


@pytest.mark.parametrize("name", ["test_a[x y]", "test_a[" + "x" * 200 + "]", "test_é(1)"])
def test_a_name_that_ours_never_has_is_not_looked_for(name: str) -> None:
    assert not is_looked_for(Path(f"to/{name}.yaml"))
    assert of_test(Path("to"), f"m.py::{name}").stem != name
