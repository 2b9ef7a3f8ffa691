"""Which file a call goes to: one for each test, one for each fixture of wider scope, whatever the order of tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback


def asked(project: Project, folder: str = "cassettes") -> dict[str, list[str]]:
    """Return the prompts in each cassette by its path."""
    return {name: re.findall(r"role: user\n *content: (.*)", text) for name, text in project.cassettes(folder).items()}


# One test


def test_a_cassette_lies_where_module_class_and_test_say(project: Project, server: Loopback) -> None:
    project.write("tests/deep/test_it.py", """
        import unittest
        import pytest, talk

        def test_plain():
            talk.ask("hello")

        class TestOuter:
            class TestInner:
                def test_method(self):
                    talk.ask("hello")

        class TestCase(unittest.TestCase):
            def test_unittest(self):
                talk.ask("hello")

        class TestAsync(unittest.IsolatedAsyncioTestCase):
            async def test_async(self):
                await talk.aask("hello")

        @pytest.mark.parametrize("word", ["one"])
        def test_parameter(word):
            talk.ask("hello")
    """)  # fmt: skip

    project.run("--record-cassettes", passed=5)

    assert list(project.cassettes()) == [
        "tests/deep/test_it/TestAsync.test_async.yaml",
        "tests/deep/test_it/TestCase.test_unittest.yaml",
        "tests/deep/test_it/TestOuter.TestInner.test_method.yaml",
        "tests/deep/test_it/test_parameter[one].yaml",
        "tests/deep/test_it/test_plain.yaml",
    ]
    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=5)
    assert len(server.requests) == 5


def test_parameters_that_look_alike_as_file_names_get_files_of_their_own(project: Project, server: Loopback) -> None:
    project.write("test_it.py", r"""
        import pytest, talk

        ODD = ["a/b", "a\\b", "a:b", "a b", "a-b", "../../etc", "a\nb", "ä", "…"]
        ODD += ["*", "?", "<>", "CON", ".", "..", "", "a::b"]

        @pytest.mark.parametrize("word", ODD)
        def test_one(word):
            talk.ask("hello " + word)
    """)  # fmt: skip

    project.run("--record-cassettes", passed=17)

    names = list(project.cassettes())
    assert len({name.lower() for name in names}) == 17
    assert all(re.fullmatch(r"test_it/test_one\[[\w.\-\[\]]*", name) for name in names)
    assert sorted(path.name for path in project.path.iterdir() if path.is_dir() and path.name[0] not in "._") == [
        "cassettes"
    ]
    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=17)


def test_long_names_get_files_of_their_own(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest, talk

        @pytest.mark.parametrize("word", ["漢" * 400 + end for end in "abc"])
        def test_one(word):
            talk.ask("hello " + word[-1])
    """)  # fmt: skip

    project.run("--record-cassettes", passed=3)

    assert len(project.cassettes()) == 3
    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=3)


def test_a_test_outside_the_root_has_its_cassette_below_the_folder(
    project: Project, server: Loopback, pytester: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pytester.syspathinsert()
    for name in ("one", "other"):
        outside = tmp_path_factory.mktemp(name) / "tests"
        outside.mkdir()
        (outside / f"test_{name}.py").write_text("import talk\ndef test_it(): talk.ask('hello')", encoding="utf-8")
        options = (f"--rootdir={project.path}", "-c", str(project.path / "pytest.ini"), str(outside))

        project.run("--record-cassettes", *options, passed=1)
        project.run("--llm-mode=replay", *options, passed=1)

    assert len(project.cassettes()) == 2


# Fixtures of wider scope


WIDER = """
    import pytest, talk

    @pytest.fixture(scope="session")
    def greeting():
        yield talk.ask("session set-up")
        talk.ask("session tear-down")

    @pytest.fixture(scope="package")
    def packaged(greeting):
        return talk.ask("package")

    @pytest.fixture(scope="module", params=["north", "south wind"])
    def place(request, packaged):
        yield talk.ask(f"module {request.param}")
        talk.ask(f"module {request.param} is done")

    @pytest.fixture(scope="class")
    def classy(place):
        return talk.ask("class")

    @pytest.fixture
    def own():
        yield talk.ask("function set-up")
        talk.ask("function tear-down")
"""

USERS = """
    import pytest, talk

    class TestA:
        def test_one(self, classy, own):
            talk.ask("one")

        def test_two(self, classy):
            talk.ask("two")

    class TestB:
        def test_three(self, classy, greeting):
            talk.ask("three")

    def test_four(greeting):
        talk.ask("four")
"""

WIDER_FILES = [
    "tests/@package.packaged.yaml",
    "tests/@session.greeting.yaml",
    "tests/test_users/@class.TestA.classy.yaml",
    "tests/test_users/@class.TestB.classy.yaml",
    "tests/test_users/@module.place[north].yaml",
    "tests/test_users/@module.place[south-wind]-*.yaml",
    "tests/test_users/TestA.test_one[north].yaml",
    "tests/test_users/TestA.test_one[south-wind]-*.yaml",
    "tests/test_users/TestA.test_two[north].yaml",
    "tests/test_users/TestA.test_two[south-wind]-*.yaml",
    "tests/test_users/TestB.test_three[north].yaml",
    "tests/test_users/TestB.test_three[south-wind]-*.yaml",
    "tests/test_users/test_four.yaml",
]


@pytest.fixture
def wider(project: Project) -> Project:
    project.write("conftest.py", """
        def pytest_addoption(parser):
            parser.addoption("--backwards", action="store_true")

        def pytest_collection_modifyitems(config, items):
            if config.getoption("--backwards"):
                items.reverse()
    """)  # fmt: skip
    project.write("tests/__init__.py", "")
    project.write("tests/conftest.py", WIDER)
    project.write("tests/test_users.py", USERS)
    return project


def test_calls_of_wider_fixtures_go_to_the_fixtures_own_cassettes(wider: Project, server: Loopback) -> None:
    wider.run("--record-cassettes", passed=7)

    shown = [re.sub(r"-[0-9a-f]{8}\.yaml", "-*.yaml", name) for name in wider.cassettes()]
    assert sorted(shown) == sorted(WIDER_FILES)


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ((), 7),
        (("-k", "test_two"), 2),
        (("-k", "test_four"), 1),
        (("-k", "TestB and south"), 1),
        (("--backwards",), 7),
        (("-n", "2"), 7),
    ],
)
def test_wider_fixtures_replay_whatever_tests_run_in_whatever_order(
    wider: Project, server: Loopback, options: tuple[str, ...], passed: int
) -> None:
    wider.run("--record-cassettes", passed=7)
    sent = len(server.requests)
    run = wider.run_apart if "-n" in options else wider.run

    run("--llm-mode=replay", *options, passed=passed)

    assert len(server.requests) == sent


def test_two_workers_record_the_tree_that_one_process_records(wider: Project, server: Loopback) -> None:
    wider.run("--record-cassettes", "--llm-cassette-dir=alone", passed=7)

    wider.run_apart("--record-cassettes", "--llm-cassette-dir=together", "-n", "2", passed=7)

    assert asked(wider, "together") == asked(wider, "alone")
    wider.run_apart("--llm-mode=replay", "--llm-cassette-dir=together", "-n", "2", passed=7)
    wider.run("--llm-mode=replay", "--llm-cassette-dir=together", passed=7)


def test_a_wider_fixture_is_kept_though_a_test_that_uses_it_fails(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest, talk

        @pytest.fixture(scope="module")
        def answer():
            return talk.ask("module")

        def test_one(answer):
            talk.ask("one")
            assert False
    """)  # fmt: skip

    project.run("--record-cassettes", failed=1)

    assert list(project.cassettes()) == ["test_it/@module.answer.yaml"]


def test_a_wider_fixture_whose_set_up_fails_writes_no_cassette(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest, talk

        @pytest.fixture(scope="module")
        def answer():
            talk.ask("module")
            raise ValueError

        def test_one(answer):
            pass
    """)  # fmt: skip

    project.run("--record-cassettes", errors=1)

    assert project.cassettes() == {}


def test_a_client_that_a_wider_fixture_provides_asks_for_the_test_that_uses_it(
    project: Project, server: Loopback
) -> None:
    project.write("test_it.py", """
        import httpx, pytest, talk

        @pytest.fixture(scope="session")
        def client():
            with httpx.Client(verify=False) as client:
                yield client

        @pytest.mark.parametrize("word", ["a", "b"])
        def test_one(client, word):
            body = {"model": "m", "messages": [{"role": "user", "content": word}]}
            client.post(talk.URL + "/v1/chat/completions", json=body)
    """)  # fmt: skip

    project.run("--record-cassettes", passed=2)

    assert list(project.cassettes()) == ["test_it/test_one[a].yaml", "test_it/test_one[b].yaml"]
    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=2)


def test_async_fixtures_of_wider_scope_have_their_own_cassettes(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest, pytest_asyncio, talk

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def answer():
            yield await talk.aask("module set-up")
            await talk.aask("module tear-down")

        @pytest_asyncio.fixture
        async def own():
            yield await talk.aask("function set-up")
            await talk.aask("function tear-down")

        @pytest.mark.asyncio(loop_scope="module")
        async def test_one(answer):
            await talk.aask("one")

        @pytest.mark.asyncio
        async def test_two(own):
            await talk.aask("two")
    """)  # fmt: skip

    project.run("--record-cassettes", passed=2)

    assert asked(project) == {
        "test_it/@module.answer.yaml": ["module set-up", "module tear-down"],
        "test_it/test_one.yaml": ["one"],
        "test_it/test_two.yaml": ["function set-up", "two", "function tear-down"],
    }
    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=2)
    project.run("--llm-mode=replay", "-k", "test_two", passed=1)


def test_setup_methods_of_modules_and_classes_have_their_own_cassettes(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import unittest
        import talk

        def setup_module():
            talk.ask("module")

        class TestIt:
            @classmethod
            def setup_class(cls):
                talk.ask("class")

            def setup_method(self):
                talk.ask("method")

            def test_one(self):
                pass

            def test_two(self):
                pass

        class TestCase(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                talk.ask("unittest")

            def test_three(self):
                pass
    """)  # fmt: skip
    project.run("--record-cassettes", passed=3)
    sent = len(server.requests)

    for options, passed in (((), 3), (("-k", "two"), 1), (("-k", "three"), 1)):
        project.run("--llm-mode=replay", *options, passed=passed)
    assert len(server.requests) == sent


# Reruns


def test_a_rerun_starts_its_cassette_afresh(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import talk

        TRIES = []

        def test_one():
            TRIES.append(talk.ask("hello"))
            assert len(TRIES) > 1
    """)  # fmt: skip

    project.run("--record-cassettes", "--reruns=2", passed=1, rerun=1)
    assert project.cassette().count("echo: hello") == 1

    project.run("--llm-mode=replay", "--llm-fail-on=unplayed", "--reruns=2", passed=1, rerun=1)
    assert len(server.requests) == 2


def test_wider_fixtures_replay_in_reruns(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest, talk

        TRIES = []

        @pytest.fixture(scope="module")
        def answer():
            return talk.ask("module")

        def test_one(answer):
            TRIES.append(1)
            talk.ask("hello")
            assert len(TRIES) > 1
    """)  # fmt: skip
    project.run("--record-cassettes", "--reruns=2", passed=1, rerun=1)

    project.run("--llm-mode=replay", "--reruns=2", passed=1, rerun=1)
    assert {name: text.count("echo: ") for name, text in project.cassettes().items()} == {
        "test_it/@module.answer.yaml": 1,
        "test_it/test_one.yaml": 1,
    }


# Shared cassettes under xdist


@pytest.mark.parametrize("option", ["--record-cassettes", "--record-cassettes=all"])
def test_two_workers_record_into_one_named_cassette(project: Project, server: Loopback, option: str) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        pytestmark = pytest.mark.llm_cassette("shared")

        @pytest.mark.parametrize("number", range(4))
        def test_one(number):
            assert talk.ask(f"text {number}").startswith("echo: text")
            assert talk.ask("in common").startswith("echo: in common")
    """,
    )

    project.run_apart(option, "-n", "2", passed=4)

    assert sorted(asked(project)["shared.yaml"]) == ["in common", *(f"text {number}" for number in range(4))]
    result = project.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=4)
    assert result.ret is pytest.ExitCode.OK
