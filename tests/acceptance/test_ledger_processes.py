"""One budget over real processes: nothing over the limit, nothing lost, and what a killed one held is given back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.budget.dimensions import Dimension
from tapemeter.budget.ledger import Account, Excess, Reservation
from tapemeter.budget.sqlite_ledger import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALLS, TOKENS = Dimension.CALLS, Dimension.TOTAL_TOKENS
RUN = Account("run", {CALLS: 400, TOKENS: 10**9})

PREFIX = """
import json, sys
from pathlib import Path
from tapemeter.budget.dimensions import Dimension
from tapemeter.budget.ledger import Account, Reservation
from tapemeter.budget.sqlite_ledger import SqliteLedger
CALLS, TOKENS = Dimension.CALLS, Dimension.TOTAL_TOKENS
RUN = Account("run", {CALLS: 400, TOKENS: 10**9})
path, name = Path(sys.argv[1]), sys.argv[2]
def say(value):
    print(json.dumps(value), flush=True)
def wait():
    sys.stdin.readline()
"""


class Process:
    """A Python process that runs a script, says JSON lines and waits for lines."""

    def __init__(self, script: str, path: Path, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PREFIX + script, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the process ended with {self._process.wait()}"
        return json.loads(line)

    def hear_rest(self) -> list[Any]:
        """Return what it says until it ends, but for a line that it did not get to end."""
        assert self._process.stdout is not None
        return [json.loads(line) for line in self._process.stdout if line.endswith("\n")]

    def tell(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        assert self._process.wait() in {-signal.SIGKILL, 1}

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


class Processes:
    """Starts processes on one ledger, and ends them all."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path, self._stack = path, stack

    def start(self, script: str, name: str) -> Process:
        process = Process(script, self.path, name)
        self._stack.callback(process.end)
        return process

    def ledger(self) -> SqliteLedger:
        ledger = SqliteLedger(self.path)
        self._stack.callback(ledger.close)
        return ledger


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with ExitStack() as stack:
        yield Processes(tmp_path / "ledger.sqlite", stack)


def booked(ledger: SqliteLedger, account: str, dimension: Dimension) -> tuple[int, int]:
    balance = ledger.balance(account)
    return balance.used.get(dimension, 0), balance.reserved.get(dimension, 0)


HAMMER = """
say("ready"); wait()
ledger = SqliteLedger(path)                     # all at the same moment, on a file that is not there yet
calls = tokens = over = 0
while isinstance(held := ledger.reserve({CALLS: 1, TOKENS: 9}, [RUN, Account(name, {})]), Reservation):
    calls += 1
    tokens += calls % 9
    balance = ledger.settle(held, {CALLS: 1, TOKENS: calls % 9})["run"]
    over += balance.used[CALLS] + balance.reserved[CALLS] > 400
ledger.close()
say([calls, tokens, over])
"""


def test_eight_processes_use_a_budget_up_to_the_limit_and_never_over_it(processes: Processes) -> None:
    names = [f"worker {number}" for number in range(8)]
    workers = [processes.start(HAMMER, name) for name in names]
    for worker in workers:
        assert worker.hear() == "ready"
    for worker in workers:
        worker.tell()
    figures = [worker.hear() for worker in workers]
    assert sum(calls for calls, _, _ in figures) == 400
    assert all(over == 0 for _, _, over in figures)
    ledger = processes.ledger()
    assert booked(ledger, "run", CALLS) == (400, 0)
    assert booked(ledger, "run", TOKENS) == (sum(tokens for _, tokens, _ in figures), 0)
    for name, (calls, tokens, _) in zip(names, figures, strict=True):
        assert booked(ledger, name, CALLS) == (calls, 0)
        assert booked(ledger, name, TOKENS) == (tokens, 0)


CHURN = """
say("ready"); wait()
for _ in range(25):
    ledger = SqliteLedger(path)                 # the last that closes deletes what the next is about to open
    ledger.settle(ledger.reserve({CALLS: 1}, [Account("run", {})]), {CALLS: 1})
    ledger.close()
say("done")
"""


def test_a_ledger_is_opened_and_closed_by_eight_processes_at_once(processes: Processes) -> None:
    workers = [processes.start(CHURN, "") for _ in range(8)]
    for worker in workers:
        assert worker.hear() == "ready"
    for worker in workers:
        worker.tell()
    assert [worker.hear() for worker in workers] == ["done"] * 8
    assert booked(processes.ledger(), "run", CALLS) == (200, 0)


HOLD = """
ledger = SqliteLedger(path)
for number in range(3):
    assert isinstance(ledger.reserve({CALLS: 100}, [RUN], note=f"{name} {number}"), Reservation)
say("held"); wait()
"""


def test_a_killed_process_gives_back_what_it_had_set_aside(processes: Processes) -> None:
    ledger = processes.ledger()
    holder = processes.start(HOLD, "holder")
    assert holder.hear() == "held"
    assert ledger.lapse() == []
    assert ledger.reserve({CALLS: 101}, [RUN]) == Excess("run", CALLS, limit=400, used=0, reserved=300, asked=101)
    holder.kill()
    assert ledger.lapse() == ["holder 0", "holder 1", "holder 2"]
    assert booked(ledger, "run", CALLS) == (0, 0)


def test_a_killed_process_makes_no_other_refused(processes: Processes) -> None:
    ledger = processes.ledger()
    first, second = processes.start(HOLD, "first"), processes.start("wait()\n" + HOLD, "second")
    assert first.hear() == "held"
    first.kill()
    second.tell()
    assert second.hear() == "held"  # 300 of 400 calls, as the first
    assert ledger.lapse() == ["first 0", "first 1", "first 2"]
    assert booked(ledger, "run", CALLS) == (0, 300)


RELENTLESS = """
ledger = SqliteLedger(path)
for count in range(1, 1_000_000):
    held = ledger.reserve({CALLS: 1, TOKENS: 5}, [Account("run", {}), Account(name, {})], note=name)
    ledger.settle(held, {CALLS: 1, TOKENS: 3})
    say(count)
"""


def test_processes_killed_amid_their_bookings_leave_exact_books(processes: Processes) -> None:
    names = [f"worker {number}" for number in range(6)]
    workers = [processes.start(RELENTLESS, name) for name in names]
    for worker in workers:
        while worker.hear() < 20:
            pass
    for worker in workers:
        worker.kill()
    said = [max(worker.hear_rest(), default=20) for worker in workers]
    ledger = processes.ledger()
    notes = ledger.lapse()
    assert len(set(notes)) == len(notes)
    total = 0
    for name, count in zip(names, said, strict=True):
        used, reserved = booked(ledger, name, CALLS)
        assert used in {count, count + 1}  # it may have been killed before it could say so
        assert reserved == 0
        assert booked(ledger, name, TOKENS) == (3 * used, 0)
        total += used
    assert booked(ledger, "run", CALLS) == (total, 0)
    assert booked(ledger, "run", TOKENS) == (3 * total, 0)


FORKING = """
import os
ledger = SqliteLedger(path)
ledger.reserve({CALLS: 7}, [RUN], note="of the parent")
if not os.fork():
    say("child"); wait()
    os._exit(0)
signal = __import__("signal")
signal.pause()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_killed_process_gives_back_what_it_had_set_aside_though_its_child_lives(processes: Processes) -> None:
    ledger = processes.ledger()
    parent = processes.start(FORKING, "parent")
    assert parent.hear() == "child"
    parent.kill()
    assert ledger.lapse() == ["of the parent"]
    assert booked(ledger, "run", CALLS) == (0, 0)
    parent.tell()
    assert parent.hear_rest() == []  # and the child ends, whose pipes these are, too


STOPPING = """
ledger = SqliteLedger(path)
say(ledger.stopped("run")); wait()
say(ledger.stopped("run"))
ledger.stop("run", "a later reason")
say(ledger.stopped("run"))
"""


def test_a_stop_is_known_to_every_process(processes: Processes) -> None:
    ledger, other = processes.ledger(), processes.start(STOPPING, "")
    assert other.hear() is None
    ledger.stop("run", "calls limit of 3")
    other.tell()
    assert (other.hear(), other.hear()) == ("calls limit of 3", "calls limit of 3")


def test_a_reservation_of_one_process_is_settled_by_another(processes: Processes) -> None:
    ledger = processes.ledger()
    holder = processes.start(
        """
ledger = SqliteLedger(path)
held = ledger.reserve({CALLS: 5}, [RUN])
say([held.id, list(held.accounts)]); wait()
ledger.settle(held, {CALLS: 5})
say("settled twice")
""",
        "",
    )
    identity, accounts = holder.hear()
    ledger.settle(Reservation(identity, tuple(accounts), {CALLS: 5}), {CALLS: 2})
    holder.tell()
    assert holder.hear() == "settled twice"
    assert booked(ledger, "run", CALLS) == (2, 0)
