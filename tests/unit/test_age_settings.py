"""Which age holds for a test, and by which clock."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tapemeter.clock import RunClock
from tapemeter.errors import UsageError
from tapemeter.session import Session, new_run
from tapemeter.settings import (
    CassetteArguments,
    Settings,
    Source,
    parse_fail_on,
    parse_on_stale,
    parse_strict,
    read_max_age,
)

DAY = 86400.0


@pytest.mark.parametrize(
    ("option", "ini", "age", "source"),
    [
        (None, "", None, None),
        (None, "2d", 2 * DAY, Source.INI),
        ("1d", "2d", DAY, Source.COMMAND_LINE),
        ("any", "2d", math.inf, Source.COMMAND_LINE),
    ],
)
def test_the_command_line_overrides_ini(option: str | None, ini: str, age: float | None, source: Source | None) -> None:
    assert read_max_age(option=option, ini=ini) == (age, source)


@pytest.mark.parametrize(("option", "ini", "where"), [("x", "2d", "--llm-max-age"), (None, "x", "ini llm_max_age")])
def test_what_is_no_age_is_named_by_its_place(option: str | None, ini: str, where: str) -> None:
    with pytest.raises(UsageError, match=f"^{where} is 'x'"):
        read_max_age(option=option, ini=ini)


def settings(**changes: Any) -> Settings:
    return Settings(root=Path("/root"), cassette_dir=Path("/root/cassettes"), **changes)


@pytest.mark.parametrize(
    ("given", "source", "marker", "age"),
    [
        (None, None, None, None),
        (None, None, DAY, DAY),
        (2 * DAY, Source.INI, None, 2 * DAY),
        (2 * DAY, Source.INI, DAY, DAY),
        (2 * DAY, Source.INI, math.inf, math.inf),
        (2 * DAY, Source.COMMAND_LINE, DAY, 2 * DAY),
    ],
)
def test_a_marker_stands_between_them(
    given: float | None, source: Source | None, marker: float | None, age: float | None
) -> None:
    assert settings(max_age=given, max_age_source=source).max_age_for(marker) == age


def test_the_age_goes_by_the_clock_of_the_run(tmp_path: Path) -> None:
    given = Settings(root=tmp_path, cassette_dir=tmp_path, max_age=DAY, max_age_source=Source.INI)
    run = new_run(given)
    run.clock = RunClock(datetime(2026, 11, 21, 7, tzinfo=UTC))
    session = Session(given, run)

    def stale_before(**marker: Any) -> str:
        arguments = CassetteArguments.parse((), marker, "here")
        return session.owner("t", nodeid="t", path=tmp_path / "t.yaml", arguments=arguments).stale_before

    assert stale_before() == "2026-11-20T07:00:00Z"
    assert stale_before(max_age="2h") == "2026-11-21T05:00:00Z"
    assert stale_before(max_age="any") == ""


def test_words_are_read_whatever_their_case() -> None:
    assert parse_strict(" Fail ") == "fail"
    assert parse_on_stale("RECORD") == "record"
    assert parse_fail_on("drift, stale,orphans") == {"drift", "stale", "orphans"}
