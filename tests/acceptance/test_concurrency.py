"""Whose call it is, whatever thread, task or event loop makes it, and that parallel calls get their own answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback


def prompts_of(project: Project) -> dict[str, list[str]]:
    """Return the prompts on each cassette, by its path."""
    return {path: re.findall(r"role: user\n +content: (.+)", text) for path, text in project.cassettes().items()}


# Parallel calls


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_parallel_async_calls_with_repeated_prompts_get_each_their_own_answer(
    project: Project, server: Loopback, library: str
) -> None:
    project.write("test_it.py", f"""
        import asyncio
        import {library} as http

        async def ask(client, prompt):
            body = {{"model": "loopback-1", "messages": [{{"role": "user", "content": prompt}}]}}
            answer = await client.post("{server.url}/v1/chat/completions", json=body)
            return answer.json()["choices"][0]["message"]["content"]

        async def main():
            async with http.AsyncClient() as client:
                return await asyncio.gather(*(ask(client, f"prompt {{n % 7}}") for n in range(50)))

        def test_one():
            for answer in asyncio.run(main()):
                print("GOT", answer)
    """)  # fmt: skip

    answers = project.record_and_replay(server, calls=50, passed=1)

    assert [answer.partition(" #")[0] for answer in answers] == [f"echo: prompt {n % 7}" for n in range(50)]
    assert len(set(answers)) == 50


def test_equal_calls_are_answered_in_the_order_of_their_issue_whatever_ends_first(
    project: Project, server: Loopback
) -> None:
    project.write("test_it.py", """
        import httpx, talk

        def test_one():
            body = {"stream": True, "messages": [{"role": "user", "content": "hello"}]}
            with httpx.Client() as client:
                with client.stream("POST", talk.URL + "/v1/chat/completions", json=body) as first:
                    with client.stream("POST", talk.URL + "/v1/chat/completions", json=body) as second:
                        print("GOT", "#2" in second.read().decode())
                    print("GOT", "#1" in first.read().decode())
    """)  # fmt: skip

    assert project.record_and_replay(server, calls=2, passed=1) == ["True", "True"]


def test_threads_of_every_kind_belong_to_the_test_that_starts_them(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import asyncio, threading
        from concurrent.futures import ThreadPoolExecutor
        import anyio, anyio.to_thread, talk

        def test_pool():
            with ThreadPoolExecutor(8) as pool:
                for answer in pool.map(talk.ask, [f"pool {n}" for n in range(20)]):
                    print("GOT", answer.partition(" #")[0])

        def test_thread():
            answers = {}

            class Asking(threading.Thread):
                def run(self):
                    answers[self.name] = talk.ask(self.name)

            def nested():
                inner = threading.Thread(target=lambda: answers.setdefault("nested", talk.ask("nested")))
                inner.start()
                inner.join()

            threads = [*(Asking(name=f"thread {n}") for n in range(8)), threading.Thread(target=nested)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for name in sorted(answers):
                print("GOT", answers[name].partition(" #")[0])

        def test_timer():
            answers = []
            timer = threading.Timer(0, lambda: answers.append(talk.ask("timer")))
            timer.start()
            timer.join()
            print("GOT", *answers)

        def test_asyncio_to_thread():
            async def main():
                return await asyncio.gather(*(asyncio.to_thread(talk.ask, f"to_thread {n}") for n in range(5)))

            for answer in asyncio.run(main()):
                print("GOT", answer.partition(" #")[0])

        def test_asyncio_executor():
            async def main():
                loop = asyncio.get_running_loop()
                return await asyncio.gather(*(loop.run_in_executor(None, talk.ask, f"in {n}") for n in range(5)))

            for answer in asyncio.run(main()):
                print("GOT", answer.partition(" #")[0])

        def test_anyio_on_asyncio():
            print("GOT", anyio.run(anyio.to_thread.run_sync, talk.ask, "anyio asyncio"))

        def test_anyio_on_trio():
            print("GOT", anyio.run(anyio.to_thread.run_sync, talk.ask, "anyio trio", backend="trio"))
    """)  # fmt: skip

    project.record_and_replay(server, calls=42, passed=7)

    assert {path: len(prompts) for path, prompts in prompts_of(project).items()} == {
        "test_it/test_anyio_on_asyncio.yaml": 1,
        "test_it/test_anyio_on_trio.yaml": 1,
        "test_it/test_asyncio_executor.yaml": 5,
        "test_it/test_asyncio_to_thread.yaml": 5,
        "test_it/test_pool.yaml": 20,
        "test_it/test_thread.yaml": 9,
        "test_it/test_timer.yaml": 1,
    }


def test_threads_and_loops_that_outlive_a_test_work_for_the_next(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import asyncio, queue, threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest, talk

        POOL = ThreadPoolExecutor(1)

        @pytest.fixture(scope="session")
        def loop():
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever)
            thread.start()
            yield loop
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

        @pytest.fixture(scope="module")
        def worker():
            asked, answered = queue.Queue(), queue.Queue()

            def work():
                for prompt in iter(asked.get, None):
                    answered.put(talk.ask(prompt))

            thread = threading.Thread(target=work)
            thread.start()
            yield lambda prompt: (asked.put(prompt), answered.get(timeout=10))[1]
            asked.put(None)
            thread.join()

        @pytest.mark.parametrize("n", range(3))
        def test_one(n, loop, worker):
            print("GOT", POOL.submit(talk.ask, f"pool {n}").result())
            print("GOT", asyncio.run_coroutine_threadsafe(talk.aask(f"loop {n}"), loop).result(10))
            print("GOT", worker(f"worker {n}"))

        def test_end():
            POOL.shutdown()
    """)  # fmt: skip

    project.record_and_replay(server, calls=9, passed=4)

    assert prompts_of(project) == {
        f"test_it/test_one[{n}].yaml": [f"pool {n}", f"loop {n}", f"worker {n}"] for n in range(3)
    }


# Plugins for async tests


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_async_tests_and_fixtures_under_pytest_asyncio(project: Project, server: Loopback, scope: str) -> None:
    project.write("test_it.py", f"""
        import asyncio
        import pytest, pytest_asyncio, talk

        pytestmark = pytest.mark.asyncio(loop_scope="{scope}")

        @pytest_asyncio.fixture(loop_scope="{scope}")
        async def plain():
            return await talk.aask("plain fixture")

        @pytest_asyncio.fixture(scope="{scope}", loop_scope="{scope}")
        async def around():
            before = await talk.aask("before")
            yield before
            await talk.aask("after")

        async def test_one(plain, around):
            print("GOT", plain, around)
            print("GOT", await talk.aask("one"))

        async def test_two(around):
            print("GOT", *await asyncio.gather(*(talk.aask(f"two {{n}}") for n in range(3))))
            print("GOT", *await asyncio.gather(*(asyncio.create_task(talk.aask("task")) for n in range(3))))

        class TestThree:
            async def test_three(self, around):
                print("GOT", await asyncio.to_thread(talk.ask, "three"))

        @pytest.mark.filterwarnings("ignore")
        def test_sync(around):
            print("GOT", talk.ask("sync"))
    """)  # fmt: skip
    around = 4 if scope == "function" else 1

    project.record_and_replay(server, calls=10 + 2 * around, passed=4)

    found = prompts_of(project)
    if scope == "function":
        assert sorted(found["test_it/test_one.yaml"]) == ["after", "before", "one", "plain fixture"]
        assert found["test_it/TestThree.test_three.yaml"] == ["before", "three", "after"]
    else:
        (fixture,) = [path for path in found if "@" in path]
        assert found[fixture] == ["before", "after"]
        assert found["test_it/test_one.yaml"] == ["plain fixture", "one"]
    assert "sync" in found["test_it/test_sync.yaml"]


def test_async_tests_and_fixtures_under_anyio(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import anyio, anyio.to_thread, pytest, talk

        pytestmark = pytest.mark.anyio

        @pytest.fixture(scope="module", params=["asyncio", "trio"])
        def anyio_backend(request):
            return request.param

        @pytest.fixture(scope="module")
        async def around(anyio_backend):
            before = await talk.aask(f"before on {anyio_backend}")
            yield before
            await talk.aask(f"after on {anyio_backend}")

        @pytest.fixture
        async def plain(anyio_backend):
            return await talk.aask(f"plain on {anyio_backend}")

        async def test_one(around, plain):
            print("GOT", around, plain)
            print("GOT", await talk.aask("one"))

        async def test_group(around):
            answers = {}

            async def ask(n):
                answers[n] = await talk.aask(f"group {n}")

            async with anyio.create_task_group() as group:
                for n in range(5):
                    group.start_soon(ask, n)
            for n in range(5):
                print("GOT", answers[n].partition(" #")[0])
            print("GOT", await anyio.to_thread.run_sync(talk.ask, "thread"))
    """)  # fmt: skip

    project.record_and_replay(server, calls=20, passed=4)

    assert {path: sorted(found) for path, found in prompts_of(project).items() if "@" not in path} == {
        "test_it/test_group[asyncio].yaml": [*(f"group {n}" for n in range(5)), "thread"],
        "test_it/test_group[trio].yaml": [*(f"group {n}" for n in range(5)), "thread"],
        "test_it/test_one[asyncio].yaml": ["one", "plain on asyncio"],
        "test_it/test_one[trio].yaml": ["one", "plain on trio"],
    }
    of_fixture = [prompt for path, found in prompts_of(project).items() if "@" in path for prompt in found]
    assert of_fixture == [f"{when} on {backend}" for backend in ("asyncio", "trio") for when in ("before", "after")]


def test_async_test_cases_of_unittest(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import unittest
        import talk

        class TestIt(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                await talk.aask("set up")

            async def asyncTearDown(self):
                await talk.aask("tear down")

            async def test_one(self):
                print("GOT", await talk.aask("one"))

        class TestSync(unittest.TestCase):
            def test_two(self):
                print("GOT", talk.ask("two"))
    """)  # fmt: skip

    project.record_and_replay(server, calls=4, passed=2)

    assert prompts_of(project) == {
        "test_it/TestIt.test_one.yaml": ["set up", "one", "tear down"],
        "test_it/TestSync.test_two.yaml": ["two"],
    }


def test_a_sync_test_may_run_loops_of_its_own(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import asyncio
        import anyio, talk

        def test_one():
            print("GOT", asyncio.run(talk.aask("run")))
            with asyncio.Runner() as runner:
                print("GOT", runner.run(talk.aask("runner")))
            loop = asyncio.new_event_loop()
            print("GOT", loop.run_until_complete(talk.aask("loop")))
            loop.close()
            print("GOT", anyio.run(talk.aask, "trio", backend="trio"))
    """)  # fmt: skip

    assert len(project.record_and_replay(server, calls=4, passed=1)) == 4


# Calls that belong to no test

LEFT_OVER = """
    import threading
    import pytest, talk

    GO = threading.Event()
    ERRORS = []

    def late():
        GO.wait()
        try:
            talk.ask("hello")
        except BaseException as error:
            ERRORS.append(error)

    THREAD = threading.Thread(target=late)

    def test_one():
        THREAD.start()

    def test_two():
        GO.set()
        THREAD.join()
        {then}
"""


def test_a_thread_left_over_from_an_earlier_test_is_refused_in_replay(project: Project, server: Loopback) -> None:
    project.write("test_it.py", LEFT_OVER.format(then="print('GOT', type(ERRORS[0]).__name__, ERRORS[0])"))

    result = project.run("--llm-mode=replay", "-rP", passed=2)

    result.stdout.fnmatch_lines(
        [
            (
                "GOT UnownedCall POST 127.0.0.1/v1/chat/completions was refused in replay: it comes from code that "
                "test_it.py::test_one started and left running; join its threads and tasks before it ends"
            )
        ]
    )
    assert server.requests == []


def test_what_a_left_over_thread_asks_while_recording_goes_on_no_tape(project: Project, server: Loopback) -> None:
    project.write("test_it.py", LEFT_OVER.format(then="assert ERRORS == []; talk.ask('mine')"))

    project.run("--record-cassettes", passed=2)

    assert prompts_of(project) == {"test_it/test_two.yaml": ["mine"]}


def test_a_task_left_over_on_a_shared_loop_is_refused_in_replay(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import asyncio
        import pytest, talk

        pytestmark = pytest.mark.asyncio(loop_scope="module")
        TASKS = []

        async def late(go):
            await go.wait()
            await talk.aask("hello")

        async def test_one():
            go = asyncio.Event()
            TASKS.extend([go, asyncio.create_task(late(go))])

        async def test_two():
            go, task = TASKS
            go.set()
            await asyncio.wait([task])
            print("GOT", type(task.exception()).__name__)
    """)  # fmt: skip

    result = project.run("--llm-mode=replay", "-rP", passed=2)

    assert "GOT UnownedCall" in result.outlines
    assert server.requests == []


def test_a_call_while_tests_are_collected_is_refused_in_replay(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import talk

        ANSWER = talk.ask("hello")

        def test_one(): pass
    """)  # fmt: skip
    project.write("folder/conftest.py", "import talk\ntalk.ask('hello')\n")
    project.write("folder/test_more.py", "def test_one(): pass")

    result = project.run("--llm-mode=replay", "test_it.py")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*UnownedCall: POST 127.0.0.1/v1/chat/completions was refused in replay*no running*"])
    assert project.run("--llm-mode=replay").ret != pytest.ExitCode.OK
    assert server.requests == []


def test_a_call_that_no_test_makes_is_sent_outside_replay(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import talk

        ANSWER = talk.ask("hello")

        def test_one():
            assert ANSWER == "echo: hello #1"
    """)  # fmt: skip

    project.run("--record-cassettes", passed=1)

    assert project.cassettes() == {}


# Many tests at once


def test_no_test_ever_answers_for_another(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import asyncio, threading
        from concurrent.futures import ThreadPoolExecutor
        import anyio.to_thread, pytest, talk

        POOL = ThreadPoolExecutor(4)

        @pytest.fixture(scope="module")
        def shared():
            yield talk.ask("shared before")
            talk.ask("shared after")

        @pytest.fixture
        def own(request):
            yield talk.ask(f"{request.node.name} before")
            talk.ask(f"{request.node.name} after")

        async def mixed(name):
            return await asyncio.gather(
                talk.aask(f"{name} task"),
                asyncio.to_thread(talk.ask, f"{name} to_thread"),
                asyncio.wrap_future(POOL.submit(talk.ask, f"{name} pool")),
                anyio.to_thread.run_sync(talk.ask, f"{name} anyio"),
            )

        @pytest.mark.asyncio(loop_scope="module")
        @pytest.mark.parametrize("n", range(12))
        async def test_async(n, request, shared, own):
            for answer in await mixed(request.node.name):
                assert answer.startswith(f"echo: {request.node.name} ")

        @pytest.mark.parametrize("n", range(12))
        def test_sync(n, request, own, shared):
            found = []
            thread = threading.Thread(target=lambda: found.extend(asyncio.run(mixed(request.node.name))))
            thread.start()
            thread.join()
            for answer in found:
                assert answer.startswith(f"echo: {request.node.name} ")
            assert len(found) == 4

        def test_end():
            POOL.shutdown()
    """)  # fmt: skip

    project.record_and_replay(server, calls=24 * 6 + 2, passed=25)

    for path, prompts in prompts_of(project).items():
        if "@" in path:
            assert prompts == ["shared before", "shared after"]
        else:
            name = path.removeprefix("test_it/").removesuffix(".yaml")
            assert [prompt.strip('"').partition(" ")[0] for prompt in prompts] == [name] * 6


def test_a_session_that_records_says_which_calls_belong_to_no_running_test(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import asyncio
        import talk

        EARLY = talk.ask("at collection")
        RUNNER = asyncio.Runner()  # which keeps the context of the first test that uses it

        def test_one():
            RUNNER.run(talk.aask("one"))

        def test_two():
            RUNNER.run(talk.aask("two"))
            RUNNER.run(talk.aask("three"))
            RUNNER.close()
    """)  # fmt: skip

    result = project.run("--record-cassettes", passed=2)

    result.stdout.fnmatch_lines([
        "sent and not recorded, since no running test made them; replay will refuse them:",
        "  POST 127.0.0.1/v1/chat/completions  (3 times)",
    ])  # fmt: skip
    assert len(server.requests) == 4
    assert "sent and not recorded" not in project.run("--llm-mode=live", passed=2).stdout.str()
