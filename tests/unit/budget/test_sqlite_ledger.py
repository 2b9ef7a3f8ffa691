from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tapemeter.budget import liveness
from tapemeter.budget.dimensions import Dimension
from tapemeter.budget.ledger import Account, Excess, Reservation
from tapemeter.budget.sqlite_ledger import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALLS = Dimension.CALLS
JOB = [Account("job", {CALLS: 10})]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    made = SqliteLedger(path)
    yield made
    made.close()


@pytest.fixture
def other(path: Path) -> Iterator[SqliteLedger]:
    made = SqliteLedger(path)
    yield made
    made.close()


def reserved(ledger: SqliteLedger, calls: int = 1, note: str = "") -> Reservation:
    held = ledger.reserve({CALLS: calls}, JOB, note=note)
    assert isinstance(held, Reservation), held
    return held


def run(script: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREFIX + script, str(path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


PREFIX = """
import os, sys
from pathlib import Path
from tapemeter.budget.dimensions import Dimension
from tapemeter.budget.ledger import Account
from tapemeter.budget.sqlite_ledger import SqliteLedger
CALLS = Dimension.CALLS
JOB = [Account("job", {CALLS: 10})]
def booked(ledger):
    balance = ledger.balance("job")
    return balance.used.get(CALLS, 0), balance.reserved.get(CALLS, 0)
ledger = SqliteLedger(Path(sys.argv[1]))
"""


def alive(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.alive"))


def test_what_one_object_books_the_other_sees(ledger: SqliteLedger, other: SqliteLedger) -> None:
    held = reserved(ledger, 3)
    assert other.balance("job").reserved[CALLS] == 3
    other.settle(held, {CALLS: 2})
    assert ledger.balance("job").used[CALLS] == 2
    ledger.stop("run", "enough")
    assert other.stopped("run") == "enough"


def test_an_owner_that_is_closed_makes_nobody_refused_and_its_notes_stay_until_asked_for(
    ledger: SqliteLedger, other: SqliteLedger
) -> None:
    reserved(ledger, 10, note="of the closed one")
    excess = other.reserve({CALLS: 1}, JOB)
    assert isinstance(excess, Excess)
    assert excess.reserved == 10
    ledger.close()
    reserved(other, 10, note="of the other")
    assert other.lapse() == ["of the closed one"]


def test_a_process_that_is_gone_makes_nobody_refused_and_its_notes_stay_until_asked_for(
    ledger: SqliteLedger, path: Path
) -> None:
    run("ledger.reserve({CALLS: 4}, JOB, note='one'); ledger.reserve({CALLS: 5}, JOB, note='two'); os._exit(0)", path)
    assert ledger.balance("job").reserved[CALLS] == 9
    held = reserved(ledger, 10, note="own")
    assert ledger.lapse() == ["one", "two"]
    assert ledger.lapse() == []
    assert ledger.settle(held, {CALLS: 10})["job"].used[CALLS] == 10


def test_what_is_used_up_for_good_is_refused_with_what_the_dead_had_set_aside_given_back(
    ledger: SqliteLedger, path: Path
) -> None:
    ledger.settle(reserved(ledger, 4), {CALLS: 4})
    run("ledger.reserve({CALLS: 6}, JOB, note='gone'); os._exit(0)", path)
    assert ledger.reserve({CALLS: 7}, JOB) == Excess("job", CALLS, limit=10, used=4, reserved=0, asked=7)
    assert ledger.lapse() == ["gone"]


def test_a_file_tells_who_lives_only_while_there_is_something_to_tell(ledger: SqliteLedger, path: Path) -> None:
    ledger.balance("job")
    assert alive(path) == []
    ledger.settle(reserved(ledger), {})
    (own,) = alive(path)
    run("ledger.reserve({CALLS: 1}, JOB); os._exit(0)", path)
    assert len(alive(path)) == 2
    ledger.lapse()
    assert alive(path) == [own]
    ledger.close()
    assert alive(path) == []


def test_a_closed_ledger_opens_again_as_another_owner(ledger: SqliteLedger, other: SqliteLedger) -> None:
    first = reserved(ledger, note="before")
    ledger.close()
    second = reserved(ledger, note="after")
    assert first.id != second.id
    assert other.lapse() == ["before"]
    assert ledger.settle(second, {CALLS: 1})["job"].used[CALLS] == 1
    assert other.balance("job").reserved[CALLS] == 0


def test_numbers_of_reservations_never_come_again(ledger: SqliteLedger) -> None:
    first = reserved(ledger)
    ledger.settle(first, {CALLS: 1})
    second = reserved(ledger, 2)
    ledger.settle(first, {CALLS: 1})
    assert ledger.balance("job").reserved[CALLS] == 2
    assert second.id != first.id


def test_a_booking_that_fails_changes_nothing_and_the_next_goes_on(ledger: SqliteLedger) -> None:
    class Interrupted(dict[Dimension, int]):
        def get(self, *_: object) -> int:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.reserve(Interrupted(), [Account("run"), *JOB])
    assert ledger.balance("run").reserved == {}
    reserved(ledger)


def test_a_transaction_that_an_interrupt_left_open_is_rolled_back(ledger: SqliteLedger, other: SqliteLedger) -> None:
    assert ledger._connection is not None
    ledger._connection.execute("BEGIN IMMEDIATE")
    reserved(ledger)
    reserved(other)
    assert ledger.balance("job").reserved[CALLS] == 2


def test_a_file_that_cannot_be_opened_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        SqliteLedger(tmp_path / "nowhere" / "ledger.sqlite")
    (tmp_path / "text").write_text("this is no database, but is as long as a header of one would be" * 20)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        SqliteLedger(tmp_path / "text")


def test_a_file_that_another_is_just_making_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite does not wait by itself where two make the same file a WAL one."""
    making = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    making.execute("CREATE TABLE t (c)")
    making.execute("BEGIN EXCLUSIVE")
    refusals: list[float] = []

    def give_way(seconds: float) -> None:
        refusals.append(seconds)
        making.execute("COMMIT")

    monkeypatch.setattr("tapemeter.budget.sqlite_ledger.time.sleep", give_way)
    monkeypatch.setattr("tapemeter.budget.sqlite_ledger._PATIENCE", 0.001)
    monkeypatch.setattr("tapemeter.budget.sqlite_ledger.time.monotonic", lambda: 0.0)
    opened = SqliteLedger(path)
    assert len(refusals) == 1
    reserved(opened)
    opened.close()
    making.close()


def test_threads_that_share_an_object_do_not_mix_their_transactions(ledger: SqliteLedger) -> None:
    start = threading.Barrier(6)
    wrong: list[object] = []

    def work(name: str) -> None:
        start.wait()
        for count in range(1, 31):
            held = ledger.reserve({CALLS: 1}, [Account("run"), Account(name, {CALLS: 30})])
            if not isinstance(held, Reservation) or ledger.settle(held, {CALLS: 1})[name].used[CALLS] != count:
                wrong.append(held)

    threads = [threading.Thread(target=work, args=(f"job {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert ledger.balance("run").used[CALLS] == 180


# Forks

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")


@needs_fork
def test_a_forked_child_is_an_owner_of_its_own(path: Path) -> None:
    said = run(
        """
held = ledger.reserve({CALLS: 4}, JOB, note="of the parent")
child = os.fork()
if not child:
    seen = booked(ledger)
    own = ledger.reserve({CALLS: 1}, JOB, note="settled by the child")
    ledger.settle(own, {CALLS: 1})
    ledger.reserve({CALLS: 2}, JOB, note="left by the child")
    print("child", seen, booked(ledger), ledger.lapse(), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("parent", booked(ledger), ledger.lapse(), booked(ledger))
ledger.settle(held, {CALLS: 3})
print("parent", booked(ledger))
ledger.close()
""",
        path,
    )
    assert said.splitlines() == [
        "child (0, 4) (1, 6) []",
        "parent (1, 6) ['left by the child'] (1, 4)",
        "parent (4, 0)",
    ]


@needs_fork
def test_a_forked_child_may_settle_what_its_parent_set_aside(path: Path) -> None:
    said = run(
        """
held = ledger.reserve({CALLS: 4}, JOB)
child = os.fork()
if not child:
    ledger.settle(held, {CALLS: 2})
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
ledger.settle(held, {CALLS: 4})
print(booked(ledger))
ledger.close()
""",
        path,
    )
    assert said == "(2, 0)\n"


@needs_fork
def test_no_connection_is_open_while_a_process_forks(path: Path) -> None:
    said = run(
        """
other = SqliteLedger(Path(sys.argv[1]))
child = os.fork()
if not child:
    print(ledger._connection, other._connection, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(ledger._connection, other._connection, booked(ledger), booked(other))
ledger.close(); other.close()
""",
        path,
    )
    assert said == "None None\nNone None (0, 0) (0, 0)\n"


@needs_fork
def test_a_fork_waits_for_the_booking_of_another_thread_and_neither_side_is_locked_after_it(path: Path) -> None:
    said = run(
        """
import threading
within, forking = threading.Event(), threading.Event()
class Slow(dict):
    def items(self):
        within.set()
        forking.wait(60)
        return super().items()
thread = threading.Thread(target=ledger.reserve, args=(Slow({CALLS: 1}), JOB))
thread.start()
within.wait(60)
os.register_at_fork(before=forking.set)  # what is registered last is called first
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # which says that forking beside threads may lock
    child = os.fork()
if not child:
    ledger.reserve({CALLS: 2}, JOB)
    print("child", booked(ledger), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
thread.join(60)
ledger.lapse()
print("parent", booked(ledger))
ledger.close()
""",
        path,
    )
    assert said == "child (0, 3)\nparent (0, 1)\n"


# Who lives, where there are no locks


@pytest.fixture
def _without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)


@pytest.mark.usefixtures("_without_locks")
def test_without_locks_the_number_of_a_process_tells_whether_it_lives(ledger: SqliteLedger, path: Path) -> None:
    without = "import sys; sys.modules['fcntl'] = None\nledger.reserve({CALLS: 4}, JOB, note='gone'); os._exit(0)"
    run(without, path)
    reserved(ledger, 5, note="own")
    assert ledger.lapse() == ["gone"]
    assert ledger.balance("job").reserved[CALLS] == 5


@pytest.mark.usefixtures("_without_locks")
def test_without_locks_another_living_owner_is_taken_for_alive(ledger: SqliteLedger, other: SqliteLedger) -> None:
    reserved(ledger, note="of a living one")
    assert other.lapse() == []
    ledger.close()
    assert other.lapse() == ["of a living one"]


def test_a_process_that_may_not_be_signalled_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr(os, "kill", refuse)
    assert liveness._runs(1)
