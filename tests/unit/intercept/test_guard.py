from __future__ import annotations

import _socket
import asyncio
import contextvars
import pickle
import socket
import sys
import threading
from contextlib import contextmanager
from socket import create_connection, gethostbyname
from socket import getaddrinfo as getaddrinfo_imported_before
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.errors import NetworkBlockedError
from tapemeter.intercept import guard
from tapemeter.network import AllowList, marker_allow_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FAR, FAR_6 = "192.0.2.1", "2001:db8::1"
REFUSED = pytest.raises(NetworkBlockedError)


@contextmanager
def in_force(
    allow: AllowList, on_refusal: Callable[[NetworkBlockedError], None] | None = None
) -> Iterator[list[tuple[str, str, int | None]]]:
    asked: list[tuple[str, str, int | None]] = []

    def policy(kind: guard.Kind, host: str, port: int | None) -> None:
        asked.append((kind, host, port))
        if not (allow.allows_unix if kind == "unix" else allow.allows(host, port)):
            raise guard.blocked(kind, host, port, "test_x.py::test_x", allow)

    undo = guard.push(policy, names=allow.names, on_refusal=on_refusal)
    try:
        yield asked
    finally:
        undo()


@pytest.fixture
def default() -> Iterator[list[tuple[str, str, int | None]]]:
    with in_force(AllowList.default()) as asked:
        yield asked


@pytest.fixture
def listener() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def tcp(family: int = socket.AF_INET) -> socket.socket:
    return socket.socket(family, socket.SOCK_STREAM)


def udp(family: int = socket.AF_INET) -> socket.socket:
    return socket.socket(family, socket.SOCK_DGRAM)


# What is refused


def refused_connect() -> None:
    with tcp() as sock:
        sock.connect((FAR, 443))


def refused_connect_6() -> None:
    with tcp(socket.AF_INET6) as sock:
        sock.connect((FAR_6, 443))


def refused_connect_mapped() -> None:
    with tcp(socket.AF_INET6) as sock:
        sock.connect((f"::ffff:{FAR}", 443))


def refused_connect_ex() -> None:
    with tcp() as sock:
        sock.connect_ex((FAR, 443))


def refused_connect_by_name() -> None:
    with tcp() as sock:
        sock.connect(("name.invalid", 443))


def refused_connect_ex_by_name() -> None:
    with tcp() as sock:
        sock.connect_ex(("name.invalid", 443))


def refused_sendto() -> None:
    with udp() as sock:
        sock.sendto(b"x", (FAR, 53))


def refused_sendto_with_flags() -> None:
    with udp() as sock:
        sock.sendto(b"x", 0, ("name.invalid", 53))


def refused_sendto_broadcast() -> None:
    with udp() as sock:
        sock.sendto(b"x", ("<broadcast>", 53))


def refused_sendmsg() -> None:
    with udp() as sock:
        sock.sendmsg([b"x"], [], 0, (FAR, 53))


def refused_udp_connect() -> None:
    with udp() as sock:
        sock.connect((FAR, 53))


def refused_getaddrinfo() -> None:
    socket.getaddrinfo("name.invalid", 443)


def refused_getaddrinfo_bytes() -> None:
    socket.getaddrinfo(b"name.invalid", "https")


def refused_getaddrinfo_imported_before() -> None:
    getaddrinfo_imported_before("name.invalid", 443)


def refused_gethostbyname() -> None:
    gethostbyname("name.invalid")


def refused_gethostbyname_ex() -> None:
    socket.gethostbyname_ex("name.invalid")


def refused_gethostbyaddr() -> None:
    socket.gethostbyaddr(FAR)


def refused_getnameinfo() -> None:
    socket.getnameinfo((FAR, 443), 0)


def refused_private_socket() -> None:
    sock = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.connect((FAR, 443))
    finally:
        sock.close()


def refused_create_connection() -> None:
    create_connection((FAR, 443), timeout=1)


def refused_asyncio() -> None:
    asyncio.run(_open(FAR))


def refused_asyncio_name() -> None:
    asyncio.run(_open("name.invalid"))


async def _open(host: str, port: int = 443) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    await writer.wait_closed()


def refused_in_a_thread() -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            refused_connect()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    raise caught[0]


WAYS_OUT = [value for name, value in sorted(globals().items()) if name.startswith("refused_")]


@pytest.mark.parametrize("way_out", WAYS_OUT, ids=lambda way_out: way_out.__name__)
def test_nothing_leaves_this_machine(default: list[tuple[str, str, int | None]], way_out: Callable[[], None]) -> None:
    with REFUSED as error:
        way_out()
    assert error.value.test == "test_x.py::test_x"
    assert error.value.host in {FAR, FAR_6, f"::ffff:{FAR}", "name.invalid", "<broadcast>"}
    assert default


def test_the_refusal_says_who_where_and_what_to_do(default: object) -> None:
    with REFUSED as error:
        refused_connect()
    assert (error.value.host, error.value.port) == (FAR, 443)
    message = str(error.value)
    for part in (
        "test_x.py::test_x wanted to connect to 192.0.2.1:443",
        "allowed: loopback, unix sockets",
        "--llm-allow-host 192.0.2.1:443",
        "llm_allow_hosts = 192.0.2.1:443",
        '@pytest.mark.llm_network(allow=["192.0.2.1:443"])',
        "--record-cassettes",
    ):
        assert part in message
    assert str(pickle.loads(pickle.dumps(error.value))) == message


def test_the_refusal_names_what_an_address_was_looked_up_as(listener: tuple[str, int]) -> None:
    allow = AllowList.nothing().plus(["localhost:1"])
    with in_force(allow), REFUSED as error:
        socket.create_connection(("localhost", listener[1]))
    assert "(localhost)" in str(error.value)
    assert f"--llm-allow-host localhost:{listener[1]}" in str(error.value)


def test_the_refusal_says_that_two_lists_are_in_force() -> None:
    both = AllowList.default().intersect(marker_allow_list(["a.example"]))
    assert "must both allow it" in str(guard.blocked("lookup", "b.example", None, None, both))
    assert "no running test wanted to look up the name b.example" in str(
        guard.blocked("lookup", "b.example", None, None, both)
    )


# What is allowed


def test_loopback_is_open(default: object, listener: tuple[str, int]) -> None:
    for host in ("127.0.0.1", "localhost", "127.1"):
        with socket.create_connection((host, listener[1])) as connection:
            assert connection.getpeername() == listener
    with tcp() as sock:
        assert sock.connect_ex(("", listener[1])) == 0
    asyncio.run(_open("localhost", listener[1]))


def test_datagrams_on_loopback_are_open(default: object) -> None:
    with udp() as receiver, udp() as sender:
        receiver.bind(("127.0.0.1", 0))
        sender.sendto(b"one", receiver.getsockname())
        sender.sendmsg([b"two"], [], 0, receiver.getsockname())
        sender.connect(receiver.getsockname())
        sender.sendmsg([b"three"])
        assert [receiver.recv(9) for _ in range(3)] == [b"one", b"two", b"three"]


def test_translating_an_address_asks_no_name_server(default: list[Any]) -> None:
    assert socket.getaddrinfo(FAR, 443)[0][4][0] == FAR
    assert socket.getaddrinfo(None, 443)
    assert gethostbyname(FAR) == FAR
    assert default == []


def test_unix_sockets_are_open(default: list[Any], tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"x")
        assert right.recv(1) == b"x"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
    assert default == [("unix", path, None)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="abstract sockets and netlink are Linux's")
def test_other_local_families_pass(default: list[Any]) -> None:
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(b"\0tapemeter-nobody-listens")
    assert default == [("unix", "@tapemeter-nobody-listens", None)]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as netlink:
        netlink.connect((0, 0))
    assert len(default) == 1


def test_nothing_closes_this_machine_too(listener: tuple[str, int], tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with in_force(AllowList.nothing()):
        for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0"):
            with REFUSED:
                socket.create_connection((host, listener[1]))
        with tcp() as sock, REFUSED:
            sock.connect(("", listener[1]))
        with socket.socket(socket.AF_UNIX) as client:
            with REFUSED as error:
                client.connect(path)
            assert path in str(error.value)
            assert "allow=[]" in str(error.value)
            with REFUSED:
                client.connect(path.encode())


@pytest.mark.parametrize("rule", ["127.0.0.1", "127.0.0.0/8", "::ffff:127.0.0.1"])
def test_an_address_may_be_allowed_alone(listener: tuple[str, int], rule: str) -> None:
    with in_force(AllowList.nothing().plus([rule])):
        with socket.create_connection(listener):
            pass
        with REFUSED:
            refused_connect()


# Names and their addresses


@pytest.mark.parametrize("rule", ["localhost", "localhost:{port}"])
def test_an_allowed_name_allows_its_addresses(listener: tuple[str, int], rule: str) -> None:
    with in_force(AllowList.nothing().plus([rule.format(port=listener[1])])):
        with socket.create_connection(("localhost", listener[1])):
            pass
        asyncio.run(_open("localhost", listener[1]))
        with REFUSED:
            socket.create_connection(("127.0.0.2", listener[1]))


def test_an_address_that_was_not_looked_up_here_is_found_by_its_name(listener: tuple[str, int]) -> None:
    with in_force(AllowList.nothing().plus(["localhost"])), socket.create_connection(listener):
        pass


def test_a_name_below_an_allowed_domain_allows_its_addresses(
    monkeypatch: pytest.MonkeyPatch, listener: tuple[str, int]
) -> None:
    real = socket.getaddrinfo

    def answer(host: Any, *args: Any, **options: Any) -> Any:
        return real("127.0.0.1" if host == "api.example.test" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with in_force(AllowList.nothing().plus(["*.example.test"])):
        with REFUSED:
            socket.create_connection(listener)
        with socket.create_connection(("api.example.test", listener[1])):
            pass


def test_a_name_that_was_looked_up_past_the_wrapper_is_looked_up_again(listener: tuple[str, int]) -> None:
    with in_force(AllowList.nothing().plus(["*.localhost", "localhost"])):
        address = gethostbyname("localhost")
        with socket.create_connection((address, listener[1])):
            pass


def test_a_refused_loop_looks_a_name_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = []

    def answer(host: str, *_: Any, **__: Any) -> Any:
        looked_up.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with in_force(AllowList.default().plus(["api.example.test"])):
        for _ in range(3):
            with REFUSED:
                refused_connect()
    assert looked_up == ["api.example.test"]


def test_only_what_reaches_the_program_is_a_refusal(listener: tuple[str, int]) -> None:
    refusals: list[NetworkBlockedError] = []
    with in_force(AllowList.nothing().plus(["localhost"]), refusals.append):
        with socket.create_connection(listener):
            pass
        assert refusals == []
        with REFUSED as error:
            refused_connect()
    assert refusals == [error.value]


# Pushing and undoing


def test_the_policy_pushed_last_is_in_force(listener: tuple[str, int]) -> None:
    with in_force(AllowList.default()):
        with in_force(AllowList.nothing()), REFUSED:
            socket.create_connection(listener)
        with socket.create_connection(listener):
            pass
        with REFUSED:
            refused_connect()


def test_policies_are_undone_in_any_order_and_once(listener: tuple[str, int]) -> None:
    def open_(*_: object) -> None:
        return None

    def closed(kind: guard.Kind, host: str, port: int | None) -> None:
        raise guard.blocked(kind, host, port, None, AllowList.nothing())

    undo_first, undo_second = guard.push(open_), guard.push(closed)
    undo_first()
    undo_first()
    try:
        with REFUSED:
            socket.create_connection(listener)
    finally:
        undo_second()
    with socket.create_connection(listener):
        pass


def test_an_undone_guard_leaves_nothing_wrapped(listener: tuple[str, int]) -> None:
    before = (socket.getaddrinfo, asyncio.BaseEventLoop.getaddrinfo, dict(vars(socket.socket)))
    with in_force(AllowList.nothing()):
        assert socket.getaddrinfo is not before[0]
    assert (socket.getaddrinfo, asyncio.BaseEventLoop.getaddrinfo, dict(vars(socket.socket))) == before
    with socket.create_connection(listener):
        pass


def test_a_wrapper_put_over_ours_is_left_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", real)
    with in_force(AllowList.default()):
        ours = socket.getaddrinfo

        def theirs(*args: Any, **options: Any) -> Any:
            return ours(*args, **options)

        socket.getaddrinfo = theirs
    assert socket.getaddrinfo is theirs
    assert socket.getaddrinfo("localhost", 80)


def test_the_hook_is_added_once(monkeypatch: pytest.MonkeyPatch) -> None:
    guard.install()
    monkeypatch.setattr(sys, "addaudithook", pytest.fail)
    guard.install()
    with in_force(AllowList.default()):
        pass


def test_other_errors_of_a_policy_are_not_answered_by_name() -> None:
    def broken(*_: object) -> None:
        raise LookupError

    undo = guard.push(broken, names=lambda: pytest.fail("asked for names"))
    try:
        with pytest.raises(LookupError):
            refused_connect()
    finally:
        undo()


# Letting through


def test_passing_lets_through_in_this_context_only(listener: tuple[str, int]) -> None:
    with in_force(AllowList.nothing()):
        with guard.passing():
            with guard.passing(), socket.create_connection(("localhost", listener[1])):
                pass
            with socket.create_connection(listener):
                pass
            thread_context = contextvars.Context()
            with REFUSED:
                thread_context.run(socket.create_connection, listener)
        with REFUSED:
            socket.create_connection(listener)


def test_passing_reaches_the_name_look_ups_of_an_event_loop(listener: tuple[str, int]) -> None:
    async def main() -> None:
        other = asyncio.create_task(_open("localhost", listener[1]))
        with guard.passing():
            await _open("localhost", listener[1])
        with REFUSED:
            await other
        with REFUSED:
            await _open("localhost", listener[1])

    with in_force(AllowList.nothing()):
        asyncio.run(main())
