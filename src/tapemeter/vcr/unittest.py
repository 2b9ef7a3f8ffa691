"""Test cases of `unittest` that use a cassette in each test, as VCR.py has them."""

from __future__ import annotations

import inspect
import os
import unittest
from typing import Any

from tapemeter.vcr.config import VCR


class VCRMixin(unittest.TestCase):
    """Opens the cassette `cassettes/Class.test.yaml` beside the module for each test; `cassette` is there meanwhile."""

    vcr_enabled = True

    def setUp(self) -> None:
        """Open the cassette."""
        super().setUp()
        if self.vcr_enabled:
            manager = self._get_vcr(**self._get_vcr_kwargs()).use_cassette(self._get_cassette_name())
            self.cassette = manager.__enter__()
            self.addCleanup(manager.__exit__, None, None, None)

    def _get_vcr(self, **options: Any) -> VCR:
        if "cassette_library_dir" not in options:
            options["cassette_library_dir"] = self._get_cassette_library_dir()
        return VCR(**options)

    def _get_vcr_kwargs(self, **options: Any) -> dict[str, Any]:
        return options

    def _get_cassette_library_dir(self) -> str:
        return os.path.join(os.path.dirname(inspect.getfile(type(self))), "cassettes")  # noqa: PTH118, PTH120 - texts, as VCR.py's

    def _get_cassette_name(self) -> str:
        return f"{type(self).__name__}.{self._testMethodName}.yaml"


class VCRTestCase(VCRMixin):
    """The same, for test cases that have no other base."""
