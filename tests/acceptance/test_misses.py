"""What a call gets that replay has no answer for: a message that says what to do, and a test that fails for it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

HELLO = """
    import talk

    def test_one():
        {call}
"""


def recorded(project: Project, call: str = 'talk.ask("hello")') -> None:
    """Record a cassette of `test_it.py::test_one` that makes this call."""
    project.write("test_it.py", HELLO.format(call=call))
    project.run("--record-cassettes", passed=1)


def replayed(project: Project, call: str) -> pytest.RunResult:
    """Replay that cassette for a test that makes another call."""
    project.write("test_it.py", HELLO.format(call=call))
    return project.run("--llm-mode=replay")


@pytest.mark.parametrize("client", ["ask", "ask_openai", "ask_anthropic"])
@pytest.mark.usefixtures("sdks")
def test_another_prompt_is_a_miss_that_shows_the_changed_path_and_what_to_do(
    project: Project, server: Loopback, client: str
) -> None:
    recorded(project, f'talk.{client}("hello")')

    result = replayed(project, f'talk.{client}("good-bye")')

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*CassetteMiss: no recording answers POST http://127.0.0.1:*",
            "*asked by  test_it.py::test_one",
            "*cassette  cassettes/test_it/test_one.yaml (1 recording, 0 played)",
            "*nearest unplayed recording: number 1, which differs at",
            "*messages[[]0].content",
            '*recorded  "hello"',
            '*asked     "good-bye"',
            '*@pytest.mark.llm_cassette(ignore=[[]"messages[[][*]].content"])',
            "*to record what is missing: pytest test_it.py::test_one --record-cassettes",
        ]
    )
    assert len(server.requests) == 1


def test_the_ignore_path_of_the_message_makes_the_recording_match(project: Project, server: Loopback) -> None:
    recorded(project)
    project.write("test_it.py", """
        import pytest, talk

        @pytest.mark.llm_cassette(ignore=["messages[*].content"])
        def test_one():
            assert talk.ask("good-bye") == "echo: hello #1"
    """)  # fmt: skip

    project.run("--llm-mode=replay", passed=1)


def test_the_command_of_the_message_records_what_is_missing(project: Project, server: Loopback) -> None:
    recorded(project)
    result = replayed(project, 'talk.ask("good-bye")')
    (line,) = {line for line in result.outlines if "to record what is missing:" in line}
    command = line.partition("missing: pytest ")[2].split()

    project.run(*command, passed=1)

    project.run("--llm-mode=replay", passed=1)
    assert len(server.requests) == 2


def test_a_request_whose_recordings_are_all_played_is_told_so(project: Project, server: Loopback) -> None:
    recorded(project)

    result = replayed(project, 'talk.ask("hello"), talk.ask("hello")')

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*the 1 recording of this very request has been played already",
            "*to answer it more often: @pytest.mark.llm_cassette(repeat=True)",
        ]
    )
    result.stdout.no_fnmatch_line("*nearest*")


def test_a_test_that_was_never_recorded_is_told_so(project: Project, server: Loopback) -> None:
    result = replayed(project, 'talk.ask("hello")')

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*cassettes/test_it/test_one.yaml (does not exist yet)"])
    assert server.requests == []
    assert not (project.path / "cassettes").exists()


def test_the_nearest_of_many_recordings_is_shown(project: Project, server: Loopback) -> None:
    recorded(project, "[talk.ask(f'number {n}', temperature=n) for n in range(5)]")

    result = replayed(project, "talk.ask('number 3', temperature=0.5)")

    result.stdout.fnmatch_lines(
        ["*number 4, which differs at", "*temperature", "*recorded  3", "*asked     0.5", '*ignore=[[]"temperature"])']
    )


def test_a_long_prompt_is_shortened_around_its_change(project: Project, server: Loopback) -> None:
    recorded(project, "talk.ask('a' * 900 + 'OLD' + 'b' * 900)")

    result = replayed(project, "talk.ask('a' * 900 + 'NEW' + 'b' * 900)")

    result.stdout.fnmatch_lines(["*recorded  *aOLDb*", "*asked     *aNEWb*"])
    result.stdout.no_fnmatch_line("*" + "a" * 100 + "*")


def test_another_host_or_path_is_shown_without_an_ignore_path(project: Project, server: Loopback) -> None:
    recorded(project, 'talk.post("/v1/responses", {"model": "m", "input": "hello"})')

    result = replayed(project, 'talk.post("/v2/responses", {"model": "m", "input": "hello"})')

    result.stdout.fnmatch_lines(["*path", "*recorded  /v1/responses", "*asked     /v2/responses"])
    result.stdout.no_fnmatch_line("*ignore=*")


@pytest.mark.usefixtures("sdks")
def test_a_miss_is_not_retried_by_an_sdk_and_not_caught_by_except_exception(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import talk

        def test_one():
            try:
                talk.ask_openai("hello")
            except Exception:
                pass
            raise AssertionError("not reached")
    """)  # fmt: skip

    result = project.run("--llm-mode=replay", failed=1)

    result.stdout.fnmatch_lines(["E *CassetteMiss: no recording answers*"])
    result.stdout.no_fnmatch_line("E *not reached*")


# A refusal that the program swallowed


SWALLOWED = {
    "in the test": """
        def test_one():
            try:
                talk.ask("hello")
            except BaseException:
                pass
    """,
    "in a thread": """
        def test_one():
            def run():
                try:
                    talk.ask("hello")
                except BaseException:
                    pass
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
    """,
    "in an executor": """
        def test_one():
            with concurrent.futures.ThreadPoolExecutor() as pool:
                pool.submit(talk.ask, "hello")
    """,
    "in a task": """
        def test_one():
            async def main():
                await asyncio.gather(talk.aask("hello"), return_exceptions=True)
            try:
                asyncio.run(main())
            except BaseException:
                pass
    """,
    "while a fixture is set up": """
        @pytest.fixture
        def answer():
            try:
                return talk.ask("hello")
            except BaseException:
                return None

        def test_one(answer):
            pass
    """,
}


@pytest.mark.parametrize("where", SWALLOWED)
def test_a_swallowed_refusal_fails_the_test(project: Project, server: Loopback, where: str) -> None:
    imports = "import asyncio, concurrent.futures, threading\nimport pytest, talk\n"
    project.write("test_it.py", imports + textwrap.dedent(SWALLOWED[where]))

    result = project.run("--llm-mode=replay", failed=1)

    result.stdout.fnmatch_lines(["E *CassetteMiss: no recording answers*"])


@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_refusal_swallowed_while_a_fixture_is_torn_down_is_an_error(
    project: Project, server: Loopback, scope: str
) -> None:
    project.write("test_it.py", f"""
        import pytest, talk

        @pytest.fixture(scope="{scope}")
        def resource():
            yield
            try:
                talk.ask("good-bye")
            except BaseException:
                pass

        def test_one(resource):
            pass
    """)  # fmt: skip

    result = project.run("--llm-mode=replay", passed=1, errors=1)

    result.stdout.fnmatch_lines(["E *CassetteMiss: no recording answers*"])


def test_a_refusal_swallowed_while_a_wider_fixture_is_set_up_fails_the_test_that_asked_for_it(
    project: Project, server: Loopback
) -> None:
    project.write("test_it.py", """
        import pytest, talk

        @pytest.fixture(scope="module")
        def resource():
            try:
                talk.ask("hello")
            except BaseException:
                return None

        def test_one(resource):
            pass
    """)  # fmt: skip

    result = project.run("--llm-mode=replay", errors=1)

    result.stdout.fnmatch_lines(["E *CassetteMiss: no recording answers*"])


def test_a_test_that_fails_otherwise_still_tells_of_the_refusal_it_swallowed(
    project: Project, server: Loopback
) -> None:
    project.write("test_it.py", """
        import talk

        def test_one():
            answer = None
            try:
                answer = talk.ask("hello")
            except BaseException:
                pass
            assert answer == "something"
    """)  # fmt: skip

    result = project.run("--llm-mode=replay", failed=1)

    result.stdout.fnmatch_lines(["*AssertionError*", "*A model call had been refused before:*"])
    result.stdout.fnmatch_lines(["*no recording answers*"])


def test_a_refusal_shown_once_is_not_raised_again(project: Project, server: Loopback) -> None:
    result = replayed(project, 'talk.ask("hello")')

    assert result.parseoutcomes() == {"failed": 1}


def test_expect_miss_lets_a_test_go_on(project: Project, server: Loopback) -> None:
    recorded(project)
    project.write("test_it.py", """
        import talk

        def test_one(llm_cassette):
            with llm_cassette.expect_miss() as misses:
                talk.ask("good-bye")
            assert misses[0].changed == ("messages[0].content",)
            assert misses[0].test == "test_it.py::test_one"
            assert misses[0].cassette == "cassettes/test_it/test_one.yaml"
            assert llm_cassette.refusals == []
            assert talk.ask("hello") == "echo: hello #1"
    """)  # fmt: skip

    project.run("--llm-mode=replay", passed=1)


def test_expect_miss_fails_where_every_call_was_answered(project: Project, server: Loopback) -> None:
    recorded(project)
    project.write("test_it.py", """
        import talk

        def test_one(llm_cassette):
            with llm_cassette.expect_miss():
                talk.ask("hello")
    """)  # fmt: skip

    result = project.run("--llm-mode=replay", failed=1)

    result.stdout.fnmatch_lines(["*expected a call that has no recording*"])


def test_expect_miss_does_not_hide_another_error(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import talk

        def test_one(llm_cassette):
            with llm_cassette.expect_miss():
                raise ValueError("of its own")
    """)  # fmt: skip

    result = project.run("--llm-mode=replay", failed=1)

    result.stdout.fnmatch_lines(["*ValueError: of its own*"])
