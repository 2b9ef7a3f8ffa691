"""All fixtures: ours, and those of pytest-recording and pytest-vcr under their names.

pytest reads this module in every session, so what the fixtures do is elsewhere.
"""

# ruff: noqa: PLC0415 - a body imports what it needs, once a test asks for the fixture
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.pytest_plugin import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.active_job import ActiveJob
    from tapemeter.budget.tally import Tally
    from tapemeter.client import AliasRegistry, LlmService
    from tapemeter.owner import Owner
    from tapemeter.proxy.access import ProxyAccess
    from tapemeter.proxy.server import ProxyServer
    from tapemeter.pytest_plugin.active_cassette import ActiveCassette as ActiveCassette  # noqa: PLC0414 - documented as of here

SEED = "_llm_seed"
"""The fixture that tests ask for first for which one of ours is overridden."""
LIFECYCLE = "tapemeter-lifecycle"
"""The name under which the plugin object is registered while it is active."""

CONFIG_FIXTURE = "llm_cassette_config"
POLICY_FIXTURE = "llm_budget_policy"
OVERRIDABLE = (CONFIG_FIXTURE, POLICY_FIXTURE)
"""Fixtures that a module or conftest overrides to say something of all tests below it."""

OURS = [
    "_llm_proxy_server",
    "_llm_seed",
    "block_network",
    "llm",
    "llm_aliases",
    "llm_budget_policy",
    "llm_cassette",
    "llm_cassette_config",
    "llm_echo",
    "llm_job",
    "llm_proxy",
    "llm_usage",
]
OF_VCR_SUITES = [
    "_vcr_marker",
    "_vcr_network",
    "_vcr_of_module",
    "allowed_hosts",
    "default_cassette_name",
    "disable_recording",
    "record_mode",
    "vcr",
    "vcr_cassette",
    "vcr_cassette_dir",
    "vcr_cassette_name",
    "vcr_config",
    "vcr_markers",
]
__all__ = [*OURS, *OF_VCR_SUITES]  # noqa: PLE0604 - they are named above


def __getattr__(name: str) -> Any:
    """Give the class of what `llm_cassette` gives, for annotations."""
    if name != "ActiveCassette":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tapemeter.pytest_plugin.active_cassette import ActiveCassette

    return ActiveCassette


def owner_of(request: pytest.FixtureRequest) -> Owner | None:
    """Return the owner of the test that asks for a fixture; None where nothing is done with it."""
    lifecycle = request.config.pluginmanager.get_plugin(LIFECYCLE)
    owner: Owner | None = None if lifecycle is None else lifecycle.owner_of(request.node)
    return owner


@pytest.fixture
def llm_cassette(request: pytest.FixtureRequest) -> ActiveCassette:
    """Give the cassette of this test: path, mode, interactions, played, unplayed, refusals, expect_miss()."""
    from tapemeter.pytest_plugin.active_cassette import ActiveCassette

    return ActiveCassette(owner_of(request))


@pytest.fixture
def block_network(request: pytest.FixtureRequest) -> None:
    """Refuse everything that would leave the machine, in every mode; recording still sends its model calls."""
    owner = owner_of(request)
    if owner is not None:
        owner.guarded = True


@pytest.fixture(scope="session")
def llm_cassette_config() -> dict[str, Any]:
    """Override in a module or conftest: returns arguments of the llm_cassette marker for every test below it."""
    return {}


@pytest.fixture(scope="session")
def llm_budget_policy() -> Any:
    """Override in a module or conftest: returns the path of a policy file, or a mapping, for every test below it."""
    return None


@pytest.fixture
def llm_job(request: pytest.FixtureRequest) -> ActiveJob:
    """Give the job of this test: state, stop, usage, budget.remaining, step(name)."""
    from tapemeter.active_job import ActiveJob

    lifecycle, owner = request.config.pluginmanager.get_plugin(LIFECYCLE), owner_of(request)
    if lifecycle is None or owner is None:
        return ActiveJob.of_nothing(request.node.nodeid)
    return ActiveJob(owner.job, lifecycle.session.run)


@pytest.fixture
def llm_usage(llm_job: ActiveJob) -> Tally:
    """Give what the job of this test used so far: calls, input_tokens, cost_usd, by_model, by_step and others."""
    return llm_job.usage


def overrides(item: pytest.Item) -> tuple[str, ...]:
    """Return which of the OVERRIDABLE fixtures a module or conftest overrides for a test."""
    place = item.parent or item  # a class or a module, for whose tests it is the same
    found = place.stash.get(_OVERRIDDEN, None)
    if found is None:
        manager = item.session._fixturemanager  # noqa: SLF001 - no public way to see an override
        given = {name: manager.getfixturedefs(name, item) or () for name in OVERRIDABLE}
        place.stash[_OVERRIDDEN] = found = tuple(name for name, definitions in given.items() if len(definitions) > 1)
    return found


_OVERRIDDEN: pytest.StashKey[tuple[str, ...]] = pytest.StashKey()


@pytest.fixture
def _llm_seed(request: pytest.FixtureRequest) -> None:
    """Apply what a module or conftest overrides before the other fixtures of the test run."""
    lifecycle = request.config.pluginmanager.get_plugin(LIFECYCLE)
    if lifecycle is not None and lifecycle.owner_of(request.node) is not None:
        values = {name: request.getfixturevalue(name) for name in overrides(request.node)}
        lifecycle.configure(request.node, values)


# Calls of a test's own


@pytest.fixture
def llm(request: pytest.FixtureRequest) -> Iterator[LlmService]:
    """Give a service for model calls by alias, on the cassette and the budget of this test: complete, stream and so on.

    Where calls go, environment and config file say (ini `llm_config`).
    """
    from pathlib import Path

    from tapemeter.client.load import load
    from tapemeter.client.service import LlmService

    owner = owner_of(request)
    environ = dict(os.environ)
    if owner is not None:
        environ["LLM_MODE"] = owner.mode.value.partition("-")[0]  # replay needs no key
    ini = request.config.getini("llm_config")
    with LlmService(load(environ, config=Path(ini) if ini else None, root=request.config.rootpath)) as service:
        yield service


@pytest.fixture
def llm_aliases(llm: LlmService) -> AliasRegistry:
    """Give the aliases of this test's `llm`, to look at and to change for this test."""
    return llm.aliases


@pytest.fixture
def llm_echo() -> Iterator[LlmService]:
    """Give a service that asks no model: it says what it was told, offline and free."""
    from tapemeter.client import LlmService, ProviderConfig, ProviderKind

    with LlmService(ProviderConfig(provider=ProviderKind.ECHO)) as service:
        yield service


# Programs in any language


@pytest.fixture(scope="session")
def _llm_proxy_server() -> Iterator[ProxyServer]:
    """Give the one server of this process, which is started for the first test that asks for it."""
    from tapemeter.proxy.server import ProxyServer

    with ProxyServer() as server:
        yield server


@pytest.fixture
def llm_proxy(request: pytest.FixtureRequest, _llm_proxy_server: ProxyServer) -> Iterator[ProxyAccess]:
    """Give a proxy for programs in any language, whose calls are then this test's: url(provider), env, environ()."""
    from tapemeter.proxy.access import ProxyAccess

    owner = owner_of(request)
    if owner is None:
        pytest.skip("--llm-mode=off does nothing, so there is no proxy")
    access = ProxyAccess(_llm_proxy_server, owner)
    yield access
    access.close()


# Suites for pytest-recording and pytest-vcr. `vcr` and `vcr_cassette_dir` are those of the plugin that the suite was
# written for, which `vcr_suites.style` tells.


def _scope_of_vcr(fixture_name: str, config: pytest.Config) -> Any:
    """Return how long a `vcr` lasts: pytest-vcr's a module, so that conftests may build on it."""
    del fixture_name
    if not options.says_whose_suite(config):
        if not any(map(options.is_conftest, config.pluginmanager.get_plugins())):
            return "function"
        from tapemeter.pytest_plugin import conftests

        if not conftests.tell(config):
            return "function"
    from tapemeter.pytest_plugin.vcr_suites import style

    return "module" if style.early(config) is style.Style.PYTEST_VCR else "function"


# Both


@pytest.fixture(scope=_scope_of_vcr)
def vcr(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give the cassette of a test with the marker vcr, else None; for pytest-vcr the VCR object of the module."""
    from tapemeter.pytest_plugin.vcr_suites import style

    if style.of(request.config) is style.Style.PYTEST_VCR:
        yield request.getfixturevalue("_vcr_of_module")
        return
    markers = request.getfixturevalue("vcr_markers")
    if not markers or request.getfixturevalue("disable_recording"):
        yield None
        return
    from tapemeter.pytest_plugin.vcr_suites import recording

    with recording.opened(request, markers) as cassette:
        yield cassette


@pytest.fixture(scope="session")
def vcr_config() -> dict[str, Any]:
    """Override in a module or conftest, in any scope: returns VCR.py's configuration for every test below it."""
    return {}


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    """Give the folder of a module's cassettes: cassettes/<module>, for pytest-vcr cassettes; override to change it."""
    from tapemeter.pytest_plugin.vcr_suites import style

    folder = os.path.join(request.path.parent, "cassettes")  # noqa: PTH118 - suites expect text
    if style.of(request.config) is style.Style.PYTEST_VCR:
        return folder
    return os.path.join(folder, request.path.stem)  # noqa: PTH118 - as above


@pytest.fixture
def _vcr_network(request: pytest.FixtureRequest) -> None:
    """Block the network for the test where the marker block_network or --block-network says so."""
    from tapemeter.pytest_plugin.vcr_suites import marks, recording

    served = marks.served(request.node)
    if served is not None and served.blocks:
        recording.block(request)


# Those of pytest-recording


@pytest.fixture(scope="session")
def record_mode(request: pytest.FixtureRequest) -> str:
    """Give the record mode of the command line, else none; override to change it."""
    return options.given(request.config, "--record-mode") or "none"


@pytest.fixture(scope="session")
def disable_recording(request: pytest.FixtureRequest) -> bool:
    """Give whether --disable-recording was given."""
    return bool(options.given(request.config, "--disable-recording"))


@pytest.fixture
def allowed_hosts(request: pytest.FixtureRequest) -> list[str] | None:
    """Give the regular expressions of hosts that a test may reach whose network is blocked."""
    from tapemeter.pytest_plugin.vcr_suites import recording

    return recording.allowed_hosts(request)


@pytest.fixture
def vcr_markers(request: pytest.FixtureRequest) -> list[pytest.Mark]:
    """Give the vcr markers of a test, the closest first."""
    from tapemeter.pytest_plugin.vcr_suites import marks

    served = marks.served(request.node)
    return list(request.node.iter_markers("vcr")) if served is not None and served.has_cassette else []


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    """Give the name of a test's cassette, made fit for a file system, or that of the marker default_cassette."""
    from tapemeter.pytest_plugin.vcr_suites import recording

    return recording.default_name(request.node)


# Those of pytest-vcr


@pytest.fixture
def vcr_cassette_name(request: pytest.FixtureRequest) -> str:
    """Give the name of a test's cassette: Class.test or test; override to change it."""
    from tapemeter.pytest_plugin.vcr_suites import marks

    return marks.own_name(request.node)


@pytest.fixture
def vcr_cassette(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give the cassette of a test, in use while it runs."""
    from tapemeter.pytest_plugin.vcr_suites import modules

    with modules.opened(request) as cassette:
        yield cassette


@pytest.fixture(scope="module")
def _vcr_of_module(request: pytest.FixtureRequest) -> Any:
    """Give the VCR object of a module, whatever overrides it."""
    from tapemeter.pytest_plugin.vcr_suites import modules

    return modules.vcr(request)


@pytest.fixture
def _vcr_marker(request: pytest.FixtureRequest) -> None:
    """Open the cassette of a test with the marker vcr."""
    from tapemeter.pytest_plugin.vcr_suites import marks

    served = marks.served(request.node)
    if served is not None and served.has_cassette and request.node.get_closest_marker("vcr") is not None:
        request.getfixturevalue("vcr_cassette")
