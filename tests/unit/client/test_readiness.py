from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.client import probes
from tapemeter.client.config import Endpoint, Group, ProviderConfig, ProviderKind, Wire
from tapemeter.client.readiness import Check, Profile, Readiness, Status, acheck, check
from tapemeter.client.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loopback import Loopback

    Look = Callable[..., Readiness]

KEY = "the-key-0123456789"
LIST = json.dumps({"object": "list", "data": [{"id": name} for name in ("cheap", "main", "fallback")]})
NAMES = ["python", "package", "schemas", "config", "evidence", "provider", "gateway", "completion"]


class Scripted:
    """A server that answers each path as it is told, and notes what it was asked with which key."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.go, self.reached = threading.Event(), threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.scripted = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def close(self) -> None:
        self.go.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        scripted: Scripted = self.server.scripted  # type: ignore[attr-defined]
        scripted.asked.append((self.path, self.headers.get("authorization") or self.headers.get("x-api-key")))
        scripted.reached.set()
        status, body = scripted.answers.get(self.path, (404, "{}"))
        if status == 0:
            scripted.go.wait(20)
            return
        self.send_response(status)
        self.send_header("location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    running = Scripted()
    yield running
    running.close()


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Check with variables given by name."""

    def made(profile: str, /, *, timeout: float = 20, **environ: str) -> Readiness:
        return check(profile, environ=environ, root=tmp_path, timeout=timeout)

    return made


def of(found: Readiness, name: str) -> Check:
    [one] = [each for each in found.checks if each.name == name]
    return one


def real(scripted: Scripted, status: int = 200, body: str = LIST, **environ: str) -> dict[str, str]:
    scripted.answers["/v1/models"] = (status, body)
    return {"LLM_BASE_URL": scripted.url, "LLM_API_KEY": KEY, **environ}


def gateway(scripted: Scripted, **environ: str) -> dict[str, str]:
    scripted.answers |= {
        "/health/liveliness": (200, '"I\'m alive!"'),
        "/health/readiness": (200, "{}"),
        "/v1/models": (200, LIST),
    }
    return {"LLM_PROVIDER": "gateway", "LLM_GATEWAY_URL": scripted.url, "LLM_GATEWAY_KEY": KEY, **environ}


# Core


def test_core_asks_nobody(look: Look, scripted: Scripted) -> None:
    found = look("core", **real(scripted))
    assert found.ok
    assert [each.name for each in found.checks] == NAMES
    assert [each.status for each in found.checks] == [Status.OK] * 5 + [Status.SKIPPED] * 3
    assert of(found, "gateway").detail == "not in the profile core"
    assert of(found, "config").detail == "provider real, no config file"
    assert scripted.asked == []


def test_a_wrong_configuration_is_what_failed(look: Look) -> None:
    found = look("llm", LLM_PROVIDER="gatway")
    assert not found.ok
    failed = of(found, "config")
    assert failed.status is Status.FAILED
    assert failed.detail == 'LLM_PROVIDER: expected one of real, gateway, echo, found "gatway"'
    assert of(found, "provider").detail == "the configuration cannot be read"


def test_the_config_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("schema: llm_config_v1\nprovider: echo\n")
    found = check("core", Path("own.yaml"), environ={"LLM_MODE": "live"}, root=tmp_path)
    assert of(found, "config").detail == "provider echo, own.yaml, LLM_MODE=live"
    path.write_text("schema: 1\n")
    assert "own.yaml:1" in of(check("core", path, environ={}, root=tmp_path), "config").detail


def test_the_folder_of_the_evidence_is_written_to_and_nothing_stays(tmp_path: Path) -> None:
    evidence = of(check("core", environ={}, root=tmp_path), "evidence")
    assert evidence.detail == f"{tmp_path / '.tapemeter'} can be written to"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_what_failed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = check("core", environ={"LLM_PROVIDER": "echo"}, root=tmp_path, report_dir=Path("file"))
    assert [each.name for each in found.checks if each.status is Status.FAILED] == ["evidence"]
    assert "file cannot be written to" in of(found, "evidence").detail


@pytest.mark.parametrize("profile", Profile)
def test_the_document_is_json_and_says_the_same(look: Look, profile: Profile) -> None:
    found = look(profile, LLM_PROVIDER="echo")
    document = json.loads(json.dumps(found.document()))
    assert (document["profile"], document["ok"]) == (profile.value, True)
    assert [each["name"] for each in document["checks"]] == NAMES
    assert all(set(each) == {"name", "status", "detail", "seconds"} for each in document["checks"])


def test_an_unknown_profile_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="'fully' is not a valid Profile"):
        check("fully", environ={})


# A provider


@pytest.mark.parametrize(
    ("wire", "path", "sent"),
    [("openai", "/v1/models", f"Bearer {KEY}"), ("anthropic", "/v1/models?limit=1000", KEY)],
)
def test_a_provider_is_asked_for_its_models_with_the_key(
    look: Look, scripted: Scripted, wire: str, path: str, sent: str
) -> None:
    environ = real(scripted, LLM_WIRE=wire, LLM_MODEL="main")
    scripted.answers[path] = (200, LIST)
    found = look("llm", **environ)
    assert found.ok
    assert of(found, "provider").detail == f"{scripted.url} answers and takes the key of LLM_API_KEY"
    assert of(found, "gateway").detail == "calls go to the provider real"
    assert of(found, "completion").detail == "only in the profile full"
    assert scripted.asked == [(path, sent)]


@pytest.mark.parametrize(
    ("status", "ok", "said"),
    [
        (401, False, "does not take the key of LLM_API_KEY (401); put the right one there"),
        (403, False, "does not take the key of LLM_API_KEY (403); put the right one there"),
        (404, True, "answers; it has no list of models, so the key was not tried"),
        (405, True, "answers; it has no list of models, so the key was not tried"),
        (429, True, "answers, and is busy (429)"),
        (500, False, "answers 500 to its list of models; look into its log"),
        (302, False, "sends elsewhere (302), where the key must not follow; name the final address"),
    ],
)
def test_what_a_provider_says_is_told_apart(look: Look, scripted: Scripted, status: int, ok: bool, said: str) -> None:
    found = look("llm", **real(scripted, status, f"your key is {KEY}"))
    assert found.ok is ok
    assert of(found, "provider").detail == f"{scripted.url} {said}"
    assert KEY not in repr(found)
    assert scripted.paths == ["/v1/models"]


def test_a_key_that_is_missing_is_told_from_a_wrong_one(look: Look, scripted: Scripted) -> None:
    found = look("llm", **real(scripted, 401, LLM_API_KEY=""))
    assert of(found, "provider").detail == f"{scripted.url} wants a key (401), and LLM_API_KEY is not set; set it"


def test_a_model_that_the_list_lacks_is_named(look: Look, scripted: Scripted) -> None:
    found = look("llm", **real(scripted, LLM_MODEL="other"))
    assert found.ok
    assert of(found, "provider").detail.endswith("takes the key of LLM_API_KEY; its list lacks other")


@pytest.mark.parametrize(
    "body", ["", "[", "[]", "{}", '{"data": 1}', '{"data": [1]}', '{"data": [{"id": []}]}', "[" * 9999]
)
def test_a_list_that_cannot_be_read_is_a_list_all_the_same(look: Look, scripted: Scripted, body: str) -> None:
    found = look("llm", **real(scripted, 200, body))
    assert of(found, "provider").detail == f"{scripted.url} answers and takes the key of LLM_API_KEY"


def test_a_server_that_is_not_there_is_told_from_a_wrong_key(look: Look) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    found = look("llm", LLM_BASE_URL=url)
    assert not found.ok
    assert of(found, "provider").detail == f"{url} cannot be reached; start it, or correct the address"


def test_what_is_no_http_is_told(look: Look) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        found = look("llm", LLM_BASE_URL=f"http://127.0.0.1:{server.getsockname()[1]}")
    assert "gave no answer that can be read (RemoteProtocolError)" in of(found, "provider").detail


def test_a_server_that_says_nothing_does_not_hold_it_up(look: Look, scripted: Scripted) -> None:
    found = look("full", timeout=0.3, **real(scripted, 0))
    assert not found.ok
    assert [each.name for each in found.checks] == NAMES
    assert of(found, "provider").status is Status.FAILED
    assert re.search("did not answer in time|no result within 0.3 s", of(found, "provider").detail)


@contextlib.contextmanager
def endless(piece: bytes) -> Iterator[str]:
    """A server whose answer goes on for as long as it is read."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    connection.sendall(piece)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(20)
    assert not thread.is_alive()


def test_an_answer_without_an_end_is_read_to_a_bound(look: Look) -> None:
    with endless(b"x" * 65536) as url:
        assert of(look("llm", LLM_BASE_URL=url), "provider").detail == f"{url} answers"


def test_an_answer_that_trickles_is_given_up_in_time() -> None:
    with endless(b"x") as url, pytest.raises(probes.ProbeError, match="did not answer in time"):
        probes.provider(Endpoint(url), (), monotonic() + 0.1)


def test_what_there_is_no_time_for_is_not_asked() -> None:
    with pytest.raises(probes.ProbeError, match="http://h was not asked: the time was up"):
        probes.provider(Endpoint("http://h"), (), monotonic())


def test_every_server_of_a_group_is_asked(scripted: Scripted, tmp_path: Path) -> None:
    scripted.answers |= {"/v1/models": (200, LIST), "/own/models": (200, LIST)}
    own = Endpoint(f"{scripted.url}/own", key_name="OWN_KEY", api_key=Secret("own"))
    config = ProviderConfig(
        endpoint=Endpoint(f"{scripted.url}/v1"), groups={"main": Group("main", "main"), "own": Group("own", "x", own)}
    )
    found = check("llm", config, environ={}, root=tmp_path, timeout=20)
    assert scripted.asked == [("/v1/models", None), ("/own/models", "Bearer own")]
    assert of(found, "provider").detail == (
        f"{scripted.url} answers; {scripted.url} answers and takes the key of OWN_KEY; its list lacks x"
    )
    scripted.answers["/own/models"] = (401, "")
    assert "the key of OWN_KEY (401)" in of(check("llm", config, environ={}, root=tmp_path), "provider").detail


@pytest.mark.parametrize("profile", ["llm", "full"])
@pytest.mark.parametrize("make", [real, gateway])
def test_in_replay_nobody_is_asked(look: Look, scripted: Scripted, profile: str, make: Any) -> None:
    found = look(profile, LLM_MODE="replay", **make(scripted))
    assert found.ok
    assert "LLM_MODE=replay sends nothing" in [each.detail for each in found.checks]
    assert scripted.asked == []


# A gateway


def test_a_gateway_is_asked_whether_it_lives_is_ready_and_takes_the_key(look: Look, scripted: Scripted) -> None:
    found = look("llm", **gateway(scripted))
    assert found.ok
    assert of(found, "gateway").detail == (
        f"{scripted.url} is alive and ready, answers and takes the key of LLM_GATEWAY_KEY"
    )
    assert of(found, "provider").detail == "calls go to the provider gateway"
    assert scripted.asked == [
        ("/health/liveliness", None),
        ("/health/readiness", None),
        ("/v1/models", f"Bearer {KEY}"),
    ]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/health/liveliness", 404, "answers 404 to /health/liveliness; is the gateway a LiteLLM proxy?"),
        ("/health/liveliness", 503, "answers 503 to /health/liveliness; look into its log"),
        ("/health/readiness", 503, "answers 503 to /health/readiness; look into its log"),
        ("/v1/models", 400, "does not take the key of LLM_GATEWAY_KEY (400); put the right one there"),
        ("/v1/models", 401, "does not take the key of LLM_GATEWAY_KEY (401); put the right one there"),
    ],
)
def test_what_is_wrong_with_a_gateway_is_told_apart(
    look: Look, scripted: Scripted, path: str, status: int, said: str
) -> None:
    environ = gateway(scripted)
    scripted.answers[path] = (status, f"your key is {KEY}")
    found = look("full", **environ)
    assert not found.ok
    assert of(found, "gateway").detail == f"{scripted.url} {said}"
    assert of(found, "completion").detail == "the server does not answer"
    assert KEY not in repr(found)


@pytest.mark.parametrize("path", ["/health/readiness", "/v1/models"])
def test_a_gateway_may_lack_what_is_not_everywhere(look: Look, scripted: Scripted, path: str) -> None:
    environ = gateway(scripted)
    del scripted.answers[path]
    assert look("llm", **environ).ok


def test_a_gateway_that_lacks_a_group_says_which(look: Look, scripted: Scripted) -> None:
    environ = gateway(scripted)
    scripted.answers["/v1/models"] = (200, LIST.replace("cheap", "dear"))
    assert of(look("llm", **environ), "gateway").detail.endswith("; its list lacks cheap")


def test_a_gateway_without_an_address_is_what_failed(tmp_path: Path) -> None:
    found = check("llm", ProviderConfig(provider=ProviderKind.GATEWAY), environ={}, root=tmp_path)
    assert of(found, "gateway").detail == "there is no address of a gateway; set LLM_GATEWAY_URL"


def test_an_address_that_is_none_is_what_failed(tmp_path: Path) -> None:
    config = ProviderConfig(endpoint=Endpoint("localhost"))
    found = check("llm", config, environ={}, root=tmp_path)
    assert of(found, "provider").detail == "the address must begin with http:// or https://"


# A completion


@pytest.mark.parametrize("wire", Wire)
def test_full_asks_for_one_token_of_the_default_group(look: Look, server: Loopback, wire: Wire) -> None:
    found = look("full", LLM_BASE_URL=server.url, LLM_API_KEY=KEY, LLM_WIRE=wire.value, LLM_MODEL="loopback-1")
    assert of(found, "completion").detail == "loopback-1 answers, for 12 tokens"
    assert found.ok
    [body] = [body for body in server.bodies if body is not None]
    assert body["model"] == "loopback-1"
    assert 1 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_a_refused_completion_is_what_failed_and_is_tried_once(tmp_path: Path, scripted: Scripted) -> None:
    environ = real(scripted)
    found = check("full", environ=environ, root=tmp_path, timeout=20)
    assert [each.name for each in found.checks if each.status is Status.FAILED] == ["completion"]


def test_echo_has_nobody_to_ask(look: Look) -> None:
    found = look("full", LLM_PROVIDER="echo")
    assert found.ok
    assert of(found, "completion").detail == "the provider echo answers by itself"


# Async, and secrets


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_from_async_code_the_loop_goes_on_meanwhile(scripted: Scripted, tmp_path: Path, backend: str) -> None:
    environ = real(scripted, 0)

    async def main() -> Readiness:
        found: list[Readiness] = []

        async def ask() -> None:
            found.append(await acheck("llm", environ=environ, root=tmp_path, timeout=20))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.to_thread.run_sync(scripted.reached.wait)
            scripted.go.set()  # which the server waits for, so that nobody comes here if the loop is held up
        return found[0]

    found = anyio.run(main, backend=backend)
    assert "gave no answer that can be read" in of(found, "provider").detail


@given(
    secret=st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=12, max_size=40),
    place=st.sampled_from(["LLM_PROVIDER", "LLM_API_KEY", "LLM_GATEWAY_KEY", "LLM_MODE", "LLM_CONFIG", "LLM_RETRIES"]),
)
def test_a_key_shows_in_no_result(secret: str, place: str) -> None:
    secret = f"Zx9{secret}7Q"
    found = check("core", environ={"LLM_API_KEY": KEY, place: secret}, root=Path("/nowhere"))
    assert secret not in repr(found) + json.dumps(found.document())


def test_a_key_that_a_server_repeats_in_an_error_is_hidden(scripted: Scripted, tmp_path: Path) -> None:
    config = ProviderConfig(endpoint=Endpoint(f"{scripted.url}/v1", api_key=Secret("hunter2")))
    named = replace(config, groups={"main": Group("main", "hunter2")})
    scripted.answers["/v1/models"] = (200, LIST)
    found = check("llm", named, environ={}, root=tmp_path)
    assert of(found, "provider").detail.endswith("its list lacks ***")
