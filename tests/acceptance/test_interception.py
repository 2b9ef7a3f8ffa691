"""Which clients are recorded and replayed, which are left alone, and that nothing of it outlives the session."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import ssl
import sys
import threading
from typing import TYPE_CHECKING, Any

import aiohttp  # noqa: F401 - imported once for all runs in this process
import httpcore
import httpcore2
import httpx
import httpx2
import pytest
import requests  # noqa: F401 - the same

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

LIBRARIES = ["httpx", "httpx2"]

ASK = """
    import asyncio
    import threading

    import LIBRARY as http

    URL = "SERVER/v1/chat/completions"
    ONCE = {"connection": "close"}  # clients that nobody closes leave no open connection behind


    def body(prompt):
        return {"model": "loopback-1", "messages": [{"role": "user", "content": prompt}]}


    def told(response):
        return response.raise_for_status().json()["choices"][0]["message"]["content"]


    def ask(client, prompt):
        return told(client.post(URL, json=body(prompt), headers=ONCE))


    async def aask(client, prompt):
        return told(await client.post(URL, json=body(prompt), headers=ONCE))
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
        from asking import URL, aask, ask, asyncio, body, http, told

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
                request = http.Request("POST", URL, json=body("no client either"))
                response = transport.handle_request(request)
                response.read()
                response.request = request
                print("GOT", told(response))

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
    far = "https://api.openai.com"
    asking.write("test_it.py", """
        from asking import ask, http

        def test_one():
            for proxy in [None, PROXIES]:
                with http.Client(proxy=proxy) as client:
                    print("GOT", ask(client, "hello"))
    """.replace("PROXIES", "None"))  # fmt: skip
    asking.run("--record-cassettes", passed=1)
    for name in ["asking.py", "test_it.py", "cassettes/test_it/test_one.yaml"]:
        file = asking.path / name
        text = file.read_text().replace(server.url, far)
        file.write_text(text.replace("[None, None]", "['http://proxy.invalid:3128', 'https://proxy.invalid:3128']"))

    asking.run("--llm-mode=replay", "--llm-fail-on=unplayed", passed=1)

    assert len(server.requests) == 2


def test_every_sdk_client_counts_once(project: Project, server: Loopback, sdks: None) -> None:
    project.write("test_it.py", f"""
        import asyncio
        import anthropic, openai

        MESSAGES = [{{"role": "user", "content": "hello"}}]
        OPENAI = {{"base_url": "{server.url}/v1"}}
        ANTHROPIC = {{"base_url": "{server.url}"}}
        at_import = openai.OpenAI(**OPENAI)

        def chat(client):
            return client.chat.completions.create(model="loopback-1", messages=MESSAGES)

        def message(client):
            return client.messages.create(model="loopback-1", messages=MESSAGES, max_tokens=9)

        def test_sync():
            print("GOT", chat(at_import).choices[0].message.content)
            print("GOT", chat(openai.OpenAI(**OPENAI)).choices[0].message.content)
            print("GOT", message(anthropic.Anthropic(**ANTHROPIC)).content[0].text)

        async def main():
            async with openai.AsyncOpenAI(**OPENAI) as client:
                print("GOT", (await chat(client)).choices[0].message.content)
            async with anthropic.AsyncAnthropic(**ANTHROPIC) as client:
                print("GOT", (await message(client)).content[0].text)

        def test_async():
            asyncio.run(main())
    """)  # fmt: skip

    assert project.record_and_replay(server, calls=5, passed=2) == [f"echo: hello #{n}" for n in range(1, 6)]

    assert sum(text.count("- key:") for text in project.cassettes().values()) == 5


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_imported_inside_the_test_counts(project: Project, server: Loopback, library: str) -> None:
    project.write("test_it.py", f"""
        import sys

        def test_one():
            assert not {{"httpx", "httpcore", "httpx2", "httpcore2"}} & sys.modules.keys()
            import {library}
            answer = {library}.post("{server.url}/v1/chat/completions", json={{"messages": [{{"content": "hi"}}]}})
            assert "echo: hi #1" in answer.text
    """)  # fmt: skip
    plain = ["-p", "no:pytest_httpx", "-p", "no:httpx_mock", "-p", "no:respx", "-p", "no:anyio"]

    project.run_apart("--record-cassettes", *plain, passed=1)
    project.run_apart("--llm-mode=replay", *plain, passed=1)

    assert len(server.requests) == 1


def test_a_library_under_two_names_records_each_call_once(project: Project, server: Loopback) -> None:
    project.write("conftest.py", """
        import httpx2

        httpx2.alias_httpx()
    """)  # fmt: skip
    project.write("test_it.py", f"""
        import httpcore, httpcore2, httpx, httpx2

        def test_one():
            assert httpx is httpx2
            for http in [httpx, httpx2]:
                with http.Client() as client:
                    print("GOT", client.post("{server.url}/v1/chat/completions", json={{}}).json()["id"])
    """)  # fmt: skip
    plain = ["-p", "no:pytest_httpx", "-p", "no:httpx_mock", "-p", "no:respx"]

    project.run_apart("--record-cassettes", *plain, passed=1)
    assert project.cassette().count("- key:") == 2
    project.run_apart("--llm-mode=replay", "--llm-fail-on=unplayed", *plain, passed=1)

    assert len(server.requests) == 2


# What is left alone


@pytest.mark.parametrize("mode", ["--llm-mode=replay", "--record-cassettes"])
def test_transports_within_the_process_are_left_alone(asking: Project, server: Loopback, mode: str) -> None:
    asking.write("test_it.py", """
        from asking import asyncio, ask, aask, body, http, told

        ANSWER = {"choices": [{"message": {"content": "mine"}}]}
        FAR = "https://api.openai.com/v1/chat/completions"

        def answer(request):
            return http.Response(200, json=ANSWER)

        def wsgi(environ, start_response):
            start_response("200 OK", [("content-type", "application/json")])
            return [http.Response(200, json=ANSWER).content]

        async def asgi(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": http.Response(200, json=ANSWER).content})

        def test_mock():
            client = http.Client(transport=http.MockTransport(answer))
            assert told(client.post(FAR, json=body("hello"))) == "mine"

        def test_wsgi():
            client = http.Client(transport=http.WSGITransport(app=wsgi))
            assert told(client.post(FAR, json=body("hello"))) == "mine"

        async def main():
            for transport in [http.MockTransport(answer), http.ASGITransport(app=asgi)]:
                async with http.AsyncClient(transport=transport) as client:
                    assert told(await client.post(FAR, json=body("hello"))) == "mine"

        def test_async():
            asyncio.run(main())
    """)  # fmt: skip

    asking.run(mode, passed=3)

    assert asking.cassettes() == {}


MOCKED = {
    "respx": """
        import httpx, pytest

        def test_fixture(respx_mock):
            respx_mock.post("https://api.openai.com/v1/chat/completions").respond(json={"by": "respx"})
            assert httpx.post("https://api.openai.com/v1/chat/completions", json={}).json() == {"by": "respx"}

        def test_async(respx_mock):
            import asyncio

            respx_mock.post("https://api.openai.com/v1/chat/completions").respond(json={"by": "respx"})

            async def main():
                async with httpx.AsyncClient() as client:
                    return await client.post("https://api.openai.com/v1/chat/completions", json={})

            assert asyncio.run(main()).json() == {"by": "respx"}
    """,
    "pytest-httpx": """
        import httpx

        def test_fixture(httpx_mock):
            httpx_mock.add_response(json={"by": "pytest-httpx"})
            assert httpx.post("https://api.openai.com/v1/chat/completions", json={}).json() == {"by": "pytest-httpx"}

        def test_async(httpx_mock):
            import asyncio

            httpx_mock.add_response(json={"by": "pytest-httpx"})

            async def main():
                async with httpx.AsyncClient() as client:
                    return await client.post("https://api.openai.com/v1/chat/completions", json={})

            assert asyncio.run(main()).json() == {"by": "pytest-httpx"}
    """,
    "responses": """
        import requests, responses

        @responses.activate
        def test_decorated():
            responses.post("https://api.openai.com/v1/chat/completions", json={"by": "responses"})
            assert requests.post("https://api.openai.com/v1/chat/completions", json={}).json() == {"by": "responses"}

        def test_managed():
            with responses.RequestsMock() as mock:
                mock.post("https://api.openai.com/v1/chat/completions", json={"by": "responses"})
                assert requests.post("https://api.openai.com/v1/chat/completions").json() == {"by": "responses"}
    """,
    "aioresponses": """
        import asyncio
        import aiohttp, pytest
        from aioresponses import aioresponses

        class Theirs(Exception): pass

        async def ask():
            async with aiohttp.ClientSession() as session:
                await session.post("https://api.openai.com/v1/chat/completions", json={})

        def test_managed():
            with aioresponses() as mock:
                mock.post("https://api.openai.com/v1/chat/completions", exception=Theirs())
                with pytest.raises(Theirs):
                    asyncio.run(ask())

        def test_unexpected():
            with aioresponses(), pytest.raises(aiohttp.ClientConnectionError, match="Connection refused: POST"):
                asyncio.run(ask())
    """,
}


@pytest.mark.parametrize("mode", ["--llm-mode=replay", "--record-cassettes"])
@pytest.mark.parametrize("library", MOCKED)
def test_what_another_library_mocks_stays_its_own(project: Project, library: str, mode: str) -> None:
    project.write("test_it.py", MOCKED[library])

    project.run(mode, passed=2)

    assert project.cassettes() == {}


def test_what_another_library_lets_through_is_recorded_and_replayed(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import httpx, pytest, talk

        def test_respx(respx_mock):
            respx_mock.route(host="127.0.0.1").pass_through()
            respx_mock.post("https://api.openai.com/v1/embeddings").respond(json={})
            httpx.post("https://api.openai.com/v1/embeddings", json={})
            print("GOT", talk.ask("respx"))

        @pytest.mark.httpx_mock(should_mock=lambda request: request.url.host != "127.0.0.1")
        def test_pytest_httpx(httpx_mock):
            httpx_mock.add_response(json={})
            httpx.post("https://api.openai.com/v1/embeddings", json={})
            print("GOT", talk.ask("pytest-httpx"))

        def test_neither():
            print("GOT", talk.ask("neither"))
    """)  # fmt: skip

    assert project.record_and_replay(server, calls=3, passed=3) == [
        "echo: respx #1",
        "echo: pytest-httpx #2",
        "echo: neither #3",
    ]

    assert all(text.count("- key:") == 1 for text in project.cassettes().values())


def test_pytest_socket_keeps_its_say_and_replay_needs_no_socket(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import socket
        import pytest, pytest_socket, talk

        pytestmark = pytest.mark.filterwarnings("ignore:A test tried to use")

        def test_asks():
            print("GOT", talk.ask("hello"))

        def test_connects():
            with pytest.raises(pytest_socket.SocketConnectBlockedError):
                socket.create_connection(("192.0.2.1", 9))
    """)  # fmt: skip
    project.run("--record-cassettes", "--allow-hosts=127.0.0.1", passed=2)
    project.write("test_it.py", """
        import socket
        import pytest, pytest_socket, talk

        pytestmark = pytest.mark.filterwarnings("ignore:A test tried to use")

        def test_asks():
            assert talk.ask("hello") == "echo: hello #1"

        def test_connects():
            with pytest.raises(pytest_socket.SocketBlockedError):
                socket.socket()
    """)  # fmt: skip

    project.run("--llm-mode=replay", "--disable-socket", passed=2)

    assert len(server.requests) == 1


# The end, and libraries that have changed


def hooked_places() -> dict[str, Any]:
    """Return all that a session replaces, as it is now, and whether it watches imports."""
    places: dict[str, Any] = {}
    for owner in (
        httpcore.ConnectionPool,
        httpcore.AsyncConnectionPool,
        httpcore2.ConnectionPool,
        httpcore2.AsyncConnectionPool,
        httpx._transports.default,
        httpx2._transports.default,
        httpx.HTTPTransport,
        httpx2.HTTPTransport,
        threading.Thread,
        concurrent.futures.ThreadPoolExecutor,
        ssl,
        socket,
        socket.socket,
        asyncio.base_events.BaseEventLoop,
    ):
        places |= {f"{owner!r}.{name}": value for name, value in vars(owner).items() if callable(value)}
    places["imports"] = list(sys.meta_path)
    return places


@pytest.mark.parametrize(
    ("test", "outcome"),
    [
        ("def test_one(): talk.ask('hello')", pytest.ExitCode.OK),
        ("def test_one(): talk.ask('hello'); raise AssertionError", pytest.ExitCode.TESTS_FAILED),
        ("def test_one(): talk.ask('hello'); import pytest; pytest.exit('enough', returncode=9)", 9),
        ("raise AssertionError", pytest.ExitCode.INTERRUPTED),
    ],
    ids=["passed", "failed", "left", "not collected"],
)
def test_the_end_of_a_session_leaves_nothing_hooked(
    project: Project, server: Loopback, test: str, outcome: int
) -> None:
    project.write("test_it.py", f"import talk\n{test}\n")
    before = hooked_places()

    # pytest-socket leaves a method of its own behind the first time that it undoes what it did.
    assert project.run("--record-cassettes", "-p", "no:socket").ret == outcome

    after = hooked_places()
    assert before.keys() == after.keys()
    assert [place for place in before if before[place] is not after[place] and place != "imports"] == []
    assert before["imports"] == after["imports"]
    with httpx.Client() as client:
        assert client.post(f"{server.url}/v1/chat/completions", json={}).status_code == 200


def other_signature(self: object, request: object, extra: object) -> None: ...


@pytest.mark.parametrize("pool", ["ConnectionPool", "AsyncConnectionPool"])
@pytest.mark.parametrize("library", ["httpcore", "httpcore2"])
def test_a_library_that_sends_in_another_way_is_an_error_at_start(
    project: Project, monkeypatch: pytest.MonkeyPatch, library: str, pool: str
) -> None:
    module = {"httpcore": httpcore, "httpcore2": httpcore2}[library]
    method = "handle_request" if pool == "ConnectionPool" else "handle_async_request"
    monkeypatch.setattr(getattr(module, pool), method, other_signature)
    project.write("test_it.py", "def test_one(): pass")
    before = hooked_places()

    result = project.run("--llm-mode=replay")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    message = result.stderr.str()
    assert f"ERROR: tapemeter: {library} {module.__version__} cannot be intercepted" in message
    assert f"{pool}.{method}(request) is gone or takes other arguments; install a version " in message
    after = hooked_places()
    assert [place for place in before if before[place] is not after[place] and place != "imports"] == []
    assert before["imports"] == after["imports"]


def test_a_proxy_that_sends_past_the_pool_is_an_error_at_start(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(httpcore.HTTPProxy, "handle_request", lambda self, request: None, raising=False)

    result = project.run("--llm-mode=replay")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: tapemeter: httpcore 1.*HTTPProxy.handle_request sends past ConnectionPool*"])


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_a_transport_without_a_pool_is_an_error_at_start(
    project: Project, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    module = {"httpx": httpx, "httpx2": httpx2}[library]

    class OtherTransport:
        def __init__(self, **_: object) -> None:
            self._engine = object()

    monkeypatch.setattr(module, "HTTPTransport", OtherTransport)

    result = project.run("--record-cassettes")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: tapemeter: {library} {module.__version__} cannot be intercepted*"])


def test_a_changed_library_is_an_error_also_where_only_markers_concern_us(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(httpcore2.ConnectionPool, "handle_request", other_signature)
    project.write("test_it.py", """
        import pytest

        @pytest.mark.llm_cassette
        def test_one(): pass
    """)  # fmt: skip

    result = project.run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "httpcore2 " in result.stderr.str() + result.stdout.str()


def test_a_changed_library_that_is_imported_later_is_an_error_at_its_import(project: Project) -> None:
    project.write("httpcore.py", """
        __version__ = "9.9.9"

        class Pool: ...
    """)  # fmt: skip
    project.write("test_it.py", """
        def test_one():
            import httpcore
    """)  # fmt: skip
    plain = ["-p", "no:pytest_httpx", "-p", "no:httpx_mock", "-p", "no:respx"]

    result = project.run_apart("--llm-mode=replay", *plain, failed=1)

    result.stdout.fnmatch_lines(["*InterceptionError: httpcore 9.9.9 cannot be intercepted*"])
