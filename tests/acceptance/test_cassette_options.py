"""What the marker's arguments, the fixtures and the hooks change for the tests that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback


def marked(arguments: str, *calls: str) -> str:
    """Return a module with one test, marked with these arguments, that makes these calls."""
    lines = ["import pytest, talk", f"@pytest.mark.llm_cassette({arguments})", "def test_one():"]
    return "\n".join([*lines, *(f"    {call}" for call in calls)])


# Arguments of the marker


def test_repeat_lets_the_last_recording_answer_again(project: Project, server: Loopback) -> None:
    project.write("test_it.py", marked("", "talk.ask('hello')", "talk.ask('hello')"))
    project.run("--record-cassettes", passed=1)
    calls = [f"assert talk.ask('hello') == 'echo: hello #{n}'" for n in (1, 2, 2, 2)]

    project.write("test_it.py", marked("", *calls))
    project.run("--llm-mode=replay", failed=1)
    project.write("test_it.py", marked("repeat=True", *calls))
    project.run("--llm-mode=replay", passed=1)

    assert len(server.requests) == 2


def test_repeat_does_not_answer_what_was_never_recorded(project: Project, server: Loopback) -> None:
    project.write("test_it.py", marked("repeat=True", "talk.ask('hello')"))
    project.run("--record-cassettes", passed=1)

    project.write("test_it.py", marked("repeat=True", "talk.ask('good-bye')"))
    project.run("--llm-mode=replay", failed=1)


def test_ignored_paths_do_not_count(project: Project, server: Loopback) -> None:
    call = "talk.ask('hello', metadata={{'id': {0}, 'kind': 'a'}}, tools=[{{'name': 't', 'strict': {0}}}])"
    ignore = "ignore=['metadata.id', 'tools[*].strict']"
    project.write("test_it.py", marked(ignore, call.format(1)))
    project.run("--record-cassettes", passed=1)

    project.write("test_it.py", marked(ignore, call.format(2)))
    project.run("--llm-mode=replay", passed=1)
    project.write("test_it.py", marked(ignore, call.format(2).replace("'a'", "'b'")))
    project.run("--llm-mode=replay", failed=1).stdout.fnmatch_lines(["*metadata.kind"])
    project.write("test_it.py", marked("", call.format(2)))
    project.run("--llm-mode=replay", failed=1)


def test_match_on_drops_and_adds_parts(project: Project, server: Loopback) -> None:
    call = "talk.post('/v1/responses', {{'model': 'm', 'input': {0!r}}}, headers={{'x-tenant': {1!r}}})"
    project.write("test_it.py", marked("", call.format("hello", "a")))
    project.run("--record-cassettes", passed=1)

    for arguments, text, tenant, passes in (
        ("", "hello", "b", True),
        ("", "good-bye", "a", False),
        ("match_on=['-body']", "good-bye", "b", True),
        ("match_on=['method', 'path']", "good-bye", "b", True),
        ("match_on=['+header:x-tenant']", "hello", "a", True),
        ("match_on=['+header:X-Tenant']", "hello", "b", False),
        ("match_on=['-body', '+header:x-tenant']", "good-bye", "b", False),
    ):
        project.write("test_it.py", marked(arguments, call.format(text, tenant)))
        project.run("--llm-mode=replay", **({"passed": 1} if passes else {"failed": 1}))


def test_a_cassette_recorded_with_ignore_stays_usable_without(project: Project, server: Loopback) -> None:
    project.write("test_it.py", marked("ignore=['messages'], match_on=['-host']", "talk.ask('hello')"))
    project.run("--record-cassettes", passed=1)

    project.write("test_it.py", marked("", "talk.ask('hello')"))
    project.run("--llm-mode=replay", passed=1)


def test_the_closest_marker_wins_argument_by_argument(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest, talk

        pytestmark = pytest.mark.llm_cassette("module", mode="live")

        @pytest.mark.llm_cassette(mode="record", repeat=True)
        class TestIt:
            @pytest.mark.llm_cassette("closest")
            def test_one(self, llm_cassette):
                assert llm_cassette.path.name == "closest.yaml"
                assert llm_cassette.mode == "record"

        def test_two(llm_cassette):
            assert llm_cassette.path.name == "module.yaml"
            assert llm_cassette.mode == "live"
    """)  # fmt: skip

    project.run(passed=2)


@pytest.mark.parametrize("option", ["--record-cassettes", "--record-cassettes=all"])
def test_two_tests_record_into_one_named_cassette(project: Project, server: Loopback, option: str) -> None:
    project.write("test_it.py", """
        import pytest, talk

        pytestmark = pytest.mark.llm_cassette("shared/both")

        @pytest.mark.parametrize("number", [1, 2])
        def test_one(number):
            assert talk.ask(f"text {number}").startswith("echo: text")
            assert talk.ask("in common").startswith("echo: in common")
    """)  # fmt: skip
    project.run("--record-cassettes", passed=2)
    project.run(option, passed=2)
    assert list(project.cassettes()) == ["shared/both.yaml"]

    result = project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=2)
    assert result.ret is pytest.ExitCode.OK

    text = project.cassette()
    assert text.count("echo: text 1") == text.count("echo: text 2") == 1


# Hooks


def test_a_hook_rewrites_what_is_compared_and_nothing_else(project: Project, server: Loopback) -> None:
    project.write("conftest.py", """
        def llm_normalize_request(request):
            if request.path != "/v1/chat/completions":
                return None
            body = request.json()
            body["messages"][0]["content"] = body["messages"][0]["content"].partition(" at ")[0]
            return request.with_json(body)
    """)  # fmt: skip
    project.write("test_it.py", "import talk\ndef test_one(): talk.ask('now at 05:50')")
    project.run("--record-cassettes", passed=1)
    assert server.bodies[0]["messages"][0]["content"] == "now at 05:50"
    assert "now at 05:50" in project.cassette()

    project.write("test_it.py", "import talk\ndef test_one(): talk.ask('now at 06:00')")
    project.run("--llm-mode=replay", passed=1)
    project.write("test_it.py", "import talk\ndef test_one(): talk.ask('then at 06:00')")
    project.run("--llm-mode=replay", failed=1)


def test_a_hook_in_a_folder_holds_for_the_tests_below_it(project: Project, server: Loopback) -> None:
    for folder in ("plain", "lenient"):
        project.write(f"{folder}/test_{folder}.py", "import talk\ndef test_one(): talk.ask('hello')")
    project.write("lenient/conftest.py", """
        def llm_normalize_request(request):
            return request.with_json({})
    """)  # fmt: skip
    project.run("--record-cassettes", passed=2)
    for folder in ("plain", "lenient"):
        project.write(f"{folder}/test_{folder}.py", "import talk\ndef test_one(): talk.ask('good-bye')")

    result = project.run("--llm-mode=replay", passed=1, failed=1)

    result.stdout.fnmatch_lines(["FAILED plain/test_plain.py::test_one*"])


@pytest.mark.parametrize("where", ["hook", "ini"])
def test_more_secrets_are_hidden_on_demand(project: Project, server: Loopback, where: str) -> None:
    rules = ["header:x-tenant", "json:customer", r"text:ACME-\d+", "query:visitor"]
    if where == "hook":
        project.write("conftest.py", f"def llm_redact(): return {rules!r}")
    else:
        project.ini("llm_redact =\n" + "\n".join(f"    {rule}" for rule in rules))
    project.write("test_it.py", """
        import talk

        def test_one():
            body = {"model": "m", "input": "order ACME-4711", "customer": "Ms Grey"}
            talk.post("/v1/responses?visitor=42000", body, headers={"x-tenant": "grey-and-sons"})
    """)  # fmt: skip

    project.run("--record-cassettes", passed=1)

    text = project.cassette()
    for secret in ("ACME-4711", "Ms Grey", "42000", "grey-and-sons"):
        assert secret not in text
    assert server.bodies[0]["customer"] == "Ms Grey"
    project.run("--llm-mode=replay", passed=1)


def test_a_wrong_rule_of_a_hook_says_so(project: Project, server: Loopback) -> None:
    project.write("conftest.py", "def llm_redact(): return ['headr:x-tenant']")
    project.write("test_it.py", "import talk\ndef test_one(): talk.ask('hello')")

    result = project.run("--llm-mode=replay")

    assert result.ret is not pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*headr:x-tenant*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


# llm_cassette_config


def test_a_module_or_a_folder_sets_arguments_for_the_tests_below_it(project: Project, server: Loopback) -> None:
    project.write("deep/conftest.py", """
        import pytest

        @pytest.fixture(scope="session")
        def llm_cassette_config():
            return {"mode": "record", "repeat": True}
    """)  # fmt: skip
    project.write("deep/test_folder.py", """
        import pytest, talk

        @pytest.mark.llm_cassette
        def test_folder(llm_cassette):
            assert llm_cassette.mode == "record"
            assert talk.ask("in the folder") == "echo: in the folder #1"

        @pytest.mark.llm_cassette("named", mode="live")
        def test_marker_wins(llm_cassette):
            assert llm_cassette.mode == "live"
            assert llm_cassette.path.name == "named.yaml"
    """)  # fmt: skip
    project.write("deep/test_module.py", """
        import pytest

        @pytest.fixture(scope="module")
        def llm_cassette_config(llm_cassette_config):
            return {**llm_cassette_config, "name": "from-the-module"}

        @pytest.mark.llm_cassette
        def test_module(llm_cassette):
            assert llm_cassette.path.name == "from-the-module.yaml"
            assert llm_cassette.mode == "record"
    """)  # fmt: skip
    project.write("test_outside.py", """
        import pytest

        @pytest.mark.llm_cassette
        def test_outside(llm_cassette):
            assert llm_cassette.mode == "replay"
    """)  # fmt: skip

    project.run(passed=4)

    assert list(project.cassettes()) == ["deep/test_folder/test_folder.yaml"]


def test_the_configuration_holds_before_the_test_s_own_fixtures_run(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest, talk

        @pytest.fixture
        def llm_cassette_config():
            return {"ignore": ["messages"]}

        @pytest.fixture(autouse=True)
        def asks_early():
            talk.ask(TEXT)

        def test_one():
            talk.ask(TEXT)

        TEXT = "hello"
    """)  # fmt: skip
    project.run("--record-cassettes", passed=1)
    source = (project.path / "test_it.py").read_text(encoding="utf-8")
    project.write("test_it.py", source.replace('"hello"', '"good-bye"'))

    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)


@pytest.mark.parametrize(
    ("value", "advice"),
    [("['a']", "*llm_cassette_config returns a dict*"), ("{'nmae': 'a'}", "*has no argument 'nmae'*")],
)
def test_a_wrong_configuration_says_so(project: Project, value: str, advice: str) -> None:
    project.write("test_it.py", f"""
        import pytest

        @pytest.fixture
        def llm_cassette_config():
            return {value}

        def test_one(llm_cassette):
            pass
    """)  # fmt: skip

    project.run("--llm-mode=replay", errors=1).stdout.fnmatch_lines([advice])


# Fixtures


def test_the_fixture_tells_of_the_cassette(project: Project, server: Loopback) -> None:
    project.write("test_it.py", "import talk\ndef test_one(): talk.ask('a'), talk.ask('b')")
    project.run("--record-cassettes", passed=1)
    project.write("test_it.py", """
        import talk

        def test_one(llm_cassette, pytestconfig):
            def bodies(interactions):
                return [each.request.json()["messages"][0]["content"] for each in interactions]

            assert llm_cassette.mode == "replay"
            assert llm_cassette.path == pytestconfig.rootpath / "cassettes/test_it/test_one.yaml"
            assert bodies(llm_cassette.unplayed) == ["a", "b"]
            assert llm_cassette.played == []
            talk.ask("b")
            assert bodies(llm_cassette.played) == ["b"]
            assert bodies(llm_cassette.unplayed) == ["a"]
            assert bodies(llm_cassette.interactions) == ["a", "b"]
            assert llm_cassette.interactions[0].response.status == 200
            assert llm_cassette.refusals == []
    """)  # fmt: skip

    project.run("--llm-mode=replay", passed=1)


def test_the_fixture_tells_of_what_was_recorded_so_far(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import talk

        def test_one(llm_cassette):
            assert llm_cassette.interactions == []
            talk.ask("hello")
            assert b"echo: hello" in llm_cassette.interactions[0].response.body
    """)  # fmt: skip

    project.run("--record-cassettes", passed=1)


@pytest.mark.parametrize("mode", ["record", "live"])
def test_block_network_lets_model_calls_be_sent(project: Project, server: Loopback, mode: str) -> None:
    project.write("test_it.py", """
        import socket
        import pytest, talk
        from tapemeter import NetworkBlockedError

        def test_one(block_network):
            talk.ask("hello")
            with pytest.raises(NetworkBlockedError):
                socket.create_connection(("192.0.2.1", 9))
    """)  # fmt: skip

    project.run(f"--llm-mode={mode}", passed=1)
