"""What every adapter holds of what is refused, and of what goes wrong before there is an answer.

A refusal comes out of the library as it is: not wrapped, not taken for a broken connection, not tried again. See
`test_adapter_contract`.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from adapter_drivers import BODY, DRIVERS, Ask, Heard, able
from adapter_server import stream_events

from tapemeter.cassette.mode import Mode
from tapemeter.errors import BudgetStopped, CassetteMiss, UnownedCall

if TYPE_CHECKING:
    from adapter_drivers import Driver
    from adapter_server import Server
    from adapter_tape import Tape


def test_a_miss_comes_out_as_it_is_and_once(client: Driver, world: Server, tape: Tape) -> None:
    with tape.replaying() as owner:
        with pytest.raises(CassetteMiss) as missed:
            client.ask(Ask(world.url(), retries=3))
        assert owner.refusals == [missed.value]
        with pytest.raises(CassetteMiss):
            client.ask(Ask(world.url("/stream"), stream=True))

    assert (missed.value.__cause__, world.connections) == (None, 0)


def test_a_client_can_be_used_after_a_refusal(client: Driver, world: Server, tape: Tape) -> None:
    with tape.recording():
        first = client.ask(Ask(world.url()))
    with tape.replaying():
        for body in (b'{"model": "other"}', b""):
            with pytest.raises(CassetteMiss):
                client.ask(Ask(world.url(), body=body))
        again = client.ask(Ask(world.url()))

    assert again.body == first.body
    assert client.ask(Ask(world.url())).status == 200  # and after the session


def test_a_call_over_budget_is_stopped_before_anything_is_sent(client: Driver, world: Server, tape: Tape) -> None:
    with tape.recording(calls=1) as owner:
        client.ask(Ask(world.url()))
        with pytest.raises(BudgetStopped) as stopped:
            client.ask(Ask(world.url(), retries=3))
        assert owner.refusals == [stopped.value]

    assert (stopped.value.limit, stopped.value.__cause__) == ("calls", None)
    assert len(world.arrived) == 1


def test_a_stop_can_be_an_answer(client: Driver, world: Server, tape: Tape) -> None:
    with tape.recording(calls=0, on_stop="http_402"):
        heard = client.ask(Ask(world.url()))

    assert heard.status == 402
    assert "budget" in json.loads(heard.body)["error"]["message"]
    assert world.connections == 0


@pytest.mark.parametrize("client", able("pieces"), indirect=True)
def test_a_stream_over_budget_is_cut_and_the_same_in_replay(client: Driver, world: Server, tape: Tape) -> None:
    ask = Ask(world.url("/stream", events=6, end="wait"), stream=True)
    first, again = Heard(), Heard()
    with tape.recording(response_chars=20) as owner:
        with pytest.raises(BudgetStopped):
            client.ask(ask, first)
        assert owner.pending == {}
    with tape.replaying(response_chars=20), pytest.raises(BudgetStopped):
        client.ask(ask, again)

    assert first.pieces == stream_events(6)[: len(first.pieces)]
    assert 1 <= len(first.pieces) < 5
    assert len(world.arrived) == 1


@pytest.mark.parametrize("client", able("pieces"), indirect=True)
@pytest.mark.parametrize("do", ["/silent", "/stream?gate"])
def test_a_deadline_cuts_a_wait_for_headers_or_for_a_piece(client: Driver, world: Server, tape: Tape, do: str) -> None:
    path, _, gate = do.partition("?")
    ask = Ask(world.url(path, **({"gate": 1} if gate else {})), stream=True, timeout=60)
    heard = Heard()
    with tape.running(Mode.RECORD, wall_seconds=0.05) as owner:
        with pytest.raises(BudgetStopped) as stopped:
            client.ask(ask, heard)
        assert owner.pending == {}

    assert (stopped.value.limit, world.waited_long) == ("wall_seconds", False)
    assert heard.pieces in ([], stream_events(1) if gate else [])  # on a busy machine the first one may be late


# What httpx's async pools are cancelled in the midst of making they leave to the garbage collector, which complains.
@pytest.mark.parametrize("client", sorted({*DRIVERS} - {"httpx-async", "httpx2-async"}), indirect=True)
def test_a_deadline_cuts_the_making_of_a_connection(client: Driver, tape: Tape) -> None:
    waited_long = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # nobody answers the first word of TLS
        end = threading.Timer(20, lambda: (waited_long.set(), silent.close()))
        end.start()
        with tape.recording(wall_seconds=0.05) as owner:
            with pytest.raises(BudgetStopped) as stopped:
                client.ask(Ask(f"https://127.0.0.1:{silent.getsockname()[1]}/v1/chat/completions", timeout=60))
            assert owner.pending == {}
        end.cancel()

    assert (stopped.value.limit, waited_long.is_set()) == ("wall_seconds", False)


def test_a_client_keeps_its_own_timeout(client: Driver, world: Server, tape: Tape) -> None:
    with tape.recording(wall_seconds=20) as owner:
        with pytest.raises(client.timeouts) as late:
            client.ask(Ask(world.url("/silent"), timeout=0.05))
        assert (owner.pending, owner.refusals) == ({}, [])

    assert tape.interactions == []  # a connection error is not recorded
    with pytest.raises(late.type):
        client.ask(Ask(world.url("/silent"), timeout=0.05))


def test_an_address_where_nobody_listens_is_the_librarys_own_error(client: Driver, world: Server, tape: Tape) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1/chat/completions"
        with pytest.raises(Exception) as without:  # noqa: PT011 - whatever it is
            client.ask(Ask(url))
        with tape.recording() as owner:
            with pytest.raises(without.type):
                client.ask(Ask(url))
            assert (owner.pending, owner.refusals) == ({}, [])
        with tape.replaying(), pytest.raises(CassetteMiss):
            client.ask(Ask(url))

    assert tape.interactions == []


def test_code_that_is_left_over_is_refused_in_replay(client: Driver, world: Server, tape: Tape) -> None:
    go, found = threading.Event(), []

    def late() -> None:
        go.wait(10)
        try:
            client.ask(Ask(world.url()))
        except BaseException as error:  # noqa: BLE001 - a refusal is no Exception
            found.append(type(error))

    with tape.replaying():
        thread = threading.Thread(target=late)
        thread.start()
    with tape.replaying():
        go.set()
        thread.join()

    assert found == [UnownedCall]
    assert world.connections == 0


def test_answers_are_those_of_the_mode_in_force(client: Driver, world: Server, tape: Tape) -> None:
    with tape.recording():
        first = client.ask(Ask(world.url()))
    asked: list[Any] = [Ask(world.url()), Ask(world.url(), body=BODY.replace(b"hello", b"more"))]
    with tape.recording():  # what is missing is sent, the rest is played
        again = [client.ask(ask) for ask in asked]
    with tape.running(Mode.RECORD_ALL):
        new = client.ask(asked[0])

    assert [again[0].body == first.body, again[1].body == first.body, new.body == first.body] == [True, False, False]
    assert len(world.arrived) == 3
