"""Lets threads and executors that a test starts belong to the test and its steps, as tasks do by themselves.

A new thread starts with an empty context, so owner, steps and intent are carried over by hand: into `threading.Thread`
when it is started, and into each piece of work given to a `ThreadPoolExecutor`, whose threads outlive the test that
made them.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from tapemeter import intent as intents
from tapemeter import job as jobs
from tapemeter import lending
from tapemeter import owner as owners
from tapemeter.intercept.hook import Hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapemeter.intent import Intent
    from tapemeter.job import StepRun
    from tapemeter.lending import Lent
    from tapemeter.owner import Owner


def install() -> Callable[[], None]:
    """Carry owner, steps and intent into threads and executors; return what undoes it."""
    hooks = [Hook(threading.Thread, "start", _start), Hook(ThreadPoolExecutor, "submit", _submit)]

    def undo() -> None:
        for hook in hooks:
            hook.undo()

    return undo


def _start(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @wraps(start)
    def wrapper(thread: threading.Thread) -> None:
        carried = _Carried.here()
        if carried is not None:
            run = thread.run

            def run_owned() -> None:
                carried.bind()
                vars(thread).pop("run", None)  # the thread keeps nothing of ours, nor of a session around ours
                run()

            thread.run = run_owned  # type: ignore[method-assign]
        start(thread)

    return wrapper


def _submit(submit: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(submit)
    def wrapper(executor: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        carried = _Carried.here()
        if carried is None:
            return submit(executor, work, *args, **kwargs)

        def work_owned(*args: Any, **kwargs: Any) -> Any:
            before = carried.bind()
            try:
                return work(*args, **kwargs)
            finally:
                before.bind()

        return submit(executor, work_owned, *args, **kwargs)

    return wrapper


class _Carried(NamedTuple):
    """What code takes along: whose it is, the steps it is in, what its calls mean, and what answers them."""

    owner: Owner | None
    steps: tuple[StepRun, ...]
    intent: Intent | None
    tape: Lent | None

    @classmethod
    def here(cls) -> _Carried | None:
        """Return what the running code would take along; None where it is nobody's."""
        owner = owners.bound()
        return None if owner is None else cls(owner, jobs.current_steps(), intents.current(), lending.bound())

    def bind(self) -> _Carried:
        """Have the code that runs from here on have it; return what it had."""
        return _Carried(
            owners.bind(self.owner), jobs.bind_steps(self.steps), intents.bind(self.intent), lending.bind(self.tape)
        )
