"""What urllib3, and requests above it, let their users do besides the usual."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from adapter_drivers import BODY, JSON
from adapter_server import ANSWER, MODEL, Server, stream_events
from adapter_tunnel import Tunnel

from tapemeter.cassette.mode import Mode
from tapemeter.errors import BudgetStopped, CassetteMiss, InterceptionError
from tapemeter.intercept.urllib3 import Urllib3Adapter

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from adapter_tape import Tape


def both(tape: Tape, work: Callable[[], Any]) -> Any:
    """Record and replay the same; return what came of it, which is to be equal."""
    with tape.recording():
        first = work()
    with tape.replaying() as owner:
        again = work()
        assert owner.refusals == []
    assert again == first
    return first


DEFAULT = urllib3.Timeout(total=urllib3.Timeout.DEFAULT_TIMEOUT)


# Answers in parts


def read_some(response: Any) -> list[bytes]:
    return [response.read(10), response.read()]


def read_what_is_there(response: Any) -> list[bytes]:
    return [b"".join(iter(response.read1, b""))]


def read_chunks(response: Any) -> list[bytes]:
    return list(response.read_chunked() if response.chunked else response.stream(7))


def read_into(response: Any) -> list[bytes]:
    buffer = bytearray(5000)
    return [bytes(buffer[: response.readinto(buffer)])]


def read_lines(response: Any) -> list[bytes]:
    return list(response)


def drain(response: Any) -> list[bytes]:
    response.drain_conn()
    return [b"".join(stream_events(3))]


@pytest.mark.parametrize("frame", ["chunked", "length", "close"])
@pytest.mark.parametrize("read", [read_some, read_what_is_there, read_chunks, read_into, read_lines, drain])
def test_an_answer_may_be_read_in_any_way(
    world: Server, tape: Tape, frame: str, read: Callable[[Any], list[bytes]]
) -> None:
    with urllib3.PoolManager() as pools:

        def work() -> bytes:
            response = pools.request("POST", world.url("/stream", frame=frame), body=BODY, preload_content=False)
            with response:
                parts = read(response)
            response.release_conn()
            return b"".join(parts)

        assert both(tape, work) == b"".join(stream_events(3))

    (kept,) = tape.interactions
    assert "".join(piece["text"] for piece in kept["response"]["stream"]).encode() == b"".join(stream_events(3))
    assert "ending" not in kept["response"]


def test_events_may_be_read_by_lines_with_requests(world: Server, tape: Tape) -> None:
    def work() -> list[str]:
        with requests.post(world.url("/stream"), BODY, headers=JSON, stream=True, timeout=20) as response:
            return list(response.iter_lines(decode_unicode=True))

    assert [line + "\n\n" for line in both(tape, work) if line] == [event.decode() for event in stream_events(3)]


# Sessions, hooks, cookies


def test_a_session_of_requests_keeps_its_ways(world: Server, tape: Tape) -> None:
    seen: list[int] = []

    def work() -> Any:
        with requests.Session() as session:
            session.auth = ("user", "planted-word")
            session.params = {"n": "1"}
            session.hooks["response"].append(lambda response, **_: seen.append(response.status_code))
            return session.post(world.url(), json={"model": "m", "messages": []}, timeout=20).json()

    assert both(tape, work) == {**ANSWER, "number": 1}
    assert seen == [200, 200]
    assert world.arrived[0].headers["authorization"].startswith("Basic ")
    assert "planted" not in tape.path.read_text(encoding="utf-8")


def test_a_pool_is_not_used_up_by_replay(world: Server, tape: Tape) -> None:
    with urllib3.HTTPConnectionPool(
        "127.0.0.1", int(world.plain("").rpartition(":")[2]), maxsize=1, block=True
    ) as pool:

        def ask() -> bytes:
            read: bytes = pool.request("POST", "/v1/chat/completions", body=BODY, headers=JSON, pool_timeout=5).data
            return read

        ask()
        with tape.recording():
            recorded = [ask() for _ in range(3)]
        with tape.replaying():
            assert [ask() for _ in range(3)] == recorded
        ask()

    assert (len(world.arrived), world.connections) == (5, 1)


def test_a_request_that_cannot_be_made_leaves_nothing_behind(world: Server, tape: Tape) -> None:
    with urllib3.HTTPConnectionPool("127.0.0.1", int(world.plain("").rpartition(":")[2]), maxsize=1) as pool:
        assert pool.request("POST", MODEL, body=BODY, headers=JSON).status == 200
        (conn,) = filter(None, pool.pool.queue)
        with tape.recording() as owner:
            with pytest.raises(ValueError, match="Invalid header"):
                pool.request("POST", MODEL, body=BODY, headers={"X-Own": "two\nlines"})
            assert (owner.pending, [name for name in vars(conn) if "tapemeter" in name]) == ({}, [])
            assert pool.request("POST", MODEL, body=BODY, headers=JSON).status == 200

    assert len(world.arrived) == 2


@pytest.mark.parametrize("timeout", [None, 20, urllib3.Timeout(connect=20), urllib3.Timeout(total=20), DEFAULT])
def test_a_deadline_holds_whatever_the_timeout(world: Server, tape: Tape, timeout: Any) -> None:
    with urllib3.PoolManager() as pools, tape.recording(wall_seconds=0.05), pytest.raises(BudgetStopped):
        pools.request("POST", world.url("/silent"), body=BODY, headers=JSON, timeout=timeout)


def test_the_wish_to_be_told_to_go_on_is_not_waited_for(world: Server, tape: Tape) -> None:
    headers = {**JSON, "Expect": "100-continue", "X-Own": "kept"}
    with urllib3.PoolManager() as pools:
        heard = both(tape, lambda: pools.request("POST", world.url(), body=BODY, headers=headers).data)

    assert b'"content": "hi"' in heard
    assert world.arrived[0].headers["x-own"] == "kept"
    assert "expect" not in world.arrived[0].headers


def test_a_call_to_which_another_was_redirected_is_no_attempt_at_the_first(world: Server, tape: Tape) -> None:
    with urllib3.PoolManager() as pools, tape.recording() as owner:
        elsewhere = world.url("/redirect/307", to=MODEL)
        assert pools.request("POST", elsewhere, body=BODY, headers=JSON).status == 200
        assert (owner.usage.calls, owner.usage.attempts) == (2, 2)


# Proxies


def test_a_miss_over_tls_through_a_proxy_asks_nobody(tape: Tape) -> None:
    with Tunnel() as proxy, urllib3.ProxyManager(proxy.url) as pools, tape.replaying(), pytest.raises(CassetteMiss):
        pools.request("POST", "https://api.openai.com/v1/chat/completions", body=BODY)

    assert proxy.asked == []


def test_what_is_left_alone_makes_its_tunnel(tape: Tape, tls: tuple[ssl.SSLContext, str]) -> None:
    context, ca = tls
    with (
        Server(context) as world,
        Tunnel() as proxy,
        urllib3.ProxyManager(proxy.url, ca_certs=ca) as pools,
        tape.running(Mode.REPLAY, models_only=True),
    ):
        assert [pools.request("GET", world.plain("/landed")).data for _ in range(2)] == [b"landed"] * 2

    assert (len(proxy.asked), world.connections) == (1, 1)  # the second request goes through the same tunnel


# A library that has changed


def other(name: str) -> ModuleType:
    """Return a urllib3 in which one thing is not as it was."""
    module = ModuleType("urllib3")
    vars(module).update(vars(urllib3))
    plain, secure = urllib3.HTTPConnectionPool, urllib3.HTTPSConnectionPool
    module.HTTPConnectionPool = type("HTTPConnectionPool", (plain,), {})  # type: ignore[attr-defined]
    module.HTTPSConnectionPool = type("HTTPSConnectionPool", (secure,), {})  # type: ignore[attr-defined]
    owner = module.HTTPSConnectionPool if name.startswith("HTTPS") else module.HTTPConnectionPool
    setattr(owner, name.partition(".")[2], lambda self: None)
    module.__version__ = "9.9"  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("HTTPConnectionPool._make_request", "_make_request is gone or takes other arguments"),
        ("HTTPSConnectionPool._make_request", "HTTPSConnectionPool sends past HTTPConnectionPool._make_request"),
        ("HTTPSConnectionPool._prepare_proxy", "_prepare_proxy is gone or takes other arguments"),
    ],
)
def test_a_library_of_another_shape_is_an_error_that_names_it(name: str, said: str) -> None:
    with pytest.raises(
        InterceptionError, match=f"urllib3 9.9 cannot be intercepted, its calls would be missed: .*{said}"
    ):
        Urllib3Adapter().install(other(name))


def test_a_library_of_no_shape_at_all_is_an_error_too() -> None:
    module = ModuleType("urllib3")
    vars(module).update(vars(SimpleNamespace(__version__="1.26.20")))

    with pytest.raises(InterceptionError, match=r"urllib3 1\.26\.20 cannot be intercepted"):
        Urllib3Adapter().install(module)
