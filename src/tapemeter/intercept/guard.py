"""The guard of this process: every socket of Python asks the policy in force before a packet leaves.

One audit hook sees connections, datagrams and name look-ups of any thread, task or library that uses Python's
sockets, also where functions were imported before or `_socket` is used. It cannot be removed, so it is added
once and asks the policy that was pushed last; while none is pushed it lets everything through.

A policy that allows a host by name allows the addresses behind the name: the guard learns them from the
look-ups it sees, and looks the names up again before it refuses an address that it does not know.

What it cannot see: child processes; native code that calls the operating system itself (uvloop, gRPC, c-ares,
database drivers in C); sockets that were connected before; raw link-layer sockets. `tapemeter.isolation` has guards for
those; one of them loads this file into child processes by its path, so it imports nothing but what stands below it.
Addresses are read by `tapemeter.network`, which is imported once a socket is used: in most sessions none is.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache, partial, wraps
from typing import TYPE_CHECKING, Any

from tapemeter import audit
from tapemeter.errors import NetworkBlockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType
    from typing import Literal, Protocol

    from tapemeter.network import Address, AllowList

    Kind = Literal["connect", "send", "lookup", "unix"]
    """What is about to happen: a connection, a datagram, a look-up of a name, or anything to a unix socket."""

    class Policy(Protocol):
        """Answers one question: raises NetworkBlockedError to refuse, returns to allow.

        It may be asked more than once for one connection, by address and then by the names of that address, and a
        refusal counts only when all are refused; so it notes nothing down. `port` is None for look-ups and unix
        sockets; `host` is the path for the latter.
        """

        def __call__(self, kind: Kind, host: str, port: int | None, /) -> None:
            """Raise NetworkBlockedError unless it may happen."""


class _Pushed:
    """A policy in force, the names it allows, and who wants to know what it refused."""

    def __init__(
        self,
        policy: Policy,
        names: Callable[[], Iterable[str]],
        on_refusal: Callable[[NetworkBlockedError], None] | None,
    ) -> None:
        self.policy, self.names, self.on_refusal = policy, names, on_refusal


_ASK_AGAIN_AFTER = 30.0
"""Seconds until a name is looked up again for an unknown address; a refused loop must not wait on DNS."""

_NEVER = float("-inf")

_lock = threading.RLock()
_stack: list[_Pushed] = []
_current: _Pushed | None = None
_undo_patches: dict[tuple[object, str], Callable[[], None]] = {}
_passing: ContextVar[bool] = ContextVar("tapemeter_passing", default=False)
_names_of: dict[Address, set[str]] = {}
_looked_up: dict[str, float] = {}
"""Names that were allowed to be looked up, and when the guard itself last did so."""


@cache
def network() -> ModuleType:
    """Return what reads addresses; whoever takes our modules away has to ask before."""
    from tapemeter import network  # noqa: PLC0415 - see the module's docstring

    return network


def install() -> None:
    """Add the audit hook to this process; once, however often it is called."""
    with _lock:
        audit.install()


def push(
    policy: Policy,
    *,
    names: Callable[[], Iterable[str]] = tuple,
    on_refusal: Callable[[NetworkBlockedError], None] | None = None,
) -> Callable[[], None]:
    """Put a policy in force in place of the one before, and return what takes it out again, in any order.

    `names` gives the plain host names that the policy may allow; `on_refusal` sees each refusal that reaches
    the program.
    """
    install()
    pushed = _Pushed(policy, names, on_refusal)
    with _lock:
        _stack.append(pushed)
        _patch()
        _enforce_last()

    def undo() -> None:
        with _lock:
            if pushed in _stack:
                _stack.remove(pushed)
                _enforce_last()

    return undo


def _enforce_last() -> None:
    global _current  # noqa: PLW0603 - what was wrapped looks here
    _current = _stack[-1] if _stack else None
    audit.HANDLERS.update(_HANDLERS)
    if _current is None:
        audit.HANDLERS.clear()
        while _undo_patches:
            _undo_patches.popitem()[1]()
        _names_of.clear()
        _looked_up.clear()


@contextmanager
def passing() -> Iterator[None]:
    """Let everything through in this context (thread or task, and tasks it starts) until the block ends."""
    before = _passing.get()
    _passing.set(True)
    if _current is not None:
        _patch()  # asyncio may have been imported since the policy was pushed
    try:
        yield
    finally:
        # Not a token: an async generator may be closed in another context than the one that opened it.
        _passing.set(before)


def is_passing() -> bool:
    """Say whether the running code is in a `passing` block."""
    return _passing.get()


def blocked(kind: Kind, host: str, port: int | None, test: str | None, allow: AllowList) -> NetworkBlockedError:
    """Return the error for something that `allow` refuses: who, where to, what is allowed, and the remedy."""
    names = sorted(_names_of.get(target, ())) if not isinstance(target := network().canonical(host), str) else []
    where = network().endpoint(host, port) + (f" ({', '.join(names)})" if names and kind != "unix" else "")
    deed = {
        "connect": "connect to",
        "send": "send to",
        "lookup": "look up the name",
        "unix": "connect to the unix socket",
    }[kind]
    remedy = network().endpoint(names[0] if names else host, port)
    message = (
        f"{test or 'code that belongs to no running test'} wanted to {deed} {where}; nothing was sent.\n"
        f"  allowed: {allow.describe()}"
    )
    if kind == "unix":
        message += "\n  to allow it: take the empty list out of @pytest.mark.llm_network(allow=[])"
    else:
        message += (
            f"\n  to allow it: --llm-allow-host {remedy}, or in ini llm_allow_hosts = {remedy}, "
            f'or @pytest.mark.llm_network(allow=["{remedy}"])'
            "\n  if it is a model call: record it with --record-cassettes, then it needs no network"
        )
    if len(allow.layers) > 1:
        message += "\n  the command line (or ini) and the marker must both allow it"
    return NetworkBlockedError(message, host=host, port=port, test=test)


# What the hook sees


def _on_address(kind: Kind, sock: socket.socket, address: Any) -> None:
    if address is None:  # sendmsg on a connected socket; its connect was seen
        return
    if sock.family in {socket.AF_INET, socket.AF_INET6}:
        ask(kind, _text(address[0]), address[1])
    elif sock.family == socket.AF_UNIX:
        ask("unix", _text(address).replace("\0", "@"), None)


def _on_name(host: Any, *_: Any) -> None:
    # Translating an address, or none at all, asks no name server.
    if host is None:
        return
    if not network().is_address(name := _text(host)):
        ask("lookup", name, None)
        if not _passing.get():
            _looked_up.setdefault(str(network().canonical(name)), _NEVER)


def _on_reverse_look_up(host: Any) -> None:
    ask("lookup", _text(host[0] if isinstance(host, tuple) else host), None)


_HANDLERS: dict[str, Callable[..., None]] = {
    "socket.connect": partial(_on_address, "connect"),
    "socket.sendto": partial(_on_address, "send"),
    "socket.sendmsg": partial(_on_address, "send"),
    "socket.getaddrinfo": _on_name,
    "socket.gethostbyname": _on_name,
    "socket.gethostbyaddr": _on_reverse_look_up,
    "socket.getnameinfo": _on_reverse_look_up,
}


def _text(host: Any) -> str:
    return host if isinstance(host, str) else os.fsdecode(bytes(host))


# How it is decided


def ask(kind: Kind, host: str, port: int | None) -> None:
    """Raise NetworkBlockedError where the policy in force refuses; for what the hook cannot see by itself."""
    pushed = _current
    if pushed is None or _passing.get():
        return
    try:
        pushed.policy(kind, host, port)
    except NetworkBlockedError as refusal:
        if kind != "unix" and _is_allowed_by_name(pushed, kind, host, port):
            return
        if pushed.on_refusal is not None:
            pushed.on_refusal(refusal)
        raise


def _is_allowed_by_name(pushed: _Pushed, kind: Kind, host: str, port: int | None) -> bool:
    address = network().canonical(host)
    if isinstance(address, str):
        return False
    return any(_allows(pushed.policy, kind, name, port) for name in _names_behind(address, pushed))


def _allows(policy: Policy, kind: Kind, name: str, port: int | None) -> bool:
    try:
        policy(kind, name, port)
    except NetworkBlockedError:
        return False
    return True


def _names_behind(address: Address, pushed: _Pushed) -> Iterator[str]:
    known = frozenset(_names_of.get(address, ()))
    yield from known
    _look_up_again(pushed.names())
    yield from _names_of.get(address, set()) - known


def _look_up_again(names: Iterable[str]) -> None:
    now = time.monotonic()
    for name in names:
        _looked_up.setdefault(name, _NEVER)
    for name, last in list(_looked_up.items()):
        if now - last >= _ASK_AGAIN_AFTER:
            _looked_up[name] = now
            with passing():
                try:
                    _learn(name, socket.getaddrinfo(name, None))
                except OSError:
                    continue


def _learn(name: str, found: Iterable[tuple[Any, ...]]) -> None:
    for *_, address in found:
        behind = network().canonical(str(address[0]))
        if not isinstance(behind, str):
            _names_of.setdefault(behind, set()).add(name)


# What is wrapped while a policy is in force


def _patch() -> None:
    """Wrap what the hook alone sees too late, or without its context."""
    _replace(socket, "getaddrinfo", _learning)
    for method in ("connect", "connect_ex", "sendto", "sendmsg"):
        _replace(socket.socket, method, _asking_before_look_up)
    # Importing asyncio takes longer than all of this; who uses it has imported it.
    base_events = sys.modules.get("asyncio.base_events")
    if base_events is not None:
        _replace(base_events.BaseEventLoop, "getaddrinfo", _in_own_context)


def _replace(owner: Any, name: str, wrapper: Callable[[Any], Any]) -> None:
    with _lock:
        if (owner, name) in _undo_patches:
            return
        own = vars(owner).get(name)
        ours = wrapper(getattr(owner, name))
        setattr(owner, name, ours)

        def undo() -> None:
            if vars(owner).get(name) is not ours:  # someone wrapped it since; ours lets everything through
                return
            if own is None:
                delattr(owner, name)
            else:
                setattr(owner, name, own)

        _undo_patches[owner, name] = undo


def _learning(getaddrinfo: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `socket.getaddrinfo`: the addresses it returns belong to the name."""

    @wraps(getaddrinfo)
    def wrapped(host: Any, *args: Any, **options: Any) -> Any:
        found = getaddrinfo(host, *args, **options)
        if _current is not None and host is not None and not network().is_address(name := _text(host)):
            _learn(str(network().canonical(name)), found)
        return found

    return wrapped


def _asking_before_look_up(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method of `socket.socket`: the C code looks a host name up before it raises the audit event."""

    @wraps(method)
    def wrapped(self: socket.socket, *args: Any) -> Any:
        address = args[-1] if args else None
        if _current is not None and isinstance(address, tuple) and isinstance(address[0], str):
            _on_name(address[0])
        return method(self, *args)

    return wrapped


def _in_own_context(getaddrinfo: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an event loop's `getaddrinfo`: its worker thread would know neither `passing` nor the test."""

    @wraps(getaddrinfo)
    async def wrapped(self: Any, host: Any, port: Any, **options: int) -> Any:
        look_up = partial(copy_context().run, socket.getaddrinfo, host, port, **options)
        return await self.run_in_executor(None, look_up)

    return wrapped
