"""Cassettes of VCR.py's kind in use: a real client and a server on loopback, in a run of a program."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from loopback import Loopback
from tapemeter import lending, program
from tapemeter import owner as owners
from tapemeter.cassette.mode import Strict
from tapemeter.errors import BudgetStopped, PartialRecording
from tapemeter.network import AllowList
from tapemeter.vcr import VCR
from tapemeter.vcr.cassette import Cassette
from tapemeter.vcr.errors import CannotOverwriteExistingCassetteException

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

KEY = "sk-proj-" + "Zq7" * 12


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(verify=False) as client:
        yield client


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


class Talk:
    """Asks the server, and tells how often that reached it."""

    def __init__(self, client: httpx.Client, server: Loopback, folder: Path) -> None:
        self.client, self.server, self.tape = client, server, folder / "tape.yaml"
        self._before = len(server.requests)

    @property
    def sent(self) -> int:
        return len(self.server.requests) - self._before

    def request(self, prompt: str, **options: Any) -> httpx.Response:
        body = {"model": "loopback-1", "messages": [{"role": "user", "content": prompt}]}
        return self.client.post(f"{self.server.url}/v1/chat/completions", json=body, **options)

    def ask(self, prompt: str, **options: Any) -> str:
        answer: str = self.request(prompt, **options).json()["choices"][0]["message"]["content"]
        return answer.rpartition(" #")[0]


@pytest.fixture
def talk(client: httpx.Client, server: Loopback, tmp_path: Path) -> Talk:
    return Talk(client, server, tmp_path)


@contextmanager
def running(tmp_path: Path, mode: str | None = None, **options: Any) -> Iterator[Any]:
    """A program's run with a job; the job is given."""
    with program.open_run(root=tmp_path, mode=mode, **options) as run, run.job("it") as job:
        yield job


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Any]:
    with running(tmp_path) as job:
        yield job


vcr = VCR(match_on=["method", "uri", "body"])


# Recording and playing


def test_what_was_recorded_is_played_and_nothing_is_sent(talk: Talk, job: Any) -> None:
    with vcr.use_cassette(talk.tape) as recorded:
        assert [talk.ask("one"), talk.ask("two")] == ["echo: one", "echo: two"]
    assert (talk.sent, len(recorded), recorded.play_count) == (2, 2, 0)
    with vcr.use_cassette(talk.tape) as played:
        assert [talk.ask("two"), talk.ask("one")] == ["echo: two", "echo: one"]
    assert (talk.sent, played.all_played, played.dirty) == (2, True, False)
    assert job.usage.calls == 4


@pytest.mark.parametrize("record_mode", ["none", "once"])
def test_what_cannot_be_played_and_not_be_recorded_is_an_exception(talk: Talk, job: Any, record_mode: str) -> None:
    with vcr.use_cassette(talk.tape):
        talk.ask("one")
    with vcr.use_cassette(talk.tape, record_mode=record_mode) as cassette:
        with pytest.raises(CannotOverwriteExistingCassetteException) as failed:
            talk.ask("two")
        assert failed.value.cassette is cassette
        talk.ask("one")
        with pytest.raises(CannotOverwriteExistingCassetteException, match="has been played already"):
            talk.ask("one")
    assert talk.sent == 1


def test_a_missing_file_is_no_error_until_a_request_is_made(talk: Talk, job: Any) -> None:
    with vcr.use_cassette(talk.tape, record_mode="none"):
        pass
    with (
        vcr.use_cassette(talk.tape, record_mode="none"),
        pytest.raises(CannotOverwriteExistingCassetteException, match="does not exist"),
    ):
        talk.ask("one")
    assert not talk.tape.exists()


def test_new_episodes_are_added_and_a_cassette_is_recorded_anew(talk: Talk, job: Any) -> None:
    for prompts, record_mode, sent, kept in (
        (["one"], "once", 1, 1),
        (["one", "two"], "new_episodes", 2, 2),
        (["three"], "any", 3, 3),
        (["one", "two"], "all", 5, 3),
    ):
        with vcr.use_cassette(talk.tape, record_mode=record_mode):
            for prompt in prompts:
                talk.ask(prompt)
        with vcr.use_cassette(talk.tape, record_mode="none") as cassette:
            assert (talk.sent, len(cassette)) == (sent, kept)


def test_repeats_are_played_again_and_again(talk: Talk, job: Any) -> None:
    with vcr.use_cassette(talk.tape):
        talk.ask("one")
    with vcr.use_cassette(talk.tape, allow_playback_repeats=True) as cassette:
        assert [talk.ask("one") for _ in range(3)] == ["echo: one"] * 3
    assert (talk.sent, cassette.play_count) == (1, 3)


def test_what_fails_is_kept_or_not_as_the_option_says(talk: Talk, job: Any) -> None:
    for keeps in (False, True):

        @vcr.use_cassette(str(talk.tape), record_on_exception=keeps)
        def fails() -> None:
            raise ValueError(talk.ask("one"))

        with pytest.raises(ValueError, match="echo: one"):
            fails()
        assert talk.tape.exists() is keeps


def test_errors_and_all_attempts_are_recorded_as_vcr_does(talk: Talk, job: Any) -> None:
    with vcr.use_cassette(talk.tape):
        statuses = [talk.request(prompt).status_code for prompt in ("status 429", "status 500")]
    with vcr.use_cassette(talk.tape) as cassette:
        assert [talk.request(prompt).status_code for prompt in ("status 429", "status 500")] == statuses == [429, 500]
    assert cassette.all_played


def test_a_request_that_is_dropped_goes_out_and_is_metered_but_not_recorded(talk: Talk, job: Any) -> None:
    with vcr.use_cassette(talk.tape, ignore_localhost=True) as cassette:
        assert talk.ask("one") == "echo: one"
    assert (talk.sent, len(cassette), job.usage.calls) == (1, 0, 1)


def test_a_request_that_is_dropped_obeys_the_rules_for_the_network(talk: Talk, tmp_path: Path) -> None:
    with running(tmp_path, "replay") as _, vcr.use_cassette(talk.tape, ignore_hosts=["127.0.0.1", "192.0.2.1"]):
        owner = owners.running()
        assert talk.ask("allowed") == "echo: allowed"
        owner.allowed = AllowList.matching(())
        with pytest.raises(httpx.ConnectError, match="nothing was sent"):
            talk.client.get("http://192.0.2.1/")
    assert talk.sent == 1


def test_hooks_see_each_request_and_what_matches_is_what_they_leave(talk: Talk, job: Any) -> None:
    def without_prompt(request: Any) -> Any:
        request.body = b"the same"
        return request

    with vcr.use_cassette(talk.tape, before_record_request=without_prompt) as cassette:
        talk.ask("one")
    assert [request.body for request in cassette.requests] == [b"the same"]
    with vcr.use_cassette(talk.tape, before_record_request=[without_prompt]):
        assert talk.ask("another") == "echo: one"


# Secrets


def test_a_key_is_not_written_and_the_recording_is_found_with_another_one(talk: Talk, job: Any) -> None:
    matching = VCR(match_on=["method", "uri", "headers", "body"])
    with matching.use_cassette(talk.tape) as cassette:
        talk.ask("leak", headers={"Authorization": f"Bearer {KEY}"})
        assert cassette.requests[0].headers["authorization"] == f"Bearer {KEY}", "hooks and tests see what was sent"
    assert KEY not in talk.tape.read_text()
    with matching.use_cassette(talk.tape):
        talk.ask("leak", headers={"Authorization": "Bearer sk-other-0123456789abcdefghij"})
    assert talk.sent == 1


def test_what_filters_put_in_the_place_of_a_secret_stays(talk: Talk, job: Any) -> None:
    options: dict[str, Any] = {
        "filter_headers": [("authorization", "DUMMY")],
        "filter_query_parameters": [("key", "MINE")],
        "match_on": ["method", "path", "query", "headers"],
    }
    for _ in range(2):
        with vcr.use_cassette(talk.tape, **options) as cassette:
            talk.ask("one", headers={"Authorization": KEY}, params={"key": KEY, "a": "b?c"})
        [request] = cassette.requests
        assert request.headers["authorization"] == "DUMMY"
        assert dict(request.query) == {"a": "b?c", "key": "MINE"}
    assert KEY not in talk.tape.read_text()
    assert talk.sent == 1


def test_a_recording_is_found_in_which_some_secrets_are_replaced_and_others_redacted(talk: Talk, job: Any) -> None:
    options: dict[str, Any] = {"filter_headers": [("authorization", "DUMMY")], "match_on": ["uri", "headers"]}
    for _ in range(2):
        with vcr.use_cassette(talk.tape, **options) as cassette:
            talk.ask("one", headers={"Authorization": KEY}, params={"key": "mine-0123456789"})
    assert cassette.requests[0].headers["authorization"] == "DUMMY"
    assert dict(cassette.requests[0].query) == {"key": "REDACTED"}
    assert talk.sent == 1


def test_a_secret_that_a_filter_took_out_of_the_request_is_hidden_in_the_answer_too(talk: Talk, job: Any) -> None:
    with vcr.use_cassette(talk.tape, filter_headers=["authorization"]):
        talk.ask("leak", headers={"Authorization": f"Bearer {KEY}"})
    assert KEY not in talk.tape.read_text()


def test_a_secret_that_a_filter_puts_in_is_hidden(talk: Talk, job: Any) -> None:
    with vcr.use_cassette(talk.tape, filter_headers=[("x-plain", KEY)]):
        talk.ask("one", headers={"x-plain": "1"})
    assert KEY not in talk.tape.read_text()


# Bodies


class Packed(BaseHTTPRequestHandler):
    """Answers with what it is told to: gzip'd text, or a stream of events."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/events":
            parts = [b"data: 1\n\n", b"data: 2\n\n"]
            self._head("text/event-stream", [("Transfer-Encoding", "chunked")])
            for part in [*parts, b""]:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            return
        text = KEY.encode() if self.path == "/leak" else b"plain text"
        body = gzip.compress(text)
        self._head("text/plain", [("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))])
        self.wfile.write(body)

    def _head(self, content_type: str, more: list[tuple[str, str]]) -> None:
        self.send_response(200)
        for name, value in [("Content-Type", content_type), *more]:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def packed() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Packed)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_compressed_body_stays_as_it_came_and_the_client_decompresses_it(talk: Talk, job: Any, packed: str) -> None:
    for _ in range(2):
        with vcr.use_cassette(talk.tape) as cassette:
            response = talk.client.get(packed)
        assert (response.text, response.headers["content-encoding"]) == ("plain text", "gzip")
    [recorded] = cassette.responses
    assert gzip.decompress(recorded["body"]["string"]) == b"plain text"
    assert recorded["headers"]["content-encoding"] == ["gzip"]


def test_a_compressed_body_with_a_secret_in_it_is_written_without(talk: Talk, job: Any, packed: str) -> None:
    with vcr.use_cassette(talk.tape):
        assert talk.client.get(f"{packed}/leak").text == KEY
    with vcr.use_cassette(talk.tape) as cassette:
        assert "REDACTED" in talk.client.get(f"{packed}/leak").text
    assert "content-encoding" not in cassette.responses[0]["headers"]


def test_a_body_that_is_decoded_for_the_file_is_played_without_the_header(talk: Talk, job: Any, packed: str) -> None:
    for expected in ("gzip", None):
        with vcr.use_cassette(talk.tape, decode_compressed_response=True):
            response = talk.client.get(packed)
        assert (response.text, response.headers.get("content-encoding")) == ("plain text", expected)


def test_a_header_that_names_another_coding_than_the_bodys_does_no_harm(talk: Talk, job: Any) -> None:
    response = {
        "status": {"code": 200, "message": None},
        "headers": {"Content-Encoding": ["br"]},
        "body": {"string": "plain"},
    }
    request = {"method": "GET", "uri": "http://a.invalid/", "headers": {}, "body": None}
    talk.tape.write_text(json.dumps({"interactions": [{"request": request, "response": response}], "version": 1}))
    with vcr.use_cassette(talk.tape):
        assert talk.client.get("http://a.invalid/").text == "plain"


def test_a_stream_is_recorded_as_it_is_read_and_played(talk: Talk, job: Any, packed: str) -> None:
    for _ in range(2):
        with vcr.use_cassette(talk.tape) as cassette, talk.client.stream("GET", f"{packed}/events") as stream:
            assert list(stream.iter_lines()) == ["data: 1", "", "data: 2", ""]
    assert cassette.responses[0]["body"]["string"] == b"data: 1\n\ndata: 2\n\n"
    assert cassette.play_count == 1


def test_a_stream_that_is_left_early_is_played_so_far_and_no_further(talk: Talk, job: Any) -> None:
    body = {"model": "loopback-1", "stream": True, "messages": [{"role": "user", "content": "endless"}]}
    url = f"{talk.server.url}/v1/chat/completions"
    pieces: list[bytes] = []
    with vcr.use_cassette(talk.tape), talk.client.stream("POST", url, json=body) as stream:
        pieces.append(next(stream.iter_bytes()))
    with vcr.use_cassette(talk.tape), talk.client.stream("POST", url, json=body) as stream:
        pieces.append(next(stream.iter_bytes()))
    assert pieces[0]
    assert pieces[0] in pieces[1]
    with vcr.use_cassette(talk.tape), talk.client.stream("POST", url, json=body) as stream:
        assert "x-tapemeter-ending" not in stream.headers
        with pytest.raises(PartialRecording):
            stream.read()


def test_what_is_read_when_the_cassette_is_no_longer_in_use_is_kept(talk: Talk, job: Any, packed: str) -> None:
    with vcr.use_cassette(talk.tape):
        response = talk.client.send(talk.client.build_request("GET", packed), stream=True)
    assert not talk.tape.exists()
    assert response.read() == b"plain text"
    with vcr.use_cassette(talk.tape, record_mode="none"):
        assert talk.client.get(packed).text == "plain text"


def test_of_what_failed_nothing_is_kept_later_either(talk: Talk, job: Any, packed: str) -> None:
    left: list[httpx.Response] = []

    @vcr.use_cassette(str(talk.tape), record_on_exception=False)
    def fails() -> None:
        left.append(talk.client.send(talk.client.build_request("GET", packed), stream=True))
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fails()
    assert left[0].read() == b"plain text"
    assert not talk.tape.exists()


# Which cassette


def test_the_one_that_was_opened_last_answers_and_the_one_around_it_afterwards(talk: Talk, job: Any) -> None:
    with vcr.use_cassette(talk.tape) as outer:
        talk.ask("one")
        with vcr.use_cassette(talk.tape.with_name("inner.yaml")) as inner:
            talk.ask("two")
        talk.ask("three")
    assert ([len(outer), len(inner)], talk.sent) == ([2, 1], 3)


def test_cassettes_may_be_closed_in_another_order(talk: Talk, job: Any) -> None:
    first, second = (vcr.use_cassette(talk.tape.with_name(name)) for name in ("a.yaml", "b.yaml"))
    one, two = first.__enter__(), second.__enter__()
    first.__exit__(None, None, None)
    talk.ask("two")
    second.__exit__(None, None, None)
    assert [len(one), len(two)] == [0, 1]
    assert lending.in_use() is None


def test_code_that_a_test_starts_uses_its_cassette_in_threads_as_well(talk: Talk, job: Any) -> None:
    prompts = [f"prompt {number}" for number in range(8)]
    with vcr.use_cassette(talk.tape), ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(talk.ask, prompts)) == [f"echo: {prompt}" for prompt in prompts]
    with vcr.use_cassette(talk.tape) as cassette, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(talk.ask, reversed(prompts))) == [f"echo: {prompt}" for prompt in reversed(prompts)]
    assert (cassette.all_played, talk.sent) == (True, 8)


def test_threads_that_open_their_own_are_answered_from_their_own(talk: Talk, job: Any) -> None:
    both_open = threading.Barrier(2, timeout=10)

    def use(name: str) -> int:
        with vcr.use_cassette(talk.tape.with_name(f"{name}.yaml")) as cassette:
            both_open.wait()
            talk.ask(name)
            both_open.wait()
            return len(cassette)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(use, ["a", "b"])) == [1, 1]


def test_tasks_that_open_their_own_are_answered_from_their_own(talk: Talk, job: Any) -> None:
    async def use(name: str, both_open: asyncio.Barrier) -> tuple[int, str]:
        body = {"model": "loopback-1", "messages": [{"role": "user", "content": name}]}
        async with httpx.AsyncClient(verify=False) as client:
            with vcr.use_cassette(talk.tape.with_name(f"{name}.yaml")) as cassette:
                await both_open.wait()
                await client.post(f"{talk.server.url}/v1/chat/completions", json=body)
                await both_open.wait()
        return len(cassette), cassette.requests[0].body.decode()

    async def together() -> list[tuple[int, str]]:
        both_open = asyncio.Barrier(2)
        return await asyncio.gather(use("a", both_open), use("b", both_open))

    first, second = asyncio.run(together())
    assert (first[0], second[0]) == (1, 1)
    assert '"a"' in first[1]
    assert '"b"' in second[1]


def test_a_cassette_that_a_finished_job_left_open_is_out_of_use(talk: Talk, tmp_path: Path) -> None:
    with running(tmp_path):
        forgotten = vcr.use_cassette(talk.tape)
        forgotten.__enter__()
    with running(tmp_path):
        assert lending.in_use() is None
    forgotten.__exit__(None, None, None)


# Modes, budgets, evidence


def test_in_replay_nothing_is_recorded_whatever_the_record_mode_says(talk: Talk, tmp_path: Path) -> None:
    with running(tmp_path, "record"), vcr.use_cassette(talk.tape):
        talk.ask("one")
    with running(tmp_path, "replay"), vcr.use_cassette(talk.tape, record_mode="all") as cassette:
        assert cassette.held_to_replay
        assert talk.ask("one") == "echo: one"
        with pytest.raises(CannotOverwriteExistingCassetteException, match="without the mode replay"):
            talk.ask("two")
    assert talk.sent == 1


def test_where_live_is_asked_for_cassettes_are_left_alone(talk: Talk, tmp_path: Path) -> None:
    with running(tmp_path, "live"), vcr.use_cassette(talk.tape, record_mode="all"):
        talk.ask("one")
    assert talk.sent == 1
    assert not talk.tape.exists()


def test_a_budget_stops_a_call_that_a_cassette_would_answer(talk: Talk, tmp_path: Path) -> None:
    with running(tmp_path), vcr.use_cassette(talk.tape):
        talk.ask("one")
        talk.ask("two")
    limits = {"limits": {"job": {"calls": 1}}}
    with (  # noqa: PT012 - the run is over when its block ends
        pytest.raises(BudgetStopped),
        program.open_run(root=tmp_path) as run,
        run.job("limited", budget_policy=limits),
        vcr.use_cassette(talk.tape),
    ):
        talk.ask("one")
        talk.ask("two")


def test_the_evidence_tells_which_cassette_answered(talk: Talk, tmp_path: Path) -> None:
    with running(tmp_path), vcr.use_cassette(talk.tape):
        talk.ask("one")
    with program.open_run(root=tmp_path) as run, run.job("it"), vcr.use_cassette(talk.tape):
        talk.ask("one")
    lines = [json.loads(line) for path in run.folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    [call] = [line for line in lines if line["event"] == "call"]
    assert (call["cassette"], call["source"], call["outcome"]) == ("tape.yaml", "replay", "ok")


def test_a_recording_of_another_request_is_noted_where_that_is_asked_for(talk: Talk, tmp_path: Path) -> None:
    loose = VCR()
    with running(tmp_path), loose.use_cassette(talk.tape):
        talk.ask("one")
    with program.open_run(root=tmp_path) as run, run.job("it"), loose.use_cassette(talk.tape):
        owner = owners.running()
        run._session.settings.strict = Strict.REPORT
        talk.ask("one more")
        [drift] = owner.drift
    assert [change.path for change in drift.changes] == ["messages[0].content"]


def test_a_program_without_a_run_gets_one_of_its_own(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        with vcr.use_cassette(talk.tape):
            assert talk.ask("one") == "echo: one"
        assert owners.house() is None
    assert talk.sent == 1
    assert len(list((tmp_path / ".tapemeter" / "runs").iterdir())) == 2


def test_code_outside_of_a_job_has_one_of_its_own_in_a_run_that_is_under_way(talk: Talk, tmp_path: Path) -> None:
    with program.open_run(root=tmp_path) as run:
        for _ in range(2):
            with vcr.use_cassette(talk.tape):
                talk.ask("one")
    assert run.report is not None
    assert [job["job"] for job in run.report["jobs"]] == ["vcr", "vcr (run 2)"]
    assert talk.sent == 1


# Decorators


def test_a_function_has_a_cassette_named_after_it(talk: Talk, job: Any, tmp_path: Path) -> None:
    @VCR(cassette_library_dir=tmp_path, path_transformer=VCR.ensure_suffix(".yaml")).use_cassette
    def asks_once() -> str:
        """Ask."""
        return talk.ask("one")

    assert [asks_once(), asks_once()] == ["echo: one"] * 2
    assert (talk.sent, asks_once.__name__, asks_once.__doc__) == (1, "asks_once", "Ask.")
    assert (tmp_path / "asks_once.yaml").exists()
    assert VCR().get_merged_config()["func_path_generator"](talk_of).endswith("unit/vcr/talk_of")


def talk_of() -> None:
    """A function in this file."""


def test_a_name_may_be_made_by_ones_own_function(talk: Talk, job: Any, tmp_path: Path) -> None:
    @vcr.use_cassette(func_path_generator=lambda function: str(tmp_path / f"of-{function.__name__}"))
    def asks() -> str:
        return talk.ask("one")

    asks()
    assert (tmp_path / "of-asks").exists()


def test_coroutines_and_generators_use_it_until_they_end(talk: Talk, job: Any) -> None:
    used = vcr.use_cassette(str(talk.tape))

    @used
    async def coroutine() -> object:
        return lending.in_use()

    @used
    def generator() -> Iterator[object]:
        sent = yield lending.in_use()
        yield sent

    @used
    async def stream() -> AsyncIterator[object]:
        yield lending.in_use()

    assert inspect.iscoroutinefunction(coroutine)
    assert isinstance(asyncio.run(coroutine()), Cassette)
    under_way = generator()
    assert isinstance(next(under_way), Cassette)
    assert under_way.send("sent") == "sent"
    under_way.close()

    async def first() -> object:
        return [each async for each in stream()]

    assert isinstance(asyncio.run(first())[0], Cassette)  # type: ignore[index]
    assert lending.in_use() is None


def test_test_methods_of_a_class_each_use_it(talk: Talk, job: Any) -> None:
    @vcr.use_cassette(str(talk.tape), inject_cassette=True)
    class Tests:
        def test_one(self, cassette: Any) -> Any:
            return cassette, lending.in_use()

        def helper(self) -> Any:
            return lending.in_use()

        @staticmethod
        def test_none() -> None: ...

    injected, in_use = Tests().test_one()  # type: ignore[call-arg]
    assert injected is in_use
    assert Tests().helper() is None


def test_a_cassette_is_given_to_functions_that_want_it(talk: Talk, job: Any) -> None:
    @vcr.use_cassette(str(talk.tape), inject_cassette=True)
    def wants(cassette: Any, more: int) -> tuple[Any, int]:
        return cassette, more

    cassette, more = wants(more=1)  # type: ignore[call-arg]
    assert isinstance(cassette, Cassette)
    assert more == 1
    assert list(inspect.signature(wants).parameters) == ["more"], "pytest looks for no fixture of that name"


def test_base_classes_use_a_cassette_in_each_test_method(talk: Talk, job: Any, tmp_path: Path) -> None:
    class Tests(VCR(cassette_library_dir=str(tmp_path)).test_case()):  # type: ignore[misc]
        def test_one(self) -> Any:
            return lending.in_use()

        def other(self) -> Any:
            return lending.in_use()

    assert isinstance(Tests().test_one(), Cassette)
    assert Tests().other() is None


def test_options_are_asked_for_when_it_is_used_unless_they_are_to_be_those_of_now(talk: Talk, job: Any) -> None:
    given = VCR(record_mode="none")
    later, now = given.use_cassette(talk.tape), given.use_cassette(talk.tape, with_current_defaults=True)
    given.record_mode = "all"  # type: ignore[assignment]
    with later as first, now as second:
        assert (first.record_mode, second.record_mode) == ("all", "none")


def test_it_cannot_be_entered_twice_at_once_nor_without_a_path(talk: Talk, job: Any) -> None:
    used = vcr.use_cassette(talk.tape)
    with used, pytest.raises(AssertionError, match="already open"), used:
        pass
    with pytest.raises(TypeError, match="needs a path"), vcr.use_cassette():
        pass
