from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.pytest_plugin.names import of_name, of_test

FOLDER = Path("/cassettes")


@pytest.mark.parametrize(
    ("nodeid", "path"),
    [
        ("test_a.py::test_one", "test_a/test_one.yaml"),
        ("tests/deep/test_a.py::TestA::TestB::test_one", "tests/deep/test_a/TestA.TestB.test_one.yaml"),
        ("test_a.py::test_one[x-1.5-None]", "test_a/test_one[x-1.5-None].yaml"),
        ("tests/test_é.py::test_漢", "tests/test_é/test_漢.yaml"),
    ],
)
def test_a_plain_name_is_kept_as_it_is(nodeid: str, path: str) -> None:
    assert of_test(FOLDER, nodeid) == FOLDER / path


@pytest.mark.parametrize(
    "nodeid", ["t.py::test[a/b]", "t.py::test[a b]", "t.py::test[a::b]", "t.py::test[" + "x" * 300]
)
def test_a_name_that_loses_something_ends_in_a_hash(nodeid: str) -> None:
    path = of_test(FOLDER, nodeid)

    assert path.parent == FOLDER / "t"
    assert re.search(r"-[0-9a-f]{8}\.yaml$", path.name)


def test_a_name_of_wide_characters_is_short_enough_for_a_file() -> None:
    paths = {of_test(FOLDER, f"t.py::test_{chr(0x20000) * 100}{end}") for end in "ab"}

    assert len(paths) == 2
    assert all(len(path.name.encode()) <= 255 for path in paths)


@given(st.lists(st.text(max_size=120), min_size=2, max_size=8, unique=True))
def test_no_two_tests_of_a_module_share_a_file_or_leave_the_folder(parameters: list[str]) -> None:
    paths = [of_test(FOLDER, f"t.py::test_one[{parameter}]") for parameter in parameters]

    assert len(set(paths)) == len(parameters)
    for path in paths:
        assert path.parent == FOLDER / "t"
        assert len(path.name.encode()) <= 255
        assert "\0" not in path.name


@pytest.mark.parametrize("nodeid", ["../out/test_a.py::test_one", "/abs/test_a.py::test_one"])
def test_a_test_outside_the_root_stays_inside_the_folder(nodeid: str) -> None:
    path = of_test(FOLDER, nodeid)

    assert path.is_relative_to(FOLDER)
    assert ".." not in path.parts
    assert path != of_test(FOLDER, nodeid.removeprefix("../").removeprefix("/"))


def test_a_given_name_is_a_path_below_the_folder() -> None:
    assert of_name(FOLDER, "shared/greeting") == FOLDER / "shared/greeting.yaml"
