"""Which clients are recorded and replayed, which are left alone, and that nothing of it outlives the session."""

from __future__ import annotations

import concurrent.futures
import functools
import socket
import ssl
import sys
import threading
from typing import TYPE_CHECKING, Any

import httpcore
import httpcore2
import httpx
import httpx2
import pytest

import tapemeter.intercept.imports as imports_module

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

LIBRARIES = ["httpx", "httpx2"]

ASK = """
    import asyncio
    import threading

    import LIBRARY as http

    URL = "SERVER/v1/chat/completions"


    def body(prompt):
        return {"model": "loopback-1", "messages": [{"role": "user", "content": prompt}]}


    def told(response):
        return response.raise_for_status().json()["choices"][0]["message"]["content"]


    def ask(client, prompt):
        return told(client.post(URL, json=body(prompt)))


    async def aask(client, prompt):
        return told(await client.post(URL, json=body(prompt)))
"""


@pytest.fixture(params=LIBRARIES)
def asking(request: pytest.FixtureRequest, project: Project, server: Loopback) -> Project:
    """A project with `ask(client, prompt)` and `aask`, for either library, which it calls `http`."""
    project.write("asking.py", ASK.replace("LIBRARY", request.param).replace("SERVER", server.url))
    return project


# Every client counts


def test_clients_made_before_the_session_count(asking: Project, server: Loopback) -> None:
    asking.write("conftest.py", """
        from asking import http

        EARLY = http.Client()
        AEARLY = http.AsyncClient()
    """)  # fmt: skip
    asking.write("test_it.py", """
        from asking import asyncio, ask, aask, http
        from conftest import AEARLY, EARLY

        AT_IMPORT = http.Client()

        def test_sync():
            print("GOT", ask(EARLY, "conftest"))
            print("GOT", ask(AT_IMPORT, "module"))

        def test_async():
            print("GOT", asyncio.run(aask(AEARLY, "async")))
    """)  # fmt: skip

    assert asking.record_and_replay(server, calls=3, passed=2) == [
        "echo: conftest #1",
        "echo: module #2",
        "echo: async #3",
    ]


def test_clients_of_a_session_fixture_count_for_the_test_that_uses_them(asking: Project, server: Loopback) -> None:
    asking.write("test_it.py", """
        import pytest
        from asking import asyncio, ask, aask, http

        @pytest.fixture(scope="session")
        def client():
            with http.Client() as client:
                yield client

        @pytest.fixture(scope="session")
        def aclient():
            return http.AsyncClient()

        def test_one(client):
            print("GOT", ask(client, "one"))

        def test_two(client, aclient):
            print("GOT", ask(client, "two"))
            print("GOT", asyncio.run(aask(aclient, "async two")))
    """)  # fmt: skip

    asking.record_and_replay(server, calls=3, passed=2)

    assert {path: text.count("prompt_tokens") for path, text in asking.cassettes().items()} == {
        "test_it/test_one.yaml": 1,
        "test_it/test_two.yaml": 2,
    }


def test_clients_in_threads_and_in_an_event_loop_of_another_thread_count(asking: Project, server: Loopback) -> None:
    asking.write("test_it.py", """
        from asking import asyncio, ask, aask, http, threading

        def in_thread(work):
            found = []
            thread = threading.Thread(target=lambda: found.append(work()))
            thread.start()
            thread.join()
            return found

        def test_sync():
            with http.Client() as client:
                print("GOT", *in_thread(lambda: ask(client, "thread")))

        def test_async():
            async def main():
                async with http.AsyncClient() as client:
                    return await aask(client, "loop")

            print("GOT", *in_thread(lambda: asyncio.run(main())))
    """)  # fmt: skip

    assert asking.record_and_replay(server, calls=2, passed=2) == ["echo: thread #1", "echo: loop #2"]


def test_mounted_wrapped_and_called_transports_count(asking: Project, server: Loopback) -> None:
    asking.write("test_it.py", """
        from asking import asyncio, ask, aask, http, URL, body, told

        class Wrapped(http.BaseTransport):
            def __init__(self):
                self.inner = http.HTTPTransport()

            def handle_request(self, request):
                return self.inner.handle_request(request)

        class AsyncWrapped(http.AsyncBaseTransport):
            def __init__(self):
                self.inner = http.AsyncHTTPTransport()

            async def handle_async_request(self, request):
                return await self.inner.handle_async_request(request)

        class Sub(http.HTTPTransport):
            def handle_request(self, request):
                request.headers["x-sub"] = "1"
                return super().handle_request(request)

        def test_sync():
            print("GOT", ask(http.Client(mounts={"all://": http.HTTPTransport()}), "mounted"))
            print("GOT", ask(http.Client(transport=Wrapped()), "wrapped"))
            print("GOT", ask(http.Client(transport=Sub()), "derived"))
            print("GOT", told(http.post(URL, json=body("no client"))))
            with http.HTTPTransport() as transport:
                response = transport.handle_request(http.Request("POST", URL, json=body("no client either")))
                response.read()
                print("GOT", told(http.Response(response.status_code, content=response.content,
                                                request=http.Request("POST", URL))))

        async def ask_all():
            async with http.AsyncClient(mounts={"all://": http.AsyncHTTPTransport()}) as client:
                print("GOT", await aask(client, "mounted"))
            async with http.AsyncClient(transport=AsyncWrapped()) as client:
                print("GOT", await aask(client, "wrapped"))

        def test_async():
            asyncio.run(ask_all())
    """)  # fmt: skip

    assert len(asking.record_and_replay(server, calls=7, passed=2)) == 7


def test_calls_through_a_proxy_count_and_replay_needs_no_proxy(asking: Project, server: Loopback) -> None:
    # To plain HTTP, a proxy is a server that is asked for whole URLs; this one answers by itself.
    test = f"""
        from asking import asyncio, ask, aask, http

        def test_sync():
            with http.Client(proxy="{server.url}") as client:
                print("GOT", ask(client, "sync"))
            with http.Client(mounts={{"http://": http.HTTPTransport(proxy="{server.url}")}}) as client:
                print("GOT", ask(client, "mounted"))

        async def main():
            async with http.AsyncClient(proxy="{server.url}") as client:
                print("GOT", await aask(client, "async"))

        def test_async():
            asyncio.run(main())
    """
    asking.write("test_it.py", test)
    asking.record_and_replay(server, calls=3, passed=2)
    assert {path.partition("/v1")[0] for path in server.requests} == {server.url}

    asking.write("test_it.py", test.replace(server.url, "http://proxy.invalid:3128"))
    asking.run("--llm-mode=replay", passed=2)


def test_calls_over_tls_are_replayed_without_a_connection_also_through_a_proxy(
    asking: Project, server: Loopback
) -> None:
    asking.write("test_it.py", """
        from asking import ask, http

        def test_one():
            for client in [http.Client(), http.Client(proxy="http://proxy.invalid:3128"), http.Client(http1=False)]:
                print("GOT", ask(client, "hello"))
    """.replace(", http.Client(proxy=", ", http.Client() or (").replace("http1=False", ""))  # fmt: skip
    asking.run("--record-cassettes", passed=1)
    (file,) = (asking.path / "cassettes").rglob("*.yaml")
    file.write_text(file.read_text().replace(server.url, "https://api.openai.com"))
    asking.write("asking.py", (asking.path / "asking.py").read_text().replace(server.url, "https://api.openai.com"))
    asking.write("test_it.py", """
        from asking import ask, http

        def test_one():
            print("GOT", ask(http.Client(), "hello"))
            print("GOT", ask(http.Client(proxy="http://proxy.invalid:3128"), "hello"))
            print("GOT", ask(http.Client(proxy="https://proxy.invalid:3128"), "hello"))
    """)  # fmt: skip

    asking.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)
