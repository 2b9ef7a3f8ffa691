"""`llm_max_age`: recordings that are too old are told, fail their test, or are recorded anew. And orphans."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from spending import events, report

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

ASKS = "import talk\ndef test_it(): print('GOT', talk.ask('a'), talk.ask('b'))"
OLD = "2001-02-03T04:05:06Z"
TOLD = "stale   {}, the oldest from 2001-02-03  test_it.py::test_it"


@pytest.fixture
def old(project: Project, server: Loopback) -> Project:
    """A project with a test of two calls, of which the second was recorded long ago."""
    project.write("test_it.py", ASKS)
    project.run("--record-cassettes", passed=1)
    age(project, 2)
    return project


def age(project: Project, *numbers: int, name: str = "test_it/test_it") -> None:
    """Have recordings, counted from 1, be from long ago."""
    path = project.path / "cassettes" / f"{name}.yaml"
    parts = re.split(r"(recorded: \S+)", path.read_text(encoding="utf-8"))
    for number in numbers:
        parts[2 * number - 1] = f"recorded: {OLD}"
    path.write_text("".join(parts), encoding="utf-8")


def test_without_an_age_no_recording_is_too_old(old: Project) -> None:
    result = old.run("--llm-mode=replay", "--llm-fail-on=stale", passed=1)

    assert result.ret is pytest.ExitCode.OK
    assert events(old, "stale") == []


def test_a_recording_that_is_too_old_is_told(old: Project) -> None:
    result = old.run("--llm-mode=replay", "--llm-max-age=90d", passed=1)

    assert result.ret is pytest.ExitCode.OK
    result.stdout.fnmatch_lines([TOLD.format("1 recording")])
    [told] = report(old)["stale"]
    assert (told["test"], told["cassette"]) == ("test_it.py::test_it", "cassettes/test_it/test_it.yaml")
    assert (told["recordings"], told["oldest"]) == (1, OLD)
    assert told["before"] > OLD


def test_it_fails_the_run_where_it_is_asked_to(old: Project) -> None:
    result = old.run("--llm-mode=replay", "--llm-max-age=90d", "--llm-fail-on=stale", passed=1)

    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["--llm-fail-on=stale: 1 time: *"])


def test_it_fails_its_test_where_it_is_asked_to(old: Project) -> None:
    result = old.run("--llm-mode=replay", "--llm-max-age=90d", "--llm-on-stale=fail", failed=1)

    result.stdout.fnmatch_lines(
        [f"cassettes/test_it/test_it.yaml: 1 recording that answered is older than allowed: from {OLD}, and none *"]
    )


def test_the_old_recording_of_a_fixture_fails_where_the_fixture_ends(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.fixture(scope="module")
        def answer(): return talk.ask("fixture")

        def test_it(answer): pass
        """,
    )
    project.run("--record-cassettes", passed=1)
    age(project, 1, name="test_it/@module.answer")

    result = project.run("--llm-mode=replay", "--llm-max-age=90d", "--llm-on-stale=fail", passed=1, errors=1)

    result.stdout.fnmatch_lines(["cassettes/test_it/@module.answer.yaml: 1 recording that answered is older *"])
    assert report(project)["stale"][0]["test"] is None


def test_recordings_of_today_are_not_too_old(old: Project, server: Loopback) -> None:
    old.run("--record-cassettes=all", passed=1)

    old.run("--llm-mode=replay", "--llm-max-age=1h", "--llm-on-stale=fail", passed=1)


def test_a_recording_that_is_not_played_is_not_judged(old: Project) -> None:
    old.write("test_it.py", "import talk\ndef test_it(): talk.ask('a')")

    old.run("--llm-mode=replay", "--llm-max-age=90d", "--llm-on-stale=fail", passed=1)


def test_what_ini_says_a_marker_overrides_and_the_command_line_both(old: Project) -> None:
    old.ini("llm_max_age = 90d\nllm_on_stale = fail")
    old.run("--llm-mode=replay", failed=1)

    old.write("test_it.py", ASKS.replace("\n", "\nimport pytest\n@pytest.mark.llm_cassette(max_age='any')\n"))
    old.run("--llm-mode=replay", passed=1)

    old.run("--llm-mode=replay", "--llm-max-age=52w", failed=1)
    old.run("--llm-mode=replay", "--llm-max-age=52w", "--llm-on-stale=warn", passed=1)


def test_while_recording_the_whole_cassette_is_recorded_anew(old: Project, server: Loopback) -> None:
    assert len(server.requests) == 2
    result = old.run("--record-cassettes", "--llm-max-age=90d", "--llm-on-stale=record", "-rP", passed=1)

    assert len(server.requests) == 4
    result.stdout.fnmatch_lines(["GOT echo: a #3 echo: b #4"])
    assert OLD not in old.cassette()
    assert old.cassette().count("- key:") == 2
    assert events(old, "stale") == []
    old.run("--llm-mode=replay", "--llm-max-age=1h", "--llm-on-stale=fail", "--llm-fail-on=unplayed", passed=1)
    assert len(server.requests) == 4


def test_while_recording_a_cassette_that_is_not_too_old_is_played(old: Project, server: Loopback) -> None:
    old.run("--record-cassettes=all", passed=1)

    old.run("--record-cassettes", "--llm-max-age=90d", "--llm-on-stale=record", passed=1)

    assert len(server.requests) == 4


def test_a_test_that_fails_keeps_its_old_recordings(old: Project, server: Loopback) -> None:
    before = old.cassettes()
    old.write("test_it.py", ASKS + "; assert False")

    old.run("--record-cassettes", "--llm-max-age=90d", "--llm-on-stale=record", failed=1)

    assert len(server.requests) == 4
    assert old.cassettes() == before


def test_in_replay_nothing_is_recorded_and_the_recording_is_told(old: Project, server: Loopback) -> None:
    result = old.run("--llm-mode=replay", "--llm-max-age=90d", "--llm-on-stale=record", passed=1)

    assert len(server.requests) == 2
    result.stdout.fnmatch_lines([TOLD.format("1 recording")])


def test_a_cassette_of_several_tests_is_recorded_anew_by_all_of_them(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk
        pytestmark = pytest.mark.llm_cassette("shared")
        def test_one(): talk.ask("one")
        def test_two(): talk.ask("two")
        """,
    )
    project.run("--record-cassettes", passed=2)
    age(project, 1, 2, name="shared")

    project.run("--record-cassettes", "--llm-max-age=90d", "--llm-on-stale=record", passed=2)

    assert len(server.requests) == 4
    assert OLD not in project.cassette()
    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=2)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--llm-max-age=old", "*--llm-max-age is 'old'; write hours, days or weeks*"),
        ("--llm-max-age=0d", "*--llm-max-age is '0d'*"),
        ("--llm-on-stale=burn", "*--llm-on-stale=burn is unknown; write one of warn, fail, record*"),
        ("--llm-strict=very", "*--llm-strict=very is unknown; write one of off, report, fail*"),
    ],
)
def test_a_wrong_word_ends_the_run_at_start(project: Project, option: str, message: str) -> None:
    result = project.run(option)

    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_wrong_age_in_a_marker_names_the_test(project: Project) -> None:
    project.write("test_it.py", "import pytest\n@pytest.mark.llm_cassette(max_age=90)\ndef test_it(): pass")

    result = project.run()

    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*llm_cassette on test_it.py::test_it: max_age is 90; write hours, days or weeks*"])


# Orphans


@pytest.fixture
def tidy(project: Project, server: Loopback) -> Project:
    """A project with cassettes of two tests, of a fixture, and one that two tests share."""
    project.write(
        "tests/test_a.py",
        """
        import pytest, talk

        @pytest.fixture(scope="module")
        def answer(): return talk.ask("fixture")

        def test_one(answer): talk.ask("one")

        @pytest.mark.llm_cassette("shared")
        def test_two(): talk.ask("two")

        @pytest.mark.llm_cassette("shared")
        def test_three(): talk.ask("three")
        """,
    )
    project.ini("testpaths = tests\npythonpath = .")
    project.run("--record-cassettes", passed=3)
    return project


FIND = ("--llm-mode=replay", "--llm-fail-on=orphans")


def test_a_suite_that_needs_all_its_cassettes_has_no_orphans(tidy: Project) -> None:
    result = tidy.run(*FIND, passed=3)

    assert result.ret is pytest.ExitCode.OK


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_cassette_of_no_test_and_a_recording_of_no_call_are_orphans(tidy: Project, workers: tuple[str, ...]) -> None:
    source = (tidy.path / "tests/test_a.py").read_text(encoding="utf-8")
    for old, new in (("test_one", "test_renamed"), ('talk.ask("one")', "pass"), ('talk.ask("three")', "pass")):
        source = source.replace(old, new)
    tidy.write("tests/test_a.py", source)

    result = tidy.run_apart(*FIND, *workers, passed=3)

    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "cassettes/shared.yaml: recordings that no test asked for: number 2; *",
            "cassettes/tests/test_a/test_one.yaml: a cassette that belongs to no test; *",
        ]
    )


def test_a_selection_cannot_tell_orphans_and_says_so(tidy: Project) -> None:
    tidy.write("cassettes/left.yaml", (tidy.path / "cassettes/shared.yaml").read_text(encoding="utf-8"))

    result = tidy.run(*FIND, "-k", "one", passed=1)

    assert result.ret is pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["--llm-fail-on=orphans: not judged, *deselected*"])
    assert tidy.run(*FIND, passed=3).ret is pytest.ExitCode.TESTS_FAILED


def test_a_session_that_does_not_replay_cannot_tell_orphans(tidy: Project) -> None:
    result = tidy.run("--llm-mode=live", "--llm-fail-on=orphans", passed=3)

    assert result.ret is pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["--llm-fail-on=orphans: not judged, *mode*"])


def test_the_cassette_of_a_test_that_is_skipped_is_no_orphan(tidy: Project) -> None:
    source = (tidy.path / "tests/test_a.py").read_text(encoding="utf-8")
    tidy.write("tests/test_a.py", source.replace("def test_two", "@pytest.mark.skip\ndef test_two"))

    result = tidy.run(*FIND, passed=2, skipped=1)

    assert result.ret is pytest.ExitCode.OK


def test_files_of_other_tools_are_no_orphans(tidy: Project) -> None:
    tidy.write("cassettes/theirs.yaml", "interactions: []\nversion: 1\n")

    assert tidy.run(*FIND, passed=3).ret is pytest.ExitCode.OK
