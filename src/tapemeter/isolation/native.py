"""Client libraries that open connections without Python's sockets: the functions through which they are told where to.

Each is hooked when it is imported. Where a library no longer has the function, importing it is an InterceptionError:
its connections would be missed. A redirect within the library, and what it looks up by itself, is not seen.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tapemeter.errors import InterceptionError
from tapemeter.network import is_address, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from tapemeter.isolation.judge import Judge

    Places = Iterator[tuple[str, str, int | None]]

UNREADABLE = "(an address that cannot be read)"
"""Stands for a place in a form that is not known; no list allows it."""

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def _url(place: int, args: tuple[Any, ...], options: Mapping[str, Any], *, name: str = "url") -> Places:
    """Read a URL among the arguments; a relative one leads where the client's `base_url` does."""
    given = args[place] if len(args) > place else options.get(name)
    if given is None:
        return
    text = str(given)
    if "://" not in text and (base := getattr(args[0], "base_url", None)) is not None and not callable(base):
        text = str(base)
    yield _place_of(text)


def _absolute_url(place: int, args: tuple[Any, ...], options: Mapping[str, Any]) -> Places:
    """Read a URL where a relative one was judged before, with the base that the client was built with."""
    given = args[place] if len(args) > place else options.get("url")
    if given is not None and "://" in str(given):
        yield _place_of(str(given))


def _place_of(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or _PORTS.get(parts.scheme.lower())
    except ValueError:
        return "connect", UNREADABLE, None
    return "connect", parts.hostname or UNREADABLE, port


_CURL_ADDRESSES = frozenset({10002, 10004, 10262, 10279})
"""The numbers of curl's options URL, PROXY, PRE_PROXY and DOH_URL."""


def _curl_option(args: tuple[Any, ...], options: Mapping[str, Any]) -> Places:
    option = args[1] if len(args) > 1 else options.get("option", 0)
    value = args[2] if len(args) > 2 else options.get("value")  # noqa: PLR2004 - (curl, option, value)
    if value and isinstance(option, int) and int(option) in _CURL_ADDRESSES:
        yield _place_of(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


_GRPC_SCHEMES = frozenset({"dns", "ipv4", "ipv6", "passthrough"})


def _grpc_target(args: tuple[Any, ...], options: Mapping[str, Any]) -> Places:
    """Read the target of a channel: `host:port`, or `scheme:[//authority/]host:port[,…]`, or a unix socket."""
    target = str(args[1] if len(args) > 1 else options.get("target", ""))
    scheme, _, rest = target.partition(":")
    if scheme in {"unix", "unix-abstract"}:
        yield "unix", rest, None
        return
    if scheme in _GRPC_SCHEMES:
        target = rest
        if target.startswith("//"):
            server, _, target = target[2:].partition("/")
            if server:
                yield _host_and_port(server, 53)
    elif "://" in target:
        yield "connect", UNREADABLE, None  # a name service of its own, such as xds
        return
    for one in target.split(","):
        yield _host_and_port(one, 443)


def _host_and_port(text: str, default: int) -> tuple[str, str, int | None]:
    host, colon, port = text.rpartition(":")
    if not colon or (text.count(":") > 1 and not host.endswith("]")):
        host, port = text, ""
    return "connect", host.strip("[]") or UNREADABLE, int(port) if port.isdigit() else default


def _loop_connection(args: tuple[Any, ...], options: Mapping[str, Any]) -> Places:
    host = args[2] if len(args) > 2 else options.get("host")  # noqa: PLR2004 - (loop, factory, host, port)
    port = args[3] if len(args) > 3 else options.get("port")  # noqa: PLR2004
    if host is not None:  # else it goes over a socket that was connected before
        yield "connect", _text(host), port if isinstance(port, int) else None


def _loop_datagrams(args: tuple[Any, ...], options: Mapping[str, Any]) -> Places:
    """Ask about the one place that a socket is for; one that is bound to loopback reaches nothing else."""
    local = args[2] if len(args) > 2 else options.get("local_addr")  # noqa: PLR2004 - (loop, factory, local, remote)
    remote = args[3] if len(args) > 3 else options.get("remote_addr")  # noqa: PLR2004
    if remote is not None:
        yield ("unix", _text(remote), None) if isinstance(remote, str) else ("send", _text(remote[0]), remote[1])
    elif options.get("sock") is None and (local is None or not is_loopback(_text(local[0]))):
        yield "send", "(wherever its datagrams go)", None


def _loop_address(args: tuple[Any, ...], options: Mapping[str, Any]) -> Places:
    address = args[2] if len(args) > 2 else options.get("address")  # noqa: PLR2004 - (loop, socket, address)
    if isinstance(address, tuple):
        yield "connect", _text(address[0]), address[1]
    elif address is not None:
        yield "unix", _text(address), None


def _loop_path(args: tuple[Any, ...], options: Mapping[str, Any]) -> Places:
    path = args[2] if len(args) > 2 else options.get("path")  # noqa: PLR2004 - (loop, factory, path)
    if path is not None:
        yield "unix", _text(path), None


def _name(args: tuple[Any, ...], options: Mapping[str, Any]) -> Places:
    host = args[1] if len(args) > 1 else next(iter(options.values()), None)
    if isinstance(host, tuple):
        host = host[0]
    if host is not None and not is_address(_text(host)):
        yield "lookup", _text(host), None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class Door(NamedTuple):
    """Functions of a library that are told where to. `owner` is the class they belong to, "" for the module."""

    module: str
    owner: str
    names: tuple[str, ...]
    places: Callable[[tuple[Any, ...], Mapping[str, Any]], Places]


_VERBS = ("delete", "get", "head", "patch", "post", "put")
_MORE_VERBS = (*_VERBS, "options")
_ALL_VERBS = (*_MORE_VERBS, "trace", "websocket")
_SIMPLE = tuple(f"pyreqwest_{verb}" for verb in _VERBS)

DOORS = (
    Door("grpc._channel", "Channel", ("__init__",), _grpc_target),
    Door("grpc.aio._channel", "Channel", ("__init__",), _grpc_target),
    Door("curl_cffi.curl", "Curl", ("setopt",), _curl_option),
    Door("pycurl", "Curl", ("setopt",), _curl_option),
    *(
        door
        for kind in ("Client", "SyncClient")
        for door in (
            Door("pyreqwest.client", kind, _VERBS, partial(_absolute_url, 1)),
            Door("pyreqwest.client", kind, ("request",), partial(_absolute_url, 2)),
            Door("pyreqwest.client", f"{kind}Builder", ("base_url",), partial(_url, 1)),
        )
    ),
    *(
        door
        for module in ("pyreqwest.simple.request", "pyreqwest.simple.sync_request")
        for door in (
            Door(module, "", _SIMPLE, partial(_url, 0)),
            Door(module, "", ("pyreqwest_request",), partial(_url, 1)),
        )
    ),
    *(
        door
        for kind in ("AsyncClient", "Client")
        for door in (
            Door("primp", kind, _MORE_VERBS, partial(_url, 1)),
            Door("primp", kind, ("request",), partial(_url, 2)),
        )
    ),
    Door("primp", "", _MORE_VERBS, partial(_url, 0)),
    Door("primp", "", ("request",), partial(_url, 1)),
    *(
        door
        for kind in ("BlockingClient", "Client")
        for door in (
            Door("rnet", kind, _ALL_VERBS, partial(_url, 1)),
            Door("rnet", kind, ("request",), partial(_url, 2)),
        )
    ),
    Door("rnet", "", _ALL_VERBS, partial(_url, 0)),
    Door("rnet", "", ("request",), partial(_url, 1)),
    Door("uvloop", "Loop", ("create_connection",), _loop_connection),
    Door("uvloop", "Loop", ("create_datagram_endpoint",), _loop_datagrams),
    Door("uvloop", "Loop", ("create_unix_connection",), _loop_path),
    Door("uvloop", "Loop", ("sock_connect",), _loop_address),
    Door("uvloop", "Loop", ("getaddrinfo", "getnameinfo"), _name),
    Door("pycares", "Channel", ("getaddrinfo", "gethostbyaddr", "getnameinfo", "query", "search"), _name),
)


class Doors:
    """The doors of the libraries that this process has imported, each with a question before it."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._undo: list[Callable[[], None]] = []

    def hooks(self) -> dict[str, Callable[[ModuleType], None]]:
        """Return what is to be done with each module once it is imported."""
        return {name: partial(self.open, name) for name in dict.fromkeys(door.module for door in DOORS)}

    def open(self, name: str, module: ModuleType) -> None:
        """Put the question before each door of one module."""
        for door in DOORS:
            if door.module == name:
                self._hook(door, module)

    def undo(self) -> None:
        """Take the hooks away."""
        while self._undo:
            self._undo.pop()()

    def _hook(self, door: Door, module: ModuleType) -> None:
        owner: Any = getattr(module, door.owner, None) if door.owner else module
        for name in door.names:
            if not hasattr(owner, name):
                raise _changed(door, name)
            try:
                self._undo.append(replace(owner, name, partial(self._asking, door)))
            except TypeError:  # a class of C that takes no other functions: another in its place does
                try:
                    ours = type(owner.__name__, (owner,), {"__module__": owner.__module__})
                except TypeError:
                    raise _changed(door, name) from None
                setattr(module, door.owner, ours)
                self._undo.append(partial(setattr, module, door.owner, owner))
                self._undo.append(replace(ours, name, partial(self._asking, door)))

    def _asking(self, door: Door, function: Callable[..., Any]) -> Callable[..., Any]:
        def asking(*args: Any, **options: Any) -> Any:
            for kind, host, port in door.places(args, options):
                self._judge.ask(kind, host, port)
            return function(*args, **options)

        try:
            return wraps(function)(asking)
        except (AttributeError, TypeError):  # what is not written in Python may have no name
            return asking


def replace(owner: Any, name: str, wrap: Callable[[Any], Any]) -> Callable[[], None]:
    """Put a wrapper in place of a function of a class or module; return what puts it back."""
    own, original = name in vars(owner), getattr(owner, name)
    ours = wrap(original)
    setattr(owner, name, ours)

    def undo() -> None:
        if vars(owner).get(name) is not ours:  # someone wrapped it since
            return
        if own:
            setattr(owner, name, original)
        else:
            delattr(owner, name)

    return undo


def _changed(door: Door, name: str) -> InterceptionError:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow, and only for this message

    library = door.module.partition(".")[0]
    try:
        found = f"{library} {version({'grpc': 'grpcio'}.get(library, library))}"
    except PackageNotFoundError:
        found = f"this version of {library}"
    what = f"{door.owner}.{name}" if door.owner else name
    return InterceptionError(
        f"{found} has no {what} in {door.module} that can be hooked, so the process guard would miss its "
        "connections; install another version of it, or use --llm-network-guard=namespace"
    )
