"""In replay nothing leaves the machine, whichever way a test tries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

ESCAPES = {
    "connect": "socket.socket().connect(('192.0.2.1', 80))",
    "connect_ex": "socket.socket().connect_ex(('192.0.2.1', 80))",
    "_socket": "_socket.socket().connect(('192.0.2.1', 80))",
    "datagram": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "message": "socket.socket(type=socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('192.0.2.1', 53))",
    "name": "socket.getaddrinfo('example.com', 80)",
    "old name": "socket.gethostbyname('example.com')",
    "imported before": "create_connection(('192.0.2.1', 80))",
    "asyncio": "asyncio.run(asyncio.open_connection('192.0.2.1', 80))",
    "asyncio by name": "asyncio.run(asyncio.open_connection('example.com', 80))",
    "a thread": "ThreadPoolExecutor().submit(create_connection, ('192.0.2.1', 80)).result()",
    # What is to become a WebSocket is no business of the clients' interception.
    "urllib": "urllib.request.urlopen(urllib.request.Request('http://192.0.2.1/', headers=UPGRADE))",
    "requests": "requests.get('http://192.0.2.1/', headers=UPGRADE)",
    "aiohttp": "asyncio.run(get_by_aiohttp(UPGRADE))",
}
CLIENTS = {
    "http.client": "http.client.HTTPConnection('192.0.2.1').request('GET', '/')",
    "urllib": "urllib.request.urlopen('http://192.0.2.1/')",
    "requests": "requests.get('http://192.0.2.1/')",
    "aiohttp": "asyncio.run(get_by_aiohttp({}))",
}
IMPORTS = """
import asyncio, http.client, socket, _socket, urllib.request
from concurrent.futures import ThreadPoolExecutor
from socket import create_connection
import pytest, requests

UPGRADE = {"connection": "upgrade", "upgrade": "websocket"}

async def get_by_aiohttp(headers):
    import aiohttp
    async with aiohttp.ClientSession() as session:
        await session.get("http://192.0.2.1/", headers=headers)
"""


@pytest.mark.parametrize("way", ESCAPES)
def test_nothing_gets_out(project: Project, way: str) -> None:
    project.write("test_it.py", f"{IMPORTS}\ndef test_one():\n    {ESCAPES[way]}\n")

    # Apart, since what it leaves open would be found, and complained of, in a later run of this process.
    result = project.run_apart("--llm-mode=replay", "-W", "ignore", failed=1)

    result.stdout.fnmatch_lines(
        ["*test_it.py::test_one wanted to * nothing was sent.*", "*refused by the network guard:"]
    )
    where = "example.com" if "name" in way else "192.0.2.1"
    result.stdout.fnmatch_lines([f"*to allow it: --llm-allow-host {where}*"])


@pytest.mark.parametrize("client", CLIENTS)
def test_a_request_of_a_known_client_is_refused_before_it_comes_to_the_guard(project: Project, client: str) -> None:
    project.write("test_it.py", f"{IMPORTS}\ndef test_one():\n    {CLIENTS[client]}\n")

    result = project.run_apart("--llm-mode=replay", "-W", "ignore", failed=1)

    result.stdout.fnmatch_lines(["*CassetteMiss: *"])
    result.stdout.no_fnmatch_line("*refused by the network guard*")


def test_loopback_and_unix_sockets_are_open_unless_the_list_is_empty(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        f"""
        import socket, pytest, tapemeter

        @pytest.fixture(autouse=True)
        def short_paths(tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)

        def reach():
            socket.create_connection(("127.0.0.1", {server.port})).close()
            listener = socket.socket(socket.AF_UNIX)
            listener.bind("s")
            listener.listen()
            with socket.socket(socket.AF_UNIX) as client:
                client.connect("s")
            listener.close()

        def test_open():
            reach()

        @pytest.mark.llm_network(allow=["192.0.2.7"])
        def test_open_beside_what_is_listed():
            reach()

        @pytest.mark.llm_network(allow=[])
        def test_closed():
            with pytest.raises(tapemeter.NetworkBlockedError):
                socket.create_connection(("127.0.0.1", {server.port}))
            with pytest.raises(tapemeter.NetworkBlockedError):
                socket.socket(socket.AF_UNIX).connect("s")
        """,
    )

    project.run_apart("--llm-mode=replay", "-W", "ignore", passed=3)


def test_the_tightest_of_option_and_marker_wins(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import sys, pytest, tapemeter

        def refused(host):
            try:
                sys.audit("socket.getaddrinfo", host, 80, 0, 0, 0)
            except tapemeter.NetworkBlockedError:
                return True
            return False

        def test_of_the_option():
            assert [refused(host) for host in ("a.example", "b.example")] == [False, True]

        @pytest.mark.llm_network(allow=["a.example", "b.example"])
        def test_of_both():
            assert [refused(host) for host in ("a.example", "b.example")] == [False, True]

        @pytest.mark.llm_network(allow=["b.example"])
        def test_of_neither():
            assert [refused(host) for host in ("a.example", "b.example")] == [True, True]
        """,
    )

    project.run("--llm-mode=replay", "--llm-allow-host=a.example", passed=3)
    project.ini("llm_allow_hosts = a.example")
    project.run("--llm-mode=replay", passed=3)


@pytest.mark.parametrize("mode", ["--record-cassettes", "--llm-mode=live"])
def test_block_network_holds_in_every_mode_but_model_calls_are_sent(
    project: Project, server: Loopback, mode: str
) -> None:
    project.write(
        "test_it.py",
        """
        import socket, pytest, tapemeter
        from talk import ask

        @pytest.mark.llm_network(allow=[])
        def test_one():
            assert "hello" in ask("hello")
            with pytest.raises(tapemeter.NetworkBlockedError):
                socket.create_connection(("192.0.2.1", 80))

        def test_two(block_network):
            with pytest.raises(tapemeter.NetworkBlockedError):
                socket.create_connection(("192.0.2.1", 80))
        """,
    )

    project.run(mode, passed=2)

    assert len(server.requests) == 1


def test_the_guard_is_down_outside_replay_and_after_the_run(project: Project) -> None:
    source = "import sys\ndef test_one(): sys.audit('socket.getaddrinfo', 'example.com', 80, 0, 0, 0)\n"
    project.write("test_it.py", source)

    project.run("--llm-mode=replay", failed=1)
    project.run("--llm-mode=live", passed=1)
    project.run("--record-cassettes", passed=1)
    project.run(passed=1)


def test_the_error_says_who_where_and_what_to_do_and_the_summary_counts(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import socket, pytest, tapemeter

        @pytest.fixture(scope="module")
        def service():
            with pytest.raises(tapemeter.NetworkBlockedError):
                socket.getaddrinfo("service.example", 5432)

        def test_one(service):
            for _ in range(3):
                with pytest.raises(tapemeter.NetworkBlockedError) as refused, socket.socket() as sock:
                    sock.connect(("192.0.2.1", 5432))
            assert (refused.value.host, refused.value.port) == ("192.0.2.1", 5432)
            assert refused.value.test == "test_it.py::test_one"
            assert isinstance(refused.value, OSError)
            print(refused.value)
        """,
    )

    result = project.run("--llm-mode=replay", "-rP", passed=1)

    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_one wanted to connect to 192.0.2.1:5432; nothing was sent.",
            "  allowed: *loopback*",
            '  to allow it: --llm-allow-host 192.0.2.1:5432, *llm_network(allow=[[]"192.0.2.1:5432"])',
            "refused by the network guard:",
            "  service.example  module fixture 'service' of test_it.py",
            "  192.0.2.1:5432  test_it.py::test_one  (3 times)",
        ]
    )


def test_threads_are_guarded_and_code_of_no_test_too(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import socket, threading
        import tapemeter

        def refused():
            try:
                socket.getaddrinfo("service.example", 80)
            except tapemeter.NetworkBlockedError as error:
                return error.test
            raise AssertionError

        AT_IMPORT = refused()
        GO = threading.Event()
        FOUND = []

        def late():
            GO.wait()
            FOUND.append(refused())

        THREAD = threading.Thread(target=late)

        def test_one():
            thread = threading.Thread(target=lambda: FOUND.append(refused()))
            thread.start()
            thread.join()
            assert FOUND.pop() == "test_it.py::test_one"
            THREAD.start()

        def test_two():
            GO.set()
            THREAD.join()
            assert FOUND == ["test_it.py::test_one"]
            assert AT_IMPORT is None
        """,
    )

    project.run("--llm-mode=replay", passed=2)


def test_an_allowed_host_is_open_with_its_port_alone(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        f"""
        import socket, urllib.request
        import pytest, tapemeter

        @pytest.mark.llm_network(allow=["127.0.0.1:{server.port}"])
        def test_one():
            urllib.request.urlopen("http://127.0.0.1:{server.port}/health").close()

        @pytest.mark.llm_network(allow=["*.example", "192.0.2.0/24"])
        def test_two():
            with pytest.raises(tapemeter.NetworkBlockedError):
                socket.getaddrinfo("example.com", 80)
        """,
    )

    project.run("--llm-mode=replay", passed=2)

    assert server.requests == ["/health"]


def test_only_the_tests_that_are_ours_are_guarded_without_a_mode(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import socket, sys
        import pytest, tapemeter

        def ask():
            sys.audit("socket.getaddrinfo", "service.example", 80, 0, 0, 0)

        def test_plain():
            ask()

        @pytest.mark.llm_cassette
        def test_replayed():
            with pytest.raises(tapemeter.NetworkBlockedError):
                ask()

        @pytest.mark.llm_cassette(mode="live")
        def test_live():
            ask()

        @pytest.mark.llm_cassette(mode="live")
        def test_live_and_blocked(block_network):
            with pytest.raises(tapemeter.NetworkBlockedError):
                ask()

        def test_plain_again():
            ask()
        """,
    )

    project.run(passed=5)


def test_names_below_our_own_http_client_are_refused_as_calls_not_as_connections(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import httpx, pytest, tapemeter

        def test_one(llm_cassette):
            with llm_cassette.expect_miss():
                httpx.get("https://service.example/")
        """,
    )

    result = project.run("--llm-mode=replay", passed=1)

    result.stdout.no_fnmatch_line("*refused by the network guard*")


def test_what_is_recorded_goes_out_though_the_test_may_reach_nothing(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import asyncio, socket
        import pytest, talk, tapemeter

        @pytest.mark.llm_network(allow=[])
        def test_one(block_network):
            print("GOT", talk.ask("sync"), asyncio.run(talk.aask("async")))
            with pytest.raises(tapemeter.NetworkBlockedError):
                socket.create_connection(("127.0.0.1", 1))
        """,
    )

    project.record_and_replay(server, calls=2, passed=1)
