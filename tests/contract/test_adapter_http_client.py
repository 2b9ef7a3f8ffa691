"""What `http.client` lets its users do besides the usual: requests and answers in parts, and libraries on top of it."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.request
import xmlrpc.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from adapter_drivers import BODY, Ask
from adapter_drivers_stdlib import UrllibRequest
from adapter_server import MODEL, stream_events

from tapemeter.cassette.mode import Mode
from tapemeter.errors import BudgetStopped, CassetteMiss, InterceptionError
from tapemeter.intercept import guard
from tapemeter.intercept.http_client import HttpClientAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapter_server import Server
    from adapter_tape import Tape

Connection = http.client.HTTPConnection


@pytest.fixture
def conn(world: Server) -> Iterator[Connection]:
    connection = Connection(urlsplit(world.plain("")).netloc, timeout=20)
    yield connection
    connection.close()


def both(tape: Tape, work: Callable[[], Any]) -> Any:
    """Record and replay the same; return what came of it, which is to be equal."""
    with tape.recording():
        first = work()
    with tape.replaying() as owner:
        again = work()
        assert owner.refusals == []
    assert again == first
    return first


# Requests in parts


def by_length(conn: Connection) -> None:
    conn.putrequest("POST", MODEL)
    conn.putheader("Content-Type", "application/json")
    conn.putheader("Content-Length", str(len(BODY)))
    conn.endheaders()
    conn.send(BODY[:9])
    conn.send(BODY[9:])


def in_chunks(conn: Connection) -> None:
    conn.putrequest("POST", MODEL)
    conn.putheader("Transfer-Encoding", "chunked")
    conn.endheaders()
    for part in (BODY[:9], BODY[9:]):
        conn.send(b"%x\r\n%b\r\n" % (len(part), part))
    conn.send(b"0\r\n\r\n")


def with_the_head(conn: Connection) -> None:
    conn.putrequest("POST", MODEL)
    conn.putheader("Content-Type", "application/json")
    conn.putheader("Content-Length", str(len(BODY)))
    conn.endheaders(BODY)


@pytest.mark.parametrize("ask", [by_length, in_chunks, with_the_head])
def test_a_request_that_is_sent_in_parts_is_one_call(
    conn: Connection, world: Server, tape: Tape, ask: Callable[[Connection], None]
) -> None:
    def work() -> bytes:
        ask(conn)
        return conn.getresponse().read()

    assert b'"content": "hi"' in both(tape, work)
    assert [request.body for request in world.arrived] == [BODY]
    (kept,) = tape.interactions
    assert kept["request"].get("json", kept["request"].get("text")) in (json.loads(BODY), BODY.decode())


def test_a_request_in_parts_that_is_no_model_call_goes_its_way(conn: Connection, world: Server, tape: Tape) -> None:
    with tape.running(Mode.REPLAY, models_only=True):
        conn.putrequest("POST", "/landed")
        conn.putheader("Content-Type", "application/json")
        conn.putheader("Content-Length", "2")
        conn.endheaders()
        conn.send(b"{}")
        assert conn.getresponse().read() == b"landed"

    assert [request.body for request in world.arrived] == [b"{}"]


def test_a_request_that_is_given_up_in_its_midst_leaves_the_connection_usable(
    conn: Connection, world: Server, tape: Tape
) -> None:
    with tape.recording():
        conn.putrequest("POST", MODEL)
        conn.putheader("Content-Length", "100")
        conn.endheaders()
        conn.send(b"only a part")
        conn.close()
        conn.request("POST", MODEL, BODY)
        assert conn.getresponse().status == 200

    assert [request.body for request in world.arrived] == [BODY]


def test_an_answer_that_nobody_asked_for_any_more_is_not_taken_for_another(
    conn: Connection, world: Server, tape: Tape
) -> None:
    with tape.running(Mode.RECORD, models_only=True):
        conn.request("POST", MODEL, BODY)
        conn.close()
        conn.request("GET", "/landed")
        assert conn.getresponse().read() == b"landed"

    assert tape.interactions == []


def test_a_refusal_leaves_nothing_behind_in_the_connection(conn: Connection, world: Server, tape: Tape) -> None:
    def answered(ask: Callable[[Connection], None]) -> None:
        ask(conn)
        conn.getresponse()

    with tape.replaying():
        for ask in (by_length, in_chunks, with_the_head):
            with pytest.raises(CassetteMiss):
                answered(ask)
            conn.close()
    conn.request("GET", "/landed")

    assert conn.getresponse().read() == b"landed"
    assert len(world.arrived) == 1


# Answers in parts


def read_all(response: Any) -> list[bytes]:
    return [response.read()]


def read_some(response: Any) -> list[bytes]:
    return [response.read(10), response.read(0), response.read(7), response.read()]


def read_what_is_there(response: Any) -> list[bytes]:
    return [b"".join(iter(response.read1, b""))]


def read_into(response: Any) -> list[bytes]:
    buffer = bytearray(5000)
    size = 0
    while got := response.readinto(memoryview(buffer)[size:]):
        size += got
    return [bytes(buffer[:size])]


def read_lines(response: Any) -> list[bytes]:
    return list(response)


def look_first(response: Any) -> list[bytes]:
    return [response.peek(4)[:4], response.read()]


READERS = [read_all, read_some, read_what_is_there, read_into, read_lines, look_first]


@pytest.mark.parametrize("frame", ["chunked", "length", "close"])
@pytest.mark.parametrize("read", READERS)
def test_an_answer_may_be_read_in_any_way(
    conn: Connection, world: Server, tape: Tape, frame: str, read: Callable[[Any], list[bytes]]
) -> None:
    def work() -> list[bytes]:
        conn.request("POST", f"{MODEL}?do=/stream&frame={frame}", BODY)
        with conn.getresponse() as response:
            return read(response)

    parts = both(tape, work)

    assert b"".join(parts).endswith(b"".join(stream_events(3)))
    (kept,) = tape.interactions
    assert "".join(piece["text"] for piece in kept["response"]["stream"]).encode() == b"".join(stream_events(3))
    assert "ending" not in kept["response"]


def test_an_answer_that_nobody_reads_is_kept_as_abandoned(conn: Connection, world: Server, tape: Tape) -> None:
    with tape.recording() as owner:
        conn.request("POST", f"{MODEL}?do=/stream", BODY)
        response = conn.getresponse()
        assert len(owner.pending) == 1
    response.close()

    assert [kept["response"]["ending"] for kept in tape.interactions] == ["abandoned"]


def test_what_came_of_a_piece_before_a_timeout_is_kept(conn: Connection, world: Server, tape: Tape) -> None:
    def work() -> bytes:
        heard: list[bytes] = []
        conn.timeout = 0.25
        conn.request("POST", f"{MODEL}?do=/stream&end=half", BODY)
        with conn.getresponse() as response, pytest.raises(TimeoutError):
            heard.extend(iter(response.read1, None))
        conn.close()
        return b"".join(heard)

    assert both(tape, work) == b"".join(stream_events(3)) + b"half!"


def test_a_stream_that_is_cut_has_its_connection_closed_and_no_other(
    conn: Connection, world: Server, tape: Tape
) -> None:
    def read(response: Any) -> None:
        while response.read1():
            pass

    ask = ("POST", f"{MODEL}?do=/stream&events=6&end=wait", BODY)
    with tape.recording(response_chars=20):
        conn.request(*ask)
        response = conn.getresponse()
        with pytest.raises(BudgetStopped):
            read(response)
        assert conn.sock is None
        response.close()
    with tape.recording(response_chars=20):
        conn.request(ask[0], f"{ask[1]}&frame=close", BODY)
        response = conn.getresponse()  # the connection lets go of it, since it will be closed with the body
        conn.connect()
        with pytest.raises(BudgetStopped):
            read(response)
        assert conn.sock is not None
        response.close()


def test_closing_a_connection_that_is_to_play_closes_what_it_had(conn: Connection, world: Server, tape: Tape) -> None:
    with tape.recording():
        conn.request("POST", MODEL, BODY)
        conn.getresponse().read()
    had = conn.sock
    with tape.replaying():
        conn.request("POST", MODEL, BODY)
        conn.close()

    assert had.fileno() == -1


# Addresses


@pytest.mark.parametrize(
    ("made", "url"),
    [
        (lambda: Connection("model.invalid"), "http://model.invalid/x?y=1"),
        (lambda: Connection("model.invalid", 8080), "http://model.invalid:8080/x?y=1"),
        (lambda: Connection("model.invalid", 443), "http://model.invalid:443/x?y=1"),
        (lambda: Connection("[2001:db8::1]:81"), "http://[2001:db8::1]:81/x?y=1"),
        (lambda: http.client.HTTPSConnection("model.invalid"), "https://model.invalid/x?y=1"),
        (lambda: http.client.HTTPSConnection("model.invalid", 8443), "https://model.invalid:8443/x?y=1"),
    ],
)
def test_the_address_is_what_the_connection_was_made_for(tape: Tape, made: Callable[[], Connection], url: str) -> None:
    with tape.replaying(), pytest.raises(CassetteMiss) as missed:
        made().request("GET", "/x?y=1", headers={"Accept": "text/plain"})

    assert url.partition("?")[0] in str(missed.value)


# Above and below


def test_xmlrpc_is_recorded_like_any_other_client(world: Server, tape: Tape) -> None:
    def work() -> int:
        with xmlrpc.client.ServerProxy(world.plain("/xml")) as remote:
            return remote.double(21)

    assert both(tape, work) == 42
    assert len(world.arrived) == 1


def test_a_request_within_a_call_that_is_being_sent_is_part_of_it(world: Server, tape: Tape) -> None:
    with tape.replaying(), guard.passing(), UrllibRequest() as client:
        assert client.ask(Ask(world.url())).status == 200

    assert (len(world.arrived), tape.interactions) == (1, [])


def test_a_connection_over_a_unix_socket_is_this_machine(tape: Tape, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)

    class UnixConnection(Connection):
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect("s")

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        listening.listen()
        with tape.running(Mode.REPLAY, models_only=True):
            connection = UnixConnection("localhost")
            connection.request("GET", "/info")
            peer, _ = listening.accept()
            with peer:
                assert peer.recv(1000).startswith(b"GET /info HTTP/1.1\r\n")
                peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                assert connection.getresponse().read() == b"ok"
            connection.close()


def test_answers_at_an_unknown_status_and_with_line_ends_in_headers_are_played(
    conn: Connection, world: Server, tape: Tape
) -> None:
    def work() -> tuple[int, str, bytes]:
        conn.request("POST", MODEL, BODY)
        response = conn.getresponse()
        return response.status, response.reason, response.read()

    with tape.recording():
        work()
    text = tape.path.read_text(encoding="utf-8").replace("status: 200", "status: 799")
    tape.path.write_text(text.replace("application/json\n    first", '"a/b\\r\\nx-forged: 1"\n    first'))
    with tape.replaying():
        assert work()[:2] == (799, "Unknown")


# A library that has changed


@pytest.mark.parametrize("name", ["_send_output", "getresponse"])
def test_a_library_of_another_shape_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(Connection, name, lambda self, other: None)
    before = {key: vars(Connection)[key] for key in ("_send_output", "getresponse")}

    with pytest.raises(InterceptionError, match=rf"http.client of Python 3.* HTTPConnection.{name} is gone"):
        HttpClientAdapter().install(http.client)

    assert {key: vars(Connection)[key] for key in before} == before


def test_the_stock_opener_is_hooked_too(world: Server, tape: Tape) -> None:
    def work() -> bytes:
        request = urllib.request.Request(world.url(), BODY, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as response:
            read: bytes = response.read()
            return read

    assert b'"content": "hi"' in both(tape, work)
    assert len(world.arrived) == 1
