"""A test that expects to be stopped passes only if it was, as described; one that does not expect it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from spending import ASK, report

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback


def live(project: Project, text: str, *options: str, **outcomes: int) -> pytest.RunResult:
    project.write("test_it.py", ASK + text)
    return project.run("--llm-mode=live", *options, **outcomes)


def test_a_stop_that_is_as_described_passes_however_much_is_described(project: Project, server: Loopback) -> None:
    project.write("test_it.py", ASK + """
expect = pytest.mark.expect_stopped_budget

@pytest.mark.parametrize((), [
    pytest.param(marks=marker) for marker in (
        expect,
        expect(),
        expect("calls"),
        expect(scope="job"),
        expect(after_calls=2),
        expect("calls", "job", 2),
        expect(limit="calls", scope="job", after_calls=2),
        expect(None, None, None),
    )
])
@pytest.mark.llm_budget(calls=2)
def test_one():
    ask(3)
""")  # fmt: skip

    project.record_and_replay(server, calls=16, passed=8)

    assert [job["state"] for job in report(project)["jobs"]] == ["STOPPED_BUDGET"] * 8
    assert [job["expected_stop"] for job in report(project)["jobs"]] == [True] * 8


INSTEAD = {
    "2 of 3 calls used": (
        "calls=3",
        '"calls"',
        "expected a budget to stop the job (limit calls), but it was COMPLETED, 2 of 3 calls used",
    ),
    "no limit at all": (
        "",
        "",
        "expected a budget to stop the job, but it was COMPLETED, 2 calls used, and no limit of the job is set",
    ),
    "several limits": (
        "calls=3, prompt_chars=1000",
        "",
        "expected a budget to stop the job, but it was COMPLETED, 2 of 3 calls used, 20 of 1,000 prompt_chars used",
    ),
    "another limit": (
        "calls=1",
        '"prompt_chars"',
        (
            "expected a budget to stop the job (limit prompt_chars), but it was stopped by the job's calls limit "
            "after 1 calls: stopped by budget: the job's calls limit of 1 (from @pytest.mark.llm_budget on "
            "test_it.py::test_one) does not hold: *"
        ),
    ),
    "another scope": (
        "calls=1",
        'scope="step"',
        "expected a budget to stop the job (scope step), but it was stopped by the job's calls limit after 1 calls: *",
    ),
    "another number of calls": (
        "calls=1",
        '"calls", after_calls=0',
        (
            "expected a budget to stop the job (limit calls, after 0 calls), but it was stopped by the job's calls "
            "limit after 1 calls: *"
        ),
    ),
}


@pytest.mark.parametrize("case", INSTEAD)
def test_a_test_that_is_not_stopped_as_described_fails_with_what_happened_instead(project: Project, case: str) -> None:
    limits, expected, words = INSTEAD[case]

    result = live(
        project,
        f"""
@pytest.mark.llm_budget({limits})
@pytest.mark.expect_stopped_budget({expected})
def test_one():
    ask(2)
""",
        failed=1,
    )

    result.stdout.fnmatch_lines([words.replace("[", "[[]")])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert [job["expected_stop"] for job in report(project)["jobs"]] == [False]


SURFACES = {
    "itself": "ask(2)",
    "not at all": """
        with pytest.raises(tapemeter.BudgetStopped):
            ask(2)
    """,
    "in a group": """
        import asyncio
        async def main():
            await talk.aask("question 0")
            async with asyncio.TaskGroup() as group:
                group.create_task(talk.aask("question 1"))
                group.create_task(talk.aask("question 2"))
        asyncio.run(main())
    """,
    "as the cause of another error": """
        try:
            ask(2)
        except BaseException as stop:
            raise RuntimeError("out of money") from stop
    """,
}


@pytest.mark.parametrize("how", SURFACES)
def test_an_expected_stop_may_surface_in_several_ways(project: Project, server: Loopback, how: str) -> None:
    project.write("test_it.py", ASK + f"""
@pytest.mark.llm_budget(calls=1)
@pytest.mark.expect_stopped_budget
def test_one():
    if True:
        {SURFACES[how].strip()}
""")  # fmt: skip

    project.record_and_replay(server, calls=1, passed=1)


@pytest.mark.parametrize("how", SURFACES)
def test_an_unexpected_stop_fails_the_test_however_it_surfaces(project: Project, how: str) -> None:
    result = live(
        project,
        f"""
@pytest.mark.llm_budget(calls=1)
def test_one():
    if True:
        {SURFACES[how].strip()}
""",
        failed=1,
    )

    result.stdout.fnmatch_lines(["*stopped by budget: the job's calls limit of 1 (from *"])
    assert [job["state"] for job in report(project)["jobs"]] == ["STOPPED_BUDGET"]


OTHERWISE = {
    "an assertion before the stop": ("assert talk.ask('hello') == 'something'", "*AssertionError*"),
    "an assertion after the stop": (
        "try:\n        ask(2)\n    except BaseException:\n        pass\n    assert talk is None",
        "*assert*is None*",
    ),
    "an error that happened to come after": (
        "try:\n        ask(2)\n    except BaseException:\n        raise ValueError('of its own')",
        "*ValueError: of its own*",
    ),
    "another error in the group": (
        (
            "try:\n        ask(2)\n    except BaseException as stop:\n"
            "        raise BaseExceptionGroup('both', [stop, ValueError('of its own')])"
        ),
        "*ValueError: of its own*",
    ),
    "a skip": ("pytest.skip('not today')", None),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_what_else_goes_wrong_in_a_test_that_expects_a_stop_is_not_hidden(project: Project, case: str) -> None:
    code, words = OTHERWISE[case]
    outcomes = {"skipped": 1} if words is None else {"failed": 1}

    result = live(
        project,
        f"""
@pytest.mark.llm_budget(calls=1)
@pytest.mark.expect_stopped_budget
def test_one():
    {code}
""",
        **outcomes,
    )

    if words is not None:
        result.stdout.fnmatch_lines([words])


def test_an_unmet_expectation_can_be_an_expected_failure(project: Project) -> None:
    live(
        project,
        """
@pytest.mark.xfail(strict=True)
@pytest.mark.expect_stopped_budget
def test_one():
    ask(1)

@pytest.mark.xfail(raises=tapemeter.BudgetStopped, strict=True)
@pytest.mark.llm_budget(calls=0)
def test_two():
    ask(1)
""",
        xfailed=2,
    )


def test_the_closest_expectation_counts(project: Project) -> None:
    live(
        project,
        """
@pytest.mark.llm_budget(calls=1)
@pytest.mark.expect_stopped_budget("prompt_chars")
class TestIt:
    @pytest.mark.expect_stopped_budget("calls")
    def test_own(self):
        ask(2)

    def test_of_the_class(self):
        ask(2)
""",
        passed=1,
        failed=1,
    )


FIXTURES = """
@pytest.fixture
def before():
    try:
        ask(2)
    except BaseException:
        pass

@pytest.fixture
def after():
    yield
    ask(2)
"""


def test_a_stop_in_a_fixture_counts_for_the_test(project: Project) -> None:
    result = live(
        project,
        FIXTURES
        + """
@pytest.mark.llm_budget(calls=1)
@pytest.mark.expect_stopped_budget("calls", after_calls=1)
def test_expected(before):
    pass

@pytest.mark.llm_budget(calls=1)
def test_unexpected(before):
    pass

@pytest.mark.llm_budget(calls=1)
def test_unexpected_at_the_end(after):
    pass
""",
        passed=2,
        failed=1,
        errors=1,
    )

    result.stdout.fnmatch_lines(["*ERROR at teardown of test_unexpected_at_the_end*", "*stopped by budget*"])
    assert [job["state"] for job in report(project)["jobs"]] == ["STOPPED_BUDGET"] * 3


def test_a_swallowed_stop_fails_the_test_with_the_sentence_and_the_way_to_expect_it(project: Project) -> None:
    result = live(
        project,
        """
@pytest.mark.llm_budget(calls=1)
def test_one():
    try:
        ask(2)
    except BaseException:
        pass
""",
        failed=1,
    )

    result.stdout.fnmatch_lines(
        [
            (
                "stopped by budget: the job's calls limit of 1 (from @pytest.mark.llm_budget on "
                "test_it.py::test_one) does not hold: 1 used, 1 more asked by call 2, chat with loopback-1 at "
                "127.0.0.1, which was refused before it was sent; to let it through, raise job.calls there to 2 or "
                "more"
            ),
            "Where a test expects a stop: @pytest.mark.expect_stopped_budget",
        ]
    )
    result.stdout.no_fnmatch_line("*A model call had been refused*")


@pytest.mark.usefixtures("sdks")
@pytest.mark.parametrize("how", ["ask(2)", "[talk.ask_openai(prompt) for prompt in 'ab']"])
def test_an_unexpected_stop_shows_the_line_of_the_test_and_not_the_client_libraries(project: Project, how: str) -> None:
    result = live(
        project,
        f"""
@pytest.mark.llm_budget(calls=1)
def test_one():
    {how}
""",
        "--tb=long",
        failed=1,
    )

    result.stdout.fnmatch_lines([f">       {how}".replace("[", "[[]"), "*BudgetStopped: stopped by budget*"])
    result.stdout.no_fnmatch_line("*site-packages*")
    result.stdout.no_fnmatch_line("*tapemeter/intercept*")


def test_a_stopped_test_keeps_its_recordings_only_where_the_stop_was_expected(project: Project) -> None:
    text = ASK + """
@pytest.mark.llm_budget(calls=1)
def test_one():
    ask(2)
"""  # fmt: skip
    project.write("test_it.py", text)
    project.run("--record-cassettes", failed=1)
    assert project.cassettes() == {}

    project.write("test_it.py", text.replace("def test", "@pytest.mark.expect_stopped_budget\ndef test"))
    project.run("--record-cassettes", passed=1)
    assert project.cassette().count("- key: ") == 1


def test_in_mode_off_an_expectation_says_nothing(project: Project, server: Loopback) -> None:
    project.write("test_it.py", ASK + """
@pytest.mark.llm_budget(calls=1)
@pytest.mark.expect_stopped_budget
def test_one():
    ask(2)
""")  # fmt: skip

    project.run("--llm-mode=off", passed=1)

    assert len(server.requests) == 2
    assert not (project.path / ".tapemeter").exists()
