from __future__ import annotations

import concurrent.futures.thread
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import pytest

from tapemeter import owner as owners
from tapemeter.intercept import threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tapemeter.owner import Owner

OWNER, OTHER = cast("Owner", object()), cast("Owner", object())


def install() -> Callable[[], None]:
    undos = [threads.install(), threads.ExecutorAdapter().install(concurrent.futures.thread)]

    def undo() -> None:
        for step in undos:
            step()

    return undo


@pytest.fixture(autouse=True)
def hooked() -> Iterator[Callable[[], None]]:
    undo = install()
    before = owners.bind(OWNER)
    yield undo
    owners.bind(before)
    undo()


def in_thread(work: Callable[[], object]) -> object:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_belongs_to_whom_its_starter_belongs_to() -> None:
    assert in_thread(owners.bound) is OWNER
    assert in_thread(lambda: in_thread(owners.bound)) is OWNER


def test_who_starts_a_thread_counts_not_who_makes_it() -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(owners.bound()))
    owners.bind(OTHER)
    thread.start()
    thread.join()

    assert found == [OTHER]


def test_nothing_is_carried_where_nothing_is_bound() -> None:
    owners.bind(None)

    assert in_thread(owners.bound) is None


def test_a_thread_keeps_its_own_run_method_and_nothing_of_ours() -> None:
    class Asking(threading.Thread):
        seen: object = None

        def run(self) -> None:
            self.seen = owners.bound(), "run" in vars(self)

    thread = Asking()
    thread.start()
    thread.join()

    assert thread.seen == (OWNER, False)


def test_a_thread_that_is_started_twice_fails_as_ever() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()

    with pytest.raises(RuntimeError, match="threads can only be started once"):
        thread.start()


def test_only_the_owner_is_carried_not_the_whole_context() -> None:
    variable = contextvars.ContextVar("variable", default="default")
    variable.set("set")

    assert in_thread(variable.get) == "default"


def test_each_piece_of_work_of_an_executor_belongs_to_who_gave_it() -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(owners.bound).result()
        owners.bind(OTHER)
        second = pool.submit(owners.bound).result()

    assert (first, second) == (OWNER, OTHER)


def test_work_that_nobody_gave_finds_nothing_of_earlier_work_in_a_shared_thread() -> None:
    owners.bind(None)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(owners.bound).result() is None
        owners.bind(OWNER)
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 / 0).result()
        owners.bind(None)

        assert pool.submit(owners.bound).result() is None


def test_an_executor_passes_arguments_on() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(dict, [("a", 1)], b=2).result() == {"a": 1, "b": 2}
        assert list(pool.map(divmod, [7, 9], [2, 4])) == [(3, 1), (2, 1)]


def test_undoing_puts_both_methods_back(hooked: Callable[[], None]) -> None:
    hooked()
    before = threading.Thread.start, ThreadPoolExecutor.submit
    install()()

    assert (threading.Thread.start, ThreadPoolExecutor.submit) == before
    assert in_thread(owners.bound) is None


def test_a_wrapper_put_over_ours_is_left_in_place(monkeypatch: pytest.MonkeyPatch, hooked: Callable[[], None]) -> None:
    ours = threading.Thread.start

    def theirs(self: threading.Thread) -> None:
        ours(self)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", theirs)
        hooked()

        assert threading.Thread.start is theirs
        assert in_thread(owners.bound) is OWNER
    hooked()


def test_a_session_within_a_session_carries_as_well() -> None:
    undo = install()
    try:
        assert in_thread(owners.bound) is OWNER
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(owners.bound).result() is OWNER
    finally:
        undo()
    assert in_thread(owners.bound) is OWNER
