"""The hook of pytest-recording, as its suites implement it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from tapemeter.vcr import VCR


def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:
    """Configure the VCR object of a marked test: register a serializer, matcher or persister, set its attributes.

    Called before each marked test's cassette is opened, with an object of its own.
    """
