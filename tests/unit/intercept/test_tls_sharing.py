from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest

from tapemeter import intercept
from tapemeter import owner as owners
from tapemeter.cassette.mode import Mode
from tapemeter.session import Session, new_run
from tapemeter.settings import CassetteArguments, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _hooked() -> Iterator[None]:
    undo = intercept.install()
    yield
    undo()


@contextmanager
def running(folder: Path, mode: Mode) -> Iterator[None]:
    settings = Settings(root=folder, cassette_dir=folder, mode=mode)
    session = Session(settings, new_run(settings))
    owner = session.owner("test", nodeid="test", path=folder / "it.yaml", arguments=CassetteArguments())
    owners.enter(owner)
    try:
        yield
    finally:
        session.close(owner, keep=False)


def context_of(client: Any) -> ssl.SSLContext:
    context: ssl.SSLContext = client._transport._pool._ssl_context
    return context


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_in_replay_clients_share_a_context_that_verifies(tmp_path: Path, library: Any) -> None:
    with running(tmp_path, Mode.REPLAY):
        one, two = context_of(library.Client()), context_of(library.AsyncClient())

    assert one is two
    assert one.verify_mode is ssl.CERT_REQUIRED
    assert one.check_hostname


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.RECORD_ALL, Mode.LIVE])
def test_outside_replay_each_client_has_its_own(tmp_path: Path, mode: Mode) -> None:
    with running(tmp_path, mode):
        assert context_of(httpx.Client()) is not context_of(httpx.Client())
    assert context_of(httpx.Client()) is not context_of(httpx.Client())


def test_a_client_that_asks_for_something_else_has_its_own(tmp_path: Path) -> None:
    mine = ssl.create_default_context()
    with running(tmp_path, Mode.REPLAY):
        shared = context_of(httpx.Client())
        unverified = context_of(httpx.Client(verify=False))
        given = context_of(httpx.Client(verify=mine))

    assert unverified is not shared
    assert unverified.verify_mode is ssl.CERT_NONE
    assert given is mine


def test_another_certificate_file_in_the_environment_makes_another_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import certifi  # noqa: PLC0415 - httpx brings it

    with running(tmp_path, Mode.REPLAY):
        shared = context_of(httpx.Client())
        with monkeypatch.context() as changed:
            changed.setenv("SSL_CERT_FILE", certifi.where())
            other = context_of(httpx.Client())
            assert other is not shared
            assert context_of(httpx.Client(trust_env=False)) is not other
        assert context_of(httpx.Client()) is shared
