from __future__ import annotations

import asyncio
import importlib
from array import array
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.errors import InterceptionError, NetworkBlockedError
from tapemeter.isolation import native
from tapemeter.isolation.judge import Judge, Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Asked = list[tuple[str, str, int | None]]


class Judging:
    """Notes what is asked, and refuses it."""

    def __init__(self) -> None:
        self.asked: Asked = []
        self.doors = native.Doors(Judge(lambda: Standing(None, None), self.ask, lambda _: None))

    def ask(self, kind: str, host: str, port: int | None) -> None:
        self.asked.append((kind, host, port))
        raise NetworkBlockedError("refused", host=host, port=port, test=None)


@pytest.fixture
def judging() -> Iterator[Judging]:
    made = Judging()
    yield made
    made.doors.undo()


@pytest.mark.parametrize(
    ("target", "places"),
    [
        ("far.example:50051", [("connect", "far.example", 50051)]),
        ("far.example", [("connect", "far.example", 443)]),
        ("dns:far.example:1", [("connect", "far.example", 1)]),
        ("dns:///far.example:1", [("connect", "far.example", 1)]),
        ("dns://9.9.9.9/far.example:1", [("connect", "9.9.9.9", 53), ("connect", "far.example", 1)]),
        ("ipv4:192.0.2.1:1,192.0.2.2:2", [("connect", "192.0.2.1", 1), ("connect", "192.0.2.2", 2)]),
        ("ipv6:[2001:db8::7]:5", [("connect", "2001:db8::7", 5)]),
        ("ipv6:2001:db8::7", [("connect", "2001:db8::7", 443)]),
        ("unix:/run/socket", [("unix", "/run/socket", None)]),
        ("unix-abstract:name", [("unix", "name", None)]),
        ("xds:///service", [("connect", native.UNREADABLE, None)]),
        ("", [("connect", native.UNREADABLE, 443)]),
    ],
)
def test_the_target_of_a_grpc_channel_is_read(target: str, places: Asked) -> None:
    assert list(native._grpc_target((None, target), {})) == places
    assert list(native._grpc_target((None,), {"target": target})) == places


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://far.example/x", ("far.example", 443)),
        ("http://far.example:81", ("far.example", 81)),
        ("far.example:81/x", ("far.example", 81)),
        ("socks5h://proxy.example:1080", ("proxy.example", 1080)),
        ("https://far.example:port", (native.UNREADABLE, None)),
        ("", (native.UNREADABLE, 80)),
    ],
)
def test_urls_are_read(url: str, place: tuple[str, int | None]) -> None:
    assert list(native._url(1, (None, url), {})) == [("connect", *place)]
    assert list(native._url(1, (None,), {"url": url})) == [("connect", *place)]


def test_a_relative_url_leads_where_its_client_does() -> None:
    client = SimpleNamespace(base_url="https://far.example/v1")

    assert list(native._url(1, (client, "/chat"), {})) == [("connect", "far.example", 443)]
    assert list(native._absolute_url(1, (client, "/chat"), {})) == []
    assert list(native._absolute_url(1, (client, "https://a.example/"), {})) == [("connect", "a.example", 443)]


@pytest.mark.parametrize(
    ("read", "args", "options", "places"),
    [
        (native._loop_connection, (None, None, "far.example", 443), {}, [("connect", "far.example", 443)]),
        (
            native._loop_connection,
            (None, None),
            {"host": b"far.example", "port": "https"},
            [("connect", "far.example", None)],
        ),
        (native._loop_connection, (None, None), {"sock": object()}, []),
        (native._loop_address, (None, None, ("192.0.2.1", 9)), {}, [("connect", "192.0.2.1", 9)]),
        (native._loop_address, (None, None, "/run/socket"), {}, [("unix", "/run/socket", None)]),
        (native._loop_path, (None, None, "/run/socket"), {}, [("unix", "/run/socket", None)]),
        (native._loop_path, (None, None), {"sock": object()}, []),
        (native._loop_datagrams, (None, None), {"remote_addr": ("192.0.2.1", 9)}, [("send", "192.0.2.1", 9)]),
        (native._loop_datagrams, (None, None), {"remote_addr": "/run/socket"}, [("unix", "/run/socket", None)]),
        (native._loop_datagrams, (None, None, ("127.0.0.1", 0)), {}, []),
        (native._loop_datagrams, (None, None, ("0.0.0.0", 0)), {}, []),
        (native._loop_datagrams, (None, None, ("192.0.2.2", 0)), {}, [("send", "(wherever its datagrams go)", None)]),
        (native._loop_datagrams, (None, None), {}, [("send", "(wherever its datagrams go)", None)]),
        (native._loop_datagrams, (None, None), {"sock": object()}, []),
        (native._name, (None, "far.example"), {}, [("lookup", "far.example", None)]),
        (native._name, (None,), {"host": b"far.example"}, [("lookup", "far.example", None)]),
        (native._name, (None, ("far.example", 80)), {}, [("lookup", "far.example", None)]),
        (native._name, (None, "192.0.2.1"), {}, []),
        (native._name, (None, None), {}, []),
        (native._curl_option, (None, 10002, b"https://far.example/"), {}, [("connect", "far.example", 443)]),
        (native._curl_option, (None, 10004), {"value": "proxy.example:3128"}, [("connect", "proxy.example", 3128)]),
        (native._curl_option, (None, 10002, None), {}, []),
        (native._curl_option, (None, 78, 2), {}, []),
    ],
)
def test_arguments_are_read(
    read: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any], places: Asked
) -> None:
    assert list(read(args, options)) == places


def test_a_library_that_changed_is_an_error_with_its_name(judging: Judging) -> None:
    with pytest.raises(InterceptionError, match=r"primp.* has no AsyncClient.delete in primp that .*=namespace"):
        judging.doors.open("primp", ModuleType("primp"))


def test_a_class_of_c_is_replaced_and_put_back(judging: Judging, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("library")
    module.Curl = array
    door = native.Door("library", "Curl", ("append",), lambda args, _: iter([("connect", "far.example", args[1])]))
    monkeypatch.setattr(native, "DOORS", (door,))

    judging.doors.open("library", module)
    numbers = module.Curl("b", [1])
    with pytest.raises(NetworkBlockedError):
        numbers.append(2)
    assert isinstance(numbers, array)
    assert judging.asked == [("connect", "far.example", 2)]

    judging.doors.undo()
    assert module.Curl is array


def test_a_class_that_can_be_neither_hooked_nor_replaced_is_an_error(
    judging: Judging, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = ModuleType("library")
    module.Curl = bool
    monkeypatch.setattr(native, "DOORS", (native.Door("library", "Curl", ("to_bytes",), native._grpc_target),))

    with pytest.raises(InterceptionError, match=r"this version of library has no Curl.to_bytes"):
        judging.doors.open("library", module)


USES: dict[str, Callable[[Any], object]] = {
    "grpc._channel": lambda module: importlib.import_module("grpc").insecure_channel("far.example:443"),
    "grpc.aio._channel": lambda module: asyncio.run(_aio_channel()),
    "curl_cffi.curl": lambda module: importlib.import_module("curl_cffi").get("https://far.example/"),
    "pycurl": lambda module: module.Curl().setopt(module.URL, "https://far.example/"),
    "pyreqwest.client": lambda module: module.SyncClientBuilder().build().get("https://far.example/"),
    "pyreqwest.simple.sync_request": lambda module: module.pyreqwest_get("https://far.example/"),
    "primp": lambda module: module.Client().get("https://far.example/"),
    "rnet": lambda module: module.BlockingClient().get("https://far.example/"),
    "uvloop": lambda module: module.run(_connect()),
    "pycares": lambda module: module.Channel().getaddrinfo("far.example", 443, callback=print),
}


async def _aio_channel() -> None:
    importlib.import_module("grpc.aio").insecure_channel("far.example:443")


async def _connect() -> None:
    await asyncio.open_connection("far.example", 443)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", USES)
def test_a_library_that_is_here_is_asked_before_it_goes(judging: Judging, name: str) -> None:
    library = name.partition(".")[0]
    pytest.importorskip(library, reason=f"{library} is not installed")
    module = importlib.import_module(name)
    judging.doors.open(name, module)

    with pytest.raises(NetworkBlockedError):
        USES[name](module)

    assert judging.asked[0][:2] == ("lookup" if name == "pycares" else "connect", "far.example")


def test_every_library_has_a_use_or_a_twin_that_has() -> None:
    twins = {"pyreqwest.simple.request"}
    assert {door.module for door in native.DOORS} == set(USES) | twins
