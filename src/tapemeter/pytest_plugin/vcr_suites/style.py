"""Which plugin a suite was written for, where both gave a name another meaning.

| | pytest-recording | pytest-vcr |
|---|---|---|
| fixture `vcr` | the cassette of a marked test, else None | the VCR object of the module |
| files | `cassettes/<module>/<test>.yaml` | `cassettes/<test>.yaml` |
| without an option | nothing is recorded | what has no file is recorded (`once`) |

The ini setting `llm_vcr` says it. Without it, what the suite uses tells: the options of one of them; a conftest that
has `vcr_cassette` or `vcr_cassette_name`, or asks for them, or for `vcr` in a wider scope; tests that ask for them;
files that lie where only pytest-vcr has them. Where nothing tells, it is pytest-recording's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.pytest_plugin import conftests
from tapemeter.pytest_plugin.vcr_suites import options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

INI = "llm_vcr"


class Style(StrEnum):
    """The plugin that a suite was written for."""

    RECORDING = "pytest-recording"
    PYTEST_VCR = "pytest-vcr"


_STYLE: pytest.StashKey[Style] = pytest.StashKey()


def of(config: pytest.Config) -> Style:
    """Return the style of the session's suite; what tests and conftests say is looked at now if it was not before."""
    known = config.stash.get(_STYLE, None)
    if known is not None:
        return known
    session: Any = config.pluginmanager.get_plugin("session")
    return decide(config, getattr(session, "items", ()), [])


def named(config: pytest.Config) -> Style | None:
    """Return the style that the ini setting names; pytest's UsageError where it names neither."""
    word = config.getini(INI).strip().lower()
    if word and word not in set(Style):
        raise pytest.UsageError(f"tapemeter: ini {INI} is {word!r}; write {' or '.join(Style)}")
    return Style(word) if word else None


def early(config: pytest.Config) -> Style | None:
    """Return the style as far as it can be told before tests are collected; None where it cannot."""
    style = named(config)
    if style is not None:
        return style
    if options.is_for_recording(config):
        return Style.RECORDING
    if options.is_for_pytest_vcr(config) or conftests.tell(config):
        return Style.PYTEST_VCR
    return None


def decide(config: pytest.Config, items: Sequence[pytest.Item], marked: Sequence[pytest.Item]) -> Style:
    """Return the style, and remember it; `marked` are those of the items with the marker `vcr`.

    pytest's UsageError where it shows too late, since a fixture of wider scope builds on `vcr` by then.
    """
    known = early(config)
    style = known or (Style.PYTEST_VCR if _asks(items) or _lies_beside(marked) else Style.RECORDING)
    config.stash[_STYLE] = style
    if known is None:
        ours = set(map(id, marked))
        wider = next((where for item in items for where in _builds_on_vcr(item, is_marked=id(item) in ours)), None)
        if wider is not None:
            raise pytest.UsageError(
                f"tapemeter: {wider} asks for vcr in a wider scope, as suites for pytest-vcr do, but is read too late "
                f"to tell; write {INI} = {Style.PYTEST_VCR} in the ini file"
            )
    return style


def _asks(items: Iterable[pytest.Item]) -> bool:
    """Whether a test asks for a fixture that pytest-vcr alone has, or one is overridden for it."""
    seen: set[int] = set()
    for item in items:
        names = getattr(item, "fixturenames", ())
        if conftests.OF_PYTEST_VCR_ALONE.intersection(names):
            return True
        module = item.getparent(pytest.Module)
        if module is None or id(module) in seen:
            continue
        seen.add(id(module))
        manager = item.session._fixturemanager  # noqa: SLF001 - no public way to see an override
        if any(len(manager.getfixturedefs(name, item) or ()) > 1 for name in ("vcr_cassette", "vcr_cassette_name")):
            return True
    return False


def _lies_beside(marked: Iterable[pytest.Item]) -> bool:
    """Whether the first cassette that is found lies where pytest-vcr has it."""
    folders: dict[Path, bool] = {}
    for item in marked:
        folder = item.path.parent / "cassettes"
        below = folder / item.path.stem
        if below not in folders:
            folders[below] = below.is_dir()
        if folders[below]:
            return False
        kind = getattr(item, "cls", None)
        name = item.name if kind is None else f"{kind.__name__}.{item.name}"
        if "/" not in name and len(name) < options.suffix_limit() and (folder / f"{name}.yaml").is_file():
            return True
    return False


def _builds_on_vcr(item: pytest.Item, *, is_marked: bool) -> Iterator[str]:
    """Yield the fixtures of wider scope, of those that a test uses, that ask for `vcr`."""
    if not is_marked and "vcr" not in getattr(item, "fixturenames", ()):
        return
    manager = item.session._fixturemanager  # noqa: SLF001 - no public way to see an override
    used = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    for found in (manager.getfixturedefs("vcr", item) or (), *used.values()):
        for definition in found:
            if definition.scope != "function" and "vcr" in definition.argnames:
                yield f"the fixture {definition.argname} of {definition.baseid or 'a plugin'}"
