from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from tapemeter.errors import InterceptionError
from tapemeter.intercept.aiohttp import AiohttpAdapter

LAZY = """
import sys
from tapemeter import intercept

undo = intercept.install()
assert "aiohttp" not in sys.modules
assert "tapemeter.intercept.aiohttp_wire" not in sys.modules
import aiohttp
assert aiohttp.BaseConnector.connect.__module__ == "tapemeter.intercept.aiohttp"
undo()
assert aiohttp.BaseConnector.connect.__module__ == "aiohttp.connector"
"""


def test_nothing_is_imported_before_aiohttp_is() -> None:
    subprocess.run([sys.executable, "-c", LAZY], check=True, timeout=30)


def test_all_connectors_are_hooked_and_left_as_they_were() -> None:
    before = dict(vars(aiohttp.BaseConnector))

    undo = AiohttpAdapter().install(aiohttp)
    hooked = {aiohttp.BaseConnector.connect, aiohttp.TCPConnector.connect, aiohttp.UnixConnector.connect}
    undo()

    assert len(hooked) == 1
    assert before["connect"] not in hooked
    assert dict(vars(aiohttp.BaseConnector)) == before


def changed(**parts: Any) -> Any:
    names = ("BaseConnector", "TCPConnector", "UnixConnector", "NamedPipeConnector", "ClientRequest", "StreamReader")
    known = {name: getattr(aiohttp, name) for name in (*names, "client_proto")}
    return SimpleNamespace(__name__="aiohttp", __version__="99.0", **{**known, **parts})


class Elsewhere(aiohttp.TCPConnector):
    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - the library's own
        """Do otherwise."""


class Slotted:
    __slots__ = ()

    def set_response_params(self, *, timer: Any) -> None:
        """Take it."""

    def read(self) -> None:
        """Read."""


CHANGES = {
    r"BaseConnector\.connect is gone": {"BaseConnector": type("BaseConnector", (), {})},
    r"BaseConnector\.connect .* other": {"BaseConnector": type("BaseConnector", (), {"connect": lambda self: self})},
    r"TCPConnector connects past": {"TCPConnector": Elsewhere},
    r"ClientRequest\.update_body": {"ClientRequest": type("ClientRequest", (), {})},
    r"ResponseHandler\.set_response_params": {"client_proto": SimpleNamespace(ResponseHandler=object)},
    r"nothing can be put before": {"client_proto": SimpleNamespace(ResponseHandler=Slotted)},
    r"StreamReader\._wait": {"StreamReader": type("StreamReader", (), {})},
}


@pytest.mark.parametrize("problem", CHANGES)
def test_a_version_that_would_be_missed_is_refused(problem: str) -> None:
    connect = aiohttp.BaseConnector.connect

    with pytest.raises(InterceptionError, match=rf"aiohttp 99\.0 cannot be intercepted.*{problem}"):
        AiohttpAdapter().install(cast("Any", changed(**CHANGES[problem])))

    assert aiohttp.BaseConnector.connect is connect
