"""Suites that use `vcr` themselves, in tests, fixtures and conftests, without a marker of any plugin."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from vcr_tape import GET, answers, interaction, tape, tapes

from conftest import got

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

HAS_VCR = find_spec("vcr") is not None
WITHOUT_VCR = '''
import sys


class Without:
    """Has VCR.py not be installed, whatever there is."""

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        found = self.finder.find_spec(name, path, target)
        return None if found is not None and name == "vcr" and "site-packages" in str(found.origin) else found


sys.meta_path[1:] = [Without(finder) for finder in sys.meta_path[1:] if hasattr(finder, "find_spec")]
'''


@pytest.fixture
def suite(project: Project) -> Project:
    """A project whose tests import `get` from `asking`."""
    project.write("asking.py", GET)
    return project


DIRECT = """
import pytest
import vcr
from asking import get
from vcr.errors import CannotOverwriteExistingCassetteException

mine = vcr.VCR(cassette_library_dir="tapes", record_mode="none", path_transformer=vcr.VCR.ensure_suffix(".yaml"))


def test_context():
    with mine.use_cassette("one") as cassette:
        assert get("/a") == "A"
        with pytest.raises(CannotOverwriteExistingCassetteException):
            get("/a")
    assert cassette.all_played
    assert type(cassette).__module__ == "tapemeter.vcr.cassette"
    assert isinstance(cassette, vcr.cassette.Cassette)


@mine.use_cassette
def one():
    return get("/a")


def test_decorator():
    assert one() == "A"


@vcr.use_cassette("tapes/one.yaml", record_mode="none")
def test_whole():
    assert get("/a") == "A"
"""


INSTALLED = pytest.param("import vcr\n", marks=pytest.mark.skipif(not HAS_VCR, reason="no VCR.py"), id="installed")


@pytest.mark.parametrize("conftest", [INSTALLED, pytest.param(f"{WITHOUT_VCR}\nimport vcr\n", id="not installed")])
def test_a_suite_that_uses_vcr_itself_runs_with_vcr_installed_and_without(suite: Project, conftest: str) -> None:
    suite.write("conftest.py", conftest)
    suite.write("test_it.py", DIRECT)
    suite.write("tapes/one.yaml", answers(a="A"))
    suite.run_apart(passed=3)


def test_other_tests_of_such_a_suite_are_left_alone(suite: Project, server: Loopback) -> None:
    suite.write(
        "test_it.py",
        f"""
        import vcr
        from asking import get
        from talk import ask

        def test_live():
            assert ask("hi").startswith("echo: hi")

        def test_taped():
            with vcr.use_cassette("one.yaml"):
                assert get("/a") == "A"
            assert get("/", {server.url!r}) is not None
        """,
    )
    suite.write("one.yaml", answers(a="A"))
    suite.run(passed=2)
    assert len(server.requests) == 2
    assert suite.cassettes() == {}


def test_a_cassette_that_a_fixture_of_wider_scope_holds_open_answers_its_tests(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest
        import vcr
        from asking import get

        @pytest.fixture(scope="module", autouse=True)
        def taped():
            with vcr.use_cassette("one.yaml", record_mode="none", allow_playback_repeats=True) as cassette:
                assert get("/a") == "A"
                yield cassette

        def test_one(taped):
            assert get("/a") == "A"
            with vcr.use_cassette("two.yaml", record_mode="none"):
                assert get("/a") == "B"
            assert get("/a") == "A"

        def test_two(taped):
            assert get("/a") == "A"
            assert taped.play_count == 4
        """,
    )
    suite.write("one.yaml", answers(a="A"))
    suite.write("two.yaml", answers(a="B"))
    suite.run(passed=2)


def test_async_tests_and_fixtures_use_cassettes(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import asyncio
        import httpx
        import pytest
        import pytest_asyncio
        import vcr

        async def get(path):
            async with httpx.AsyncClient(verify=False) as client:
                return (await client.get("http://model.invalid" + path)).text

        @pytest.mark.asyncio
        @vcr.use_cassette("one.yaml", record_mode="none")
        async def test_decorated():
            assert await asyncio.gather(get("/b"), get("/a")) == ["B", "A"]

        @pytest_asyncio.fixture
        async def taped():
            with vcr.use_cassette("one.yaml", record_mode="none") as cassette:
                yield cassette

        @pytest.mark.asyncio
        async def test_with_fixture(taped):
            assert await get("/a") == "A"
            assert taped.play_count == 1

        @pytest.fixture
        def plainly_taped():
            with vcr.use_cassette("one.yaml", record_mode="none") as cassette:
                yield cassette

        @pytest.mark.asyncio
        async def test_with_plain_fixture(plainly_taped):
            assert await get("/b") == "B"
        """,
    )
    suite.write("one.yaml", answers(a="A", b="B"))
    suite.run(passed=3)


def test_what_is_recorded_is_in_vcrs_form_and_replays_without_the_server(suite: Project, server: Loopback) -> None:
    suite.write(
        "test_it.py",
        """
        import vcr
        from talk import ask

        def test_it():
            with vcr.use_cassette("tapes/new.yaml", match_on=["method", "path", "body"]):
                print("GOT", ask("one"), ask("two"))
        """,
    )
    recorded = suite.run("-rP", passed=1)
    assert tapes(suite.path / "tapes") == ["new.yaml"]
    replayed = suite.run("-rP", "--llm-mode=replay", passed=1)
    assert got(replayed) == got(recorded)
    assert len(server.requests) == 2


def test_calls_are_metered_and_told_in_the_evidence(suite: Project) -> None:
    url = "https://api.openai.com/v1/chat/completions"
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    answer = {"object": "chat.completion", "model": "gpt-4o", "choices": [], "usage": usage}
    recorded = interaction(json.dumps(answer), "", url=url, method="POST", body="{}")
    recorded["response"]["headers"] = {"Content-Type": ["application/json"], "Date": ["Sat, 21 Nov 2026 04:00:00 GMT"]}
    suite.write("one.yaml", tape(recorded))
    suite.write(
        "test_it.py",
        f"""
        import httpx
        import vcr

        @vcr.use_cassette("one.yaml", record_mode="none")
        def test_it():
            body = {{"model": "gpt-4o", "messages": [{{"role": "user", "content": "hi"}}]}}
            assert httpx.post({url!r}, json=body).json()["usage"]["total_tokens"] == 12
        """,
    )
    suite.run(passed=1)
    [events] = suite.path.glob(".tapemeter/runs/*/*.jsonl")
    [call] = [line for line in map(json.loads, events.read_text().splitlines()) if line["event"] == "call"]
    assert call["cassette"] == "one.yaml"
    assert call["test"] == "test_it.py::test_it"
    assert (call["source"], call["gen_ai.usage.input_tokens"], call["gen_ai.usage.output_tokens"]) == ("replay", 5, 7)
    assert call["cost_usd"] is not None


@pytest.mark.parametrize("marked", ["", "@pytest.mark.llm_cassette"])
def test_one_that_is_imported_when_tests_run_already_works_as_well(
    suite: Project, server: Loopback, marked: str
) -> None:
    suite.write(
        "test_it.py",
        f"""
        import pytest
        from talk import ask

        {marked}
        def test_ours():
            pass

        def test_it():
            import vcr

            for _ in range(2):
                with vcr.use_cassette("one.yaml", match_on=["path", "body"]):
                    assert ask("hi") == "echo: hi #1"
        """,
    )
    suite.run(passed=2)
    assert len(server.requests) == 1
    assert suite.cassettes() == {}


def test_where_the_mode_is_off_vcr_is_left_alone(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import importlib.util

        def test_it():
            spec = importlib.util.find_spec("vcr")
            assert spec is None or "tapemeter" not in str(spec.loader)
        """,
    )
    suite.run_apart("--llm-mode=off", passed=1)


def test_what_is_not_supported_fails_the_test_by_name(suite: Project) -> None:
    suite.write(
        "test_it.py",
        """
        import vcr

        def test_it():
            vcr.VCR(custom_patches=[(object, "x", 1)])
        """,
    )
    suite.run(failed=1).stdout.fnmatch_lines(["*UsageError: custom_patches is not supported*"])
