"""The life of a cassette: suites change, and `tapemeter cassette` tells what is needed no more, by what was played."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

# What a run in this process imports is forgotten at its end; what is here already is imported once for all of them.
import tapemeter.cassette.figures
import tapemeter.cassette.pruning
import tapemeter.cli.cassette_grep
import tapemeter.cli.cassette_ls
import tapemeter.cli.cassette_prune
import tapemeter.cli.cassette_verify  # noqa: F401
from tapemeter.cassette import format as cassette_format
from tapemeter.cli import main
from tapemeter.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Project
    from loopback import Loopback

SUITE = """
    import pytest, talk

    def test_one():
        for word in ("a", "b", "c"):
            talk.ask(word)

    def test_two():
        talk.ask("second")

    def test_three():
        talk.ask("third")
"""
LATER = SUITE.replace('("a", "b", "c")', '("a", "c")').replace("def test_three", "def not_a_test")


class Commands:
    """`tapemeter cassette …` in this process, in the project's folder."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int) -> str:
        self._capsys.readouterr()
        found = main(["cassette", *arguments])
        out, err = self._capsys.readouterr()
        assert found == code, out + err
        return out + err

    def json(self, *arguments: str, code: int) -> Any:
        return json.loads(self(*arguments, "--json", code=code))


@pytest.fixture
def cassette(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


@pytest.fixture
def aged(project: Project, server: Loopback) -> Callable[[], None]:
    """Record what is missing, and have all recordings be of last year, as they mostly are when they are pruned."""
    assert server.requests == []

    def record() -> None:
        project.run("--record-cassettes")
        for path in (project.path / "cassettes").rglob("*.yaml"):
            entries = cassette_format.load(path.read_text(encoding="utf-8"), str(path))
            old = [replace(entry.interaction, recorded="2025-03-01T12:00:00Z") for entry in entries]
            path.write_text(cassette_format.dump(old), encoding="utf-8")

    return record


@pytest.fixture
def suite(project: Project, aged: Callable[[], None]) -> None:
    """A project whose three tests were recorded last year."""
    project.write("test_it.py", SUITE)
    aged()


def test_what_no_test_plays_is_found_and_dropped(project: Project, cassette: Commands, suite: None) -> None:
    project.write("test_it.py", LATER)
    project.run("--llm-mode=replay", passed=2)
    before = project.cassettes()

    found = cassette("prune", code=1)

    assert "orphan    cassettes/test_it/test_three.yaml (1 interaction, " in found
    assert "unplayed  cassettes/test_it/test_one.yaml: 2 of 3\n" in found
    assert "nothing was changed; drop them with --apply" in found
    assert project.cassettes() == before

    assert "2 interactions in all: dropped" in cassette("prune", "--apply", code=0)

    assert set(project.cassettes()) == {"test_it/test_one.yaml", "test_it/test_two.yaml"}
    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=2)
    assert "2 cassettes: nothing to drop" in cassette("prune", code=0)
    assert cassette.json("verify", code=0)["totals"] == {"cassettes": 2, "interactions": 3}


def test_the_document_tells_the_same(project: Project, cassette: Commands, suite: None) -> None:
    project.write("test_it.py", LATER)
    project.run("--llm-mode=replay", passed=2)
    run_id = (project.path / ".tapemeter" / "latest").resolve().name

    found = cassette.json("prune", "--run", run_id, code=1)

    assert (found["run"], found["whole"], found["doubts"], found["applied"]) == (run_id, True, [], False)
    assert [(row["path"], row["what"], row["drop"], row["done"]) for row in found["cassettes"]] == [
        ("cassettes/test_it/test_one.yaml", "unplayed", [2], False),
        ("cassettes/test_it/test_three.yaml", "orphan", [], False),
    ]
    assert found["totals"]["drop"] == 2


@pytest.mark.parametrize(
    ("options", "doubt"),
    [
        ("-k two", "2 of its tests were deselected"),
        ("--deselect test_it.py::test_one", "1 of its tests was deselected"),
        ("test_it.py", "it was of test_it.py"),
        ("test_it.py::test_two", "it was of test_it.py::test_two"),
        ("--ignore=test_other.py", "it left files out (--ignore)"),
    ],
)
def test_a_selection_is_not_judged_by(
    project: Project, cassette: Commands, suite: None, options: str, doubt: str
) -> None:
    project.run("--llm-mode=replay", *options.split())

    refused = cassette("prune", "--apply", code=2)

    assert "was not one of all tests" in refused
    assert doubt in refused
    assert len(project.cassettes()) == 3


def test_a_selection_is_judged_by_if_that_is_what_is_wanted(project: Project, cassette: Commands, suite: None) -> None:
    project.run("--llm-mode=replay", "-k", "two")

    found = cassette.json("prune", "--partial-run", code=1)

    assert found["doubts"] == ["2 of its tests were deselected"]
    assert [row["what"] for row in found["cassettes"]] == ["orphan", "orphan"]


def test_workers_of_a_whole_run_are_judged_by_together(project: Project, cassette: Commands, suite: None) -> None:
    project.write("test_it.py", LATER)
    project.run_apart("--llm-mode=replay", "-n", "2", passed=2)

    assert "1 orphan, 1 cassette with unplayed interactions, 2 interactions in all" in cassette("prune", code=1)


@pytest.mark.parametrize(
    ("body", "doubt"),
    [
        ("assert False", "1 of its tests or modules failed"),
        ("pytest.exit('enough')", "it did not run to its end"),
    ],
)
def test_a_run_that_failed_is_not_judged_by(
    project: Project, cassette: Commands, suite: None, body: str, doubt: str
) -> None:
    project.write("test_it.py", SUITE + f"\n    def test_more():\n        {body}\n")
    project.run("--llm-mode=replay")

    assert doubt in cassette("prune", code=2)


def test_a_run_that_stops_at_its_first_failure_is_not_judged_by(
    project: Project, cassette: Commands, suite: None
) -> None:
    project.write("test_it.py", SUITE.replace('talk.ask("second")', "assert False"))
    project.run("--llm-mode=replay", "-x")

    refused = cassette("prune", code=2)
    assert "1 of its tests or modules failed" in refused
    assert "it did not run to its end" in refused


def test_a_module_that_is_skipped_makes_a_run_a_part(project: Project, cassette: Commands, suite: None) -> None:
    project.write("test_other.py", "import pytest\npytest.importorskip('no_such_module')")
    project.run("--llm-mode=replay")

    assert "a module of it was skipped as a whole" in cassette("prune", code=2)


def test_folders_that_cover_the_test_paths_are_the_whole_suite(
    project: Project, cassette: Commands, aged: Callable[[], None]
) -> None:
    project.ini("testpaths = tests")
    project.write(
        "tests/conftest.py", "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parents[1]))"
    )
    project.write("tests/test_it.py", SUITE)
    aged()
    project.run("--llm-mode=replay", "tests", passed=3)
    assert "nothing to drop" in cassette("prune", code=0)

    project.run("--llm-mode=replay", "tests/test_it.py", passed=3)
    assert "it was of tests/test_it.py" in cassette("prune", code=2)


def test_cassettes_of_tests_that_do_not_play_are_left_alone(project: Project, cassette: Commands, suite: None) -> None:
    marked = SUITE.replace("    def test_one", "    @pytest.mark.skip\n    def test_one")
    marked = marked.replace("    def test_two", "    @pytest.mark.llm_cassette(mode='off')\n    def test_two")
    marked = marked.replace("import pytest, talk", "import pytest, talk\n    pytestmark = pytest.mark.llm_cassette")
    project.write("test_it.py", marked)
    project.run(passed=2, skipped=1)

    found = cassette.json("prune", code=0)

    assert {row["path"]: row["why"] for row in found["cassettes"]} == {
        "cassettes/test_it/test_one.yaml": "its test was skipped, or plays nothing",
        "cassettes/test_it/test_two.yaml": "its test was skipped, or plays nothing",
    }


def test_cassettes_that_skipped_tests_may_use_are_left_alone(
    project: Project, cassette: Commands, aged: Callable[[], None]
) -> None:
    suite = """
        import pytest, talk

        @pytest.fixture(scope="module")
        def summary():
            return talk.ask("sum up")

        {mark}
        def test_one(summary):
            assert summary

        def test_two():
            talk.ask("second")
    """
    project.write("test_it.py", suite.format(mark=""))
    aged()
    project.write("test_it.py", suite.format(mark="@pytest.mark.skip"))
    project.run("--llm-mode=replay", passed=1, skipped=1)

    [row] = cassette.json("prune", code=0)["cassettes"]

    assert row["path"].endswith("@module.summary.yaml")
    assert row["why"] == "tests were skipped, and one of them may use it"


def test_what_was_recorded_after_the_run_is_left_alone(project: Project, cassette: Commands, suite: None) -> None:
    project.run("--llm-mode=replay", passed=3)
    project.write("test_it.py", SUITE.replace('"c")', '"c", "d")').replace("test_two", "test_new"))
    run_id = (project.path / ".tapemeter" / "latest").resolve().name
    project.run("--record-cassettes", passed=3)

    found = cassette.json("prune", "--run", run_id, code=0)

    assert [(row["path"], row["why"]) for row in found["cassettes"]] == [
        ("cassettes/test_it/test_new.yaml", "it is newer than the run, or holds no model call"),
    ]


def test_a_stop_that_is_expected_has_asked_for_its_recordings(
    project: Project, cassette: Commands, suite: None
) -> None:
    stopped = SUITE.replace(
        "    def test_one",
        "    @pytest.mark.llm_budget(calls=2)\n    @pytest.mark.expect_stopped_budget\n    def test_one",
    )
    project.write("test_it.py", stopped)
    project.run("--llm-mode=replay", passed=3)

    assert "3 cassettes: nothing to drop" in cassette("prune", code=0)


def test_recordings_are_searched_as_they_were_meant(project: Project, cassette: Commands, suite: None) -> None:
    [row] = cassette.json("grep", "third", "--only", "prompts", code=0)["matches"]
    assert (row["path"], row["interaction"], row["where"]) == (
        "cassettes/test_it/test_three.yaml",
        1,
        "request.messages[0].content",
    )
    listed = cassette.json("ls", "--sort", "calls", code=0)
    assert [row["interactions"] for row in listed["cassettes"]] == [3, 1, 1]
    assert all(row["age_days"] > 300 for row in listed["cassettes"])
