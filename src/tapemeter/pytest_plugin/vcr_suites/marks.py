"""Which tests are of such a suite, and what their markers say.

A marker of ours, `llm_cassette`, that is closer to a test than `vcr` takes the test over, so that a suite can be moved
test by test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.pytest_plugin.vcr_suites import options, style
from tapemeter.pytest_plugin.vcr_suites.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VCR = "vcr"
BLOCK = "block_network"
ALLOWED = "allowed_hosts"
DEFAULT = "default_cassette"
_OURS = "llm_cassette"
_CASSETTE = "vcr_cassette"
"""The fixture of pytest-vcr's that is a test's cassette; its `vcr` is an object with which tests open their own."""


class Served:
    """What is done for a test: whether it has a cassette, and whether it may be held back from the network."""

    def __init__(self, *, has_cassette: bool, blocks: bool) -> None:
        self.has_cassette, self.blocks = has_cassette, blocks


SERVED: pytest.StashKey[Served] = pytest.StashKey()


def find(config: pytest.Config, items: Sequence[pytest.Item]) -> Style:
    """Note of each test what is to be done for it, and have the tests ask for the fixtures that do it.

    UsageError where a marker is wrong. Returns what the suite was written for.
    """
    named = [(item, {marker.name for marker in item.iter_markers()}) for item in items]
    marked = [item for item, names in named if VCR in names and _is_marked(item)]
    written_for = style.decide(config, items, marked)
    is_marked = set(map(id, marked))
    everywhere = options.blocks_network(config)
    for item, names in named:
        blocks = everywhere or BLOCK in names
        asked = getattr(item, "fixturenames", ()) if written_for is Style.PYTEST_VCR else ()
        has_cassette = id(item) in is_marked or _CASSETTE in asked
        if not (blocks or has_cassette):
            if VCR in asked:
                leave_to_program(item)
            continue
        check(item)
        item.stash[SERVED] = Served(has_cassette=has_cassette, blocks=blocks)
        wanted = ["_vcr_network"] if blocks else []
        if id(item) in is_marked:
            wanted.append("_vcr_marker" if written_for is Style.PYTEST_VCR else "vcr")
        _ask_for(item, wanted)
    return written_for


def leave_to_program(item: pytest.Item) -> None:
    """Note that a test may use cassettes by itself, and is else left alone."""
    item.stash[SERVED] = Served(has_cassette=False, blocks=False)


def served(item: pytest.Item) -> Served | None:
    """Return what is done for a test; None for one that is not of such a suite."""
    return item.stash.get(SERVED, None)


def check(item: pytest.Item) -> None:
    """Raise UsageError for a marker whose arguments are wrong."""
    from tapemeter.errors import UsageError  # noqa: PLC0415 - see the plugin's start-up budget

    block = item.get_closest_marker(BLOCK)
    if block is not None and (block.args or set(block.kwargs) - {ALLOWED}):
        raise UsageError(
            f"@pytest.mark.block_network on {item.nodeid} takes allowed_hosts alone, by keyword: "
            "block_network(allowed_hosts=['192[.]0[.]2[.]7'])"
        )
    for marker in item.iter_markers(VCR):
        for cassette in marker.args:
            if not isinstance(cassette, str):
                raise UsageError(f"@pytest.mark.vcr on {item.nodeid} takes paths of cassettes, got {cassette!r}")
    default = item.get_closest_marker(DEFAULT)
    if default is not None and not (default.args and isinstance(default.args[0], str)):
        raise UsageError(
            f"@pytest.mark.default_cassette on {item.nodeid} takes the name of a cassette: default_cassette('name')"
        )


def merged(config: dict[str, Any], markers: Sequence[pytest.Mark]) -> dict[str, Any]:
    """Return a configuration with the keyword arguments of markers over it, the closest marker's over all."""
    from copy import deepcopy  # noqa: PLC0415 - only for marked tests

    found: dict[str, Any] = deepcopy(config)
    for marker in reversed(markers):
        found.update(marker.kwargs)
    return found


def own_name(item: pytest.Item) -> str:
    """Return the name of a test's cassette before it is made fit for a file system: `Class.test` or `test`."""
    kind = getattr(item, "cls", None)
    return item.name if kind is None else f"{kind.__name__}.{item.name}"


def _is_marked(item: pytest.Item) -> bool:
    """Whether the marker `vcr` holds for a test; UsageError where it stands beside ours."""
    place, first = None, ""
    for node, marker in item.iter_markers_with_node():
        if marker.name not in {VCR, _OURS}:
            continue
        if place is None:
            place, first = node, marker.name
        elif node is place and marker.name != first:
            from tapemeter.errors import UsageError  # noqa: PLC0415 - see check

            raise UsageError(
                f"{item.nodeid} has both markers, vcr and llm_cassette; a test has one kind of cassette, so keep one "
                "of them"
            )
        elif node is not place:
            break
    return place is not None and first == VCR


def _ask_for(item: pytest.Item, wanted: Sequence[str]) -> None:
    """Have a test ask for fixtures before all its others of function scope, and after those of wider scope."""
    names: list[str] | None = getattr(item, "fixturenames", None)
    if names is None:
        return
    for name in wanted:
        if name in names:
            names.remove(name)
    place = next(_first_of_function(item, names), len(names))
    names[place:place] = wanted


def _first_of_function(item: pytest.Item, names: Sequence[str]) -> Iterator[int]:
    definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    for place, name in enumerate(names):
        found = definitions.get(name)
        if not found or found[-1].scope == "function":
            yield place
