"""Sees to it that no refusal goes unnoticed: one that a test's code swallowed fails the test at its end."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tapemeter.errors import BudgetStopped

if TYPE_CHECKING:
    from types import TracebackType

    from tapemeter.errors import Refusal
    from tapemeter.owner import Owner

_MISS = (
    "The refusal did not end the test, so it ends it now. Where a test expects a miss: "
    "with llm_cassette.expect_miss(): ..."
)
_STOP = "Where a test expects a stop: @pytest.mark.expect_stopped_budget"
_OURS = Path(__file__).parents[1]


class Refusals:
    """Remembers which refusals somebody has been told of."""

    def __init__(self) -> None:
        self._told: set[Refusal] = set()

    def forget(self) -> None:
        """Begin anew, for the next test."""
        self._told.clear()

    def note(self, owner: Owner, error: BaseException) -> None:
        """Tell, with an error that fails a test, of the refusals that came before it."""
        for refusal in self._untold(owner, error):
            error.add_note(f"A model call had been refused before:\n{refusal}")

    def hush(self, owner: Owner) -> None:
        """Take all refusals as told, since an error that ends the test speaks for them."""
        self._told.update(owner.refusals)

    def accept_stops(self, owner: Owner) -> None:
        """Drop the stops of an owner: they were expected."""
        owner.refusals[:] = [refusal for refusal in owner.refusals if not isinstance(refusal, BudgetStopped)]

    def raise_swallowed(self, owner: Owner) -> None:
        """Raise the first refusal that nobody has been told of."""
        swallowed = self._untold(owner)
        if not swallowed:
            return
        first = swallowed[0]
        if isinstance(first, BudgetStopped):
            # Where it was refused is long past, so there is nothing to show but the sentence.
            raise pytest.fail.Exception(f"{first}\n{_STOP}", pytrace=False)
        first.add_note(_MISS)
        raise first

    def _untold(self, owner: Owner, surfaced: BaseException | None = None) -> list[Refusal]:
        if not owner.refusals:
            return []
        surfacing = all_within(surfaced)
        found = [
            refusal
            for refusal in owner.refusals
            if refusal not in self._told and not any(refusal is error for error in surfacing)
        ]
        if any(isinstance(error, BudgetStopped) for error in surfacing):
            # Every call after the first stop is refused for the same reason; saying it once is enough.
            found = [refusal for refusal in found if not isinstance(refusal, BudgetStopped)]
        self._told.update(owner.refusals)
        return found


def is_stop(error: BaseException | None) -> bool:
    """Whether an error is a stop, or was raised from one on purpose, or is a group that holds nothing else."""
    if error is None or isinstance(error, BudgetStopped):
        return error is not None
    if isinstance(error, BaseExceptionGroup):
        return all(is_stop(one) for one in error.exceptions)
    return is_stop(error.__cause__)


def shorten(error: BaseException, root: Path) -> None:
    """Cut the traceback of a stop after the last line of the project's own code: what follows are client libraries."""
    last: TracebackType | None = None
    step = error.__traceback__
    while step is not None:
        file = Path(step.tb_frame.f_code.co_filename)
        if file.is_relative_to(root) and not any(file.is_relative_to(folder) for folder in (*_libraries(), _OURS)):
            last = step
        step = step.tb_next
    if last is not None:
        last.tb_next = None


@cache
def _libraries() -> tuple[Path, ...]:
    import sysconfig  # noqa: PLC0415 - reads how Python was built, and only a refusal asks

    return tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))


def all_within(error: BaseException | None) -> list[BaseException]:
    """Return an error with all that it contains, was caused by, or happened during."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or any(one is known for known in found):
            continue
        found.append(one)
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return found
