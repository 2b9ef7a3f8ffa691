"""Leaves the remaining tests out once nothing is left of the run's budget; they are not run, and no failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tapemeter.pytest_plugin import markers

if TYPE_CHECKING:
    from tapemeter.session import Session


class NotRun:
    """The plugin object that skips. It stands behind the wrappers of other plugins, which count on each other."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip a test of ours, with the limit as the reason, and keep evidence of it."""
        spent = self._session.run.stopped if markers.concerns(item, self._session.mode) else None
        if spent is not None:
            reason = f"not run: run budget: {spent}"
            self._session.run.evidence.write("not_run", {"test": item.nodeid, "reason": reason})
            raise pytest.skip.Exception(reason, _use_item_location=True)
