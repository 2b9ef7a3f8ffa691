"""The fixtures of pytest-recording and pytest-vcr, under their names, for suites that request or override them.

`vcr` and `vcr_cassette_dir` are those of the plugin that the suite was written for: see `style`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


def _scope_of_vcr(fixture_name: str, config: pytest.Config) -> Any:
    """Return how long a `vcr` lasts: pytest-vcr's a module, so that conftests may build on it."""
    from tapemeter.pytest_plugin.vcr_suites import style  # noqa: PLC0415 - fixtures are defined in every session

    del fixture_name
    return "module" if style.early(config) is style.Style.PYTEST_VCR else "function"


# Both


@pytest.fixture(scope=_scope_of_vcr)
def vcr(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give the cassette of a test with the marker vcr, else None; for pytest-vcr the VCR object of the module."""
    from tapemeter.pytest_plugin.vcr_suites import style  # noqa: PLC0415 - see _scope_of_vcr

    if style.of(request.config) is style.Style.PYTEST_VCR:
        yield request.getfixturevalue("_vcr_of_module")
        return
    markers = request.getfixturevalue("vcr_markers")
    if not markers or request.getfixturevalue("disable_recording"):
        yield None
        return
    from tapemeter.pytest_plugin.vcr_suites import recording  # noqa: PLC0415 - only marked tests

    with recording.opened(request, markers) as cassette:
        yield cassette


@pytest.fixture(scope="session")
def vcr_config() -> dict[str, Any]:
    """Override in a module or conftest, in any scope: returns VCR.py's configuration for every test below it."""
    return {}


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    """Give the folder of a module's cassettes: cassettes/<module>, for pytest-vcr cassettes; override to change it."""
    from tapemeter.pytest_plugin.vcr_suites import style  # noqa: PLC0415 - see _scope_of_vcr

    folder = os.path.join(request.path.parent, "cassettes")  # noqa: PTH118 - suites expect text
    if style.of(request.config) is style.Style.PYTEST_VCR:
        return folder
    return os.path.join(folder, request.path.stem)  # noqa: PTH118 - as above


@pytest.fixture
def _vcr_network(request: pytest.FixtureRequest) -> None:
    """Block the network for the test where the marker block_network or --block-network says so."""
    from tapemeter.pytest_plugin.vcr_suites import marks, recording  # noqa: PLC0415 - only marked tests

    served = marks.served(request.node)
    if served is not None and served.blocks:
        recording.block(request)


# Those of pytest-recording


@pytest.fixture(scope="session")
def record_mode(request: pytest.FixtureRequest) -> str:
    """Give the record mode of the command line, else none; override to change it."""
    from tapemeter.pytest_plugin.vcr_suites import options  # noqa: PLC0415 - see _scope_of_vcr

    return options.given(request.config, "--record-mode") or "none"


@pytest.fixture(scope="session")
def disable_recording(request: pytest.FixtureRequest) -> bool:
    """Give whether --disable-recording was given."""
    from tapemeter.pytest_plugin.vcr_suites import options  # noqa: PLC0415 - see _scope_of_vcr

    return bool(options.given(request.config, "--disable-recording"))


@pytest.fixture
def allowed_hosts(request: pytest.FixtureRequest) -> list[str] | None:
    """Give the regular expressions of hosts that a test may reach whose network is blocked."""
    from tapemeter.pytest_plugin.vcr_suites import recording  # noqa: PLC0415 - only where the network is blocked

    return recording.allowed_hosts(request)


@pytest.fixture
def vcr_markers(request: pytest.FixtureRequest) -> list[pytest.Mark]:
    """Give the vcr markers of a test, the closest first."""
    from tapemeter.pytest_plugin.vcr_suites import marks  # noqa: PLC0415 - see _scope_of_vcr

    served = marks.served(request.node)
    return list(request.node.iter_markers("vcr")) if served is not None and served.has_cassette else []


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    """Give the name of a test's cassette, made fit for a file system, or that of the marker default_cassette."""
    from tapemeter.pytest_plugin.vcr_suites import recording  # noqa: PLC0415 - only marked tests

    return recording.default_name(request.node)


# Those of pytest-vcr


@pytest.fixture
def vcr_cassette_name(request: pytest.FixtureRequest) -> str:
    """Give the name of a test's cassette: Class.test or test; override to change it."""
    from tapemeter.pytest_plugin.vcr_suites import marks  # noqa: PLC0415 - see _scope_of_vcr

    return marks.own_name(request.node)


@pytest.fixture
def vcr_cassette(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give the cassette of a test, in use while it runs."""
    from tapemeter.pytest_plugin.vcr_suites import modules  # noqa: PLC0415 - only tests that use it

    with modules.opened(request) as cassette:
        yield cassette


@pytest.fixture(scope="module")
def _vcr_of_module(request: pytest.FixtureRequest) -> Any:
    """Give the VCR object of a module, whatever overrides it."""
    from tapemeter.pytest_plugin.vcr_suites import modules  # noqa: PLC0415 - only tests that use it

    return modules.vcr(request)


@pytest.fixture
def _vcr_marker(request: pytest.FixtureRequest) -> None:
    """Open the cassette of a test with the marker vcr."""
    from tapemeter.pytest_plugin.vcr_suites import marks  # noqa: PLC0415 - only marked tests

    served = marks.served(request.node)
    if served is not None and served.has_cassette and request.node.get_closest_marker("vcr") is not None:
        request.getfixturevalue("vcr_cassette")
