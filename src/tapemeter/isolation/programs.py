"""Programs that use the network by themselves: which command line starts one, and where its words lead.

This reads words. It is there to refuse `curl https://…` with a clear error, not to fence in a program that hides where
it goes: in a script, a config file, a redirect, or a language of its own.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tapemeter.errors import NetworkBlockedError
from tapemeter.network import endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tapemeter.isolation.judge import Standing

KNOWN = {
    "fetch what a URL names": ("aria2c", "axel", "curl", "curlie", "hey", "lynx", "wget", "wget2", "xh"),
    "open connections": ("ftp", "nc", "nc.openbsd", "nc.traditional", "ncat", "netcat", "socat", "telnet", "websocat"),
    "reach other machines": ("mosh", "rsync", "scp", "sftp", "ssh"),
    "look names up or send probes": ("dig", "drill", "host", "nslookup", "ping", "ping6", "tracepath", "traceroute"),
    "download packages": ("bunx", "npm", "npx", "pnpm", "uv", "uvx", "yarn"),
    "call services": ("aws", "az", "gcloud", "gh", "grpcurl", "ollama"),
}
"""What is known, by what it does. Languages that can do anything, such as node, are not: they are let through."""

_KNOWN = {name for names in KNOWN.values() for name in names}
_SHELLS = frozenset({"ash", "bash", "busybox", "dash", "fish", "ksh", "sh", "zsh"})
_WRAPPERS = frozenset({"busybox", "command", "env", "exec", "nice", "nohup", "setsid", "stdbuf", "strace", "sudo"})
_WRAPPERS |= frozenset({"time", "timeout", "xargs"})
_BETWEEN_COMMANDS = frozenset(";|&()<>\n`{}")
_KEYWORDS = frozenset({"!", "do", "else", "if", "then", "until", "while"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s'\"<>|]+")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "ftps": 990, "sftp": 22}
_LONGEST = 65536
"""Characters of a shell command that are looked at."""


class Found(NamedTuple):
    """A program that is known, and the places that the URLs of its command line name; a host is "" where unreadable."""

    name: str
    places: tuple[tuple[str, int | None], ...]


def find(words: Sequence[Any] | str | bytes) -> Found | None:
    """Return the first known program that a command line starts: words, or text for a shell; None without one."""
    if isinstance(words, str | bytes):
        text = _text(words)
        name = _in_shell(text)
        return None if name is None else Found(name, tuple(_places([text])))
    plain = [_text(word) for word in words]
    if not plain:
        return None
    name = _started(plain)
    return None if name is None else Found(name, tuple(_places(plain[1:])))


def judge(found: Found, standing: Standing) -> None:
    """Raise NetworkBlockedError unless every place that a program's URLs name is allowed, and there is one."""
    allowed = standing.allowed
    if allowed is None:
        return
    refused = [place for place in found.places if not (place[0] and allowed.allows(*place))]
    if found.places and not refused:
        return
    host, port = refused[0] if refused else ("", None)
    where = f" for {endpoint(host, port)}" if host else ""
    remedy = f"--llm-allow-host {endpoint(host, port)}, or " if host else ""
    raise NetworkBlockedError(
        f"{standing.test or 'code that belongs to no running test'} wanted to start {found.name}{where}, which uses "
        "the network by itself; it was not started.\n"
        f"  allowed: URLs that lead to {allowed.describe()}\n"
        f"  to allow it: {remedy}--llm-network-guard=namespace, where it runs and finds no network",
        host=host or found.name,
        port=port,
        test=standing.test,
    )


def _started(words: list[str]) -> str | None:
    program = os.path.basename(words[0])  # noqa: PTH119 - no path is meant to exist
    if program in _KNOWN:
        return program
    if program in _SHELLS and (command := _shell_command(words)) is not None:
        return _in_shell(command)
    if program in _WRAPPERS:
        # Which of its words is the program depends on its options; a file that is named like one is refused as well.
        return next((name for word in words[1:] if (name := os.path.basename(word)) in _KNOWN), None)  # noqa: PTH119
    return None


def _shell_command(words: list[str]) -> str | None:
    """Return what follows `-c`, alone or among other letters."""
    for place, word in enumerate(words[1:-1], start=1):
        if word.startswith("-") and not word.startswith("--") and "c" in word:
            return words[place + 1]
    return None


def _in_shell(command: str) -> str | None:
    """Return the first known program that stands where a shell expects a command."""
    try:
        lexer = shlex.shlex(command[:_LONGEST].replace("$(", " ( "), posix=True, punctuation_chars=";|&()<>`{}\n")
        lexer.whitespace = " \t\r"
        lexer.whitespace_split, lexer.commenters = True, ""
        tokens = list(lexer)
    except ValueError:  # an open quotation mark: the shell refuses it, or reads on where we cannot
        tokens = command[:_LONGEST].split()
    expected = True
    for token in tokens:
        name = os.path.basename(token)  # noqa: PTH119 - as above
        if expected and name in _KNOWN:
            return name
        if token and set(token) <= _BETWEEN_COMMANDS:
            expected = True
        elif not (expected and (token in _KEYWORDS or name in _WRAPPERS or _ASSIGNMENT.match(token))):
            expected = False
    return None


def _places(words: Iterable[str]) -> Iterator[tuple[str, int | None]]:
    for word in words:
        for url in _URL.findall(word[:_LONGEST]):
            try:
                parts = urlsplit(url)
                yield parts.hostname or "", parts.port or _PORTS.get(parts.scheme.lower())
            except ValueError:
                yield "", None


def _text(word: Any) -> str:
    try:
        return os.fsdecode(word)
    except TypeError:
        return ""
