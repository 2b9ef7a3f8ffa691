"""The markers, and how their arguments become typed values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.pytest_plugin.fixtures import overrides
from tapemeter.pytest_plugin.vcr_suites import marks

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from tapemeter.cassette.mode import Mode
    from tapemeter.network import AllowList
    from tapemeter.settings import CassetteArguments

CASSETTE = "llm_cassette"
NETWORK = "llm_network"
BUDGET = "llm_budget"
JOB = "llm_job"
EXPECT_STOPPED = "expect_stopped_budget"
OURS = frozenset({CASSETTE, NETWORK, BUDGET, JOB, EXPECT_STOPPED})
_OF_BUDGETS = frozenset({BUDGET, JOB, EXPECT_STOPPED})
FIXTURES = frozenset({"llm_cassette", "block_network", "llm_job", "llm_usage", "llm", "llm_proxy"})
"""Fixtures whose use makes a test ours where no mode is given."""


def is_ours(item: pytest.Item) -> bool:
    """Whether a test uses a marker or fixture of ours, or is of a suite for pytest-recording or pytest-vcr."""
    if marks.served(item) is not None:
        return True
    if has(item, OURS) or overrides(item):
        return True
    return any(_is_own_fixture(item, name) for name in getattr(item, "fixturenames", ()) if name in FIXTURES)


def has_say(item: pytest.Item) -> bool:
    """Whether a marker of ours, or of such a suite, may say how a test's calls are answered."""
    return has(item, OURS) or marks.served(item) is not None


def has(item: pytest.Item, names: frozenset[str]) -> bool:
    """Whether a test has a marker of one of the names; as `iter_markers` finds them, at a fifth of the cost."""
    node: pytest.Item | pytest.Collector | None = item
    while node is not None:
        if node.own_markers and any(marker.name in names for marker in node.own_markers):
            return True
        node = node.parent
    return False


def concerns(item: pytest.Item, mode: Mode | None) -> bool:
    """Whether a session that is in a mode, or in none, concerns itself with a test."""
    return mode is not None or is_ours(item)


def _is_own_fixture(item: pytest.Item, name: str) -> bool:
    """Whether a name stands for our fixture; a project may have another of the same name, such as `llm`."""
    found = item.session._fixturemanager.getfixturedefs(name, item)  # noqa: SLF001 - as in overrides
    return found is not None and bool(found) and found[-1].func.__module__.startswith("tapemeter.")


def cassette_arguments(item: pytest.Item) -> CassetteArguments:
    """Return the arguments of all `llm_cassette` markers of a test, the closest first; UsageError for a wrong one."""
    from tapemeter.settings import CassetteArguments  # noqa: PLC0415 - only tests that carry the marker

    arguments = CassetteArguments()
    for marker in item.iter_markers(CASSETTE):
        parsed = CassetteArguments.parse(marker.args, marker.kwargs, where(item, CASSETTE))
        arguments = arguments.over(parsed)
    return arguments


def config_arguments(value: Mapping[str, Any], where: str) -> CassetteArguments:
    """Return the arguments that an `llm_cassette_config` fixture gives; UsageError for a wrong one."""
    from tapemeter.errors import UsageError  # noqa: PLC0415
    from tapemeter.settings import CassetteArguments  # noqa: PLC0415

    if not isinstance(value, dict):
        raise UsageError(f"llm_cassette_config returns a dict of marker arguments, got {value!r} in {where}")
    return CassetteArguments.parse((), value, f"llm_cassette_config in {where}")


def allowed_hosts(item: pytest.Item) -> AllowList | None:
    """Return what the closest `llm_network` marker allows; None without one, UsageError for a wrong one."""
    marker = item.get_closest_marker(NETWORK)
    if marker is None:
        return None
    from tapemeter.errors import UsageError  # noqa: PLC0415
    from tapemeter.network import marker_allow_list  # noqa: PLC0415

    given: list[Any] = [*marker.args, *marker.kwargs.values()]
    hosts = given[0] if len(given) == 1 and not marker.kwargs.keys() - {"allow"} else None
    if not isinstance(hosts, list | tuple) or not all(isinstance(host, str) for host in hosts):
        raise UsageError(
            f"{where(item, NETWORK)} takes one list of hosts; write llm_network(allow=['db.internal:5432']), "
            "or allow=[] for none"
        )
    try:
        return marker_allow_list(hosts)
    except UsageError as error:
        raise UsageError(f"{where(item, NETWORK)}: {error}") from None


def check(item: pytest.Item) -> None:
    """Raise UsageError for the first marker of ours whose arguments are wrong."""
    cassette_arguments(item)
    allowed_hosts(item)
    if has(item, _OF_BUDGETS):
        from tapemeter.pytest_plugin import budgets  # noqa: PLC0415 - only tests that carry such a marker

        budgets.check(item)


def where(item: pytest.Item, marker: str) -> str:
    """Return how messages name a marker of a test."""
    return f"@pytest.mark.{marker} on {item.nodeid}"
