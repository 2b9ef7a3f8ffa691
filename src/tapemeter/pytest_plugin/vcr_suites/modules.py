"""The VCR object of a module, and the cassette of a test, as pytest-vcr has them."""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tapemeter.pytest_plugin.options import given
from tapemeter.pytest_plugin.vcr_suites import joining, marks, options

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def vcr(request: pytest.FixtureRequest) -> Any:
    """Return the VCR object of a module, for tests to use and for conftests to register things with."""
    from tapemeter.vcr import VCR  # noqa: PLC0415 - only tests that use it

    if given(request.config, "--vcr-record-mode"):
        warnings.warn(
            "--vcr-record-mode is the name that pytest-vcr gave up; write --vcr-record",
            DeprecationWarning,
            stacklevel=2,
        )
    config = {
        "cassette_library_dir": os.fspath(request.getfixturevalue("vcr_cassette_dir")),
        "path_transformer": VCR.ensure_suffix(".yaml"),
        **request.getfixturevalue("vcr_config"),
    }
    return VCR(**config | _over(request))


@contextmanager
def opened(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Have a test use its cassette; gives it, without using it where the plugin does nothing."""
    found = request.getfixturevalue("vcr")
    name = request.getfixturevalue("vcr_cassette_name")
    session = joining.session_of(request.config)
    if session is None:
        from tapemeter.vcr.cassette import Cassette  # noqa: PLC0415 - as above

        yield Cassette(name)
        return
    config = _over(request)
    said = config.get("record_mode", found.record_mode)
    how = joining.recording(
        session.settings,
        given=options.record_mode(request.config),
        configured=str(getattr(said, "value", said)),
        default="once",
    )
    if how.mode is None or options.is_off(request.config):
        config |= _OFF
        how = joining.Recording(None)
    else:
        config |= how.configuration
    context = found.use_cassette(name, **config)
    with joining.used(request.node, context, shared=request.node.get_closest_marker(marks.DEFAULT) is not None) as used:
        joining.settle(request.node, how, exists=os.path.exists(used.path))  # noqa: PTH110 - theirs is text
        yield used


def _over(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what the marker of a test or a module, and the command line, say over the configuration."""
    marker = request.node.get_closest_marker(marks.VCR)
    given = options.record_mode(request.config)
    return {
        **(marker.kwargs if marker is not None else {}),
        **({"record_mode": given} if given is not None else {}),
        **(_OFF if options.is_off(request.config) else {}),
    }


def _nothing(response: object) -> None:
    del response


_OFF = {"record_mode": "new_episodes", "before_record_response": _nothing}
"""A cassette that neither plays nor keeps anything."""
