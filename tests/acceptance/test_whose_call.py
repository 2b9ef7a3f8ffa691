"""Calls belong to the test that makes them, from whatever task, thread or event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

PARALLEL = """
import asyncio
from talk import aask

def test_fifty():
    async def all_of_them():
        return await asyncio.gather(*(aask(f"question {number % 7}") for number in range(50)))

    answers = asyncio.run(all_of_them())
    assert [answer.split(" #")[0] for answer in answers] == [f"echo: question {number % 7}" for number in range(50)]
    for answer in answers:
        print("GOT", answer)
"""

THREADS = """
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor
import anyio, pytest
from talk import aask, ask

pool = ThreadPoolExecutor(2)
loop = asyncio.new_event_loop()

@pytest.fixture(scope="session", autouse=True)
def background():
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    pool.shutdown()

def test_thread():
    got = []
    thread = threading.Thread(target=lambda: got.append(ask("in a thread")))
    thread.start()
    thread.join()
    print("GOT", *got)

def test_executor():
    print("GOT", *pool.map(ask, ["one", "two", "one"]))

def test_the_same_executor_again():
    print("GOT", *pool.map(ask, ["three", "four"]))

def test_to_thread():
    print("GOT", asyncio.run(asyncio.to_thread(ask, "to a thread")))

def test_anyio_to_thread():
    async def main():
        return await anyio.to_thread.run_sync(ask, "by anyio")
    print("GOT", anyio.run(main, backend="trio"))

def test_loop_in_another_thread():
    print("GOT", asyncio.run_coroutine_threadsafe(aask("elsewhere"), loop).result())
"""

ASYNC = """
import pytest
from talk import aask

{fixtures}

@{mark}
async def test_one(wide, narrow):
    print("GOT", wide, narrow, await aask("in one"))

@{mark}
async def test_two(wide, narrow):
    print("GOT", wide, narrow, await aask("in two"))
"""
ANYIO = """
@pytest.fixture(scope="module")
def anyio_backend():
    return "{backend}"

@pytest.fixture(scope="module")
async def wide(anyio_backend):
    yield await aask("wide set-up")
    await aask("wide tear-down")

@pytest.fixture
async def narrow(anyio_backend):
    yield await aask("narrow set-up")
    await aask("narrow tear-down")
"""
ASYNCIO = """
import pytest_asyncio

@pytest_asyncio.fixture(scope="module", loop_scope="{loop}")
async def wide():
    yield await aask("wide set-up")
    await aask("wide tear-down")

@pytest_asyncio.fixture(loop_scope="{loop}")
async def narrow():
    yield await aask("narrow set-up")
    await aask("narrow tear-down")
"""


def test_parallel_calls_get_their_own_answers(project: Project, server: Loopback) -> None:
    project.write("test_it.py", PARALLEL)

    answers = project.record_and_replay(server, calls=50, passed=1)

    assert len(set(answers)) == 50


def test_threads_executors_and_other_loops_belong_to_the_test_that_uses_them(
    project: Project, server: Loopback
) -> None:
    project.write("test_it.py", THREADS)

    project.record_and_replay(server, calls=9, passed=6)

    written = project.cassettes()
    assert "content: three" in written["test_it/test_the_same_executor_again.yaml"]
    assert "content: elsewhere" in written["test_it/test_loop_in_another_thread.yaml"]
    assert len(written) == 6


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_tests_and_fixtures_of_anyio(project: Project, server: Loopback, backend: str) -> None:
    source = ASYNC.format(mark="pytest.mark.anyio", fixtures=ANYIO.format(backend=backend))
    project.write("test_it.py", source)

    project.record_and_replay(server, calls=8, passed=2)

    assert sorted(project.cassettes()) == [
        "test_it/@module.wide.yaml",
        "test_it/test_one.yaml",
        "test_it/test_two.yaml",
    ]


@pytest.mark.parametrize("loop", ["module", "session"])
def test_async_tests_and_fixtures_of_pytest_asyncio(project: Project, server: Loopback, loop: str) -> None:
    mark = f"pytest.mark.asyncio(loop_scope={loop!r})"
    project.write("test_it.py", ASYNC.format(mark=mark, fixtures=ASYNCIO.format(loop=loop)))

    project.record_and_replay(server, calls=8, passed=2)

    written = project.cassettes()
    assert "narrow tear-down" in written["test_it/test_two.yaml"]
    assert "wide tear-down" in written["test_it/@module.wide.yaml"]


def test_what_an_earlier_test_left_running_is_refused_in_replay(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import threading
        import tapemeter
        from talk import ask

        go, refused = threading.Event(), []

        def late():
            go.wait()
            try:
                ask("late")
            except tapemeter.UnownedCall as error:
                refused.append(error)

        thread = threading.Thread(target=late)

        def test_leaves_it_running():
            thread.start()

        def test_later():
            go.set()
            thread.join()
            assert "test_leaves_it_running" in str(refused[0])
        """,
    )

    project.run("--llm-mode=replay", passed=2)

    assert server.requests == []


def test_a_call_at_import_is_refused_in_replay(project: Project, server: Loopback) -> None:
    project.write("test_it.py", "from talk import ask\nask('too early')\ndef test_one(): pass\n")

    result = project.run("--llm-mode=replay")

    result.stdout.fnmatch_lines(["*UnownedCall: POST *it comes from no running test; make it inside a test*"])
    assert server.requests == []
