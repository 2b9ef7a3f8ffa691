"""What every adapter holds: answers come back as they came, nothing is sent in replay, and nothing stays hooked.

The clients are real, and so is the server. What they are made to do stands in `adapter_drivers`, what the server
answers in `adapter_server`. Streams, and what goes wrong, have contracts of their own.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import brotli
import pytest
from adapter_drivers import BODY, DRIVERS, Ask, able
from adapter_server import Server
from adapter_tunnel import Tunnel

from tapemeter.cassette.mode import Mode

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from adapter_drivers import Driver, Heard
    from adapter_server import Arrived
    from adapter_tape import Tape

BODILESS = [Ask("", "HEAD", None, headers={}), Ask("/status/204"), Ask("/status/304", "GET", None, headers={})]
FORMS = [(name, form) for name, kind in DRIVERS.items() for form in kind.forms]
NOISE = {"date", "connection", "content-encoding", "content-length", "transfer-encoding", "server", "expect"}
FRAMING = ("content-length", "transfer-encoding")


def told(heard: Heard) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return an answer without what may differ: when it came, and how it was packed."""
    return heard.status, [pair for pair in heard.headers if pair[0] not in NOISE], unpacked(heard)


def unpacked(heard: Heard) -> bytes:
    data = heard.body
    coding = heard.header("content-encoding")
    if coding == "gzip" and data.startswith(b"\x1f\x8b"):  # else the client unpacked it
        return zlib.decompress(data, wbits=31)
    if coding == "br" and not data.startswith(b"{"):
        return brotli.decompress(data)
    return data


def record_and_replay(tape: Tape, world: Server, client: Driver, *asks: Ask) -> tuple[list[Heard], list[Heard]]:
    """Record requests one after another, then replay them; only the recording reaches the server."""
    with tape.recording() as owner:
        first = [client.ask(ask) for ask in asks]
        assert owner.pending == {}
    count, connections = len(world.arrived), world.connections
    with tape.replaying() as owner:
        again = [client.ask(ask) for ask in asks]
        assert owner.refusals == []
    assert (len(world.arrived), world.connections) == (count, connections)
    return first, again


# Answers


def test_an_answer_is_replayed_as_it_came_and_nothing_is_sent(client: Driver, world: Server, tape: Tape) -> None:
    (first,), (again,) = record_and_replay(tape, world, client, Ask(world.url()))

    assert first.status == 200
    assert b'"content": "hi"' in first.body
    assert told(again) == told(first)
    (kept,) = tape.interactions  # one, however many layers it went through
    assert (kept["request"]["method"], kept["request"]["url"]) == ("POST", world.url())
    assert len(world.arrived) == 1


@pytest.mark.parametrize("status", [201, 301, 400, 404, 429, 500, 503])
def test_any_status_is_replayed(client: Driver, world: Server, tape: Tape, status: int) -> None:
    (first,), (again,) = record_and_replay(tape, world, client, Ask(world.url(f"/status/{status}")))

    assert first.status == status
    assert b"as asked" in first.body
    assert told(again) == told(first)


@pytest.mark.parametrize("ask", BODILESS, ids=["HEAD", "204", "304"])
def test_answers_without_a_body_are_replayed_and_the_connection_goes_on(
    client: Driver, world: Server, tape: Tape, ask: Ask
) -> None:
    asks = [replace(ask, url=world.url(ask.url)), Ask(world.url(n=2))]

    first, again = record_and_replay(tape, world, client, *asks)

    assert [heard.body == b"" for heard in first] == [True, False]
    assert list(map(told, again)) == list(map(told, first))
    assert ["ending" in kept["response"] for kept in tape.interactions] == [False, False]


def test_headers_come_back_with_their_repetitions(client: Driver, world: Server, tape: Tape) -> None:
    (first,), (again,) = record_and_replay(tape, world, client, Ask(world.url("/headers")))

    assert "one" in str(first.headers)
    assert "two" in str(first.headers)
    assert first.header("x-name") is not None
    assert told(again) == told(first)


@pytest.mark.parametrize("path", ["/gzip", "/br"])
def test_compressed_answers_mean_the_same(client: Driver, world: Server, tape: Tape, path: str) -> None:
    (first,), (again,) = record_and_replay(tape, world, client, Ask(world.url(path)))

    assert b'"content": "hi"' in unpacked(first)
    assert told(again) == told(first)


def test_a_large_answer_comes_back_whole(client: Driver, world: Server, tape: Tape) -> None:
    whole, parts = Ask(world.url("/big")), Ask(world.url("/big", n=2), stream=True)

    first, again = record_and_replay(tape, world, client, whole, parts)

    assert [heard.body for heard in first + again] == [b"0123456789" * 30_000] * 4


@pytest.mark.parametrize("client", able("reconnect"), indirect=True)
@pytest.mark.parametrize("path", ["/close", "/drop"])
def test_a_connection_that_the_server_closes_is_made_anew(client: Driver, world: Server, tape: Tape, path: str) -> None:
    asks = [Ask(world.url(path)), Ask(world.url(n=2))]
    with tape.recording():
        first = [client.ask(asks[0])]
        assert world.hung_up.wait(10)
        first.append(client.ask(asks[1]))
    with tape.replaying():
        again = [client.ask(ask) for ask in asks]

    assert list(map(told, again)) == list(map(told, first))
    assert [world.connections, len(world.arrived)] == [2, 2]


# Requests


@pytest.mark.parametrize(("client", "form"), FORMS, indirect=["client"])
def test_a_body_of_any_form_is_sent_as_without_us_and_found_again(
    client: Driver, world: Server, tape: Tape, form: str
) -> None:
    def ask() -> Ask:
        return Ask(world.url(), form=client.forms[form]())

    client.ask(ask())
    with tape.recording():
        first = client.ask(ask())
    with tape.replaying():
        again = client.ask(ask())

    without, with_us = world.arrived
    assert as_sent(with_us) == as_sent(without)
    sent = client.forms[form]().sent
    assert sent is None or with_us.body == sent
    assert told(again) == told(first)


def as_sent(request: Arrived) -> tuple[str, dict[str, str], bytes]:
    """Return a request without what is another each time: the boundary of a multipart body."""
    headers = {name: value for name, value in request.headers.items() if name not in {"content-type", "expect"}}
    media, _, boundary = request.headers.get("content-type", "").partition("boundary=")
    body = request.body.replace(boundary.encode(), b"boundary") if boundary else request.body
    return request.framing, {**headers, "type": media}, body


def test_a_request_is_matched_with_its_body_read(client: Driver, world: Server, tape: Tape) -> None:
    asks = [Ask(world.url(), body=BODY.replace(b"hello", word)) for word in (b"one", b"two", b"three")]
    with tape.recording():
        first = [client.ask(ask) for ask in asks]
    with tape.replaying():
        again = [client.ask(ask) for ask in reversed(asks)]

    assert [told(heard) for heard in reversed(again)] == [told(heard) for heard in first]
    assert len({heard.body for heard in first}) == 3


# Redirects, retries, proxies


@pytest.mark.parametrize("client", able("follow"), indirect=True)
def test_each_hop_of_a_redirect_is_an_interaction(client: Driver, world: Server, tape: Tape) -> None:
    ask = Ask(world.url("/redirect/302"), "GET", None, headers={}, follow=True)

    (first,), (again,) = record_and_replay(tape, world, client, ask)

    assert first.body == b"landed"
    assert first.url.endswith("/landed")
    assert (told(again), again.url) == (told(first), first.url)
    assert [kept["response"]["status"] for kept in tape.interactions] == [302, 200]


def test_a_redirect_that_is_not_followed_is_an_answer(client: Driver, world: Server, tape: Tape) -> None:
    ask = Ask(world.url("/redirect/307"))

    (first,), (again,) = record_and_replay(tape, world, client, ask)

    assert (first.status, first.header("location")) == (307, "/landed")
    assert told(again) == told(first)


@pytest.mark.parametrize("client", able("retry"), indirect=True)
def test_attempts_of_the_client_are_recorded_as_attempts_of_one_call(client: Driver, world: Server, tape: Tape) -> None:
    ask = Ask(world.url("/status/503", first=1), retries=3)

    (first,), (again,) = record_and_replay(tape, world, client, ask)

    assert (first.status, again.body) == (200, first.body)
    assert len(world.arrived) == 2
    (kept,) = tape.interactions
    assert kept["retried"] == [503]


@pytest.mark.parametrize("client", able("proxy"), indirect=True)
def test_replay_needs_no_proxy(client: Driver, world: Server, tape: Tape) -> None:
    far = "http://model.invalid/v1/chat/completions"  # to plain HTTP, a proxy is a server that is asked for whole URLs
    with tape.recording():
        first = client.ask(Ask(far, proxy=world.plain("")))
    with tape.replaying():
        again = client.ask(Ask(far, proxy="http://proxy.invalid:3128"))

    assert told(again) == told(first)
    assert [request.target for request in world.arrived] == [far]
    assert [kept["request"]["url"] for kept in tape.interactions] == [far]


def test_calls_over_tls_are_replayed_without_a_connection(
    client: Driver, tape: Tape, tls: tuple[ssl.SSLContext, str]
) -> None:
    context, ca = tls
    with Server(context) as world:
        asks = [Ask(world.url(), ca=ca), Ask(world.url("/stream"), ca=ca, stream=True)]

        first, again = record_and_replay(tape, world, client, *asks)

    assert list(map(told, again)) == list(map(told, first))
    assert [kept["request"]["url"][:18] for kept in tape.interactions] == ["https://127.0.0.1:"] * 2


@pytest.mark.parametrize("client", able("proxy"), indirect=True)
def test_calls_over_tls_through_a_proxy_make_their_tunnel_only_to_be_sent(
    client: Driver, tape: Tape, tls: tuple[ssl.SSLContext, str]
) -> None:
    context, ca = tls
    with Server(context) as world, Tunnel() as proxy:
        ask = Ask(world.url(), ca=ca, proxy=proxy.url)
        with tape.recording():
            first = client.ask(ask)
        with tape.replaying():
            again = client.ask(replace(ask, proxy="http://proxy.invalid:3128"))

    assert told(again) == told(first)
    assert [line.split()[:2] for line in proxy.asked] == [["CONNECT", world.plain("").removeprefix("https://")]]
    assert [kept["request"]["url"] for kept in tape.interactions] == [world.url()]


# Many at once


def test_calls_at_once_get_their_own_answers(client: Driver, world: Server, tape: Tape) -> None:
    asks = [Ask(world.url(), body=BODY.replace(b"hello", b"%d" % place)) for place in range(12)]
    with tape.recording():
        first = client.together(asks)
    with tape.replaying():
        again = client.together(asks[::-1])

    assert [told(heard) for heard in again[::-1]] == [told(heard) for heard in first]
    assert len({heard.body for heard in first}) == len(world.arrived) == 12


def test_the_same_call_many_times_at_once_gets_each_answer_once(client: Driver, world: Server, tape: Tape) -> None:
    asks: Sequence[Ask] = [Ask(world.url())] * 8
    with tape.recording():
        first = client.together(asks)
    with tape.replaying():
        again = client.together(asks)

    assert sorted(heard.body for heard in again) == sorted(heard.body for heard in first)
    assert len({heard.body for heard in again}) == 8


# What is hooked, and when


def test_a_client_outlives_sessions_with_its_connections(client: Driver, world: Server, tape: Tape) -> None:
    ask = Ask(world.url())
    client.ask(ask)
    alone = world.connections
    with tape.recording():
        client.ask(ask)
    with tape.replaying():
        client.ask(ask)
    between = len(world.arrived)
    client.ask(ask)

    assert (between, len(world.arrived)) == (2, 3)  # what was hooked is not hooked any more
    assert len(tape.interactions) == 1
    assert world.connections in {alone, 3 * alone}  # it went on using its connection, if it ever does


def test_a_client_that_is_made_while_a_session_runs_is_hooked(client: Driver, world: Server, tape: Tape) -> None:
    with tape.recording(), type(client)() as another:
        first = another.ask(Ask(world.url()))
    with tape.replaying(), type(client)() as another:
        again = another.ask(Ask(world.url()))
        other = another.ask

    assert told(again) == told(first)
    assert len(world.arrived) == 1
    assert callable(other)


def test_a_session_within_a_session_answers_and_is_gone_again(
    client: Driver, world: Server, tape: Tape, tmp_path_factory: pytest.TempPathFactory
) -> None:
    inner = type(tape)(tmp_path_factory.mktemp("inner"))
    ask = Ask(world.url())
    with tape.recording() as outer:
        with inner.recording():
            first = client.ask(ask)
        with inner.replaying():
            again = client.ask(ask)
        last = client.ask(ask)
        assert outer.usage.calls == 1

    assert told(again) == told(first)
    assert told(last) != told(first)
    assert (len(world.arrived), len(inner.interactions), len(tape.interactions)) == (2, 1, 1)


def test_what_is_no_model_call_on_this_machine_is_left_alone(client: Driver, world: Server, tape: Tape) -> None:
    get = Ask(world.plain("/landed"), "GET", None, headers={})
    post = Ask(world.plain("/landed"), body=b'{"ask": "how much"}')
    for mode in (Mode.RECORD, Mode.REPLAY):
        with tape.running(mode, models_only=True):
            assert [client.ask(ask).body for ask in (get, post)] == [b"landed"] * 2

    assert [request.body for request in world.arrived] == [b"", post.body] * 2
    assert tape.interactions == []


def test_live_calls_are_metered_and_nothing_is_kept(client: Driver, world: Server, tape: Tape) -> None:
    with tape.running(Mode.LIVE) as owner:
        heard = client.ask(Ask(world.url()))

    assert heard.status == 200
    assert tape.interactions == []
    assert owner.usage.input_tokens == 5


def test_off_is_off(client: Driver, world: Server, tape: Tape) -> None:
    with tape.running(Mode.OFF) as owner:
        client.ask(Ask(world.url()))

    assert len(world.arrived) == 1
    assert (tape.interactions, owner.usage.calls) == ([], 0)
