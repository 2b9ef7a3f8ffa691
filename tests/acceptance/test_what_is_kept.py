"""Which recordings reach the cassette: those of tests that passed, and of errors those the program received."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

NOT_PASSED = {
    "failed": """
        def test_one():
            talk.ask("hello")
            assert False
    """,
    "skipped": """
        def test_one():
            talk.ask("hello")
            pytest.skip("half-way")
    """,
    "xfailed": """
        @pytest.mark.xfail
        def test_one():
            talk.ask("hello")
            assert False
    """,
    "xpassed": """
        @pytest.mark.xfail
        def test_one():
            talk.ask("hello")
    """,
    "failed in set-up": """
        @pytest.fixture
        def broken():
            talk.ask("hello")
            assert False

        def test_one(broken):
            pass
    """,
    "failed in tear-down": """
        @pytest.fixture
        def broken():
            yield
            assert False

        def test_one(broken):
            talk.ask("hello")
    """,
    "failed where its unittest asserts": """
        class Test(unittest.TestCase):
            def test_one(self):
                talk.ask("hello")
                self.fail()
    """,
}


def suite(source: str) -> str:
    """Return a test module with the imports that the tests here need."""
    return "import unittest\nimport httpx, openai, anthropic, pytest, talk\n" + textwrap.dedent(source)


def statuses(cassette: str) -> list[int]:
    return [int(line.split()[1]) for line in cassette.splitlines() if line.strip().startswith("status:")]


@pytest.mark.usefixtures("sdks")
@pytest.mark.parametrize("outcome", NOT_PASSED)
def test_a_test_that_did_not_pass_writes_no_cassette(project: Project, server: Loopback, outcome: str) -> None:
    project.write("test_it.py", suite(NOT_PASSED[outcome]))

    project.run("--record-cassettes")

    assert len(server.requests) == 1
    assert not (project.path / "cassettes").exists()


@pytest.mark.usefixtures("sdks")
@pytest.mark.parametrize("outcome", NOT_PASSED)
def test_what_a_failed_test_recorded_is_kept_on_demand(project: Project, server: Loopback, outcome: str) -> None:
    project.write("test_it.py", suite(NOT_PASSED[outcome]))

    project.run("--record-cassettes", "--llm-record-failed")

    assert "echo: hello" in project.cassette()


@pytest.mark.usefixtures("sdks")
def test_a_failed_test_leaves_the_cassette_it_had(project: Project, server: Loopback) -> None:
    project.write("test_it.py", suite("def test_one(): talk.ask('hello')"))
    project.run("--record-cassettes", passed=1)
    before = project.cassettes()
    project.write("test_it.py", suite("def test_one(): talk.ask('good-bye'); assert False"))

    project.run("--record-cassettes", failed=1)
    assert project.cassettes() == before

    project.run("--record-cassettes=all", failed=1)
    assert project.cassettes() == before


@pytest.mark.usefixtures("sdks")
def test_an_error_that_a_passing_test_received_is_kept(project: Project, server: Loopback) -> None:
    project.write("test_it.py", suite("""
        def test_one():
            with pytest.raises(openai.BadRequestError, match="asked for 400"):
                talk.ask_openai("status 400")
            with pytest.raises(anthropic.NotFoundError, match="asked for 404"):
                talk.ask_anthropic("status 404")
            assert talk.post("/v1/responses", {"model": "m", "input": "status 503"}).status_code == 503
    """))  # fmt: skip
    project.run("--record-cassettes", passed=1)
    assert statuses(project.cassette()) == [400, 404, 503]

    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)

    assert len(server.requests) == 3


@pytest.mark.usefixtures("sdks")
@pytest.mark.parametrize("client", ["ask_openai", "ask_anthropic"])
def test_an_error_that_the_sdk_overcame_is_dropped(project: Project, server: Loopback, client: str) -> None:
    project.write("test_it.py", suite(f"""
        def test_one():
            assert talk.{client}("status 429 then answer").startswith("echo")
    """))  # fmt: skip
    project.run("--record-cassettes", passed=1)
    assert len(server.requests) == 2
    assert statuses(project.cassette()) == [200]

    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)

    assert len(server.requests) == 2


@pytest.mark.usefixtures("sdks")
def test_an_error_that_the_sdk_gave_up_on_is_kept_with_all_its_attempts(project: Project, server: Loopback) -> None:
    project.write("test_it.py", suite("""
        def test_one():
            with pytest.raises(openai.RateLimitError):
                talk.ask_openai("status 429", max_retries=1)
    """))  # fmt: skip
    project.run("--record-cassettes", passed=1)
    assert statuses(project.cassette()) == [429, 429]

    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)

    assert len(server.requests) == 2


@pytest.mark.usefixtures("sdks")
def test_an_error_that_the_program_itself_overcame_is_kept(project: Project, server: Loopback) -> None:
    project.write("test_it.py", suite("""
        def test_one():
            try:
                talk.ask_openai("status 429 then answer", max_retries=0)
            except openai.RateLimitError:
                assert talk.ask_openai("status 429 then answer", max_retries=0).startswith("echo")
            else:
                assert False
    """))  # fmt: skip
    project.run("--record-cassettes", passed=1)
    assert statuses(project.cassette()) == [429, 200]

    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)

    assert len(server.requests) == 2


@pytest.mark.usefixtures("sdks")
def test_a_connection_error_is_not_recorded(project: Project, server: Loopback) -> None:
    project.write("test_it.py", suite("""
        def test_one():
            with httpx.Client() as client, pytest.raises(httpx.ConnectError):
                client.post("http://127.0.0.1:1/v1/chat/completions", json={"model": "m", "messages": []})
    """))  # fmt: skip

    project.run("--record-cassettes", passed=1)

    assert project.cassettes() == {}


def test_an_interrupted_run_keeps_the_cassettes_of_tests_that_had_passed(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import talk

        def test_one():
            talk.ask("hello")

        def test_two():
            talk.ask("good-bye")
            raise KeyboardInterrupt
    """)  # fmt: skip

    project.run_apart("--record-cassettes")

    assert list(project.cassettes()) == ["test_it/test_one.yaml"]


def test_only_what_was_asked_over_the_network_is_written(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import httpx, talk

        def test_nothing_asked():
            pass

        def test_mocked():
            transport = httpx.MockTransport(lambda request: httpx.Response(200, json={}))
            with httpx.Client(transport=transport) as client:
                client.post("https://api.openai.com/v1/chat/completions", json={"model": "m", "messages": []})

        def test_local_service():
            with httpx.Client() as client:
                assert client.get(talk.URL + "/health").status_code == 200
    """)  # fmt: skip

    project.run("--record-cassettes", passed=3)

    assert not (project.path / "cassettes").exists()


def test_the_summary_names_the_cassettes_that_were_written(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import talk

        def test_one():
            talk.ask("hello")
    """)  # fmt: skip

    result = project.run("--record-cassettes", passed=1)

    result.stdout.fnmatch_lines(["*= tapemeter =*", "1 cassette written:", "  cassettes/test_it/test_one.yaml"])
