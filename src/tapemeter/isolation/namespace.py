"""The namespace guard: moves this process into a Linux network namespace that holds loopback and nothing else.

All that the process starts afterwards is in it as well, in whatever language. Threads that were there before would stay
outside, so a process that has any is started anew, through this file as a program: it moves, and then becomes what it
was told to be. That is why nothing but the standard library is imported here.

A process that is alone with its loopback already, as a child of one that moved, or in a container without a network,
stays where it is.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEW_USER, _NEW_NET, _NEW_MOUNTS = 0x10000000, 0x40000000, 0x00020000
_READ_ONLY, _ALL_BELOW, _PRIVATE = 1, 0x4000, 0x40000
_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914
_UP, _LOOPBACK = 0x1, 0x8
_LO = "lo"
_FALLBACKS = frozenset(
    {"erspan0", "gre0", "gretap0", "ip6_vti0", "ip6gre0", "ip6tnl0", "ip_vti0", "sit0", "teql0", "tunl0"}
)
"""Devices that some kernels put into each namespace, switched off and leading nowhere."""

RESOLVERS = ("/run/systemd/resolve", "/run/nscd", "/var/run/nscd", "/run/avahi-daemon")
"""Folders of unix sockets whose services look names up, outside of the namespace, for anyone who asks."""

_USAGE_ERROR = 4
"""pytest's exit status for what cannot be honoured."""


class NamespaceRefused(Exception):  # noqa: N818 - the system refuses
    """The process cannot be moved; the message says why, and what to do."""


def is_isolated() -> bool:
    """Say whether loopback is all the network there is for this process."""
    try:
        names = [name for _, name in socket.if_nameindex()]
        flags = {name: _flags(name) for name in names}
    except OSError:
        return False
    others = [name for name in names if not flags[name] & _LOOPBACK]
    return all(name in _FALLBACKS and not flags[name] & _UP for name in others)


def threads() -> int:
    """Return how many threads the process has, native ones included."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - names are all that is needed
    except OSError:
        return 1


def enter(forward: Sequence[int] = ()) -> None:
    """Move this process, which has one thread, to where there is loopback only; NamespaceRefused if that cannot be.

    `forward` are ports of 127.0.0.1 outside that are to be reached at the same place inside. There is no way back.
    """
    if not is_isolated():
        ways_out = _ways_out(forward)
        _unshare()
        try:
            _raise_loopback()
        except OSError as error:
            raise NamespaceRefused(f"its loopback cannot be switched on: {_why_not(error)}") from None
        _hide_resolvers()
        if not is_isolated():
            raise NamespaceRefused("the new namespace holds more than loopback, so something could leave")
        for way in ways_out:
            way.open()
    elif not _flags(_LO) & _UP:
        try:
            _raise_loopback()
        except OSError:
            raise NamespaceRefused("there is no network here, not even loopback: run `ip link set lo up`") from None


def start_again(words: Sequence[str], forward: Sequence[int] = ()) -> NoReturn:
    """Become a process that moves and then runs `words`; for one whose threads keep it from moving itself."""
    ports = ",".join(map(str, forward))
    os.execv(sys.executable, [sys.executable, "-I", __file__, ports, *words])  # noqa: S606 - the same command anew


def _unshare() -> None:
    """Leave the network, as root or else with rights of our own over what is new."""
    if not sys.platform.startswith("linux"):
        raise NamespaceRefused(f"network namespaces are Linux's, and this is {sys.platform}; {_ELSEWHERE}")
    if threads() > 1:
        raise NamespaceRefused(
            f"this process has {threads()} threads, which would stay where the network is; start pytest from the "
            "command line, and it is started anew without them"
        )
    libc = _libc()
    flags = _NEW_NET | (_NEW_MOUNTS if any(map(os.path.isdir, RESOLVERS)) else 0)
    if libc.unshare(flags) == 0:
        return
    user, group = os.getuid(), os.getgid()
    if libc.unshare(flags | _NEW_USER) != 0:
        raise NamespaceRefused(_why_not(_error()))
    try:
        with contextlib.suppress(FileNotFoundError):
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    except OSError as error:
        raise NamespaceRefused(_why_not(error)) from None


def _libc() -> Any:
    try:
        import ctypes  # noqa: PLC0415 - some builds of Python lack it
    except ImportError:
        raise NamespaceRefused(
            "this Python has no ctypes to ask the system with; start pytest as `unshare -rn pytest …`"
        ) from None
    return ctypes.CDLL(None, use_errno=True)


def _error() -> OSError:
    import ctypes  # noqa: PLC0415 - as above

    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _flags(device: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        answer = fcntl.ioctl(sock, _GET_FLAGS, struct.pack("16sH14x", device.encode(), 0))
    flags: int = struct.unpack("16xH14x", answer)[0]
    return flags


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SET_FLAGS, struct.pack("16sH14x", _LO.encode(), _flags(_LO) | _UP))


def _hide_resolvers() -> None:
    """Cover the folders through whose sockets names could be looked up outside."""
    there = [folder for folder in RESOLVERS if os.path.isdir(folder)]  # noqa: PTH112 - most systems have none
    if not there:
        return
    libc = _libc()
    if libc.mount(b"none", b"/", None, _ALL_BELOW | _PRIVATE, None) != 0:
        raise NamespaceRefused(f"names could be looked up through {there[0]}: {_why_not(_error())}")
    for folder in there:
        if libc.mount(b"none", os.fsencode(os.path.realpath(folder)), b"tmpfs", _READ_ONLY, b"size=4k") != 0:
            raise NamespaceRefused(f"names could be looked up through {folder}: {_why_not(_error())}")


# Why not

_ELSEWHERE = (
    "use --llm-network-guard=process, or run pytest in a container without a network (docker run --network none), "
    "which this guard accepts"
)

_SWITCHES = (
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ("/proc/sys/user/max_net_namespaces", "0", "user.max_net_namespaces=10000"),
)
"""What a system may have switched off: the file, its value then, and the setting that switches it on."""


def _why_not(error: OSError) -> str:
    refuses = f"the system refuses it ({error.strerror})"
    for file, off, remedy in _SWITCHES:
        with contextlib.suppress(OSError):
            if Path(file).read_text(encoding="ascii").strip() == off:
                return f"{refuses}, since it is switched off: `sudo sysctl {remedy}`, or {_ELSEWHERE}"
    if error.errno in {errno.EPERM, errno.EACCES}:
        refuses += (
            "; a container needs the right to (docker run --cap-add SYS_ADMIN, or --security-opt seccomp=unconfined)"
        )
    return f"{refuses}; or {_ELSEWHERE}"


# Ports of outside


class _WayOut:
    """A port that leads out: a process outside connects, and we give it the socket inside that it is to listen at."""

    def __init__(self, port: int) -> None:
        import subprocess  # noqa: PLC0415 - only where a port is forwarded

        self._port = port
        self._ours, theirs = socket.socketpair()
        script = Path(__file__).with_name("forward.py")
        self._process = subprocess.Popen(  # noqa: S603 - our own file, with a number
            [sys.executable, "-I", str(script), str(theirs.fileno()), str(port), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()

    def open(self) -> None:
        """Listen inside, and wait until the process outside does its part."""
        with self._ours, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", self._port))
                listener.listen(64)
                self._ours.settimeout(30)
                socket.send_fds(self._ours, [b"."], [listener.fileno()])
                answer = self._ours.recv(1)
            except OSError as error:
                raise NamespaceRefused(f"port {self._port} cannot be forwarded: {error.strerror}") from None
        if not answer:
            raise NamespaceRefused(f"port {self._port} cannot be forwarded: what was to forward it has ended")
        self._process.returncode = 0  # it ends when we do; nobody is to wait for it, nor to warn that nobody did


def _ways_out(ports: Sequence[int]) -> list[_WayOut]:
    return [_WayOut(port) for port in ports]


def _main(arguments: list[str]) -> NoReturn:
    ports, *words = arguments
    try:
        enter([int(port) for port in ports.split(",") if port])
    except NamespaceRefused as error:
        sys.stderr.write(f"ERROR: tapemeter: {refusal(error)}\n\n")
        raise SystemExit(_USAGE_ERROR) from None
    os.execv(words[0], words)  # noqa: S606 - what we were told to become


def refusal(error: NamespaceRefused) -> str:
    """Return what to say where the guard was asked for and cannot be had."""
    return f"--llm-network-guard=namespace cannot be had here: {error}"


if __name__ == "__main__":
    _main(sys.argv[1:])
