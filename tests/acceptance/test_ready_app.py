"""The ASGI application behind a real uvicorn on loopback, with a real server behind its probes."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
import uvicorn

from tapemeter.client.config import Endpoint, ProviderConfig
from tapemeter.client.readiness import Profile
from tapemeter.client.secret import Secret
from tapemeter.web import ready
from tapemeter.web.ready import ReadyApp

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Loopback

KEY = "the-key-0123456789"
Served = Callable[[Any], AbstractContextManager[httpx.Client]]


class Started(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()


@pytest.fixture
def served() -> Served:
    """Serve an application by uvicorn, and give a client of it."""

    @contextlib.contextmanager
    def serve(app: Any) -> Iterator[httpx.Client]:
        server = Started(uvicorn.Config(app, port=0, log_level="critical", lifespan="on"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            assert server.up.wait(20), "the application did not answer the start of its life"
            address = server.servers[0].sockets[0].getsockname()
            with httpx.Client(base_url=f"http://127.0.0.1:{address[1]}", timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(20)
        assert not thread.is_alive()

    return serve


@pytest.fixture
def config(server: Loopback) -> ProviderConfig:
    return ProviderConfig(endpoint=Endpoint(f"{server.url}/v1", api_key=Secret(KEY)))


def test_core_and_llm_are_told_by_status_and_json(
    served: Served, config: ProviderConfig, server: Loopback, tmp_path: Path
) -> None:
    with served(ReadyApp(config, root=tmp_path)) as client:
        core = client.get("/ready")
        assert (core.status_code, core.headers["content-type"]) == (200, "application/json")
        assert core.headers["cache-control"] == "no-store"
        checks = {check["name"]: check["status"] for check in core.json()["checks"]}
        assert checks["gateway"] == checks["provider"] == "skipped"
        assert server.requests == []

        llm = client.get("/ready", params={"profile": "llm"})
        assert (llm.status_code, llm.json()["profile"], llm.json()["ok"]) == (200, "llm", True)
        assert server.requests == ["/v1/models"]
        assert KEY not in llm.text

        server.__exit__()
        ready_then = client.get("/ready?profile=core")
        assert ready_then.status_code == 200


def test_a_provider_that_is_gone_is_503(
    served: Served, config: ProviderConfig, server: Loopback, tmp_path: Path
) -> None:
    server.__exit__()
    with served(ReadyApp(config, root=tmp_path)) as client:
        answer = client.get("/ready?profile=llm")
    assert (answer.status_code, answer.json()["ok"]) == (503, False)
    [failed] = [check for check in answer.json()["checks"] if check["status"] == "failed"]
    assert failed["detail"] == f"{server.url} cannot be reached; start it, or correct the address"


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /ready?profile=fully", 400),
        ("GET /ready?profile=", 400),
        ("GET /ready?profile=core&profile=llm", 400),
        ("GET /ready?profile=core&" + "x" * 300, 400),
        ("GET /", 404),
        ("GET /ready/", 404),
        ("GET /readyness", 404),
        ("POST /ready", 405),
        ("DELETE /ready?profile=llm", 405),
    ],
)
def test_what_is_wrong_with_a_request_is_told(
    served: Served, config: ProviderConfig, tmp_path: Path, request_line: str, status: int
) -> None:
    with served(ReadyApp(config, root=tmp_path)) as client:
        answer = client.request(*request_line.split())
    assert answer.status_code == status
    assert answer.json()["error"]
    assert ("allow" in answer.headers) is (status == 405)


def test_head_is_get_without_the_body(served: Served, config: ProviderConfig, tmp_path: Path) -> None:
    with served(ReadyApp(config, root=tmp_path)) as client:
        head = client.head("/ready?profile=llm")
        get = client.get("/ready?profile=llm")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(get.content))
        assert client.head("/ready?profile=fully").status_code == 400


def test_who_asks_at_once_or_soon_after_shares_one_probe(
    served: Served, config: ProviderConfig, server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "SHARED_SECONDS", 3600)
    with served(ReadyApp(config, root=tmp_path)) as client:

        async def ask_at_once() -> list[httpx.Response]:
            answers: list[httpx.Response] = []
            async with httpx.AsyncClient(base_url=client.base_url, timeout=30) as asker:

                async def ask() -> None:
                    answers.append(await asker.get("/ready?profile=llm"))

                async with anyio.create_task_group() as tasks:
                    for _ in range(20):
                        tasks.start_soon(ask)
            return answers

        answers = anyio.run(ask_at_once)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert client.get("/ready?profile=llm").text == answers[0].text
    assert server.requests == ["/v1/models"]


def test_a_result_that_is_old_is_made_anew(
    served: Served, config: ProviderConfig, server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "SHARED_SECONDS", 0)
    with served(ReadyApp(config, root=tmp_path)) as client:
        for _ in range(3):
            client.get("/ready?profile=llm")
    assert server.requests == ["/v1/models"] * 3


def test_a_probe_that_hangs_holds_up_nobody_else(served: Served, tmp_path: Path) -> None:
    reached, go = threading.Event(), threading.Event()

    with socket_that_waits(reached, go) as url:
        config = ProviderConfig(endpoint=Endpoint(f"{url}/v1"))
        with served(ReadyApp(config, root=tmp_path, timeout=30)) as client:
            answers: list[httpx.Response] = []
            slow = threading.Thread(target=lambda: answers.append(client.get("/ready?profile=llm")))
            slow.start()
            assert reached.wait(20)
            assert client.get("/ready?profile=core").status_code == 200
            assert answers == []
            go.set()
            slow.join(20)
    assert [answer.status_code for answer in answers] == [503]


@contextlib.contextmanager
def socket_that_waits(reached: threading.Event, go: threading.Event) -> Iterator[str]:
    """A server that takes one connection, and drops it when it is told to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                reached.set()
                go.wait(20)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        go.set()
        thread.join(20)


def test_the_application_by_default_goes_by_the_environment(
    served: Served, server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LLM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LLM_BASE_URL", server.url)
    with served("tapemeter.web.ready:app") as client:
        assert client.get("/ready?profile=llm").status_code == 200
        assert server.requests == ["/v1/models"]


def test_mounted_below_a_path_it_answers_there(served: Served, config: ProviderConfig, tmp_path: Path) -> None:
    app = ReadyApp(config, root=tmp_path)

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": "/health"}, receive, send)

    with served(mounted) as client:
        assert client.get("/health/ready").status_code == 200
        assert client.get("/health/health").status_code == 404
        assert client.get("/elsewhere/ready").status_code == 404


def test_a_websocket_is_closed() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    anyio.run(ReadyApp(), {"type": "websocket", "path": "/ready"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_the_profiles_are_those_of_the_check() -> None:
    assert ready._profile(b"") is Profile.CORE
    assert [ready._profile(f"profile={profile}".encode()) for profile in Profile] == list(Profile)
    assert ready._profile(b"profile=%63ore") is Profile.CORE
    assert ready._profile(b"profile=\xff") is None
