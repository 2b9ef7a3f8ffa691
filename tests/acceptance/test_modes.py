"""What each mode does with a call, where a mode may be given, and which combinations are refused at start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

ONE = """
    import talk

    def test_one():
        assert talk.ask("hello").startswith("echo: hello")
"""

MARKED = """
    import pytest, talk

    @pytest.mark.llm_cassette
    def test_one():
        assert talk.ask("hello").startswith("echo: hello")
"""


def of_modes(*modes: str) -> str:
    """Return a test that passes where the mode in force is one of these."""
    return f"""
        def test_one(llm_cassette):
            assert llm_cassette.mode in {modes!r}
    """


# The table


@pytest.mark.parametrize("client", ["ask", "ask_openai", "ask_anthropic"])
@pytest.mark.usefixtures("sdks")
def test_replay_gives_what_was_recorded_and_sends_nothing(project: Project, server: Loopback, client: str) -> None:
    project.write("test_it.py", f"""
        import talk

        def test_one():
            print("GOT", talk.{client}("hello"))
            print("GOT", talk.{client}("hello"))
    """)  # fmt: skip
    recorded = project.run("--record-cassettes", "-rP", passed=1)
    assert len(server.requests) == 2

    replayed = project.run("--llm-mode=replay", "-rP", passed=1)

    answers = ["GOT echo: hello #1", "GOT echo: hello #2"]
    assert [line for line in recorded.outlines if line.startswith("GOT")] == answers
    assert [line for line in replayed.outlines if line.startswith("GOT")] == answers
    assert len(server.requests) == 2


def test_recording_sends_only_what_has_no_recording(project: Project, server: Loopback) -> None:
    project.write("test_it.py", ONE)
    project.run("--record-cassettes", passed=1)
    first = project.cassette()
    project.write("test_it.py", ONE + "        assert talk.ask('and more')\n")

    project.run("--record-cassettes", passed=1)

    assert [body["messages"][0]["content"] for body in server.bodies] == ["hello", "and more"]
    written = project.cassette()
    assert written.partition("\nend:")[0].startswith(first.partition("\nend:")[0])
    project.run("--llm-mode=replay", passed=1)


def test_recording_what_is_all_there_changes_no_file(project: Project, server: Loopback) -> None:
    project.write("test_it.py", ONE)
    project.run("--record-cassettes", passed=1)
    before = project.cassettes()

    result = project.run("--record-cassettes", passed=1)

    assert project.cassettes() == before
    result.stdout.no_fnmatch_line("*written*")


def test_record_all_sends_everything_and_drops_what_was_not_asked_for_again(project: Project, server: Loopback) -> None:
    project.write("test_it.py", ONE + "        talk.ask('old news')\n")
    project.run("--record-cassettes", passed=1)
    project.write("test_it.py", ONE)

    project.run("--record-cassettes=all", passed=1)

    assert len(server.requests) == 3
    assert "old news" not in project.cassette()
    assert "echo: hello #3" in project.cassette()
    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)


def test_record_all_removes_the_cassette_of_a_test_that_asks_nothing_any_more(
    project: Project, server: Loopback
) -> None:
    project.write("test_it.py", ONE)
    project.run("--record-cassettes", passed=1)
    project.write("test_it.py", "def test_one(): pass")

    project.run("--record-cassettes=all", passed=1)

    assert project.cassettes() == {}


def test_live_sends_and_neither_reads_nor_writes(project: Project, server: Loopback) -> None:
    project.write("test_it.py", ONE)
    project.run("--record-cassettes", passed=1)
    before = project.cassettes()

    project.run("--llm-mode=live", passed=1)
    project.run("--llm-mode=live", passed=1)

    assert len(server.requests) == 3
    assert project.cassettes() == before


def test_off_leaves_markers_and_fixtures_inert(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest, talk

        @pytest.mark.llm_cassette("shared", mode="record")
        @pytest.mark.llm_network(allow=[])
        def test_one(llm_cassette, block_network):
            assert talk.ask("hello").startswith("echo: hello")
            assert llm_cassette.mode == "off"
            assert llm_cassette.path is None
            assert llm_cassette.interactions == llm_cassette.played == llm_cassette.unplayed == []
    """)  # fmt: skip

    project.run("--llm-mode=off", passed=1)

    assert len(server.requests) == 1
    assert project.cassettes() == {}


def test_without_a_mode_marked_tests_replay_and_others_are_left_alone(project: Project, server: Loopback) -> None:
    project.write("test_it.py", MARKED)
    project.run("--record-cassettes", passed=1)
    project.write("test_it.py", MARKED + """
    def test_with_fixture(llm_cassette):
        with llm_cassette.expect_miss():
            talk.ask("hello")

    def test_unmarked():
        assert talk.ask("hello").startswith("echo: hello")
    """)  # fmt: skip

    project.run(passed=3)

    assert len(server.requests) == 2
    assert list(project.cassettes()) == ["test_it/test_one.yaml"]


def test_a_session_without_marked_tests_and_without_a_mode_is_left_alone(project: Project, server: Loopback) -> None:
    project.write("test_it.py", ONE)

    project.run(passed=1)

    assert len(server.requests) == 1
    assert project.cassettes() == {}


# Where a mode may be given


def test_the_command_line_wins_over_a_marker(project: Project) -> None:
    source = "import pytest\npytestmark = pytest.mark.llm_cassette(mode='record')\n"
    source += "def test_one(llm_cassette):\n    assert llm_cassette.mode == 'live'\n"
    project.write("test_it.py", source)

    project.run("--llm-mode=live", passed=1)


@pytest.mark.parametrize("ini", ["", "record"])
def test_a_marker_wins_over_the_environment_and_ini(
    project: Project, monkeypatch: pytest.MonkeyPatch, ini: str
) -> None:
    source = "import pytest\npytestmark = pytest.mark.llm_cassette(mode='live')\n"
    source += "def test_one(llm_cassette):\n    assert llm_cassette.mode == 'live'\n"
    project.write("test_it.py", source)
    if ini:
        project.ini(f"llm_mode = {ini}")
    else:
        monkeypatch.setenv("LLM_MODE", "record")

    project.run(passed=1)


@pytest.mark.parametrize("ini", ["", "replay"])
def test_a_marker_does_not_loosen_a_replay(project: Project, monkeypatch: pytest.MonkeyPatch, ini: str) -> None:
    source = "import pytest\npytestmark = pytest.mark.llm_cassette(mode='live')\n"
    source += "def test_one(llm_cassette):\n    assert llm_cassette.mode == 'replay'\n"
    project.write("test_it.py", source)
    if ini:
        project.ini(f"llm_mode = {ini}")
    else:
        monkeypatch.setenv("LLM_MODE", "replay")

    project.run(passed=1)


def test_the_environment_wins_over_ini(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("test_it.py", of_modes("record"))
    project.ini("llm_mode = live")
    monkeypatch.setenv("LLM_MODE", "record")

    project.run(passed=1)


def test_ini_wins_over_the_default(project: Project) -> None:
    project.write("test_it.py", of_modes("live"))
    project.ini("llm_mode = live")

    project.run(passed=1)


def test_a_marker_may_have_a_test_recorded_where_the_session_says_nothing(project: Project, server: Loopback) -> None:
    project.write("test_it.py", MARKED.replace("llm_cassette", "llm_cassette(mode='record')"))

    project.run(passed=1)
    project.run(passed=1)

    assert len(server.requests) == 1


def test_off_in_the_environment_still_lets_a_marker_replay(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_MODE", "off")
    project.write("test_it.py", """
        import pytest

        @pytest.mark.llm_cassette(mode="replay")
        def test_replays(llm_cassette):
            assert llm_cassette.mode == "replay"

        @pytest.mark.llm_cassette
        def test_is_left_alone(llm_cassette):
            assert llm_cassette.mode == "off"
    """)  # fmt: skip

    project.run(passed=2)


@pytest.mark.parametrize(
    "options",
    [("--record-cassettes", "."), (".", "--record-cassettes"), ("--record-cassettes", "test_it.py::test_one")],
)
def test_a_path_after_the_bare_option_is_a_path(project: Project, server: Loopback, options: tuple[str, ...]) -> None:
    project.write("test_it.py", ONE)

    project.run(*options, passed=1)

    assert list(project.cassettes()) == ["test_it/test_one.yaml"]


def test_the_folder_of_cassettes_can_be_chosen(project: Project, server: Loopback) -> None:
    project.write("test_it.py", ONE)

    project.run("--record-cassettes", "--llm-cassette-dir=tapes/here", passed=1)
    assert list(project.cassettes("tapes/here")) == ["test_it/test_one.yaml"]
    project.run("--llm-mode=replay", "--llm-cassette-dir", "tapes/here", passed=1)

    project.ini("llm_cassette_dir = tapes/here")
    project.run("--llm-mode=replay", passed=1)
    assert len(server.requests) == 1


# What is refused at start


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (("--llm-mode=replay", "--record-cassettes"), "*contradict*write --record-cassettes to record*"),
        (("--llm-mode=live", "--record-cassettes=all"), "*contradict*write --record-cassettes to record*"),
        (("--llm-mode=rply",), "*--llm-mode*'rply'*write one of replay, record, live, verify, off*"),
        (("--record-cassettes=some",), "*--record-cassettes=some*write --record-cassettes, or =missing, or =all*"),
        (("--llm-fail-on=unplyed",), "*--llm-fail-on*unplyed*unplayed*"),
        (("--llm-replay-speed=fast",), "*--llm-replay-speed=fast*write instant, recorded*"),
        (("--llm-replay-speed=0",), "*--llm-replay-speed=0*"),
        (("--llm-replay-speed=nan",), "*--llm-replay-speed=nan*"),
        (("--llm-allow-host=http://example.com/",), "*http://example.com/*"),
        (("--llm-allow-host=10.0.0.0/99",), "*10.0.0.0/99*"),
        (("-o", "llm_mode=replai"), "*ini llm_mode*'replai'*write one of*"),
        (("-o", "llm_redact=headr:x-tenant"), "*headr:x-tenant*"),
    ],
)
def test_what_cannot_be_honoured_is_a_usage_error_that_says_what_to_write(
    project: Project, options: tuple[str, ...], advice: str
) -> None:
    project.write("test_it.py", "def test_one(): pass")

    result = project.run(*options)

    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([advice])


def test_an_unknown_word_in_the_environment_is_a_usage_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_MODE", "on")
    project.write("test_it.py", "def test_one(): pass")

    result = project.run()

    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*environment variable LLM_MODE*'on'*write one of*"])


def test_both_options_that_mean_recording_agree(project: Project) -> None:
    project.write("test_it.py", of_modes("record-all"))

    project.run("--llm-mode=record", "--record-cassettes=all", passed=1)


@pytest.mark.parametrize(
    ("marker", "advice"),
    [
        ("llm_cassette(ignored=['a'])", "*'ignored'*it takes name, mode, ignore, match_on, repeat*"),
        ("llm_cassette('a', 'b')", "*takes one name*"),
        ("llm_cassette(7)", "*expected name as text, got 7 (int)*"),
        ("llm_cassette('../outside')", "*leads out of the cassette folder*"),
        ("llm_cassette(mode='replai')", "*mode is 'replai'*write one of*"),
        ("llm_cassette(ignore='metadata.id')", "*ignore as a list of paths*"),
        ("llm_cassette(ignore=['a..b'])", "*the ignore path 'a..b' cannot be read*"),
        ("llm_cassette(ignore=7)", "*ignore as a list of paths*"),
        ("llm_cassette(match_on='host')", "*match_on takes a list*write match_on=[[]'host']*"),
        ("llm_cassette(match_on=['hots'])", "*unknown part 'hots'*"),
        ("llm_cassette(match_on=['host', '-port'])", "*mixes*"),
        ("llm_cassette(match_on=7)", "*match_on takes a list of parts, got 7 (int)*"),
        ("llm_cassette(repeat='yes')", "*repeat as True or False*"),
        ("llm_network()", "*takes one list of hosts*"),
        ("llm_network(allowed=['a.example'])", "*takes one list of hosts*"),
        ("llm_network(allow='a.example')", "*takes one list of hosts*"),
        ("llm_network(allow=['http://a.example'])", "*http://a.example*"),
        ("llm_network(allow=[7])", "*takes one list of hosts*"),
    ],
)
def test_a_wrong_marker_is_a_usage_error_before_any_test_runs(project: Project, marker: str, advice: str) -> None:
    project.write("test_it.py", f"""
        import pytest

        def test_first():
            raise AssertionError("ran")

        @pytest.mark.{marker}
        def test_marked(): pass
    """)  # fmt: skip

    result = project.run()

    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_it.py::test_marked*"])
    result.stderr.fnmatch_lines([advice])
    assert result.parseoutcomes() == {}


def test_help_and_markers_tell_of_every_option_and_marker(project: Project) -> None:
    shown = project.run("--help").stdout.str()
    for option in (
        "--llm-mode",
        "--record-cassettes",
        "--llm-cassette-dir",
        "--llm-allow-host",
        "--llm-replay-speed",
        "--llm-fail-on",
        "--llm-record-failed",
    ):
        assert option in shown

    project.run("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.llm_cassette(name=None, *, mode=None*", "@pytest.mark.llm_network(allow=*"]
    )
