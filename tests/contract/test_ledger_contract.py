"""What every ledger promises, held against each of them, and against a model in plain dictionaries."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tapemeter.budget.dimensions import COUNTED, Dimension
from tapemeter.budget.ledger import Account, Balance, Excess, Ledger, Reservation
from tapemeter.budget.memory_ledger import MemoryLedger
from tapemeter.budget.sqlite_ledger import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tapemeter.budget.dimensions import Amounts

CALLS, TOKENS, USD = Dimension.CALLS, Dimension.TOTAL_TOKENS, Dimension.COST_USD


class TwoViews:
    """A SQLite ledger, each call to it through another of two objects, as two processes would have them."""

    def __init__(self, path: Path) -> None:
        self._views = [SqliteLedger(path), SqliteLedger(path)]

    def _next(self) -> SqliteLedger:
        self._views.reverse()
        return self._views[0]

    def reserve(self, amounts: Amounts, accounts: Sequence[Account], *, note: str = "") -> Reservation | Excess:
        return self._next().reserve(amounts, accounts, note=note)

    def spend(self, amounts: Amounts, accounts: Sequence[Account]) -> Mapping[str, Balance] | Excess:
        return self._next().spend(amounts, accounts)

    def settle(self, reservation: Reservation, amounts: Amounts) -> Mapping[str, Balance]:
        return self._next().settle(reservation, amounts)

    def balance(self, account: str) -> Balance:
        return self._next().balance(account)

    def lapse(self) -> list[str]:
        return self._next().lapse()

    def stop(self, account: str, reason: str) -> None:
        self._next().stop(account, reason)

    def stopped(self, account: str) -> str | None:
        return self._next().stopped(account)

    def close(self) -> None:
        for view in self._views:
            view.close()


@pytest.fixture(params=["memory", "sqlite", "sqlite seen twice"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    made: Ledger
    match request.param:
        case "memory":
            made = MemoryLedger()
        case "sqlite":
            made = SqliteLedger(tmp_path / "ledger.sqlite")
        case _:
            made = TwoViews(tmp_path / "ledger.sqlite")
    yield made
    made.close()


def account(name: str, **limits: int) -> Account:
    return Account(name, {Dimension(dimension): limit for dimension, limit in limits.items()})


def reserved(ledger: Ledger, amounts: Amounts, *accounts: Account, note: str = "") -> Reservation:
    held = ledger.reserve(amounts, accounts, note=note)
    assert isinstance(held, Reservation), held
    return held


def refused(ledger: Ledger, amounts: Amounts, *accounts: Account) -> Excess:
    excess = ledger.reserve(amounts, accounts)
    assert isinstance(excess, Excess), excess
    return excess


def figures(sums: Mapping[Dimension, int]) -> dict[Dimension, int]:
    return {dimension: amount for dimension, amount in sums.items() if amount}


def books(balance: Balance) -> tuple[dict[Dimension, int], dict[Dimension, int]]:
    return figures(balance.used), figures(balance.reserved)


def test_an_account_nobody_booked_on_has_zeros(ledger: Ledger) -> None:
    assert books(ledger.balance("run")) == ({}, {})


def test_amounts_are_set_aside_and_then_replaced_by_what_was_used_on_every_account(ledger: Ledger) -> None:
    accounts = account("run"), account("job"), account("step")
    held = reserved(ledger, {CALLS: 1, TOKENS: 500, USD: 10**12}, *accounts)
    assert held.accounts == ("run", "job", "step")
    assert held.amounts == {CALLS: 1, TOKENS: 500, USD: 10**12}
    for name in held.accounts:
        assert books(ledger.balance(name)) == ({}, {CALLS: 1, TOKENS: 500, USD: 10**12})
    balances = ledger.settle(held, {CALLS: 1, TOKENS: 123, USD: 7})
    assert list(balances) == ["run", "job", "step"]
    for name in held.accounts:
        assert books(balances[name]) == books(ledger.balance(name)) == ({CALLS: 1, TOKENS: 123, USD: 7}, {})


def test_what_is_used_at_once_is_booked_on_every_account_with_nothing_left_set_aside(ledger: Ledger) -> None:
    balances = ledger.spend({CALLS: 1, TOKENS: 123}, [account("run"), account("job", calls=1), account("run")])
    assert not isinstance(balances, Excess)
    assert list(balances) == ["run", "job"]
    for name in balances:
        assert books(balances[name]) == books(ledger.balance(name)) == ({CALLS: 1, TOKENS: 123}, {})
    ledger.close()
    assert ledger.lapse() == []


def test_what_a_limit_does_not_allow_is_used_on_no_account(ledger: Ledger) -> None:
    reserved(ledger, {TOKENS: 4}, account("job"))
    excess = ledger.spend({TOKENS: 7}, [account("run"), account("job", total_tokens=10)])
    assert excess == Excess("job", TOKENS, 10, 0, 4, 7)
    assert books(ledger.balance("run")) == ({}, {})
    assert books(ledger.balance("job")) == ({}, {TOKENS: 4})


def test_an_account_that_is_named_twice_is_booked_on_once(ledger: Ledger) -> None:
    held = reserved(ledger, {CALLS: 1}, account("run"), account("run", calls=1))
    assert books(ledger.balance("run")) == ({}, {CALLS: 1})
    assert books(ledger.settle(held, {CALLS: 1})["run"]) == ({CALLS: 1}, {})


def test_what_is_used_may_be_more_than_was_set_aside_or_of_another_dimension(ledger: Ledger) -> None:
    held = reserved(ledger, {TOKENS: 5}, account("job", total_tokens=10))
    assert books(ledger.settle(held, {TOKENS: 50, USD: 3})["job"]) == ({TOKENS: 50, USD: 3}, {})
    assert refused(ledger, {}, account("job", total_tokens=10)).used == 50


def test_accounts_do_not_mix(ledger: Ledger) -> None:
    ledger.settle(reserved(ledger, {CALLS: 1}, account("run"), account("job 1")), {CALLS: 1})
    reserved(ledger, {CALLS: 1}, account("run"), account("job 2"))
    assert books(ledger.balance("run")) == ({CALLS: 1}, {CALLS: 1})
    assert books(ledger.balance("job 1")) == ({CALLS: 1}, {})
    assert books(ledger.balance("job 2")) == ({}, {CALLS: 1})


def test_a_limit_is_reached_but_not_exceeded(ledger: Ledger) -> None:
    job = account("job", total_tokens=10)
    reserved(ledger, {TOKENS: 4}, job)
    ledger.settle(reserved(ledger, {TOKENS: 5}, job), {TOKENS: 3})
    assert refused(ledger, {TOKENS: 4}, job) == Excess("job", TOKENS, limit=10, used=3, reserved=4, asked=4)
    reserved(ledger, {TOKENS: 3}, job)
    assert refused(ledger, {TOKENS: 1}, job) == Excess("job", TOKENS, limit=10, used=3, reserved=7, asked=1)


def test_a_used_up_limit_refuses_even_what_asks_for_nothing(ledger: Ledger) -> None:
    job = account("job", total_tokens=10)
    held = reserved(ledger, {TOKENS: 10}, job)
    reserved(ledger, {CALLS: 1}, job)  # set aside is not used
    ledger.settle(held, {TOKENS: 10})
    assert refused(ledger, {CALLS: 1}, job) == Excess("job", TOKENS, limit=10, used=10, reserved=0, asked=0)


def test_zero_refuses_everything_and_no_limit_nothing(ledger: Ledger) -> None:
    assert refused(ledger, {}, account("job", calls=0)) == Excess("job", CALLS, limit=0, used=0, reserved=0, asked=0)
    reserved(ledger, {CALLS: 10**15, USD: 10**18}, account("job"))


def test_what_is_refused_on_one_account_is_booked_on_none(ledger: Ledger) -> None:
    assert refused(ledger, {CALLS: 1, TOKENS: 8}, account("run", calls=5), account("job", total_tokens=7)).account == (
        "job"
    )
    assert books(ledger.balance("run")) == books(ledger.balance("job")) == ({}, {})


def test_the_outermost_account_is_reported_and_its_first_dimension(ledger: Ledger) -> None:
    run, job = account("run", cost_usd=1, total_tokens=1, calls=9), account("job", calls=0)
    excess = refused(ledger, {CALLS: 1, TOKENS: 2, USD: 2}, run, job)
    assert (excess.account, excess.dimension) == ("run", TOKENS)
    excess = refused(ledger, {CALLS: 1, TOKENS: 2, USD: 2}, job, run)
    assert (excess.account, excess.dimension) == ("job", CALLS)


@pytest.mark.parametrize("dimension", COUNTED)
def test_every_counted_dimension_can_be_limited(ledger: Ledger, dimension: Dimension) -> None:
    job = Account("job", {dimension: 2})
    ledger.settle(reserved(ledger, {dimension: 2}, job), {dimension: 2})
    assert refused(ledger, {dimension: 1}, job) == Excess("job", dimension, limit=2, used=2, reserved=0, asked=1)


def test_only_the_first_settling_counts(ledger: Ledger) -> None:
    held = reserved(ledger, {CALLS: 1, TOKENS: 9}, account("run"), account("job"))
    ledger.settle(held, {CALLS: 1, TOKENS: 5})
    balances = ledger.settle(held, {CALLS: 1, TOKENS: 7})
    assert {name: books(balance) for name, balance in balances.items()} == {
        "run": ({CALLS: 1, TOKENS: 5}, {}),
        "job": ({CALLS: 1, TOKENS: 5}, {}),
    }


def test_settling_with_nothing_gives_everything_back(ledger: Ledger) -> None:
    job = account("job", calls=1)
    ledger.settle(reserved(ledger, {CALLS: 1}, job), {})
    reserved(ledger, {CALLS: 1}, job)


def test_what_a_closed_ledger_had_set_aside_lapses_with_its_notes_once(ledger: Ledger) -> None:
    job = account("job", calls=2)
    first, second = (reserved(ledger, {CALLS: 1}, account("run"), job, note=note) for note in ("one", "two"))
    ledger.settle(reserved(ledger, {TOKENS: 1}, job, note="settled"), {TOKENS: 1})
    ledger.close()
    assert books(ledger.balance("run")) == ({}, {})
    assert sorted(ledger.lapse()) == ["one", "two"]
    assert ledger.lapse() == []
    balances = ledger.settle(first, {CALLS: 1})
    assert books(balances["job"]) == books(ledger.settle(second, {CALLS: 1})["job"]) == ({TOKENS: 1}, {})
    reserved(ledger, {CALLS: 2}, job)


def test_nothing_lapses_while_its_owner_lives(ledger: Ledger) -> None:
    reserved(ledger, {CALLS: 1}, account("job"), note="here")
    assert ledger.lapse() == []
    assert refused(ledger, {CALLS: 1}, account("job", calls=1)).reserved == 1
    assert books(ledger.balance("job")) == ({}, {CALLS: 1})


def test_closing_twice_is_closing(ledger: Ledger) -> None:
    reserved(ledger, {CALLS: 1}, account("job"), note="here")
    ledger.close()
    ledger.close()
    assert ledger.lapse() == ["here"]


def test_the_first_reason_for_a_stop_stays(ledger: Ledger) -> None:
    assert ledger.stopped("run") is None
    ledger.stop("run", "calls limit of 3")
    ledger.stop("run", "another")
    assert ledger.stopped("run") == "calls limit of 3"
    assert ledger.stopped("job") is None


def test_what_was_returned_is_the_callers_own(ledger: Ledger) -> None:
    amounts = {CALLS: 1}
    held = reserved(ledger, amounts, account("job"))
    amounts[CALLS] = 9
    for balance in (ledger.balance("job"), ledger.settle(held, {CALLS: 1})["job"]):
        balance.used[CALLS] = balance.reserved[CALLS] = 7  # type: ignore[index]
    assert books(ledger.balance("job")) == ({CALLS: 1}, {})


@pytest.mark.parametrize("text", ["", "tests/a.py::test[\x00\x1f]", "é 😀", "half \udcff", "'; DROP TABLE account; --"])
def test_any_text_names_an_account_a_note_and_a_reason(ledger: Ledger, text: str) -> None:
    reserved(ledger, {CALLS: 1}, account(text), note=text)
    ledger.stop(text, text)
    assert ledger.stopped(text) == text
    assert books(ledger.balance(text)) == ({}, {CALLS: 1})
    ledger.close()
    assert ledger.lapse() == [text]
    assert books(ledger.balance(text)) == ({}, {})


def test_sums_are_exact_however_large(ledger: Ledger) -> None:
    for amount in (2**63, 2**63 - 1, 1):
        ledger.settle(reserved(ledger, {USD: amount}, account("run")), {USD: amount})
    held = reserved(ledger, {USD: 10**30}, account("run"))
    assert books(ledger.balance("run")) == ({USD: 2**64}, {USD: 10**30})
    assert books(ledger.settle(held, {})["run"]) == ({USD: 2**64}, {})


@pytest.mark.parametrize("ledger", ["memory", "sqlite"], indirect=True)
@pytest.mark.parametrize("within", ["reserve", "settle"])
def test_what_a_finaliser_settles_amid_another_booking_is_booked_after_it(ledger: Ledger, within: str) -> None:
    """The garbage collector may run in the middle of a booking, and end an abandoned stream there."""
    abandoned = reserved(ledger, {TOKENS: 5}, account("job"))
    held = reserved(ledger, {TOKENS: 7}, account("job"))
    seen: list[Any] = []

    class Amid(int):
        """An amount that is added to a sum which has been read, and not been written yet."""

        def __radd__(self, other: int) -> int:
            if not seen:
                seen.append(books(ledger.settle(abandoned, {TOKENS: 2})["job"]))
                ledger.stop("job", "tripped")
            return int(other) + int(self)

    if within == "reserve":
        reserved(ledger, {TOKENS: Amid(3)}, account("job"))
        expected = {TOKENS: 2}, {TOKENS: 10}
    else:
        ledger.settle(held, {TOKENS: Amid(4)})
        expected = {TOKENS: 6}, {}
    assert len(seen) == 1
    assert books(ledger.balance("job")) == expected
    assert ledger.stopped("job") == "tripped"


def test_threads_use_a_budget_up_to_the_limit_and_never_over_it(ledger: Ledger) -> None:
    run = account("run", calls=300, total_tokens=10**9)
    start, over = threading.Barrier(9), threading.Event()
    granted: list[int] = []
    broken: list[Balance] = []

    def work() -> None:
        start.wait()
        mine = 0
        while isinstance(held := ledger.reserve({CALLS: 1, TOKENS: 9}, [run, account("job")]), Reservation):
            mine += 1
            ledger.settle(held, {CALLS: 1, TOKENS: mine % 9})
        granted.append(mine)

    def watch() -> None:
        start.wait()
        while not over.is_set():
            balance = ledger.balance("run")
            if balance.used.get(CALLS, 0) + balance.reserved.get(CALLS, 0) > 300:
                broken.append(balance)

    workers = [threading.Thread(target=work) for _ in range(8)]
    watcher = threading.Thread(target=watch)
    for thread in (*workers, watcher):
        thread.start()
    for thread in workers:
        thread.join()
    over.set()
    watcher.join()
    assert broken == []
    assert sum(granted) == 300
    tokens = sum(each % 9 for mine in granted for each in range(1, mine + 1))
    for name in ("run", "job"):
        assert books(ledger.balance(name)) == ({CALLS: 300, TOKENS: tokens}, {})


# A model

NAMES = ("run", "job", "step", "other")
DIMENSIONS = (CALLS, TOKENS, USD)
AMOUNTS = st.dictionaries(st.sampled_from(DIMENSIONS), st.integers(0, 12))
LIMITS = st.dictionaries(st.sampled_from(DIMENSIONS), st.integers(0, 40), max_size=2)


class Agreement(RuleBasedStateMachine):
    """Drives a ledger in memory, and one in a file by two objects, and a model, and has them agree.

    Limits stay while the machine runs, so at every moment: used + reserved <= limit + by what actuals beat bounds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        path = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "ledger.sqlite"
        self.memory = MemoryLedger()
        self.views = [SqliteLedger(path), SqliteLedger(path)]
        self.limits: dict[str, dict[Dimension, int]] = {}
        self.used = {name: Counter[Dimension]() for name in NAMES}
        self.settled = {name: list[dict[Dimension, int]]() for name in NAMES}
        self.beaten = {name: Counter[Dimension]() for name in NAMES}
        self.made: list[tuple[Reservation, Reservation, int, str]] = []
        """Each reservation in memory and in the file, by which object, and its note."""
        self.open: dict[int, tuple[tuple[str, ...], dict[Dimension, int]]] = {}
        self.lapsed_in_memory: list[str] = []
        self.lapsed_in_file: list[str] = []
        self.stops: dict[str, str] = {}

    def teardown(self) -> None:
        for ledger in (self.memory, *self.views):
            ledger.close()
        self.stack.close()

    @initialize(limits=st.fixed_dictionaries(dict.fromkeys(NAMES, LIMITS)))
    def set_limits(self, limits: dict[str, dict[Dimension, int]]) -> None:
        self.limits = limits

    def reserved(self, name: str, dimension: Dimension) -> int:
        return sum(amounts.get(dimension, 0) for names, amounts in self.open.values() if name in names)

    def excess(self, names: Sequence[str], amounts: dict[Dimension, int]) -> Excess | None:
        for name in names:
            for dimension in Dimension:
                if dimension in self.limits[name]:
                    limit, used = self.limits[name][dimension], self.used[name][dimension]
                    held, asked = self.reserved(name, dimension), amounts.get(dimension, 0)
                    if dimension is CALLS and limit and not asked:
                        continue  # another attempt at a call that was let through
                    if used >= limit or used + held + asked > limit:
                        return Excess(name, dimension, limit, used, held, asked)
        return None

    @rule(
        amounts=AMOUNTS, names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True), by=st.booleans()
    )
    def reserve(self, amounts: dict[Dimension, int], names: list[str], by: bool) -> None:
        accounts = [Account(name, self.limits[name]) for name in names]
        note = f"note {len(self.made)}"
        expected = self.excess(names, amounts)
        in_memory = self.memory.reserve(amounts, accounts, note=note)
        in_file = self.views[by].reserve(amounts, accounts, note=note)
        if expected is not None:
            assert in_memory == in_file == expected
            return
        assert isinstance(in_memory, Reservation)
        assert isinstance(in_file, Reservation)
        assert in_memory.accounts == in_file.accounts == tuple(names)
        self.open[len(self.made)] = (tuple(names), amounts)
        self.made.append((in_memory, in_file, int(by), note))

    @rule(
        amounts=AMOUNTS, names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True), by=st.booleans()
    )
    def spend(self, amounts: dict[Dimension, int], names: list[str], by: bool) -> None:
        accounts = [Account(name, self.limits[name]) for name in names]
        expected = self.excess(names, amounts)
        in_memory, in_file = self.memory.spend(amounts, accounts), self.views[by].spend(amounts, accounts)
        if expected is not None:
            assert in_memory == in_file == expected
            return
        assert not isinstance(in_memory, Excess)
        assert not isinstance(in_file, Excess)
        for name in names:
            self.used[name].update(amounts)
            self.settled[name].append(amounts)
            assert books(in_memory[name]) == books(in_file[name]) == self.expected(name)

    @precondition(lambda self: self.made)
    @rule(data=st.data(), actual=AMOUNTS, by=st.booleans())
    def settle(self, data: st.DataObject, actual: dict[Dimension, int], by: bool) -> None:
        number = data.draw(st.integers(0, len(self.made) - 1))
        in_memory, in_file, _, _ = self.made[number]
        if number in self.open:
            names, bound = self.open.pop(number)
            for name in names:
                self.used[name].update(actual)
                self.settled[name].append(actual)
                self.beaten[name].update({d: max(0, actual[d] - bound.get(d, 0)) for d in actual})
        balances = self.memory.settle(in_memory, actual), self.views[by].settle(in_file, actual)
        for name in in_memory.accounts:
            assert books(balances[0][name]) == books(balances[1][name]) == self.expected(name)

    @rule(by=st.booleans())
    def close_one_view(self, by: bool) -> None:
        self.views[by].close()
        for number in [number for number in self.open if self.made[number][2] == by]:
            del self.open[number]
            self.memory.settle(self.made[number][0], {})
            self.lapsed_in_file.append(self.made[number][3])

    @rule()
    def close_everything(self) -> None:
        for ledger in (self.memory, *self.views):
            ledger.close()
        notes = [self.made[number][3] for number in self.open]
        self.open.clear()
        self.lapsed_in_memory += notes
        self.lapsed_in_file += notes

    @rule(by=st.booleans())
    def lapse(self, by: bool) -> None:
        assert sorted(self.memory.lapse()) == sorted(self.lapsed_in_memory)
        assert sorted(self.views[by].lapse()) == sorted(self.lapsed_in_file)
        self.lapsed_in_memory, self.lapsed_in_file = [], []

    @rule(name=st.sampled_from(NAMES), reason=st.text(max_size=3), by=st.booleans())
    def stop(self, name: str, reason: str, by: bool) -> None:
        for ledger in (self.memory, self.views[by]):
            ledger.stop(name, reason)
        self.stops.setdefault(name, reason)

    def expected(self, name: str) -> tuple[dict[Dimension, int], dict[Dimension, int]]:
        held = {dimension: self.reserved(name, dimension) for dimension in DIMENSIONS}
        return figures(self.used[name]), figures(held)

    @invariant()
    def all_agree(self) -> None:
        for name in NAMES:
            for ledger in (self.memory, *self.views):
                assert books(ledger.balance(name)) == self.expected(name)
                assert ledger.stopped(name) == self.stops.get(name)

    @invariant()
    def what_is_used_is_the_sum_of_what_was_settled(self) -> None:
        for name in NAMES:
            total = Counter[Dimension]()
            for amounts in self.settled[name]:
                total.update(amounts)
            assert books(self.memory.balance(name))[0] == figures(total)

    @invariant()
    def no_limit_is_exceeded_but_where_an_actual_beat_its_bound(self) -> None:
        for name, limits in self.limits.items():
            for ledger in (self.memory, self.views[0]):
                balance = ledger.balance(name)
                for dimension, limit in limits.items():
                    booked = balance.used.get(dimension, 0) + balance.reserved.get(dimension, 0)
                    assert booked <= limit + self.beaten[name][dimension]


TestAgreement = Agreement.TestCase
TestAgreement.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
