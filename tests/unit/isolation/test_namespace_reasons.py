from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tapemeter import settings
from tapemeter.cassette.mode import Mode
from tapemeter.errors import UsageError
from tapemeter.isolation import namespace

if TYPE_CHECKING:
    from pathlib import Path


def test_a_right_that_is_missing_is_explained_for_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace, "_SWITCHES", ())

    said = namespace._why_not(OSError(errno.EPERM, os.strerror(errno.EPERM)))

    assert "Operation not permitted" in said
    assert "--cap-add SYS_ADMIN" in said
    assert "--llm-network-guard=process" in said


def test_a_switch_that_is_off_is_named_with_the_command_that_turns_it_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "on").write_text("1\n")
    (tmp_path / "off").write_text("0\n")
    switches = (
        (str(tmp_path / "none"), "0", "a=1"),
        (str(tmp_path / "on"), "0", "b=1"),
        (str(tmp_path / "off"), "0", "c=1"),
    )
    monkeypatch.setattr(namespace, "_SWITCHES", switches)

    said = namespace._why_not(OSError(errno.EPERM, "no"))

    assert "`sudo sysctl c=1`" in said
    assert "cap-add" not in said


def test_another_system_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(namespace.NamespaceRefused, match="are Linux's, and this is darwin; use --llm-network-guard"):
        namespace._unshare()


def test_as_a_program_it_ends_as_pytest_would(tmp_path: Path) -> None:
    code = (
        "import runpy, sys; sys.platform = 'plan9'; sys.argv[1:] = ['', sys.executable, '-c', 'print(1)'];"
        "import socket; socket.if_nameindex = lambda: [(1, 'eth0')];"
        f"runpy.run_path({namespace.__file__!r}, run_name='__main__')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (4, "")
    assert "ERROR: tapemeter: --llm-network-guard=namespace cannot be had here: network namespaces are" in done.stderr


def test_it_needs_nothing_but_the_standard_library() -> None:
    # -S: without the packages that are installed.
    done = subprocess.run(
        [sys.executable, "-I", "-S", namespace.__file__, "x"], capture_output=True, text=True, check=False
    )

    assert "ModuleNotFoundError" not in done.stderr
    assert "ValueError" in done.stderr  # x is no port


@pytest.mark.parametrize(
    ("devices", "isolated"),
    [
        ({"lo": 0x9}, True),
        ({"lo": 0x8}, True),
        ({"lo": 0x9, "sit0": 0x80, "tunl0": 0x80}, True),
        ({"lo": 0x9, "sit0": 0x81}, False),
        ({"lo": 0x9, "eth0": 0x1003}, False),
        ({"lo": 0x9, "wlan0": 0x1002}, False),  # it may be switched on later
    ],
)
def test_a_place_is_isolated_where_loopback_is_all_there_is(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, int], isolated: bool
) -> None:
    monkeypatch.setattr("socket.if_nameindex", lambda: list(enumerate(devices, start=1)))
    monkeypatch.setattr(namespace, "_flags", devices.__getitem__)

    assert namespace.is_isolated() is isolated


def test_where_the_system_does_not_tell_it_counts_as_not_isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[tuple[int, str]]:
        raise OSError

    monkeypatch.setattr("socket.if_nameindex", fail)

    assert not namespace.is_isolated()


# Settings


@pytest.mark.parametrize("word", ["python", "Process", " namespace "])
def test_a_guard_is_read(word: str) -> None:
    assert settings.parse_guard(word) == word.strip().lower()


def test_ports_are_read_once_each() -> None:
    assert settings.parse_ports(["5432", " 6379", "5432"]) == (5432, 6379)
    assert settings.parse_ports([]) == ()


@pytest.mark.parametrize("word", ["0", "65536", "-1", "80.0", "postgres", "٣", ""])
def test_what_is_no_port_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match=r"llm_network_guard_forward names .*; write ports from 1 to 65535"):
        settings.parse_ports(["5432", word])


def test_there_are_only_so_many_ports() -> None:
    with pytest.raises(UsageError, match="names 17 ports; 16 are the most"):
        settings.parse_ports(map(str, range(1, 18)))


@pytest.mark.parametrize("mode", [None, Mode.REPLAY, Mode.OFF])
def test_a_namespace_goes_with_what_sends_nothing(mode: Mode | None) -> None:
    settings.check_namespace(mode, ["localhost", "*.localhost", "127.0.0.1:80", "127.0.0.0/8", "[::1]:5"])
    with pytest.raises(UsageError, match=r"but 10.0.0.0/8, a.example should be allowed"):
        settings.check_namespace(mode, ["localhost", "10.0.0.0/8", "a.example"])


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.RECORD_ALL, Mode.LIVE])
def test_a_namespace_does_not_go_with_what_sends(mode: Mode) -> None:
    with pytest.raises(UsageError, match=f"in mode {mode.value} calls are sent"):
        settings.check_namespace(mode)
