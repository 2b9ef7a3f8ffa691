"""Notes what a session leaves out while it collects its tests; `whole` judges at the end what that means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


class Watch:
    """The plugin object that notes what a session leaves out while it collects its tests."""

    def __init__(self) -> None:
        self.dropped = 0
        """Tests that were collected and then left out, as by -k."""
        self.skipped = 0
        """Modules that were skipped as a whole."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Count what other plugins take away, whether they tell of it or not."""
        collected = len(items)
        result = yield
        self.dropped = max(0, collected - len(items))
        return result

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a module that was skipped; under xdist its workers report it, each once."""
        self.skipped += report.skipped


WATCH: pytest.StashKey[Watch] = pytest.StashKey()
