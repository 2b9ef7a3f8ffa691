"""A pytest plugin for public suites: keeps them off the network, notes each test's outcome, leaves tests out.

    SUITE_OUTCOMES     the JSON file to which outcomes by node id are written
    SUITE_LEFT_OUT     a JSON file with a list of node ids of tests that are not to be run

It needs nothing but pytest, and knows nothing of the plugins that are compared.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

_look_up = socket.getaddrinfo
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_found: dict[str, str] = {}


def _is_here(host: Any) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or name in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
    if not _is_here(host) and not _is_number(host):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _look_up(host, *arguments, **options)


def _is_number(host: Any) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_far(address: Any) -> bool:
    return isinstance(address, tuple) and not _is_here(address[0])


def _connecting(self: socket.socket, address: Any) -> None:
    if _is_far(address):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")
    _connect(self, address)


def _connecting_ex(self: socket.socket, address: Any) -> int:
    return errno.ENETUNREACH if _is_far(address) else _connect_ex(self, address)


socket.getaddrinfo = _getaddrinfo
socket.socket.connect = _connecting  # type: ignore[method-assign, assignment]
socket.socket.connect_ex = _connecting_ex  # type: ignore[method-assign, assignment]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests out."""
    path = os.environ.get("SUITE_LEFT_OUT")
    if path is None:
        return
    named = frozenset(json.loads(Path(path).read_text(encoding="utf-8")))
    left_out = [item for item in items if item.nodeid in named]
    items[:] = [item for item in items if item.nodeid not in named]
    config.hook.pytest_deselected(items=left_out)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note an outcome: that of the first phase in which a test did not pass, and the last of its runs."""
    outcome = "xfailed" if report.skipped and hasattr(report, "wasxfail") else report.outcome
    if report.when == "setup" or (report.when == "call" and _found[report.nodeid] == "passed"):
        _found[report.nodeid] = outcome
    elif report.failed and report.when == "teardown":
        _found[report.nodeid] += ", failed in teardown"


def pytest_sessionfinish() -> None:
    """Write the outcomes."""
    path = os.environ.get("SUITE_OUTCOMES")
    if path is not None:
        Path(path).write_text(json.dumps(_found, indent=1), encoding="utf-8")
