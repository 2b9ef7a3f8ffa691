"""Which hosts may be reached: how a host is written, and lists of hosts that narrow each other.

A host is written in one of these forms; without a port every port is meant:

    api.example.com        api.example.com:443        a name
    *.example.com          *.example.com:443          every name below a domain, not the domain itself
    192.0.2.7              192.0.2.7:443              an address
    2001:db8::7            [2001:db8::7]:443
    10.0.0.0/8             10.0.0.0/8:443             a network
    2001:db8::/32          [2001:db8::/32]:443

Loopback is 127.0.0.0/8, ::1, `localhost`, every name below it, and the unspecified addresses, which as a
target reach this machine. An IPv4 address in IPv6 clothes is that IPv4 address. Nothing here resolves a name
or opens a socket: a rule for a name says nothing about the addresses behind it.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from tapemeter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

FORMS = "a name, *.domain, an IP address or a network such as 10.0.0.0/8, each with or without :port"

_LOOPBACK_4, _LOOPBACK_6 = IPv4Address("127.0.0.1"), IPv6Address("::1")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*"
_OLD_STYLE = r"(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]+|[0-9]+)){0,3}"
_HIGHEST_PORT = 65535


@lru_cache(maxsize=1024)
def canonical(host: str) -> str | Address:
    """Return the one form of a connect target: an address if it is one in any notation, else a name."""
    text = host.strip()
    if not text.isascii():
        with suppress(UnicodeError):
            text = text.encode("idna").decode("ascii")
    text = text.lower().rstrip(".")
    if not text:
        return _LOOPBACK_4
    with suppress(ValueError):
        return _reached(ip_address(text.removeprefix("[").removesuffix("]").partition("%")[0]))
    if re.fullmatch(_OLD_STYLE, text):  # 127.1 and 2130706433 are addresses to the C library
        with suppress(OSError):
            return _reached(IPv4Address(socket.inet_aton(text)))
    return text


def _reached(address: Address) -> Address:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_unspecified:
        return _LOOPBACK_4 if address.version == _LOOPBACK_4.version else _LOOPBACK_6
    return address


def is_address(host: str) -> bool:
    """Say whether a connect target is an address, so that reaching it asks no name server."""
    return not isinstance(canonical(host), str)


def is_loopback(host: str) -> bool:
    """Say whether a connect target is this machine by definition, without resolving anything."""
    target = canonical(host)
    if isinstance(target, str):
        return target == "localhost" or target.endswith(".localhost")
    return target.is_loopback


def endpoint(host: str, port: int | None) -> str:
    """Return `host:port` as the command line takes it; the host alone where there is no port."""
    if port is None:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class HostRule(NamedTuple):
    """One host or group of hosts that may be reached; `port` None means every port."""

    host: str | Network
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a host in one of the forms above; anything else is a UsageError that names them."""
        written = text.strip()
        host, port = _split(written)
        if "/" in host:
            return cls(_network(host, written), port)
        target = canonical(host) if host else ""
        if not isinstance(target, str):
            return cls(ip_network(target), port)
        # A name that ends in a number is a mistyped address; the URL standard sees it so, too.
        if not re.fullmatch(_NAME, target) or target.rpartition(".")[2].isdigit():
            raise _unknown(written)
        return cls(target, port)

    @property
    def is_name(self) -> bool:
        """Whether the rule is for one name, which can be resolved."""
        return isinstance(self.host, str) and not self.host.startswith("*.")

    @property
    def is_local(self) -> bool:
        """Whether all that the rule covers is this machine."""
        return is_loopback(self.host.removeprefix("*.")) if isinstance(self.host, str) else self.host.is_loopback

    def matches(self, host: str, port: int | None) -> bool:
        """Say whether the rule covers a target; `port` None asks for the host alone (a look-up)."""
        if port is not None and self.port is not None and port != self.port:
            return False
        target = canonical(host)
        if isinstance(self.host, str):
            if not isinstance(target, str):
                return False
            return target.endswith(self.host[1:]) if self.host.startswith("*.") else target == self.host
        return not isinstance(target, str) and target in self.host

    def __str__(self) -> str:
        if isinstance(self.host, str):
            return endpoint(self.host, self.port)
        alone = self.host.prefixlen == self.host.max_prefixlen
        return endpoint(str(self.host.network_address if alone else self.host), self.port)


def _split(written: str) -> tuple[str, int | None]:
    """Part host and port; a bare IPv6 address has colons of its own, so its port needs brackets."""
    if "://" in written:
        raise _unknown(written)
    if written.startswith("["):
        host, closed, rest = written[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise _unknown(written)
        return host, _port(rest[1:], written) if rest else None
    if written.count(":") != 1:
        return written, None
    host, _, port = written.partition(":")
    return host, _port(port, written)


def _port(text: str, written: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _HIGHEST_PORT):
        raise UsageError(f"host {written!r}: expected a port from 1 to {_HIGHEST_PORT} after the colon, not {text!r}")
    return int(text)


def _network(host: str, written: str) -> Network:
    try:
        return ip_network(host)
    except ValueError:
        pass
    try:
        meant = ip_network(host, strict=False)
    except ValueError:
        raise _unknown(written) from None
    raise UsageError(f"host {written!r}: bits are set beyond the prefix; write {meant} or the address alone")


def _unknown(written: str) -> UsageError:
    problem = f"host {written!r} is not understood; expected {FORMS}"
    with suppress(ValueError):
        parts = urlsplit(written if "://" in written else f"//{written}")
        if parts.hostname and re.fullmatch(_NAME, parts.hostname) and parts.netloc != written:
            problem += f". Write the host alone: {endpoint(parts.hostname, parts.port)}"
    return UsageError(problem)


class _Layer(NamedTuple):
    """One list: this machine or not, and hosts."""

    local: bool
    rules: tuple[HostRule, ...] = ()
    patterns: tuple[str, ...] = ()
    """Regular expressions that hosts and paths of sockets may begin with; where there are any, names are looked up."""

    def allows(self, host: str, port: int | None) -> bool:
        if self.patterns and (port is None or self.matches(host)):
            return True
        return (self.local and is_loopback(host)) or any(rule.matches(host, port) for rule in self.rules)

    def allows_socket(self, path: str) -> bool:
        return self.local or self.matches(path)

    def matches(self, target: str) -> bool:
        return any(re.match(pattern, target) for pattern in self.patterns)

    def __str__(self) -> str:
        local = ["loopback", "unix sockets"] if self.local else []
        matching = [f"what matches {pattern}" for pattern in self.patterns]
        return ", ".join([*local, *map(str, self.rules), *matching]) or "nothing"


class AllowList(NamedTuple):
    """Hosts that may be reached: what every one of its layers allows."""

    layers: tuple[_Layer, ...]

    @classmethod
    def default(cls) -> Self:
        """Return the list that allows this machine: loopback and unix sockets."""
        return cls((_Layer(local=True),))

    @classmethod
    def nothing(cls) -> Self:
        """Return the list that allows nothing at all, not even this machine."""
        return cls((_Layer(local=False),))

    @classmethod
    def matching(cls, patterns: Iterable[str]) -> Self:
        """Return the list that allows hosts, and unix sockets by their path, that regular expressions match.

        UsageError for what is none. Nothing else is allowed, not even this machine.
        """
        given = tuple(patterns)
        for pattern in given:
            try:
                re.compile(pattern)
            except (re.error, TypeError) as error:
                raise UsageError(f"allowed host {pattern!r} is no regular expression: {error}") from None
        return cls((_Layer(local=False, patterns=given),))

    def plus(self, hosts: Iterable[str]) -> Self:
        """Return the list with more hosts, each in a form that `HostRule.parse` takes."""
        more = tuple(HostRule.parse(host) for host in hosts)
        return type(self)(
            tuple(layer._replace(rules=tuple(dict.fromkeys(layer.rules + more))) for layer in self.layers)
        )

    def intersect(self, other: AllowList) -> Self:
        """Return the list that allows what both allow."""
        return type(self)(tuple(dict.fromkeys(self.layers + other.layers)))

    def allows(self, host: str, port: int | None) -> bool:
        """Say whether a target may be reached; `port` None asks whether its name may be looked up."""
        return all(layer.allows(host, port) for layer in self.layers)

    @property
    def allows_unix(self) -> bool:
        """Whether unix sockets may be connected to."""
        return all(layer.local for layer in self.layers)

    def allows_socket(self, path: str) -> bool:
        """Say whether a unix socket may be connected to."""
        return all(layer.allows_socket(path) for layer in self.layers)

    def names(self) -> tuple[str, ...]:
        """Return the plain names in the list that may be looked up, in the order in which they were given."""
        named = (str(rule.host) for layer in self.layers for rule in layer.rules if rule.is_name)
        return tuple(name for name in dict.fromkeys(named) if self.allows(name, None))

    def describe(self) -> str:
        """Return what is allowed in a few words, for messages."""
        return "; and of that only: ".join(map(str, self.layers))


def marker_allow_list(allow: Sequence[str]) -> AllowList:
    """Return what a marker's `allow` means: this machine and the hosts, or nothing at all if it is empty."""
    return AllowList.default().plus(allow) if allow else AllowList.nothing()
