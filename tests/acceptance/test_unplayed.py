"""`--llm-fail-on=unplayed`: recordings that no call asked for are a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

SHARED = """
    import pytest, talk

    @pytest.mark.llm_cassette("shared")
    def test_one():
        talk.ask("first")

    @pytest.mark.llm_cassette("shared")
    def test_two():
        talk.ask("second")
"""


def test_a_test_that_leaves_a_recording_unplayed_is_an_error(project: Project, server: Loopback) -> None:
    project.write("test_it.py", "import talk\ndef test_one(): [talk.ask(t) for t in ('a', 'b', 'c')]")
    project.run("--record-cassettes", passed=1)
    project.write("test_it.py", "import talk\ndef test_one(): talk.ask('b')")
    project.run("--llm-mode=replay", passed=1)

    result = project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1, errors=1)

    result.stdout.fnmatch_lines(["*cassettes/test_it/test_one.yaml: recordings that no call asked for: number 1, 3;*"])
    assert result.ret is pytest.ExitCode.TESTS_FAILED


def test_a_test_that_never_asks_leaves_all_unplayed(project: Project, server: Loopback) -> None:
    project.write("test_it.py", "import talk\ndef test_one(): talk.ask('a')")
    project.run("--record-cassettes", passed=1)
    project.write("test_it.py", "def test_one(): pass")

    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1, errors=1)


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_what_any_test_of_a_shared_cassette_played_counts_as_played(
    project: Project, server: Loopback, workers: tuple[str, ...]
) -> None:
    project.write("test_it.py", SHARED)
    project.run("--record-cassettes", passed=2)

    result = project.run_apart("--llm-mode=replay", "--llm-fail-on=unplayed", *workers, passed=2)

    assert result.ret is pytest.ExitCode.OK


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_what_no_test_of_a_shared_cassette_played_fails_the_run(
    project: Project, server: Loopback, workers: tuple[str, ...]
) -> None:
    project.write("test_it.py", SHARED)
    project.run("--record-cassettes", passed=2)
    project.write("test_it.py", SHARED.replace('talk.ask("second")', "pass"))

    result = project.run_apart("--llm-mode=replay", "--llm-fail-on=unplayed", *workers, passed=2)

    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["cassettes/shared.yaml: recordings that no call asked for: number 2;*"])


def test_what_a_fixture_of_wider_scope_left_unplayed_fails_the_run(project: Project, server: Loopback) -> None:
    source = """
        import pytest, talk

        @pytest.fixture(scope="module")
        def answer():
            return [talk.ask(text) for text in TEXTS]

        def test_one(answer):
            pass
    """
    project.write("test_it.py", source.replace("TEXTS", "('a', 'b')"))
    project.run("--record-cassettes", passed=1)
    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)
    project.write("test_it.py", source.replace("TEXTS", "('a',)"))

    result = project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)

    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["cassettes/test_it/@module.answer.yaml: recordings that no call asked for: number 2;*"]
    )


def test_a_test_that_failed_is_not_blamed_for_what_it_did_not_come_to(project: Project, server: Loopback) -> None:
    project.write("test_it.py", "import talk\ndef test_one(): talk.ask('a')")
    project.run("--record-cassettes", passed=1)
    project.write("test_it.py", "def test_one(): assert False")

    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", failed=1)


def test_in_live_mode_nothing_is_unplayed(project: Project, server: Loopback) -> None:
    project.write("test_it.py", "import talk\ndef test_one(): talk.ask('a')")
    project.run("--record-cassettes", passed=1)

    project.run("--llm-mode=live", "--llm-fail-on=unplayed", passed=1)
