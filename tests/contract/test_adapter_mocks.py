"""Libraries that answer in the place of a server keep what they answer: nothing is recorded, nothing refused."""

from __future__ import annotations

import http.client
import io
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
import requests
import requests.adapters
import requests_mock as mocker
import responses
import urllib3
import urllib3.response
from adapter_drivers import BODY, JSON
from adapter_server import MODEL

from tapemeter.cassette.mode import Mode
from tapemeter.errors import CassetteMiss

if TYPE_CHECKING:
    from adapter_server import Server
    from adapter_tape import Tape

URL = "https://api.openai.com/v1/chat/completions"
MODES = pytest.mark.parametrize("mode", [Mode.RECORD, Mode.REPLAY])


def mine() -> Any:
    return requests.post(URL, json={"model": "m", "messages": []}, timeout=5).json()


@MODES
def test_what_responses_answers_stays_its_own(tape: Tape, mode: Mode) -> None:
    with tape.running(mode) as owner, responses.RequestsMock() as answering:
        answering.post(URL, json={"mine": True})
        assert mine() == {"mine": True}
        assert (owner.refusals, owner.usage.calls) == ([], 0)

    assert tape.interactions == []


@MODES
def test_what_requests_mock_answers_stays_its_own(tape: Tape, mode: Mode) -> None:
    with tape.running(mode) as owner, mocker.Mocker() as answering:
        answering.post(URL, json={"mine": True})
        assert mine() == {"mine": True}
        assert (owner.refusals, owner.usage.calls) == ([], 0)

    assert tape.interactions == []


def test_what_they_pass_on_is_ours(tape: Tape) -> None:
    with tape.replaying(), responses.RequestsMock(assert_all_requests_are_fired=False) as answering:
        answering.add_passthru("https://api.openai.com")
        with pytest.raises(CassetteMiss):
            mine()
    with tape.replaying(), mocker.Mocker(real_http=True), pytest.raises(CassetteMiss):
        mine()


def test_adapters_of_requests_that_send_nothing_are_left_alone(tape: Tape) -> None:
    class Answering(requests.adapters.BaseAdapter):
        def send(self, request: Any, **_: object) -> Any:  # type: ignore[override]
            answer = requests.Response()
            answer.status_code, answer.raw, answer.url = 200, io.BytesIO(b"mine"), request.url
            return answer

        def close(self) -> None: ...

    with tape.replaying(), requests.Session() as session:
        session.mount("https://", Answering())
        assert session.post(URL, data=b"x").content == b"mine"


@MODES
def test_a_pool_that_somebody_patched_answers_by_itself(tape: Tape, mode: Mode) -> None:
    answer = urllib3.response.HTTPResponse(io.BytesIO(b"mine"), preload_content=False)
    with (
        tape.running(mode),
        mock.patch.object(urllib3.HTTPConnectionPool, "urlopen", return_value=answer),
    ):
        assert urllib3.PoolManager().request("POST", URL).data == b"mine"

    assert tape.interactions == []


@MODES
def test_connections_that_answer_by_themselves_are_left_alone(tape: Tape, mode: Mode) -> None:
    class Answering(urllib3.connection.HTTPConnection):
        def connect(self) -> None: ...

        def send(self, data: Any) -> None: ...

        def getresponse(self) -> Any:
            return urllib3.response.HTTPResponse(io.BytesIO(b"mine"), preload_content=False)

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Answering

    with tape.running(mode) as owner:
        answer = Pool("api.openai.com").request("POST", "/v1/chat/completions", body=b"{}")
        assert (answer.data, owner.refusals) == (b"mine", [])

    assert tape.interactions == []


def test_a_connection_that_answers_by_itself_and_asks_after_all_is_seen_below(world: Server, tape: Tape) -> None:
    class Asking(urllib3.connection.HTTPConnection):
        def getresponse(self) -> Any:
            answer = super().getresponse()
            answer.headers["x-passed"] = "here"
            return answer

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Asking

    def work() -> Any:
        with Pool("127.0.0.1", int(world.plain("").rpartition(":")[2])) as pool:
            answer = pool.request("POST", MODEL, body=BODY, headers=JSON)
            return answer.data, answer.headers["x-passed"]

    with tape.recording():
        first = work()
    with tape.replaying():
        assert work() == first

    assert len(world.arrived) == len(tape.interactions) == 1


def test_connections_whose_answers_somebody_wraps_are_ours(
    world: Server, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = urllib3.connection.HTTPConnection.getresponse
    seen = []

    def traced(conn: Any) -> Any:
        answer = read(conn)
        seen.append(answer.status)
        return answer

    with tape.recording():
        monkeypatch.setattr(urllib3.connection.HTTPConnection, "getresponse", traced)
        urllib3.request("POST", world.url(), body=BODY, headers=JSON)
    with tape.replaying():
        urllib3.request("POST", world.url(), body=BODY, headers=JSON)

    assert (seen, len(world.arrived)) == ([200, 200], 1)


def test_a_hook_that_is_put_on_ours_and_taken_away_later_leaves_the_library_as_it_was(tape: Tape) -> None:
    original = http.client.HTTPConnection.getresponse
    with tape.replaying():
        patch = mock.patch.object(http.client.HTTPConnection, "getresponse", return_value="mine")
        patch.start()
        assert http.client.HTTPConnection("localhost").getresponse() == "mine"
        patch.stop()

    assert http.client.HTTPConnection.getresponse is original
