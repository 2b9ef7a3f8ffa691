from __future__ import annotations

import itertools
import os
import signal
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tapemeter.cassette import store
from tapemeter.errors import CassetteFormatError, CassetteTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 4_000_000

# Writes a text of one repeated letter, as often as the command line says.
WRITER = f"""
import sys
from pathlib import Path
from tapemeter.cassette import store
path, letter, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for _ in range(times):
    store.write(path, letter * {SIZE})
"""

# Writes "new", and kills itself with no warning before the given line of the store's code is run.
VICTIM = """
import os, signal, sys
from pathlib import Path
from tapemeter.cassette import store
left = int(sys.argv[2])
def trace(frame, event, _):
    global left
    if frame.f_code.co_filename != store.__file__:
        return None
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return trace
sys.settrace(trace)
store.write(Path(sys.argv[1]), "new")
"""

# Adds one to the number in a file, under the lock.
COUNTER = """
import sys
from pathlib import Path
from tapemeter.cassette import store
path = Path(sys.argv[1])
for _ in range(int(sys.argv[2])):
    with store.locked(path):
        store.write(path, str(int(store.read(path)) + 1))
"""


def started(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.yaml"
    for text in ("", "one\r\ntwo\n", "Größe 😀\n"):
        store.write(path, text)
        assert store.read(path) == text
    assert names(path.parent) == ["a.yaml"]


def test_a_missing_file_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.read(tmp_path / "a.yaml")


def test_bytes_that_are_not_utf8_are_a_fault_at_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"one\ntwo \xff\n")
    with pytest.raises(CassetteFormatError, match="UTF-8") as caught:
        store.read(path)
    assert (caught.value.path, caught.value.line) == (str(path), 2)


def test_a_file_beyond_the_bound_is_neither_read_nor_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_FILE_BYTES", 4)
    path = tmp_path / "a.yaml"
    store.write(path, "four")
    assert store.read(path) == "four"
    with pytest.raises(CassetteTooLargeError):
        store.write(path, "fünf")
    assert path.read_bytes() == b"four"
    path.write_bytes(b"12345")
    with pytest.raises(CassetteTooLargeError, match=r"a\.yaml"):
        store.read(path)


@pytest.mark.usefixtures("umask")
def test_a_new_file_has_the_mode_that_the_umask_allows_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    store.write(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    store.write(path, "old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "b.yaml", tmp_path / "a.yaml"
    link.symlink_to(target)
    store.write(link, "text")
    assert link.is_symlink()
    assert target.read_text() == "text"
    assert names(tmp_path / "there") == ["b.yaml"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, where: str
) -> None:
    path = tmp_path / "a.yaml"
    store.write(path, "old")
    seen: list[str] = []

    def fail(*_: object) -> None:
        seen.extend(names(tmp_path))
        raise error

    monkeypatch.setattr(os, where, fail)
    with pytest.raises(type(error)):
        store.write(path, "new")
    monkeypatch.undo()
    temporary, kept = seen
    assert temporary.startswith(store.TEMPORARY_PREFIX)
    assert temporary.endswith(store.TEMPORARY_SUFFIX)
    assert kept == "a.yaml"
    assert names(tmp_path) == ["a.yaml"]
    assert store.read(path) == "old"


def test_a_text_that_is_not_utf8_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    store.write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        store.write(path, "\ud800")
    assert names(tmp_path) == ["a.yaml"]
    assert store.read(path) == "old"


def test_a_writer_killed_at_any_moment_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    ends: list[str] = []
    for moment in itertools.count():
        store.write(path, "old")
        with started(VICTIM, path, moment) as writer:
            pass
        ends.append(store.read(path))
        if writer.returncode == 0:
            break
        assert writer.returncode == -signal.SIGKILL
    assert ends == sorted(ends, reverse=True)  # "old" until the moment of the rename, then "new"
    assert set(ends) == {"old", "new"}
    left = [name for name in names(tmp_path) if name != "a.yaml"]
    assert left
    assert all(name.startswith(store.TEMPORARY_PREFIX) for name in left)


def test_two_processes_that_write_the_same_file_end_with_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    store.write(path, "a" * SIZE)
    with started(WRITER, path, "b", 20) as one, started(WRITER, path, "c", 20) as other:
        while one.poll() is None or other.poll() is None:
            assert path.read_bytes() in {b"a" * SIZE, b"b" * SIZE, b"c" * SIZE}
    assert (one.returncode, other.returncode) == (0, 0)
    assert path.read_bytes() in {b"b" * SIZE, b"c" * SIZE}
    assert names(tmp_path) == ["a.yaml"]


def test_what_is_changed_under_the_lock_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    store.write(path, "0")
    processes = [started(COUNTER, path, 25) for _ in range(3)]
    for process in processes:
        with process:
            pass
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert store.read(path) == "75"


def test_the_lock_holds_between_threads_and_is_let_go_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.yaml"
    order: list[str] = []

    def second() -> None:
        with store.locked(path):
            order.append("second")

    thread = threading.Thread(target=second)

    def first() -> None:
        with store.locked(path):
            thread.start()
            order.append("first")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        first()
    thread.join()
    assert order == ["first", "second"]
    assert names(path.parent) == []


def test_where_there_is_no_flock_nothing_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    path = tmp_path / "a.yaml"
    with store.locked(path), store.locked(path):
        store.write(path, "text")
    assert store.read(path) == "text"


def test_a_file_is_removed_once_and_for_all(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    store.write(path, "text")
    store.remove(path)
    store.remove(path)
    store.remove(tmp_path / "no folder" / "a.yaml")
    assert names(tmp_path) == []


def test_what_comes_piecemeal_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with path.open("w") as file:
            for piece in ("one, ", "two, ", "x" * SIZE):
                file.write(piece)
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    assert store.read(path) == "one, two, " + "x" * SIZE
    writer.join()
