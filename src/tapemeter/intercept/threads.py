"""Lets threads and executors that a test starts belong to the test and its steps, as tasks do by themselves.

A new thread starts with an empty context, so owner, steps and intent are carried over by hand: into `threading.Thread`
when it is started, and into each piece of work given to a `ThreadPoolExecutor`, whose threads outlive the test that
made them.
"""

from __future__ import annotations

import threading
from functools import wraps
from typing import TYPE_CHECKING, Any

from tapemeter import owner as owners
from tapemeter.intercept.hook import Hook

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor
    from types import ModuleType

    from tapemeter.intercept.carried import Carried


def install() -> Callable[[], None]:
    """Carry owner, steps and intent into threads; return what undoes it."""
    return Hook(threading.Thread, "start", _start).undo


class ExecutorAdapter:
    """The module of executors, which most programs without tasks never import."""

    module = "concurrent.futures.thread"

    def install(self, module: ModuleType) -> Callable[[], None]:
        """Carry owner, steps and intent into the work of executors."""
        return Hook(module.ThreadPoolExecutor, "submit", _submit).undo


def _start(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @wraps(start)
    def wrapper(thread: threading.Thread) -> None:
        carried = _carried()
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
        carried = _carried()
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


def _carried() -> Carried | None:
    """Return what the running code takes along; None where it is nobody's."""
    if owners.bound() is None:
        return None
    from tapemeter.intercept.carried import Carried  # noqa: PLC0415 - only tests that start threads

    return Carried.here()
