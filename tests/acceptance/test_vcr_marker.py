"""Suites for pytest-recording: the marker `vcr` and its cassettes, on tests of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vcr_tape import GET, answers, tapes

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback


@pytest.fixture
def suite(project: Project) -> Project:
    """A project whose tests import `get` from `asking`."""
    project.write("asking.py", GET)
    project.ini("addopts = --tb=line")
    return project


def marked(body: str, marker: str = "vcr") -> str:
    return f"import pytest\nfrom asking import get\n\n@pytest.mark.{marker}\ndef test_one(vcr):\n    {body}\n"


# Which cassettes


def test_a_marked_test_is_answered_from_the_file_named_after_it(suite: Project) -> None:
    suite.write("test_it.py", marked("assert get('/a') == 'A'"))
    suite.write("cassettes/test_it/test_one.yaml", answers(a="A"))
    suite.run(passed=1)


def test_the_files_of_methods_are_named_after_class_and_method(suite: Project) -> None:
    suite.write(
        "deep/test_it.py",
        """
        import unittest, pytest
        from asking import get

        @pytest.mark.vcr
        class TestThings:
            def test_one(self, vcr):
                assert get("/a") == "A"

        class TestCase(unittest.TestCase):
            @pytest.mark.vcr
            def test_two(self):
                assert get("/b") == "B"
        """,
    )
    suite.write("deep/cassettes/test_it/TestThings.test_one.yaml", answers(a="A"))
    suite.write("deep/cassettes/test_it/TestCase.test_two.yaml", answers(b="B"))
    suite.run("-p", "no:python_path", "--rootdir=.", "-o", "pythonpath=.", passed=2)


def test_names_are_made_safe_as_pytest_recording_does(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest
        from asking import get

        @pytest.mark.vcr
        @pytest.mark.parametrize("model", ['a/b:c*"d?'])
        def test_one(model):
            assert get("/a") == "A"
        """,
    )
    suite.write("cassettes/test_it/test_one[a-b-c--d-].yaml", answers(a="A"))
    suite.run(passed=1)


def test_names_that_are_too_long_are_shortened_as_pytest_recording_does(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest
        from asking import get

        @pytest.mark.vcr
        @pytest.mark.parametrize("text", [1], ids=["x" * 300])
        def test_one(text, vcr):
            assert get("/a") == "A"
        """,
    )
    # md5 of "test_one[xxx…]", after as much of it as 255 characters leave
    name = f"test_one[{'x' * 206}...{LONG_DIGEST}.yaml"
    assert len(name) == 255
    suite.write(f"cassettes/test_it/{name}", answers(a="A"))
    suite.run(passed=1)


LONG_DIGEST = "b2fd0111ca192ae73b738b7713a6a8fa"


def test_cassettes_that_the_marker_names_are_read_besides_the_tests_own(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest
        from asking import get

        pytestmark = pytest.mark.vcr("module.yaml")

        @pytest.mark.vcr("more/one.yaml", "two.yaml")
        def test_one(vcr):
            assert [get("/own"), get("/one"), get("/two"), get("/module")] == ["own", "one", "two", "module"]
            assert len(vcr) == 4
            assert vcr._path.endswith("cassettes/test_it/test_one.yaml")
        """,
    )
    for name, word in (("test_one", "own"), ("more/one", "one"), ("two", "two"), ("module", "module")):
        suite.write(f"cassettes/test_it/{name}.yaml", answers(**{word: word}))
    suite.run(passed=1)


def test_an_absolute_path_is_read_where_it_is(suite: Project) -> None:
    path = suite.write("elsewhere/tape.yaml", answers(a="A"))
    suite.write("test_it.py", marked("assert get('/a') == 'A'", f"vcr({str(path)!r})"))
    suite.run(passed=1)


def test_what_is_recorded_goes_to_the_tests_own_cassette(suite: Project, server: Loopback) -> None:
    suite.write("test_it.py", marked(f"get('/a'), get('/new', {server.url!r})", "vcr('other.yaml')"))
    other = suite.write("cassettes/test_it/other.yaml", answers(a="A"))
    before = other.read_bytes()
    suite.run("--record-mode=new_episodes", passed=1)
    assert other.read_bytes() == before
    assert "/new" in (suite.path / "cassettes/test_it/test_one.yaml").read_text()
    suite.run(passed=1)
    assert server.requests == ["/new"]


def test_default_cassette_names_the_tests_own(suite: Project) -> None:
    suite.write("test_it.py", marked("assert get('/a') == 'A'", "default_cassette('mine')\n@pytest.mark.vcr"))
    suite.write("cassettes/test_it/mine.yaml", answers(a="A"))
    suite.run(passed=1)


def test_marker_arguments_are_merged_and_the_closest_wins(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest
        from asking import get

        pytestmark = pytest.mark.vcr(allow_playback_repeats=True, match_on=["method"])

        @pytest.fixture(scope="module")
        def vcr_config():
            return {"match_on": ["headers"], "allow_playback_repeats": False}

        @pytest.mark.vcr(match_on=["path"])
        class TestThings:
            def test_one(self):
                assert [get("/a?1"), get("/a?2"), get("/b")] == ["A", "A", "B"]

            @pytest.mark.vcr(match_on=["uri"])
            def test_two(self):
                assert [get("/a"), get("/a")] == ["A", "A"]
                get("/a?1")
        """,
    )
    for name in ("one", "two"):
        suite.write(f"cassettes/test_it/TestThings.test_{name}.yaml", answers(a="A", b="B"))
    suite.run("-rf", passed=1, failed=1).stdout.fnmatch_lines(["FAILED*test_two*CannotOverwrit*"])


# Tests without requests, and tests without cassettes


def test_a_missing_cassette_is_no_error_until_a_request_is_made(suite: Project) -> None:
    suite.write("test_it.py", marked("assert len(vcr) == 0") + "\n@pytest.mark.vcr\ndef test_two():\n    get('/a')\n")
    suite.run("-rf", passed=1, failed=1).stdout.fnmatch_lines(["FAILED*test_two*CannotOverwrit*"])
    assert not (suite.path / "cassettes").exists()


def test_no_cassette_is_read_before_the_first_request(suite: Project) -> None:
    suite.write("test_it.py", marked("vcr.allow_playback_repeats"))
    suite.write("cassettes/test_it/test_one.yaml", "interactions: [broken")
    suite.run(passed=1)


def test_a_test_that_is_not_marked_has_none_and_is_left_alone(suite: Project, server: Loopback) -> None:
    suite.write(
        "test_it.py",
        f"""
        import pytest
        from asking import get

        def test_one(vcr):
            assert vcr is None
            get("/a", {server.url!r})

        @pytest.mark.vcr
        def test_two(vcr):
            assert vcr is not None
        """,
    )
    suite.run(passed=2)
    assert server.requests == ["/a"]


def test_a_param_that_is_marked_does_not_mark_the_others(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest

        @pytest.mark.parametrize("is_marked", [pytest.param(True, marks=pytest.mark.vcr), False])
        def test_one(is_marked, vcr):
            assert (vcr is not None) == is_marked
        """,
    )
    suite.run(passed=2)


# What else a test may be


def test_async_tests_have_their_cassettes(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import asyncio, httpx, pytest

        @pytest.mark.asyncio
        @pytest.mark.vcr
        async def test_one(vcr):
            async with httpx.AsyncClient() as client:
                found = await asyncio.gather(*(client.get(f"http://model.invalid/{name}") for name in "ba"))
            assert [answer.text for answer in found] == ["B", "A"]
            assert vcr.all_played
        """,
    )
    suite.write("cassettes/test_it/test_one.yaml", answers(a="A", b="B"))
    suite.run(passed=1)


def test_a_rerun_begins_anew(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest
        from asking import get

        runs = []

        @pytest.mark.vcr
        def test_one(vcr):
            runs.append(1)
            assert get("/a") == "A"
            assert vcr.play_count == 1
            assert len(runs) == 2
        """,
    )
    suite.write("cassettes/test_it/test_one.yaml", answers(a="A"))
    suite.run("--reruns=1", passed=1, rerun=1)


def test_workers_have_the_same_options(suite: Project, server: Loopback) -> None:
    suite.write(
        "test_it.py",
        f"""
        import pytest
        from asking import get

        @pytest.mark.vcr
        @pytest.mark.parametrize("name", ["a", "b", "c"])
        def test_one(name):
            get("/" + name, {server.url!r})
        """,
    )
    suite.run_apart("-n2", "--record-mode", "once", "--block-network", passed=3)
    suite.run("--block-network", passed=3)
    assert sorted(server.requests) == ["/a", "/b", "/c"]
    assert len(tapes(suite.path / "cassettes")) == 3


def test_budgets_and_usage_hold_for_them(suite: Project, server: Loopback) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.mark.vcr
        def test_one(llm_usage):
            talk.ask("hello")
            assert llm_usage.calls == 1

        @pytest.mark.vcr
        @pytest.mark.llm_budget(calls=1)
        def test_two():
            talk.ask("one")
            talk.ask("two")
        """,
    )
    suite.run("--record-mode=once", "-rf", passed=1, failed=1).stdout.fnmatch_lines(["FAILED*test_two*"])
    assert len(server.requests) == 2
    suite.run("-rf", passed=1, failed=1).stdout.fnmatch_lines(["*BudgetStopped*"])
    assert len(server.requests) == 2


def test_recordings_that_no_call_asked_for_are_findings_where_that_is_asked_for(suite: Project) -> None:
    suite.write("test_it.py", marked("get('/a')"))
    suite.write("cassettes/test_it/test_one.yaml", answers(a="A", b="B"))
    suite.run(passed=1)
    suite.run("--llm-fail-on=unplayed", passed=1, errors=1).stdout.fnmatch_lines(
        ["*cassettes/test_it/test_one.yaml: recordings that no call asked for: number 2*"]
    )
