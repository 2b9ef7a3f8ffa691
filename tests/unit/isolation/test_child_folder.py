from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.errors import NetworkBlockedError
from tapemeter.isolation import children
from tapemeter.network import AllowList, marker_allow_list

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTS = st.lists(
    st.sampled_from(
        ["a.example", "*.example:443", "10.0.0.0/8", "192.0.2.7:80", "2001:db8::/32", "[2001:db8::7]:1", "127.0.0.1"]
    ),
    max_size=3,
    unique=True,
)
TARGETS = [
    ("a.example", 80),
    ("b.example", 443),
    ("10.1.2.3", 9),
    ("192.0.2.7", 80),
    ("192.0.2.7", 81),
    ("2001:db8::7", 1),
    ("127.0.0.1", 5),
    ("localhost", None),
    ("x.test", None),
]


@pytest.fixture
def folder() -> Iterator[children.Folder]:
    made = children.Folder()
    yield made
    made.remove()


def refused(host: str = "a.example", port: int | None = 80, test: str | None = "t") -> NetworkBlockedError:
    return NetworkBlockedError("no", host=host, port=port, test=test)


@given(HOSTS, HOSTS, st.booleans())
def test_a_child_reads_the_list_that_was_written(first: list[str], second: list[str], narrowed: bool) -> None:
    allowed = marker_allow_list(first)
    if narrowed:
        allowed = allowed.intersect(AllowList.default().plus(second))
    folder = children.Folder()
    try:
        package, read = children.read_facts(Path(folder.entry(allowed)))
    finally:
        folder.remove()

    assert (package / "isolation" / "children.py").samefile(children.__file__)
    assert [read.allows(*target) for target in TARGETS] == [allowed.allows(*target) for target in TARGETS]
    assert read.allows_unix == allowed.allows_unix
    assert read.describe() == allowed.describe()


def test_each_list_has_a_folder_that_is_made_once(folder: children.Folder) -> None:
    one, other = folder.entry(AllowList.default()), folder.entry(AllowList.nothing())

    assert one != other
    assert folder.entry(AllowList.default()) == one
    assert sorted(path.name for path in Path(one).iterdir()) == ["guard.json", "sitecustomize.py"]
    folder.remove()
    assert not folder.path.exists()


def test_what_was_swept_away_is_made_again_and_a_fork_removes_nothing(folder: children.Folder) -> None:
    entry = Path(folder.entry(AllowList.default()))
    (entry / "sitecustomize.py").unlink()

    assert folder.entry(AllowList.default()) == str(entry)
    assert (entry / "sitecustomize.py").exists()
    child = os.fork()
    if child == 0:
        folder.remove()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert folder.path.exists()


PATHS = st.lists(st.sampled_from(["/guard", "/guard/0", "/guard/1", "/guardian", "/site", ""]), max_size=5)


@given(PATHS, st.sampled_from([None, "/guard/0", "/guard/1"]))
def test_a_path_is_led_by_one_folder_of_ours_and_keeps_what_is_not(paths: list[str], entry: str | None) -> None:
    led = children.led(os.pathsep.join(paths), "/guard", entry)

    kept = [path for path in paths if path in {"/guardian", "/site", ""}] if os.pathsep.join(paths) else []
    assert (led or "").split(os.pathsep) == ([entry, *kept] if entry else kept or [""])
    assert children.led(led, "/guard", entry) == led
    assert children.led(None, "/guard", entry) == entry


def test_refusals_of_children_are_read_and_what_is_broken_is_not(folder: children.Folder) -> None:
    folder.note(refused())
    folder.note(refused("::1", None, None))
    path = folder.path / children.REFUSED
    with path.open("ab") as file:
        file.write(b'{"test": "t"}\n[]\n{"test": 1, "host": 2, "port": 3}\n\xff\n{"test": "t", "host": "cut')

    assert folder.refusals() == [("t", "a.example:80"), ("a child process", "::1")]


def test_refusals_do_not_fill_the_disk_nor_need_a_session(folder: children.Folder) -> None:
    path = folder.path / children.REFUSED
    path.write_bytes(b"." * (1 << 20))

    folder.note(refused())
    children.note(folder.path / "gone" / "file", refused())

    assert path.stat().st_size == 1 << 20
    assert folder.refusals() == []


def test_nothing_is_said_where_no_child_was_refused(folder: children.Folder) -> None:
    assert folder.refusals() == []


def test_what_starts_in_a_child_does_nothing_under_another_name() -> None:
    code = "import sys, tapemeter.isolation.child_start; print(len(sys.path) > 0, 'socket' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "True False\n"
