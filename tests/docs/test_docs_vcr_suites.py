"""The tables of docs/reference/vcr.md about suites for other plugins are true, and leave nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import reference

from tapemeter.cassette.mode import Mode
from tapemeter.pytest_plugin import fixtures, options
from tapemeter.pytest_plugin.vcr_suites import joining, style
from tapemeter.settings import Settings, Source

_ROW = re.compile(r"^\| `([\w-]+)[^`]*` \|", re.MULTILINE)


def rows(section: str) -> set[str]:
    """The names in the first cells of a section's table."""
    return set(_ROW.findall(reference("vcr").section(section)))


def test_every_marker_has_a_row() -> None:
    assert rows("Markers") == {line.partition("(")[0] for line in options.VCR_MARKERS}


def test_every_fixture_has_a_row() -> None:
    names = {name for name in fixtures.OF_VCR_SUITES if not name.startswith("_")}
    assert len(names) == 10
    assert rows("Fixtures") == names | {"block_network"}


def test_every_option_has_a_row_with_what_it_takes() -> None:
    assert rows("Command line") == set(options.OPTIONS)
    table = reference("vcr").section("Command line")
    for name, attributes in options.OPTIONS.items():
        [row] = [line for line in table.splitlines() if line.startswith(f"| `{name}` ")]
        named = set(re.findall(r"`(\w+)`", row))
        assert set(attributes.get("choices", ())) <= named or "the same" in row


def test_every_hook_has_a_row() -> None:
    assert rows("Hook") == set(dir(options.RecordingHook()))


def test_every_style_has_a_column() -> None:
    [head] = [line for line in reference("vcr").section("Whose suite it is").splitlines() if line.startswith("| |")]
    assert [cell.strip() for cell in head.split("|")[2:-1]] == list(style.Style)


@pytest.mark.parametrize(
    ("row", "mode", "source", "said", "expected"),
    [
        ("none given", None, None, "all", "all"),
        ("`replay`", Mode.REPLAY, Source.INI, "all", "none"),
        ("`record`, on the command line", Mode.RECORD, Source.COMMAND_LINE, "none", "new_episodes"),
        ("`record`, of environment or ini", Mode.RECORD, Source.ENVIRONMENT, None, "new_episodes"),
        ("`record`, of environment or ini", Mode.RECORD, Source.INI, "once", "once"),
        ("`record-all`", Mode.RECORD_ALL, Source.COMMAND_LINE, "none", "all"),
        ("`live`, `off`", Mode.LIVE, Source.ENVIRONMENT, "once", None),
        ("`live`, `off`", Mode.OFF, Source.INI, "once", None),
    ],
)
def test_the_table_of_modes_is_the_one_in_force(
    row: str, mode: Mode | None, source: Source | None, said: str | None, expected: str | None
) -> None:
    settings = Settings(root=Path(), cassette_dir=Path(), mode=mode, mode_source=source)
    found = joining.recording(settings, given=None, configured=said, default="none")
    assert found.mode == expected
    [line] = [
        line for line in reference("vcr").section("Record modes and ours").splitlines() if line.startswith(f"| {row} |")
    ]
    assert expected is None or f"`{expected}`" in line or "as the suite says" in line or expected == said
    assert found.drops_unused == ("dropped" in line)
