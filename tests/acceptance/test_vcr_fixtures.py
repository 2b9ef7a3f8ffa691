"""Suites for pytest-recording: the fixtures that they override and request, and the hook that they implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vcr_tape import GET, answers, interaction, tape, tapes

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

MARKED = """
import pytest
from asking import get

@pytest.mark.vcr
def test_one(vcr):
    assert get("/a") == "A"
"""


@pytest.fixture
def suite(project: Project) -> Project:
    """A project whose tests import `get` from `asking`."""
    project.write("asking.py", GET)
    project.ini("addopts = --tb=line")
    project.write("test_it.py", MARKED)
    return project


# vcr_config


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
def test_vcr_config_may_be_of_any_scope(suite: Project, scope: str) -> None:
    suite.write(
        "conftest.py",
        f"""
        import pytest

        @pytest.fixture(scope={scope!r})
        def vcr_config():
            return {{"match_on": ["method", "path"]}}
        """,
    )
    suite.write("cassettes/test_it/test_one.yaml", tape(interaction("A", "/a", url="http://elsewhere.invalid")))
    suite.run(passed=1)


def test_vcr_config_is_that_of_the_closest_folder_and_module(suite: Project) -> None:
    fixture = "import pytest\n\n@pytest.fixture(scope='module')\ndef vcr_config():\n    return {{'match_on': [{!r}]}}\n"
    suite.write("conftest.py", fixture.format("uri"))
    suite.write("deep/conftest.py", fixture.format("path"))
    test = MARKED.replace("/a", "/a?other")
    suite.write("test_root.py", test)
    suite.write("deep/test_deep.py", test)
    suite.write("deep/test_own.py", fixture.format("uri") + test)
    for folder in ("cassettes/test_root", "deep/cassettes/test_deep", "deep/cassettes/test_own"):
        suite.write(f"{folder}/test_one.yaml", answers(a="A"))
    suite.run("-rA", "-o", "pythonpath=.", "test_root.py", "deep", passed=1, failed=2).stdout.fnmatch_lines(
        ["PASSED deep/test_deep.py::test_one*"]
    )


def test_a_config_is_not_changed_by_the_tests_that_use_it(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest
        from asking import get

        CONFIG = {"match_on": ["uri"], "allowed_hosts": ["127"]}

        @pytest.fixture(scope="session")
        def vcr_config():
            return CONFIG

        @pytest.mark.vcr(match_on=["path"], record_mode="none")
        def test_one():
            assert get("/a?other") == "A"

        def test_two():
            assert CONFIG == {"match_on": ["uri"], "allowed_hosts": ["127"]}
        """,
    )
    suite.write("cassettes/test_it/test_one.yaml", answers(a="A"))
    suite.run(passed=2)


# The other fixtures


def test_the_folder_of_a_modules_cassettes_may_be_overridden(suite: Project) -> None:
    suite.write(
        "conftest.py",
        """
        import pathlib, pytest

        @pytest.fixture(scope="module")
        def vcr_cassette_dir(request):
            return str(pathlib.Path("tapes") / request.module.__name__)
        """,
    )
    suite.write("tapes/test_it/test_one.yaml", answers(a="A"))
    suite.run(passed=1)


def test_the_name_of_a_cassette_may_be_overridden(suite: Project) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture
        def default_cassette_name(request, default_cassette_name):
            assert default_cassette_name == "test_one"
            return "mine"
        """,
    )
    suite.write("cassettes/test_it/mine.yaml", answers(a="A"))
    suite.run(passed=1)


def test_the_record_mode_may_be_overridden(suite: Project, server: Loopback) -> None:
    suite.write(
        "test_it.py",
        f"""
        import pytest
        from asking import get

        @pytest.fixture(scope="session")
        def record_mode():
            return "once"

        @pytest.mark.vcr
        def test_one():
            get("/a", {server.url!r})
        """,
    )
    suite.run(passed=1)
    suite.run(passed=1)
    assert server.requests == ["/a"]


def test_recording_may_be_disabled_by_a_fixture(suite: Project, server: Loopback) -> None:
    suite.write(
        "test_it.py",
        f"""
        import pytest
        from asking import get

        @pytest.fixture(scope="session")
        def disable_recording():
            return True

        @pytest.mark.vcr
        def test_one(vcr):
            assert vcr is None
            get("/a", {server.url!r})
        """,
    )
    suite.run(passed=1)
    assert server.requests == ["/a"]


def test_the_fixtures_say_what_the_command_line_and_the_markers_say(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest

        pytestmark = pytest.mark.vcr("module.yaml")

        @pytest.mark.vcr("own.yaml", record_mode="none")
        def test_one(record_mode, disable_recording, vcr_markers, allowed_hosts, vcr_cassette_dir, vcr_config):
            assert record_mode == "once"
            assert disable_recording is False
            assert [marker.args for marker in vcr_markers] == [("own.yaml",), ("module.yaml",)]
            assert allowed_hosts == ["a", "b"]
            assert vcr_cassette_dir.endswith("/cassettes/test_it")
            assert vcr_config == {}
        """,
    )
    suite.run("--record-mode=once", "--allowed-hosts=a,b", passed=1)


def test_the_cassette_is_open_before_other_fixtures_of_the_test_and_after_wider_ones(
    suite: Project, server: Loopback
) -> None:
    suite.write(
        "test_it.py",
        f"""
        import pytest
        from asking import get

        @pytest.fixture(scope="module")
        def wide():
            return get("/wide", {server.url!r})

        @pytest.fixture(autouse=True)
        def narrow(wide):
            yield get("/narrow", {server.url!r})
            get("/after", {server.url!r})

        @pytest.mark.vcr
        def test_one(vcr):
            assert [request.path for request in vcr.requests] == ["/narrow"]
        """,
    )
    suite.run("--record-mode=once", passed=1)
    recorded = (suite.path / "cassettes/test_it/test_one.yaml").read_text()
    assert "/narrow" in recorded
    assert "/after" in recorded
    assert "/wide" not in recorded


def test_the_cassette_tells_what_was_asked_and_answered(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest
        from asking import get

        @pytest.mark.vcr
        def test_one(vcr):
            assert (len(vcr), vcr.play_count, vcr.all_played, vcr.dirty) == (2, 0, False, False)
            get("/b")
            assert [request.uri for request in vcr.requests] == ["http://model.invalid/a", "http://model.invalid/b"]
            assert vcr.responses[1]["body"] == {"string": b"B"}
            assert dict(vcr.play_counts) == {1: 1}
            get("/a")
            assert vcr.all_played
            vcr.rewind()
            assert vcr.play_count == 0
        """,
    )
    suite.write("cassettes/test_it/test_one.yaml", answers(a="A", b="B"))
    suite.run(passed=1)


# The hook


def test_the_hook_registers_and_sets_what_holds_for_every_cassette(suite: Project, server: Loopback) -> None:
    suite.write(
        "conftest.py",
        """
        import json, pytest

        class Upper:
            @staticmethod
            def serialize(cassette):
                return json.dumps(cassette)

            @staticmethod
            def deserialize(text):
                return json.loads(text)

        def same_path(one, other):
            assert one.path == other.path, "paths differ"

        def pytest_recording_configure(config, vcr):
            assert config.getoption("--record-mode") in {None, "once"}
            vcr.register_serializer("upper", Upper)
            vcr.register_matcher("same path", same_path)
            vcr.match_on = ["same path"]
            vcr.before_record_response = lambda response: {**response, "body": {"string": b"from the hook"}}

        @pytest.fixture(scope="session")
        def vcr_config():
            return {"serializer": "upper"}
        """,
    )
    suite.write(
        "test_it.py",
        f"""
        import pytest
        from asking import get

        @pytest.mark.vcr
        def test_one(vcr, request):
            answer = get("/a?other" if request.config.getoption("--record-mode") is None else "/a", {server.url!r})
            if request.config.getoption("--record-mode") is None:
                assert answer == "from the hook"
        """,
    )
    suite.run("--record-mode=once", passed=1)
    assert [path.name for path in (suite.path / "cassettes/test_it").iterdir()] == ["test_one.upper"]
    suite.run(passed=1)
    assert server.requests == ["/a"]


def test_a_persister_of_the_hook_takes_the_place_of_files(suite: Project) -> None:
    suite.write("tape.json", answers(a="A"))
    suite.write(
        "conftest.py",
        """
        import pathlib
        from vcr.serialize import deserialize

        class Kept:
            @classmethod
            def load_cassette(cls, cassette_path, serializer):
                assert cassette_path.endswith("cassettes/test_it/test_one.yaml")
                return deserialize(pathlib.Path("tape.json").read_text(), serializer)

            @staticmethod
            def save_cassette(cassette_path, cassette_dict, serializer):
                raise AssertionError("nothing is saved")

        def pytest_recording_configure(config, vcr):
            vcr.register_persister(Kept)
        """,
    )
    suite.run(passed=1)


def test_the_hook_of_a_folder_holds_for_that_folder(suite: Project) -> None:
    suite.write("deep/conftest.py", "def pytest_recording_configure(config, vcr):\n    vcr.match_on = ['path']\n")
    suite.write("deep/test_deep.py", MARKED)
    elsewhere = tape(interaction("A", "/a", url="http://elsewhere.invalid"))
    suite.write("cassettes/test_it/test_one.yaml", answers(a="A"))
    suite.write("deep/cassettes/test_deep/test_one.yaml", elsewhere)
    suite.run("-o", "pythonpath=.", passed=2)


# What it costs


def test_nothing_of_it_is_imported_where_no_test_is_marked(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import sys

        def test_one():
            assert not [name for name in sys.modules if name.startswith("tapemeter.vcr")]
            assert "tapemeter.session" not in sys.modules
            for name in ("recording", "modules", "joining"):
                assert f"tapemeter.pytest_plugin.vcr_suites.{name}" not in sys.modules
        """,
    )
    suite.run_apart(passed=1)


def test_tests_that_are_marked_and_ask_nothing_read_no_yaml(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import sys, pytest

        @pytest.mark.vcr
        @pytest.mark.parametrize("n", range(20))
        def test_one(n):
            assert {"yaml", "genai_prices"}.isdisjoint(sys.modules)
        """,
    )
    for n in range(20):
        suite.write(f"cassettes/test_it/test_one[{n}].yaml", answers(a="A"))
    suite.run_apart(passed=20)
    assert len(tapes(suite.path / "cassettes")) == 20


def test_whose_suite_it_is_is_told_when_a_test_asks_though_none_said_so_before(suite: Project) -> None:
    text = """
        import pytest

        {fixture}
        def test_one(request):
            assert request.getfixturevalue("vcr_cassette_dir").endswith({folder!r})
        """
    suite.write("test_it.py", text.format(fixture="", folder="cassettes/test_it"))
    suite.run(passed=1)
    override = "vcr_cassette_name = pytest.fixture(name='vcr_cassette_name')(lambda: 'mine')"
    suite.write("test_it.py", text.format(fixture=override, folder="/cassettes"))
    suite.run(passed=1)
