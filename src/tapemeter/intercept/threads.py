"""Lets threads and executors that a test starts belong to the test and its steps, as tasks do by themselves.

A new thread starts with an empty context, so owner and steps are carried over by hand: into `threading.Thread` when it
is started, and into each piece of work given to a `ThreadPoolExecutor`, whose threads outlive the test that
made them.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import TYPE_CHECKING, Any

from tapemeter import job as jobs
from tapemeter import owner as owners
from tapemeter.intercept.adapter import Hook

if TYPE_CHECKING:
    from collections.abc import Callable


def install() -> Callable[[], None]:
    """Carry owner and steps into threads and executors; return what undoes it."""
    hooks = [Hook(threading.Thread, "start", _start), Hook(ThreadPoolExecutor, "submit", _submit)]

    def undo() -> None:
        for hook in hooks:
            hook.undo()

    return undo


def _start(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @wraps(start)
    def wrapper(thread: threading.Thread) -> None:
        owner = owners.bound()
        if owner is not None:
            run, steps = thread.run, jobs.current_steps()

            def run_owned() -> None:
                owners.bind(owner)
                jobs.bind_steps(steps)
                vars(thread).pop("run", None)  # the thread keeps nothing of ours, nor of a session around ours
                run()

            thread.run = run_owned  # type: ignore[method-assign]
        start(thread)

    return wrapper


def _submit(submit: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(submit)
    def wrapper(executor: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        owner = owners.bound()
        if owner is None:
            return submit(executor, work, *args, **kwargs)

        steps = jobs.current_steps()

        def work_owned(*args: Any, **kwargs: Any) -> Any:
            before, outside = owners.bind(owner), jobs.bind_steps(steps)
            try:
                return work(*args, **kwargs)
            finally:
                jobs.bind_steps(outside)
                owners.bind(before)

        return submit(executor, work_owned, *args, **kwargs)

    return wrapper
