"""Suites for pytest-vcr: how one is told from others, its fixtures and options; and plugins that do the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vcr_tape import GET, answers, tape, tapes

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

INI = "llm_vcr = pytest-vcr"


@pytest.fixture
def suite(project: Project) -> Project:
    """A project whose tests import `get` from `asking`."""
    project.write("asking.py", GET)
    project.ini("addopts = --tb=line")
    return project


def marked(body: str, marker: str = "vcr", arguments: str = "vcr_cassette") -> str:
    return f"import pytest\nfrom asking import get\n\n@pytest.mark.{marker}\ndef test_one({arguments}):\n    {body}\n"


# Whose suite it is


def test_a_test_that_asks_for_its_cassette_tells_whose_suite_it_is(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest
        from asking import get

        def test_one(vcr_cassette):
            assert get("/a") == "A"
            assert vcr_cassette.play_count == 1

        @pytest.mark.vcr
        def test_two():
            assert get("/b") == "B"

        class TestThings:
            @pytest.mark.vcr
            def test_three(self, vcr):
                assert get("/c") == "C"
                assert vcr.cassette_library_dir.endswith("cassettes")
        """,
    )
    suite.write("cassettes/test_one.yaml", answers(a="A"))
    suite.write("cassettes/test_two.yaml", answers(b="B"))
    suite.write("cassettes/TestThings.test_three.yaml", answers(c="C"))
    suite.run(passed=3)


@pytest.mark.parametrize(
    "conftest",
    [
        "@pytest.fixture\ndef vcr_cassette_name(request):\n    return 'mine'",
        "@pytest.fixture\ndef vcr_cassette_name(vcr_cassette_name):\n    return 'mine'",
        "@pytest.fixture\ndef vcr_cassette(vcr):\n    with vcr.use_cassette('mine') as used:\n        yield used",
        "@pytest.fixture(scope='module')\ndef vcr(vcr):\n    vcr.path_transformer = lambda path: MINE\n    return vcr",
        "@pytest.fixture(scope='module', autouse=True)\ndef mine(vcr):\n    vcr.path_transformer = lambda path: MINE",
    ],
    ids=["name", "name again", "cassette", "object", "autouse"],
)
def test_a_conftest_tells_whose_suite_it_is(suite: Project, conftest: str) -> None:
    suite.write("conftest.py", f"import pytest\n\nMINE = 'mine.yaml'\n\n{conftest}\n")
    suite.write("test_it.py", marked("assert get('/a') == 'A'", arguments=""))
    suite.write("cassettes/mine.yaml", answers(a="A"))
    suite.run(passed=1)


def test_a_module_that_overrides_a_fixture_tells_whose_suite_it_is(suite: Project) -> None:
    fixture = "\n@pytest.fixture\ndef vcr_cassette_name():\n    return 'mine'\n"
    suite.write("test_it.py", marked("assert get('/a') == 'A'", arguments="") + fixture)
    suite.write("cassettes/mine.yaml", answers(a="A"))
    suite.run(passed=1)


def test_where_the_files_lie_tells_whose_suite_it_is(suite: Project) -> None:
    suite.write("test_it.py", marked("assert get('/a') == 'A'", arguments=""))
    suite.write("cassettes/test_one.yaml", answers(a="A"))
    suite.run(passed=1)
    suite.write("cassettes/test_it/test_one.yaml", answers(a="another"))
    suite.run(failed=1)


def test_the_ini_setting_tells_whose_suite_it_is(suite: Project) -> None:
    suite.write("test_it.py", marked("assert get('/a') == 'A'", arguments=""))
    suite.write("cassettes/test_one.yaml", answers(a="A"))
    suite.run("-o", "llm_vcr=pytest-recording", failed=1)
    suite.run("-o", "llm_vcr=pytest-vcr", passed=1)
    result = suite.run("-o", "llm_vcr=vcrpy")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ini llm_vcr is 'vcrpy'; write pytest-recording or pytest-vcr*"])


def test_an_object_that_is_built_upon_too_late_to_tell_is_refused(suite: Project) -> None:
    fixture = "\n@pytest.fixture(scope='module')\ndef vcr(vcr):\n    return vcr\n"
    suite.write("test_it.py", marked("pass", arguments="") + fixture)
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*the fixture vcr of test_it.py asks for vcr in a wider scope*llm_vcr = pytest-vcr*"])
    suite.write("cassettes/test_one.yaml", answers(a="A"))
    suite.run("-o", "llm_vcr=pytest-vcr", passed=1)


# The fixtures


def test_conftests_build_on_the_object_of_a_module(suite: Project) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest

        def same_path(one, other):
            return one.path == other.path

        @pytest.fixture(scope="module")
        def vcr(vcr):
            vcr.register_matcher("same path", same_path)
            vcr.match_on = ["same path"]
            return vcr

        @pytest.fixture(scope="module")
        def vcr_config():
            return {"filter_headers": ["authorization"]}

        @pytest.fixture(scope="module")
        def vcr_cassette_dir(request):
            return "tapes/" + request.module.__name__
        """,
    )
    suite.write(
        "test_it.py",
        """
        import pytest
        from asking import get

        seen = []

        @pytest.mark.vcr
        @pytest.mark.parametrize("n", [1, 2])
        def test_one(vcr, n):
            assert get(f"/a?{n}") == "A"
            assert vcr.filter_headers == ["authorization"]
            seen.append(vcr)
            assert seen[0] is vcr

        def test_two(vcr):
            with vcr.use_cassette("own.yaml") as cassette:
                assert get("/b") == "B"
            assert cassette.all_played
        """,
    )
    for name in ("test_one[1]", "test_one[2]"):
        suite.write(f"tapes/test_it/{name}.yaml", answers(a="A"))
    suite.write("tapes/test_it/own.yaml", answers(b="B"))
    suite.run(passed=3)


def test_a_test_that_opens_no_cassette_is_left_alone_though_its_module_has_the_object(
    suite: Project, server: Loopback
) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture(scope="module", autouse=True)
        def configured(vcr):
            return vcr
        """,
    )
    suite.write(
        "test_it.py",
        f"""
        import httpx

        ASKED = {{"model": "m", "messages": [{{"role": "user", "content": "Hi"}}]}}

        def test_one():
            assert httpx.post({server.url!r} + "/v1/chat/completions", json=ASKED).status_code == 200
        """,
    )
    suite.run(passed=1)
    assert len(server.requests) == 1
    suite.run("--llm-mode=replay", failed=1)
    assert len(server.requests) == 1


def test_marker_arguments_are_over_the_configuration(suite: Project) -> None:
    suite.write("test_it.py", marked("assert get('/a?other') == 'A'", "vcr(match_on=['path'])"))
    suite.write("cassettes/test_one.yaml", answers(a="A"))
    suite.run(passed=1)


def test_unittest_classes_have_their_cassettes(suite: Project) -> None:
    suite.ini(INI)
    suite.write(
        "test_it.py",
        """
        import unittest, pytest
        from asking import get

        @pytest.mark.vcr
        class TestThings(unittest.TestCase):
            def test_one(self):
                assert get("/a") == "A"
        """,
    )
    suite.write("cassettes/TestThings.test_one.yaml", answers(a="A"))
    suite.run(passed=1)


# How it records


def test_what_has_no_file_is_recorded_unless_something_says_otherwise(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})"))
    suite.run("--vcr-record=none", failed=1)
    suite.run("--llm-mode=replay", failed=1)
    assert server.requests == []
    suite.run(passed=1)
    suite.run(passed=1)
    suite.run("--llm-mode=replay", passed=1)
    assert server.requests == ["/a"]
    assert tapes(suite.path / "cassettes") == ["test_one.yaml"]


def test_the_command_line_beats_what_is_configured(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})", "vcr(record_mode='none')"))
    suite.run(failed=1)
    suite.run("--vcr-record=new_episodes", passed=1)
    suite.run(passed=1)
    suite.run("--record-cassettes", passed=1)
    assert server.requests == ["/a"]
    suite.run("--vcr-record", "all", passed=1)
    assert server.requests == ["/a", "/a"]


def test_the_name_that_was_given_up_warns(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})"))
    result = suite.run("--vcr-record-mode=once", "-W", "default", passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*--vcr-record-mode is the name that pytest-vcr gave up*"])


def test_disable_vcr_neither_plays_nor_keeps(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"get('/a', {server.url!r}); assert len(vcr_cassette) == 0"))
    suite.run("--disable-vcr", passed=1)
    assert server.requests == ["/a"]
    suite.write("cassettes/test_one.yaml", tape())
    suite.run("--llm-mode=live", passed=1)
    suite.run("--llm-mode=off", passed=1)
    assert server.requests == ["/a"] * 3


# Other plugins


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("pytest_recording.plugin", "pytest-recording"),
        ("pytest_vcr", "pytest-vcr"),
        ("cassetter.pytest_plugin", "cassetter"),
    ],
)
def test_a_plugin_that_serves_the_same_marker_is_refused_by_name(
    suite: Project, monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    monkeypatch.syspath_prepend(suite.path)
    suite.write(
        module.replace(".", "/") + ".py",
        """
        def pytest_addoption(parser):
            for name in ("--record-mode", "--vcr-record"):
                parser.getgroup("theirs").addoption(name)
        """,
    )
    suite.write("test_it.py", marked("pass", arguments=""))
    result = suite.run("-p", module)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in result.errlines if line]
    assert line.startswith(f"ERROR: tapemeter: {package} is active too")
    assert f"-p no:{module} " in line
    assert f"pip uninstall {package}" in line
    suite.run("-p", module, "-p", f"no:{module}", passed=1)


def test_an_option_that_another_plugin_has_is_left_to_it(
    suite: Project, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(suite.path)
    suite.write(
        "other_recorder.py",
        """
        def pytest_addoption(parser):
            parser.getgroup("other").addoption("--record-mode", default="loud")
        """,
    )
    suite.write("test_it.py", marked(f"get('/a', {server.url!r})", arguments=""))
    suite.run("-p", "other_recorder", "--record-mode=all", failed=1)
    assert server.requests == []


def test_options_for_both_are_refused(suite: Project) -> None:
    suite.write("test_it.py", marked("pass", arguments=""))
    result = suite.run("--record-mode=once", "--vcr-record=once")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*options of pytest-recording and of pytest-vcr are both given*"])


def test_a_conftest_may_load_the_plugin(suite: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    suite.write("conftest.py", "pytest_plugins = ['tapemeter.pytest_plugin']\n")
    suite.write("pytest.ini", "[pytest]\n")
    suite.write("test_it.py", marked("assert get('/a') == 'A'", arguments=""))
    suite.write("cassettes/test_it/test_one.yaml", answers(a="A"))
    suite.run_apart("--record-mode=none", passed=1)
