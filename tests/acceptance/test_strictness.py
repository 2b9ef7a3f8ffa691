"""`--llm-strict`: tests whose cassette answers another request than it was recorded for."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from spending import events, report
from vcr_tape import interaction, tape

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

LOOSE = """
    import pytest, talk

    @pytest.mark.llm_cassette(match_on=["-body"])
    def test_it():
        print("GOT", talk.ask(PROMPT, temperature=0), talk.ask("second"))
"""


@pytest.fixture
def loose(project: Project, server: Loopback) -> Project:
    """A project whose test does not compare bodies, and now asks something else than was recorded."""
    project.write("test_it.py", LOOSE.replace("PROMPT", "'the recorded question'"))
    project.run("--record-cassettes", passed=1)
    project.write("test_it.py", LOOSE.replace("PROMPT", "'another question'").replace("temperature=0", "top_p=1"))
    return project


def test_nothing_is_looked_for_by_default(loose: Project) -> None:
    result = loose.run("--llm-mode=replay", "-rP", passed=1)

    result.stdout.fnmatch_lines(["GOT echo: the recorded question #1 echo: second #2"])
    result.stdout.no_fnmatch_line("drift *")
    assert events(loose, "drift") == []


def test_report_lists_the_test_and_the_places_without_what_was_said(loose: Project) -> None:
    result = loose.run("--llm-mode=replay", "--llm-strict=report", passed=1)

    assert result.ret is pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["drift   1 call asked otherwise  test_it.py::test_it"])
    [told] = report(loose)["drift"]
    assert (told["test"], told["cassette"]) == ("test_it.py::test_it", "cassettes/test_it/test_it.yaml")
    assert (told["found"], told["calls"]) == ("asked_otherwise", 1)
    assert {change["path"]: change["kind"] for change in told["changes"]} == {
        "messages[*].content": "changed",
        "temperature": "vanished",
        "top_p": "appeared",
    }
    assert "question" not in str(told)


def test_fail_fails_the_test_and_shows_what_differs(loose: Project) -> None:
    result = loose.run("--llm-mode=replay", "--llm-strict=fail", failed=1)

    result.stdout.fnmatch_lines(
        [
            "cassettes/test_it/test_it.yaml: 1 call was answered by a recording of another request, which differs at",
            "*messages[[]0].content",
            '*recorded  "the recorded question"',
            '*asked     "another question"',
        ]
    )


def test_the_setting_may_stand_in_ini_and_the_command_line_overrides_it(loose: Project) -> None:
    loose.ini("llm_strict = fail")

    loose.run("--llm-mode=replay", failed=1)
    loose.run("--llm-mode=replay", "--llm-strict=off", passed=1)


def test_to_fail_on_drift_is_to_look_for_it(loose: Project) -> None:
    result = loose.run("--llm-mode=replay", "--llm-fail-on=drift", passed=1)

    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["--llm-fail-on=drift: 1 time: *"])


def test_what_a_test_says_need_not_match_is_no_drift(project: Project, server: Loopback) -> None:
    source = """
        import pytest, talk

        @pytest.mark.llm_cassette(ignore=["metadata.id"], match_on=["-host", "-port"])
        def test_it(): talk.ask("hello", metadata={"id": NUMBER})
    """
    project.write("test_it.py", source.replace("NUMBER", "1"))
    project.run("--record-cassettes", passed=1)
    project.write("test_it.py", source.replace("NUMBER", "2"))

    project.run("--llm-mode=replay", "--llm-strict=fail", passed=1)


def test_other_parts_of_a_request_that_are_not_compared_are_told(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.mark.llm_cassette(match_on=["body"])
        def test_it(): talk.post("/v1/chat/completions?version=VERSION", {"model": "m", "messages": []})
        """.replace("VERSION", "1"),
    )
    project.run("--record-cassettes", passed=1)
    path = project.path / "test_it.py"
    path.write_text(path.read_text(encoding="utf-8").replace("completions?version=1", "completions?version=2"))
    tape = project.path / "cassettes/test_it/test_it.yaml"
    tape.write_text(re.sub(r"http://127.0.0.1:\d+/v1", "https://api.example/v0", tape.read_text(encoding="utf-8")))

    project.run("--llm-mode=replay", "--llm-strict=report", passed=1)

    [told] = events(project, "drift")
    places = {change["path"] for change in told["changes"]}
    assert places == {"scheme", "host", "port", "path", "query version"}


def test_strict_matching_costs_nothing_and_finds_nothing(project: Project, server: Loopback) -> None:
    project.write("test_it.py", "import talk\ndef test_it(): talk.ask('hello')")
    project.run("--record-cassettes", passed=1)

    project.run("--llm-mode=replay", "--llm-strict=fail", passed=1)

    assert events(project, "drift") == []


def test_what_the_hook_of_a_project_leaves_out_is_no_drift(project: Project, server: Loopback) -> None:
    source = """
        import pytest, talk

        @pytest.fixture(scope="module")
        def answer(): return talk.ask("PROMPT")

        def test_it(answer): pass
    """
    project.write("test_it.py", source.replace("PROMPT", "hello"))
    project.write("conftest.py", HOOK)
    project.run("--record-cassettes", passed=1)
    project.write("test_it.py", source.replace("PROMPT", "goodbye"))

    project.run("--llm-mode=replay", "--llm-strict=fail", passed=1)

    assert events(project, "drift") == []


HOOK = """
    from dataclasses import replace

    def llm_normalize_request(request):
        return replace(request, body=b'{"messages": []}')
"""


# Suites that replay VCR.py's cassettes, whose matchers do not look at bodies


THEIRS = """
    import pytest, talk

    @pytest.mark.vcr
    def test_it():
        talk.URL = "http://model.invalid"
        print("GOT", talk.ask("a question of today", temperature=1))

    @pytest.mark.vcr
    def test_another():
        talk.URL = "http://model.invalid"
        print("GOT", talk.ask("the recorded question"))
"""


def their_tape(**fields: object) -> str:
    body = {"model": "loopback-1", "messages": [{"role": "user", "content": "the recorded question"}], **fields}
    headers = {"content-type": ["application/json"]}
    answer = {"id": "1", "model": "m", "choices": [{"message": {"content": "an answer"}, "finish_reason": "stop"}]}
    return tape(
        {
            "request": {
                "method": "POST",
                "uri": "http://model.invalid/v1/chat/completions",
                "body": json.dumps(body),
                "headers": headers,
            },
            "response": {
                "status": {"code": 200, "message": "OK"},
                "headers": headers,
                "body": {"string": json.dumps(answer)},
            },
        }
    )


@pytest.fixture
def theirs(project: Project) -> Project:
    """A suite for pytest-recording with two tests, of which one asks what was recorded."""
    project.write("test_it.py", THEIRS)
    project.write("cassettes/test_it/test_it.yaml", their_tape(top_p=1))
    project.write("cassettes/test_it/test_another.yaml", their_tape())
    return project


def test_a_marked_test_is_as_loose_as_it_was(theirs: Project) -> None:
    assert theirs.run(passed=2).ret is pytest.ExitCode.OK
    assert events(theirs, "drift") == []


def test_report_lists_marked_tests_by_their_own_files(theirs: Project) -> None:
    result = theirs.run("--llm-strict=report", passed=2)

    result.stdout.fnmatch_lines(["drift   1 call asked otherwise  test_it.py::test_it", "*messages*"])
    [told] = report(theirs)["drift"]
    assert (told["test"], told["cassette"]) == ("test_it.py::test_it", "cassettes/test_it/test_it.yaml")
    assert {change["path"]: change["kind"] for change in told["changes"]} == {
        "messages[*].content": "changed",
        "temperature": "appeared",
        "top_p": "vanished",
    }
    assert "question" not in str(told)


def test_fail_fails_marked_tests(theirs: Project) -> None:
    result = theirs.run("--llm-strict=fail", passed=1, failed=1)

    result.stdout.fnmatch_lines(["*test_it.yaml: 1 call was answered by a recording of another request, which *"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_drift_of_what_is_no_model_call_is_told_by_a_sound_report(project: Project) -> None:
    headers = {"content-type": ["application/json"]}
    project.write(
        "cassettes/test_it/test_it.yaml",
        tape(interaction("done", "/things", method="POST", body="{}", headers=headers)),
    )
    project.write(
        "test_it.py",
        """
        import httpx, pytest

        @pytest.mark.vcr
        def test_it(): assert httpx.post("http://model.invalid/things", json={"size": 1}).text == "done"
        """,
    )

    project.run("--llm-strict=report", passed=1)

    found = report(project)
    assert [change["path"] for change in found["drift"][0]["changes"]] == ["size"]
    assert found["errors"] == []
    assert [job["state"] for job in found["jobs"]] == ["COMPLETED"]
